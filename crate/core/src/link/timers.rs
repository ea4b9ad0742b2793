//! When something is due on a link, if nothing happens before.

use crate::base::limits::Limits;
use crate::base::time::Millis;
use crate::link::link::{Link, Phase};
use crate::link::session::{Accepted, COMPARE_WAIT, End, Renewal, Session, Stillness};

/// How long a connection may take to open.
const DIAL_WAIT: Millis = 10_000;
/// How long a holder that was dialled may take for its `Hello`.
const HELLO_WAIT: Millis = 10_000;
/// How long whoever dialled may take for its `Hello`, and its token to be verified.
const COMER_WAIT: Millis = 5_000;
/// How long a link must be still before the two sides compare what they hold.
const QUIET_WAIT: Millis = 2_000;
/// How long an answer to a `Want` may take.
const WANT_WAIT: Millis = 15_000;
/// How long a link may say nothing while an answer is due.
const SILENCE_MAX: Millis = 10_000;
/// How long the next piece of a commit may take.
const PIECE_WAIT: Millis = 60_000;

/// How long another replica may say nothing before it is asked whether it is there.
const PING_WAIT: Millis = 10_000;
/// How long it may take to answer.
const PONG_WAIT: Millis = 8_000;

/// What is due on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Rings when a connection has not opened or the greeting has not come: the link is given up.
    Greeting,
    /// Rings when a `Want` was not answered: the link is given up.
    Want,
    /// Rings when a dialler has sent what is not acknowledged, or another replica does not answer: the link
    /// is given up.
    Silence,
    /// Rings when the rest of a commit in pieces has not come: the link is given up.
    Piece,
    /// Rings when nothing has moved for a while: a dialler asks whether both sides hold the same.
    Quiet,
    /// Rings when a link has not been still for long: a dialler asks all the same.
    Comparison,
    /// Rings when more may be granted that had to wait for its time.
    Grant,
    /// Rings when more may be read for the link that had to wait for its time.
    Turn,
    /// Rings when another token may be verified that had to wait for its time.
    Renewal,
    /// Rings when another replica has said nothing for a while: it is asked whether it is there.
    Ping,
    /// Rings when what was to be said to another replica has waited for more of the kind.
    Later,
    /// Rings when the other side's token is no longer good: the link ends.
    Expiry,
}

impl Link {
    /// What is due first, and when.
    pub fn next_timer(&self, limits: &Limits) -> Option<(Millis, Timer)> {
        let expiry = self.grant().and_then(|grant| grant.expires_at).map(|at| (at, Timer::Expiry));
        let next = match &self.phase {
            Phase::Dialing { since, .. } => Some((since + DIAL_WAIT, Timer::Greeting)),
            Phase::Dialed { since, .. } | Phase::Greeted { since, .. } => {
                Some((since + HELLO_WAIT, Timer::Greeting))
            }
            Phase::Arriving { since } | Phase::Authorizing { since, .. } | Phase::Checking { since, .. } => {
                Some((since + COMER_WAIT, Timer::Greeting))
            }
            Phase::Up(session) => {
                session.timers(self.heard_at, limits).into_iter().flatten().min_by_key(first)
            }
        };
        [next, expiry].into_iter().flatten().min_by_key(first)
    }
}

fn first((at, _): &(Millis, Timer)) -> Millis {
    *at
}

impl Session {
    fn timers(&self, heard_at: Millis, limits: &Limits) -> [Option<(Millis, Timer)>; 10] {
        let is_agreed = self.stillness == Stillness::Agreed && !self.is_exchanging();
        // Where one side may not bring what it holds, nobody asks whether both hold the same.
        let minds = self.compares();
        let half =
            [&self.receive.stream, &self.receive.answer].into_iter().filter(|pieces| !pieces.is_empty());
        [
            self.wanted.as_ref().map(|wanted| (wanted.asked_at + WANT_WAIT, Timer::Want)),
            (minds && !is_agreed).then_some((heard_at.max(self.moving_since) + SILENCE_MAX, Timer::Silence)),
            (minds && !is_agreed && !self.is_exchanging())
                .then_some((self.moved_at + QUIET_WAIT, Timer::Quiet)),
            (minds && !is_agreed && !self.is_exchanging())
                .then_some((self.compared_at + COMPARE_WAIT, Timer::Comparison)),
            half.map(|pieces| (pieces.came_at + PIECE_WAIT, Timer::Piece)).min_by_key(first),
            self.is_grant_due(limits).then_some((self.receive.grant_at, Timer::Grant)),
            self.work_at.map(|at| (at, Timer::Turn)),
            self.renewal_due().map(|at| (at, Timer::Renewal)),
            self.is_peer().then(|| self.next_ping(heard_at)),
            self.send.later.due_at().filter(|_| self.is_peer()).map(|at| (at, Timer::Later)),
        ]
    }

    /// Connections between replicas can die with no word, and nobody else watches them.
    fn next_ping(&self, heard_at: Millis) -> (Millis, Timer) {
        match self.pinged_at.filter(|at| heard_at < *at) {
            Some(at) => (at + PONG_WAIT, Timer::Silence),
            None => (heard_at + PING_WAIT, Timer::Ping),
        }
    }

    fn renewal_due(&self) -> Option<Millis> {
        match &self.end {
            End::Accepter(Accepted { renewal: Some(Renewal::Waits(_)), renew_at, .. }) => Some(*renew_at),
            _ => None,
        }
    }

    /// Whether enough is owed to be worth a frame.
    pub fn is_grant_due(&self, limits: &Limits) -> bool {
        self.receive.owed >= limits.credit_bytes / 4
    }
}
