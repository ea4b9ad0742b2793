//! The queue of events for each shard.

use std::sync::{Arc, mpsc};
use std::time::Instant;

use tokio::sync::{Semaphore, oneshot};

use super::event::{LinkEvent, ReceivedFrame, ShardEvent};
use crate::base::LinkKey;
use crate::metrics::SpaceGauges;
use crate::storage::shard_of;

/// Bytes of frames that may wait for a shard. Above this, connections are not read from.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a waiting frame counts in addition to its bytes.
const FRAME_COST_BYTES: usize = 256;

/// Sends events to one shard.
#[derive(Clone, Debug)]
pub struct Inbox {
    events: mpsc::Sender<ShardEvent>,
    /// One permit for each byte that may still wait.
    waiting_bytes: Arc<Semaphore>,
}

impl Inbox {
    /// An inbox and its receiver.
    pub fn new() -> (Self, mpsc::Receiver<ShardEvent>) {
        let (events, receiver) = mpsc::channel();
        (Self { events, waiting_bytes: Arc::new(Semaphore::new(WAITING_BYTES_MAX)) }, receiver)
    }

    /// Adds an event. It is dropped if the shard has stopped.
    pub fn push(&self, event: ShardEvent) {
        let _ = self.events.send(event);
    }

    /// Adds a frame that was received on a link. Waits while too many bytes wait for the shard.
    pub async fn push_frame(&self, space: &Arc<str>, link: LinkKey, frame: Vec<u8>) {
        let at = Instant::now();
        let cost = u32::try_from(frame.len() + FRAME_COST_BYTES).unwrap_or(u32::MAX);
        let Ok(permit) = self.waiting_bytes.clone().acquire_many_owned(cost).await else { return };
        let received = LinkEvent::Received(ReceivedFrame::new(frame, at, permit));
        self.push(ShardEvent::Link(space.clone(), link, received));
    }
}

/// The inboxes of all shards.
#[derive(Clone, Debug)]
pub struct Inboxes(Arc<[Inbox]>);

impl Inboxes {
    /// In the order of the shards' numbers.
    pub fn new(inboxes: Vec<Inbox>) -> Self {
        Self(inboxes.into())
    }

    /// The inbox of the shard that has this space.
    pub fn of(&self, space: &str) -> &Inbox {
        &self.0[shard_of(space, self.0.len()).index()]
    }

    /// Adds an event to each inbox.
    pub fn push_all(&self, event: impl Fn() -> ShardEvent) {
        self.0.iter().for_each(|inbox| inbox.push(event()));
    }

    /// Asks each shard for the gauges of its spaces and adds them up.
    pub async fn gauges(&self) -> SpaceGauges {
        let requests = self.0.iter().map(|inbox| {
            let (answer, request) = oneshot::channel();
            inbox.push(ShardEvent::Gauges(answer));
            request
        });
        let mut sum = SpaceGauges::default();
        // Collected first, so that all shards work on the answer at the same time.
        for request in requests.collect::<Vec<_>>() {
            sum.add(request.await.unwrap_or_default());
        }
        sum
    }
}
