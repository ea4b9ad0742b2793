//! A connection, from dialling to its end.

use crate::base::pace::Pace;
use crate::base::position::{Cursor, Position};
use crate::base::time::Millis;
use crate::commit::digest::Digest;
use crate::link::session::{Grant, Session};
use crate::wire::bodies::Hello;

#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// When the other side was last heard, or the connection opened.
    pub heard_at: Millis,
    /// The frames that came in, beside those with commits.
    pub frames: Pace,
    /// What came in, and what went out, by which replicas meet.
    pub signals: Pace,
    pub signalled: Pace,
    /// What came in of who is there.
    pub presences: Pace,
    /// What the other side may do here, where it is another replica.
    pub peer: Option<Grant>,
    pub phase: Phase,
}

/// How far the greeting has got.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// Dialler: the connection is not open yet.
    Dialing { url: String, since: Millis },
    /// Dialler: it is open, and the `Hello` is to be sent.
    Dialed { url: String, since: Millis },
    /// Dialler: the `Hello` was sent.
    Greeted { url: String, since: Millis, sent: Greeting },
    /// Accepter: the other's `Hello` is to come.
    Arriving { since: Millis },
    /// Accepter: its token is being verified.
    Authorizing { hello: Box<Hello>, since: Millis },
    /// Accepter: it may come in, and its cursor is being checked.
    Checking { hello: Box<Hello>, grant: Option<Grant>, since: Millis },
    /// Commits flow.
    Up(Box<Session>),
}

/// What a dialler said of itself in its `Hello`.
#[derive(Clone, Debug)]
pub(crate) struct Greeting {
    pub met: Vec<Met>,
    pub digest: Option<Digest>,
    pub head: Position,
    pub holes: u64,
    /// Whether the vector was in it.
    pub with_tips: bool,
}

/// What a dialler knew of a log when it greeted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Met {
    /// It has shown this.
    pub cursor: Cursor,
    /// What that log has acknowledged, at or before `seen`.
    pub read_acked: u64,
    pub whole_acked: u64,
}

impl Link {
    pub fn dialing(url: String, now: Millis) -> Self {
        Self::new(Phase::Dialing { url, since: now }, now)
    }

    pub fn arriving(now: Millis) -> Self {
        Self::new(Phase::Arriving { since: now }, now)
    }

    /// A link on which this phase begins.
    pub fn new(phase: Phase, now: Millis) -> Self {
        Self {
            heard_at: now,
            frames: Pace::default(),
            signals: Pace::default(),
            signalled: Pace::default(),
            presences: Pace::default(),
            peer: None,
            phase,
        }
    }

    pub fn session(&self) -> Option<&Session> {
        match &self.phase {
            Phase::Up(session) => Some(session),
            _ => None,
        }
    }

    pub fn session_mut(&mut self) -> Option<&mut Session> {
        match &mut self.phase {
            Phase::Up(session) => Some(session),
            _ => None,
        }
    }

    /// Whether the other side is another replica. A relay is linked to none as to its like.
    pub fn is_peer(&self) -> bool {
        cfg!(feature = "documents") && self.peer.is_some()
    }

    pub fn is_up(&self) -> bool {
        self.session().is_some()
    }

    pub fn is_dialer(&self) -> bool {
        match &self.phase {
            Phase::Dialing { .. } | Phase::Dialed { .. } | Phase::Greeted { .. } => true,
            Phase::Arriving { .. } | Phase::Authorizing { .. } | Phase::Checking { .. } => false,
            Phase::Up(session) => session.is_dialer(),
        }
    }

    /// What lets the other side in, where that was asked or given.
    pub fn grant(&self) -> Option<&Grant> {
        match &self.phase {
            Phase::Checking { grant, .. } => grant.as_ref(),
            Phase::Up(session) => session.grant(),
            _ => self.peer.as_ref(),
        }
    }
}
