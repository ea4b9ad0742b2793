//! The queue of events for each shard.
//!
//! Spaces and links have turns in it (see [`FairQueue`]), and each link has its own share of what may
//! wait: nobody waits long for what others send, however much that is.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

use super::event::{LinkEvent, ReceivedFrame, ShardEvent};
use super::fair::FairQueue;
use crate::base::LinkKey;
use crate::metrics::SpaceGauges;
use crate::storage::shard_of;

/// Bytes of frames that may wait for a shard. Above this, connections are not read from.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The same of one link.
const LINK_BYTES_MAX: usize = 512 * 1024;
/// A frame up to this size, before which no other one of its link waits, need not wait for others.
const SMALL_BYTES: usize = 4096;
/// What a waiting event counts in addition to its bytes.
const EVENT_COST_BYTES: usize = 256;

/// Sends events to one shard.
#[derive(Clone, Debug)]
pub struct Inbox(Arc<Sender>);

/// The last one that goes ends the queue.
#[derive(Debug)]
struct Sender(Arc<Shared>);

/// What a shard takes its events from.
#[derive(Debug)]
pub struct Events(Arc<Shared>);

/// Why there is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEvent {
    /// None came in time.
    TimeOut,
    /// None will ever come.
    Ended,
}

/// One link's way into the inbox of its shard.
#[derive(Debug)]
pub struct LinkInbox {
    inbox: Inbox,
    space: Arc<str>,
    link: LinkKey,
    /// One permit for each byte of this link that may still wait.
    own_bytes: Arc<Semaphore>,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// One permit for each byte that may still wait.
    waiting_bytes: Arc<Semaphore>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Queue {
    /// Before all others: they are few.
    first: VecDeque<ShardEvent>,
    of_links: FairQueue<LinkEvent>,
    is_ended: bool,
}

impl Queue {
    fn pop(&mut self) -> Option<ShardEvent> {
        let first = self.first.pop_front();
        first.or_else(|| self.of_links.pop().map(|(space, link, event)| ShardEvent::Link(space, link, event)))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    /// An inbox and what its shard takes from it.
    pub fn new() -> (Self, Events) {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
            waiting_bytes: Arc::new(Semaphore::new(WAITING_BYTES_MAX)),
        });
        (Self(Arc::new(Sender(shared.clone()))), Events(shared))
    }

    /// Adds an event. It is dropped if the shard has stopped.
    pub fn push(&self, event: ShardEvent) {
        let shared = &self.0.0;
        let mut queue = shared.lock();
        if queue.is_ended {
            return;
        }
        match event {
            ShardEvent::Link(space, link, event) => {
                let bytes = EVENT_COST_BYTES + event.bytes();
                queue.of_links.push(space, link, event, bytes);
            }
            event => queue.first.push_back(event),
        }
        drop(queue);
        shared.changed.notify_one();
    }

    /// The way into this inbox for a link of a space.
    pub fn of_link(&self, space: Arc<str>, link: LinkKey) -> LinkInbox {
        LinkInbox { inbox: self.clone(), space, link, own_bytes: Arc::new(Semaphore::new(LINK_BYTES_MAX)) }
    }
}

impl LinkInbox {
    /// Adds what happened on the link. It is dropped if the shard has stopped.
    pub fn push(&self, event: LinkEvent) {
        self.inbox.push(ShardEvent::Link(self.space.clone(), self.link, event));
    }

    /// Adds a frame that was received on the link. Waits while too much of this link waits for the shard,
    /// or of all.
    pub async fn push_frame(&self, frame: Vec<u8>) {
        let at = Instant::now();
        let cost = frame.len() + EVENT_COST_BYTES;
        let permits = |most| u32::try_from(cost.min(most)).unwrap_or(u32::MAX);
        let needs_no_room = cost <= SMALL_BYTES && self.own_bytes.available_permits() == LINK_BYTES_MAX;
        let Ok(own) = self.own_bytes.clone().acquire_many_owned(permits(LINK_BYTES_MAX)).await else {
            return;
        };
        let all = if needs_no_room {
            None
        } else {
            let waiting_bytes = self.inbox.0.0.waiting_bytes.clone();
            let Ok(all) = waiting_bytes.acquire_many_owned(permits(WAITING_BYTES_MAX)).await else { return };
            Some(all)
        };
        self.push(LinkEvent::Received(ReceivedFrame::new(frame, at, own, all)));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.lock().is_ended = true;
        self.0.changed.notify_one();
    }
}

impl Events {
    /// Takes the next event, if there is one.
    pub fn try_take(&self) -> Option<ShardEvent> {
        self.0.lock().pop()
    }

    /// What came last has taken so long that other spaces have their turn.
    pub fn end_turn(&self) {
        self.0.lock().of_links.end_turn();
    }

