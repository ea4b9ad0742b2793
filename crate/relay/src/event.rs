//! What shards are told, and by whom.

use std::sync::{Arc, mpsc};
use std::time::Instant;

use eyot_core::LinkId;
use eyot_core::access::{Claims, Refusal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::metrics::Survey;
use crate::outbox::Outbox;
use crate::storage::shard_of;

/// Bytes of frames that wait for a shard. Past that, connections are not read from.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a waiting frame costs beside its bytes.
const FRAME_COST: usize = 256;

/// A link, as a connection's task names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkRef {
    /// The machine that dialled it; none for a link that was accepted, which outlives machines.
    pub epoch: Option<u64>,
    /// Its number: unique among those that were accepted, or among those of a machine.
    pub id: LinkId,
}

/// What happened on a link.
#[derive(Debug)]
pub enum Happening {
    /// It is open, and this is where to put what is to be sent.
    Opened(Arc<Outbox>),
    /// A whole frame came.
    Received(Arrival),
    /// The token that it was asked to judge.
    Authorized(Result<Claims, Refusal>),
    /// The answer to a ping.
    Ponged,
    /// It is gone.
    Closed,
}

/// A frame, and the room that it takes while it waits.
#[derive(Debug)]
pub struct Arrival {
    /// Its bytes.
    pub frame: Vec<u8>,
    /// When it came.
    pub at: Instant,
    _room: OwnedSemaphorePermit,
}

/// What a shard is told.
#[derive(Debug)]
pub enum Event {
    /// Of a link of a space.
    Link(Arc<str>, LinkRef, Happening),
    /// How are its spaces?
    Survey(oneshot::Sender<Survey>),
    /// No more links will come: finish.
    Stop,
}

/// The way to the shard of a space.
#[derive(Clone, Debug)]
pub struct Inbox {
    events: mpsc::Sender<Event>,
    room: Arc<Semaphore>,
}

impl Inbox {
    /// An inbox, and what comes out of it.
    pub fn new() -> (Self, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel();
        (Self { events, room: Arc::new(Semaphore::new(WAITING_BYTES_MAX)) }, receiver)
    }

    /// Tells the shard; a shard that has stopped hears no more.
    pub fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Hands on a frame, once there is room for it.
    pub async fn receive(&self, space: &Arc<str>, link: LinkRef, frame: Vec<u8>) {
        let at = Instant::now();
        let cost = u32::try_from(frame.len() + FRAME_COST).unwrap_or(u32::MAX);
        let Ok(room) = self.room.clone().acquire_many_owned(cost).await else { return };
        let arrival = Arrival { frame, at, _room: room };
        self.tell(Event::Link(space.clone(), link, Happening::Received(arrival)));
    }
}

/// All of a relay's shards.
#[derive(Clone, Debug)]
pub struct Shards(Arc<[Inbox]>);

impl Shards {
    /// In the order of their numbers.
    pub fn new(inboxes: Vec<Inbox>) -> Self {
        Self(inboxes.into())
    }

    /// The one that has this space.
    pub fn of(&self, space: &str) -> &Inbox {
        &self.0[shard_of(space, self.0.len()).index()]
    }

    /// Tells each.
    pub fn tell_all(&self, event: impl Fn() -> Event) {
        self.0.iter().for_each(|inbox| inbox.tell(event()));
    }

    /// What all spaces together say.
    pub async fn survey(&self) -> Survey {
        let mut whole = Survey::default();
        let asked = self.0.iter().map(|inbox| {
            let (answer, asked) = oneshot::channel();
            inbox.tell(Event::Survey(answer));
            asked
        });
        for asked in asked.collect::<Vec<_>>() {
            whole.add(asked.await.unwrap_or_default());
        }
        whole
    }
}
