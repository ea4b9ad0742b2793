//! Deliberate faults, one at a time, which show whether the simulation would notice them.
//!
//! With the cargo feature `mutations`, [`Limits`](crate::base::limits::Limits) names the fault of a run.
//! Without it no run has one, and what is behind `Limits::is_mutated`
//! is compiled out.

/// A deliberate fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// What a commit's `after` names is not looked for in the log.
    AppendWithoutCauses,
    /// A chain may begin anywhere: commits of another space are taken.
    AnyChainStart,
    /// A commit that comes without its bytes is taken for held.
    HoleIsHeld,
    /// A document is deleted as soon as somebody says that it is.
    BelieveDeleted,
    /// An acknowledgement says `whole` as far as it says `read`.
    WholeIsRead,
    /// Commits are acknowledged while they are being written.
    AcknowledgeEarly,
    /// Commits are sent on while they are being written.
    ForwardEarly,
    /// A commit that waits for its causes counts as arrived.
    WaitingCounts,
    /// A commit that another relay has named counts as arrived.
    NamedCounts,
    /// Of the credit owed to a peer nothing is kept while a relay sleeps.
    ForgetOwed,
    /// A view is shown although its document has changed since.
    BelieveViews,
    /// A relay sleeps although frames on its links are not settled.
    SleepOnFrames,
    /// `durable` is content with one region less.
    DurableOneShort,
    /// `fresh` is content with one region less.
    FreshOneShort,
    /// A log that was put back keeps its id.
    KeepLogId,
    /// A mark that this log never gave makes it take another id.
    RenewOnForeignMark,
    /// The second branch of a fork is taken for held.
    DropSecondBranch,
    /// A commit that waits for its causes gives its credit back at once.
    WaitingRefunds,
    /// More is sent than was granted.
    IgnoreCredit,
    /// A relay looks into the bytes of items, and closes a link that brings some it can't read.
    JudgeBytes,
    /// Whoever may only read is not stopped from writing.
    ReadersWrite,
    /// Another replica is shown what lets this one in at relays.
    ShowToken,
    /// A commit that is over a quota is dropped in silence.
    DropOverQuota,
    /// What storage answered to questions from before a reload is used after it.
    StaleAnswers,
    /// Of two changes under one actor and number the one that came first is taken.
    FirstChangeWins,
    /// Initial values of two versions of an application are both kept.
    WeaveGeneses,
    /// What was said of who is there counts for an hour.
    PresenceForAnHour,
    /// A receipt counts for all that this holder has made.
    ReceiptForAll,
    /// Chance that does not come from the seed.
    AmbientChance,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 29] = [
        Self::AppendWithoutCauses,
        Self::AnyChainStart,
        Self::HoleIsHeld,
        Self::BelieveDeleted,
        Self::WholeIsRead,
        Self::AcknowledgeEarly,
        Self::ForwardEarly,
        Self::WaitingCounts,
        Self::NamedCounts,
        Self::ForgetOwed,
        Self::BelieveViews,
        Self::SleepOnFrames,
        Self::DurableOneShort,
        Self::FreshOneShort,
        Self::KeepLogId,
        Self::RenewOnForeignMark,
        Self::DropSecondBranch,
        Self::WaitingRefunds,
        Self::IgnoreCredit,
        Self::JudgeBytes,
        Self::ReadersWrite,
        Self::ShowToken,
        Self::DropOverQuota,
        Self::StaleAnswers,
        Self::FirstChangeWins,
        Self::WeaveGeneses,
        Self::PresenceForAnHour,
        Self::ReceiptForAll,
        Self::AmbientChance,
    ];
}

/// A number that depends on what other machines of the process did before.
pub(crate) fn ambient_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static CALLS: AtomicU64 = AtomicU64::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed)
}
