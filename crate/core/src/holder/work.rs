//! What is under way in a holder: what came in, what was asked of storage, and what the owner hears.

use std::collections::BTreeSet;

use crate::base::id::{DocId, LinkId};
use crate::base::position::{Cursor, Position};
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::commit::vector::Tip;
use crate::link::link::FrameNumber;
use crate::log::log::{self, Entry};
use crate::storage::request::{Corrupt, StorageAnswer, WriteBatch};
use crate::wire::bodies::{RegionHead, Want};

/// How long a connection may take to open.
pub(super) const DIAL_WAIT: Millis = 10_000;
/// How long a holder that was dialled may take for its `Hello`.
pub(super) const HELLO_WAIT: Millis = 10_000;
/// How long whoever dialled may take for its `Hello`, and its token to be verified.
pub(super) const COMER_WAIT: Millis = 5_000;
/// How long a link must be still before the two sides compare digests.
pub(super) const QUIET_WAIT: Millis = 2_000;
/// How long an answer to a `Want` may take.
pub(super) const WANT_WAIT: Millis = 15_000;
/// How long a link may say nothing while an answer is due.
pub(super) const SILENCE_MAX: Millis = 10_000;
/// How long what a relay has named, or sent the effect of, may take to come its own way.
pub(super) const PATIENCE: Millis = 1_000;
/// How long after a failed write storage is tried again.
pub(super) const DISK_RETRY: Millis = 5_000;

/// What the owner needs to hear.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    /// The log is known; links may be opened.
    Opened,
    /// Storage holds something this code cannot read.
    Corrupt(String),
    /// These commits are in the log now, in this order.
    Appended(Vec<Entry>),
    /// So many of the process's own commits, from the first, are durable.
    Saved(u64),
    /// Own commits up to this could not be written; the holder goes on from memory.
    SaveFailed(u64, String),
    /// Storage works again.
    DiskRecovered,
    /// The answer to [`Holder::ask_storage`].
    Storage(OwnerRequest, StorageAnswer),
    /// Something about a link changed: it came up, moved or went.
    LinkChanged,
    /// The link is gone; why, where it was said.
    LinkClosed(LinkId, Option<(u16, String)>),
    /// The end of a peer's log, asked for with [`Holder::ask_heads`].
    HeadOf(LinkId, u64, Position),
    /// This holder and a peer have compared what they hold, and it is the same.
    Agreed(LinkId),
    /// A peer asks what the regions hold.
    FreshAsked(LinkId, u64),
    /// What a region held is held by the peer; see [`Fresh`].
    FreshAnswer(LinkId, u64, RegionHead),
    /// Another process moved the log on; it is to be followed from storage.
    LogMoved,
    /// What this process had beyond storage now has other places in the log.
    Reloaded,
}

/// Reads that the owner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerRequest {
    /// The log, from where the owner has got to.
    Follow,
    /// A document's commits, from this one of the log on.
    Document(DocId, u64),
}

/// Where a commit came from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// This process made it; its number among those it made.
    Own(u64),
    /// It was in storage's place in memory, or in a write that another process overtook.
    Again { own: bool },
    /// The stream of a link, which spent so many bytes of credit on it.
    Stream(LinkId, FrameNumber, usize),
    /// An answer on a link.
    Answer(LinkId),
}

#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub origin: Origin,
    pub commit: Commit,
}

/// A commit that a relay says it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub link: LinkId,
    pub frame: FrameNumber,
    pub tip: Tip,
    pub came_at: Millis,
}

#[derive(Clone, Debug)]
pub(super) enum Pending {
    Meta,
    MetaAgain,
    Load { range: usize },
    Peers,
    Lookup,
    Append(InFlight),
    Records,
    Scrub { docs: BTreeSet<DocId> },
    Scrubbed { docs: BTreeSet<DocId> },
    Flush,
    CheckCursor { link: LinkId, cursor: Cursor, which: Which },
    Feed(LinkId),
    FindFor(LinkId, Want),
    AnswerRead(AnswerJob),
    Owner(OwnerRequest),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Seen,
    Read,
}

/// A write under way.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    pub batch: WriteBatch,
    pub entries: Vec<Entry>,
    pub origins: Vec<Origin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogState {
    Loading,
    Open,
    Failed,
}

/// How links greet.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub space: String,
    pub region: Option<String>,
    /// All regions, where this holder is a relay.
    pub regions: Vec<String>,
    pub token: Option<String>,
    /// Nothing is brought to the holders dialled from now on.
    pub read_only: bool,
}

#[derive(Clone, Debug)]
pub(super) struct AnswerJob {
    pub(super) link: LinkId,
    pub(super) nonce: u64,
    pub(super) left: BTreeSet<u64>,
    pub(super) bytes: u64,
    pub(super) read_bytes: usize,
}

/// The key that follows this one.
pub(super) fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The rows that a scan gave.
pub(crate) fn rows_of(answer: StorageAnswer) -> Result<log::RowsRead, Corrupt> {
    match answer {
        StorageAnswer::Scanned { entries, more } => log::read_rows(&entries, more),
        other => Err(Corrupt(format!("storage answered {other:?}"))),
    }
}
