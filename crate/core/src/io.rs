//! What enters and leaves a state machine: the boundary between the core and its host.

use std::sync::Arc;

use crate::access::{Claims, Refusal};
use crate::replica::Event;

/// Milliseconds of the host's clock. Only differences matter, and a clock may jump.
pub type Millis = u64;

/// One connection, numbered by whoever opened it: the core for links it dials, the host for links
/// it accepts. Never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Pairs a storage answer with its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What the host tells the core.
#[derive(Clone, Debug)]
pub enum Input {
    /// A link is open: one the core dialled, or one the host accepted.
    LinkOpened(LinkId),
    /// One whole frame came in.
    Received(LinkId, Vec<u8>),
    /// The link is gone, or could not be opened.
    LinkClosed(LinkId),
    /// The answer to a [`StorageRequest`].
    Storage(RequestId, StorageAnswer),
    /// The deadline last set by [`Effect::SetTimer`] has come.
    Timer,
    /// What another process that shares this holder's log said by [`Effect::Broadcast`].
    Broadcast(Vec<u8>),
    /// The application's switch, or the platform's hint: may links be dialled?
    Online(bool),
    /// The answer to [`Effect::Authorize`].
    Authorized(LinkId, Result<Claims, Refusal>),
    /// The answer to [`Effect::Probe`]: whether the relay at this address is healthy.
    Probed(String, bool),
    /// The answer to [`Effect::Ping`].
    Pong(LinkId),
}

/// What the core asks of the host.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Open a connection to a relay; answered by `LinkOpened` or `LinkClosed`.
    Dial(LinkId, String),
    /// Send one frame. Links keep order or die.
    Send(LinkId, Arc<[u8]>),
    /// Close a link with a WebSocket close code and a reason a person can read.
    Close(LinkId, u16, String),
    /// Read or write storage; answered by `Input::Storage`.
    Storage(RequestId, StorageRequest),
    /// Call `handle(Input::Timer)` at this time. Replaces the deadline before it; `None` cancels.
    SetTimer(Option<Millis>),
    /// Tell the other processes that share this holder's log (tabs of one browser profile).
    Broadcast(Vec<u8>),
    /// Tell the application.
    App(Event),
    /// Verify the token that a link was greeted with, or its renewal; `None`: it came without one.
    /// Answered by `Input::Authorized`.
    Authorize(LinkId, Option<String>),
    /// Ask the relay at this address how it is (`GET /health`); answered by `Input::Probed`.
    Probe(String),
    /// Find out whether this link is alive: the host sends the text `ping`, to which the other host
    /// answers `pong`. Answered by `Input::Pong`, or by nothing.
    Ping(LinkId),
}

/// What is asked of storage: an ordered map from byte keys to byte values. Keys are at most
/// 64 bytes, values at most [`crate::limits::VALUE_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageRequest {
    /// The values of these keys, in the same order.
    Get(Vec<Vec<u8>>),
    /// The entries with `from <= key < to` in order, stopping once `bytes_max` is passed; at least
    /// one where there is any.
    Scan {
        /// First key, inclusive.
        from: Vec<u8>,
        /// Last key, exclusive.
        to: Vec<u8>,
        /// Stop after this many bytes of values.
        bytes_max: usize,
    },
    /// An atomic write, durable once answered.
    Write(WriteBatch),
}

/// An atomic write: all of it, or nothing where the guard does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch {
    /// The value this key must have (`None`: be absent) for the write to be done at all.
    pub guard: Option<(Vec<u8>, Option<Vec<u8>>)>,
    /// Keys and their new values.
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys to remove.
    pub deletes: Vec<Vec<u8>>,
}

/// What storage answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageAnswer {
    /// To `Get`.
    Values(Vec<Option<Vec<u8>>>),
    /// To `Scan`; `more` when it stopped before `to`.
    Scanned {
        /// Keys and values in order.
        entries: Vec<(Vec<u8>, Vec<u8>)>,
        /// Whether there is more in the range.
        more: bool,
    },
    /// To `Write`: durable now.
    Written,
    /// To `Write`: the guard did not hold and nothing was written.
    GuardFailed,
    /// To anything: it could not be done.
    Failed(String),
}