    /// Takes the next event. Waits for it, if need be so long; for ever, if no time is given.
    ///
    /// # Errors
    /// Why there is none.
    pub fn take(&self, wait: Option<Duration>) -> Result<ShardEvent, NoEvent> {
        let end = wait.map(|wait| Instant::now() + wait);
        let mut queue = self.0.lock();
        loop {
            if let Some(event) = queue.pop() {
                return Ok(event);
            }
            if queue.is_ended {
                return Err(NoEvent::Ended);
            }
            let Some(end) = end else {
                queue = self.0.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NoEvent::TimeOut);
            }
            queue = self.0.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // What waits is dropped, so that nobody waits for room.
        let left = std::mem::replace(&mut *self.0.lock(), Queue { is_ended: true, ..Queue::default() });
        drop(left);
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

#[cfg(test)]
mod tests {
    use eyot_core::base::id::LinkId;
    use futures_util::FutureExt;

    use super::super::fair::TURN_BYTES;
    use super::*;
    use crate::base::LinkOrigin;

    fn link_of(inbox: &Inbox, space: &str, id: u64) -> LinkInbox {
        inbox.of_link(space.into(), LinkKey { origin: LinkOrigin::Accepted, id: LinkId(id) })
    }

    /// Sends frames of this size until the link has to wait; how many went in.
    fn fill(link: &LinkInbox, bytes: usize) -> usize {
        (0..).take_while(|_| link.push_frame(vec![0; bytes]).now_or_never().is_some()).count()
    }

    fn space_of(event: &ShardEvent) -> &str {
        let ShardEvent::Link(space, ..) = event else { panic!("{event:?}") };
        space
    }

    #[test]
    fn a_small_frame_is_next_but_one_however_many_links_have_filled_the_inbox() {
        let (inbox, events) = Inbox::new();
        let attackers: Vec<_> = (0..200).map(|id| link_of(&inbox, "attacked", id)).collect();
        let frames: usize = attackers.iter().map(|link| fill(link, 250_000)).sum();
        assert!(frames * 250_000 < WAITING_BYTES_MAX);
        assert!((frames + 1) * 251_000 > WAITING_BYTES_MAX, "{frames} frames");
        let honest = link_of(&inbox, "honest", 1_000);
        assert!(honest.push_frame(vec![0; 300]).now_or_never().is_some());
        assert_eq!(space_of(&events.try_take().unwrap()), "attacked");
        assert_eq!(space_of(&events.try_take().unwrap()), "honest");
    }

    #[test]
    fn what_a_link_may_have_waiting_is_bounded_and_free_again_once_it_was_taken() {
        let (inbox, events) = Inbox::new();
        let link = link_of(&inbox, "a", 1);
        assert_eq!(fill(&link, 250_000), 2);
        assert_eq!(fill(&link_of(&inbox, "a", 2), 1), LINK_BYTES_MAX / (1 + EVENT_COST_BYTES));
        drop(events.try_take());
        assert_eq!(fill(&link, 250_000), 1);
    }

    #[test]
    fn a_frame_as_large_as_all_that_may_wait_comes_in() {
        let (inbox, _events) = Inbox::new();
        assert_eq!(fill(&link_of(&inbox, "a", 1), 2 * LINK_BYTES_MAX), 1);
    }

    /// What a link has brought before it ended is handled, an honest one's last edit as well as an attacker's
    /// frames: that is little, and others have their turns meanwhile.
    #[test]
    fn the_end_of_a_link_comes_after_no_more_than_it_may_have_waiting_and_others_do_not_wait_for_that() {
        let (inbox, events) = Inbox::new();
        let attacker = link_of(&inbox, "attacked", 1);
        let frames = fill(&attacker, 0);
        assert_eq!(frames, LINK_BYTES_MAX / EVENT_COST_BYTES);
        attacker.push(LinkEvent::Closed);
        link_of(&inbox, "attacked", 2).push(LinkEvent::Closed);
        link_of(&inbox, "honest", 3).push(LinkEvent::Closed);
        let events: Vec<_> = std::iter::from_fn(|| events.try_take()).collect();
        let ends = events.iter().enumerate().filter_map(|(at, event)| match event {
            ShardEvent::Link(_, link, LinkEvent::Closed) => Some((link.id.0, at)),
            _ => None,
        });
        let turn = TURN_BYTES / EVENT_COST_BYTES;
        assert_eq!(ends.collect::<Vec<_>>(), [(2, 1), (3, turn), (1, frames + 2)]);
    }

    #[test]
    fn to_stop_comes_before_all_that_waits() {
        let (inbox, events) = Inbox::new();
        fill(&link_of(&inbox, "a", 1), 1);
        inbox.push(ShardEvent::Stop(eyot_core::wire::close::CloseCode::GoingAway, "as a test wants it"));
        assert!(matches!(events.try_take(), Some(ShardEvent::Stop(..))));
    }

    #[test]
    fn where_one_side_has_gone_the_other_waits_for_nothing() {
        let (inbox, events) = Inbox::new();
        let link = link_of(&inbox, "a", 1);
        fill(&link, 250_000);
        drop(events);
        assert!(link.push_frame(vec![0; 250_000]).now_or_never().is_some());
        let (inbox, events) = Inbox::new();
        let link = link_of(&inbox, "a", 1);
        link.push(LinkEvent::Pong);
        drop((inbox, link));
        assert!(events.take(None).is_ok());
        assert_eq!(events.take(None).unwrap_err(), NoEvent::Ended);
    }

    #[test]
    fn nothing_comes_within_the_time() {
        let (_inbox, events) = Inbox::new();
        assert_eq!(events.take(Some(Duration::ZERO)).unwrap_err(), NoEvent::TimeOut);
    }
}
