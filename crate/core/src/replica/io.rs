//! What enters and leaves a replica, beside what its holder asks and is told.

use crate::base::id::LinkId;
use crate::holder::io as holder;
use crate::replica::event::Event;

/// What the host tells a replica.
#[derive(Clone, Debug)]
pub enum Input {
    /// What any holder is told.
    Holder(holder::Input),
    /// What another process that shares this replica's log said by [`Effect::Broadcast`].
    Broadcast(Vec<u8>),
    /// The application's switch, or the platform's hint: may links be dialled?
    Online(bool),
    /// The answer to [`Effect::Probe`]: whether the relay at this address is healthy.
    Probed(String, bool),
    /// The answer to [`Effect::Ping`].
    Pong(LinkId),
}

impl From<holder::Input> for Input {
    fn from(input: holder::Input) -> Self {
        Self::Holder(input)
    }
}

/// What a replica asks of its host.
#[derive(Clone, Debug)]
pub enum Effect {
    /// What any holder asks.
    Holder(holder::Effect),
    /// Tell the other processes that share this replica's log (tabs of one browser profile).
    Broadcast(Vec<u8>),
    /// Tell the application.
    App(Event),
    /// Ask the relay at this address how it is (`GET /health`); answered by `Input::Probed`.
    Probe(String),
    /// Find out whether this link is alive: the host sends the text `ping`, to which the other host
    /// answers `pong`. Answered by `Input::Pong`, or by nothing.
    Ping(LinkId),
}
