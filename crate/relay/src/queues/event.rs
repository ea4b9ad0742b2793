//! What a shard can be told.

use std::sync::Arc;
use std::time::Instant;

use eyot_core::wire::access::{Claims, Refusal};
use eyot_core::wire::close::CloseCode;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::outbox::Outbox;
use crate::base::LinkKey;
use crate::metrics::SpaceGauges;

/// An event for a shard.
#[derive(Debug)]
pub enum ShardEvent {
    /// Something happened on a link of this space.
    Link(Arc<str>, LinkKey, LinkEvent),
    /// The metrics page needs the gauges of the shard's spaces.
    Gauges(oneshot::Sender<SpaceGauges>),
    /// The process is stopping, for this reason.
    Stop(CloseCode, &'static str),
}

/// Something that happened on a link.
#[derive(Debug)]
pub enum LinkEvent {
    /// The link is open. What is to be sent goes into the outbox. Of a link that another holder has
    /// opened: what the token of its greeting allows. Its greeting follows.
    Opened(Arc<Outbox>, Option<Claims>),
    /// One whole frame came in.
    Received(ReceivedFrame),
    /// The token that the shard asked to verify is valid, or is refused.
    Authorized(Result<Claims, Refusal>),
    /// The other side has answered a ping.
    Pong,
    /// The link is closed, or could not be opened.
    Closed,
}

impl LinkEvent {
    /// What it brings.
    pub(super) fn bytes(&self) -> usize {
        match self {
            LinkEvent::Received(frame) => frame.bytes.len(),
            _ => 0,
        }
    }
}

/// A frame that waits for its shard.
#[derive(Debug)]
pub struct ReceivedFrame {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When it was received.
    pub at: Instant,
    /// What the frame takes of what its link may have waiting. Dropping the frame gives it back.
    _own: OwnedSemaphorePermit,
    /// The same of what may wait of all, if it needs any.
    _all: Option<OwnedSemaphorePermit>,
}

impl ReceivedFrame {
    /// A frame that was received at this time.
    pub(super) fn new(
        bytes: Vec<u8>,
        at: Instant,
        own: OwnedSemaphorePermit,
        all: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { bytes, at, _own: own, _all: all }
    }
}
