//! A thread that serves a part of the spaces, with one SQLite database for them.
//!
//! It takes all events that have come in and lets the relays of their spaces handle them. Then it
//! commits everything that these want written, and tells them once it is durable. One flush of the
//! disk thus serves as many commits as came in during the flush before it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eyot_core::base::time::Millis;
use eyot_core::wire::close::CloseCode;
use tracing::{error, warn};

use super::context::{PendingWrite, ShardContext, SpaceContext};
use super::space::Space;
use crate::base::{MachineId, now};
use crate::metrics::SpaceGauges;
use crate::queues::{Events, LinkEvent, NoEvent, ShardEvent};
use crate::storage::{CommitError, Store};

/// Events that are handled before a commit.
const BATCH_EVENTS: usize = 1024;
/// How long events are handled before a commit, and timers as long: about as long as a commit takes, within
/// these bounds. Whoever waits for it does not wait for many others, and slow disks commit more at once.
const BATCH_TIME_MIN: Duration = Duration::from_millis(2);
const BATCH_TIME_MAX: Duration = Duration::from_millis(5);
/// Time between the spaces that are woken at the start.
const WAKE_INTERVAL_MILLIS: usize = 5;
/// Why links end if the process ends without a word.
const STOPPING: (CloseCode, &str) = (CloseCode::GoingAway, "this relay is stopping");
/// How long a shard that stops goes on committing.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// The state of a shard's thread.
pub struct Shard {
    context: Arc<ShardContext>,
    store: Store,
    events: Events,
    spaces: HashMap<Arc<str>, Space>,
    /// Timers of spaces, the earliest first. Only those that are equal to `Space::timer_at` count; the
    /// others were replaced.
    timers: BinaryHeap<Reverse<(Millis, Arc<str>)>>,
    writes: Vec<PendingWrite>,
    batch_time: Duration,
    next_machine: MachineId,
}

impl Shard {
    /// A shard without spaces in memory.
    pub fn new(context: Arc<ShardContext>, store: Store, events: Events) -> Self {
        Self {
            context,
            store,
            events,
            spaces: HashMap::new(),
            timers: BinaryHeap::new(),
            writes: Vec::new(),
            batch_time: BATCH_TIME_MIN,
            next_machine: MachineId(0),
        }
    }

    /// Runs until [`ShardEvent::Stop`].
    pub fn run(mut self) {
        self.wake_unsettled();
        loop {
            if let ControlFlow::Break(why) = self.turn() {
                return self.stop(why);
            }
        }
    }

    fn turn(&mut self) -> ControlFlow<(CloseCode, &'static str)> {
        let flow = self.take_events();
        // Whoever waits for the commit does not wait for what is done in between: the timers' own
        // writes are in the next one.
        self.commit();
        self.fire_timers();
        flow
    }

    fn stop(mut self, (code, reason): (CloseCode, &str)) {
        let stopping_since = Instant::now();
        while !self.writes.is_empty() && stopping_since.elapsed() < STOP_WAIT {
            self.commit();
        }
        for name in self.spaces.keys().cloned().collect::<Vec<_>>() {
            self.with(&name, |space, context| space.stop(code, reason, context));
        }
        if let Err(error) = self.store.checkpoint() {
            warn!(%error, "the write-ahead log could not be moved into the database");
        }
    }

    /// Sets a timer for each space that may hold commits that another region lacks. Nobody else may
    /// ever connect to such a space, so it has to wake by itself.
    fn wake_unsettled(&mut self) {
        let names = self.store.unsettled().unwrap_or_else(|error| {
            error!(%error, "the spaces that other regions may lack commits of can't be read");
            Vec::new()
        });
        for (wake_at, name) in (now()..).step_by(WAKE_INTERVAL_MILLIS).zip(names) {
            let name: Arc<str> = name.into();
            self.spaces.insert(name.clone(), Space::unsettled(name.clone(), wake_at));
            // Adds the space's timer to `timers`.
            self.with(&name, |_, _| {});
        }
    }

    /// Handles the events that have come in. Waits for the first one, but not beyond the next timer,
    /// and not at all if there are writes to commit.
    fn take_events(&mut self) -> ControlFlow<(CloseCode, &'static str)> {
        let wait = match self.timers.peek() {
            _ if !self.writes.is_empty() => Some(Duration::ZERO),
            Some(Reverse((at, _))) => Some(Duration::from_millis(at.saturating_sub(now()))),
            None => None,
        };
        let first = self.events.take(wait);
        let began_at = Instant::now();
        match first {
            Err(NoEvent::TimeOut) => return ControlFlow::Continue(()),
            Err(NoEvent::Ended) => return ControlFlow::Break(STOPPING),
            Ok(event) => self.handle(event)?,
        }
        for _ in 1..BATCH_EVENTS {
            if began_at.elapsed() >= self.batch_time {
                // Few bytes may take long.
                self.events.end_turn();
                break;
            }
            let Some(event) = self.events.try_take() else { break };
            self.handle(event)?;
        }
        ControlFlow::Continue(())
    }

    /// Breaks if the shard is to stop, and says why.
    fn handle(&mut self, event: ShardEvent) -> ControlFlow<(CloseCode, &'static str)> {
        match event {
            ShardEvent::Link(name, link, event) => {
                if matches!(event, LinkEvent::Opened(..)) {
                    self.spaces.entry(name.clone()).or_insert_with(|| Space::new(name.clone()));
                } else if !self.spaces.contains_key(&name) {
                    // What is left of a link that is gone needs no space.
                    return ControlFlow::Continue(());
                }
                self.with(&name, |space, context| space.link_event(link, event, context));
            }
            ShardEvent::Gauges(answer) => {
                let mut gauges = SpaceGauges::default();
                self.spaces.values().for_each(|space| space.add_to(&mut gauges));
                let _ = answer.send(gauges);
            }
            ShardEvent::Stop(code, reason) => return ControlFlow::Break((code, reason)),
        }
        ControlFlow::Continue(())
    }

    fn fire_timers(&mut self) {
        let (now, end) = (now(), Instant::now() + self.batch_time);
        let is_due = |Reverse((at, _)): &Reverse<(Millis, _)>| *at <= now && Instant::now() < end;
        while self.timers.peek().is_some_and(is_due) {
            let Some(Reverse((at, name))) = self.timers.pop() else { break };
            if self.spaces.get(&name).is_some_and(|space| space.timer_at == Some(at)) {
                self.with(&name, |space, context| space.timer(context));
            }
        }
    }

    fn commit(&mut self) {
        if !self.store.is_writing() {
            return;
        }
        let writes = std::mem::take(&mut self.writes);
        let started = Instant::now();
        let outcome = self.store.commit();
        self.batch_time = started.elapsed().clamp(BATCH_TIME_MIN, BATCH_TIME_MAX);
        let metrics = &self.context.metrics;
        match &outcome {
            Ok(()) => {
                metrics.flush.observe(started.elapsed().as_secs_f64());
                metrics.transactions.inc();
            }
            Err(reason) => {
                metrics.failed_transactions.inc();
                error!(%reason, writes = writes.len(), "a transaction failed");
            }
        }
        if let Err(CommitError::FilesGone(gone)) = &outcome {
            // An error says that the process is ending already.
            let _ = self.context.failure.send(gone.clone());
        }
        for write in writes {
            let name = write.space.clone();
            self.with(&name, |space, context| space.written(write, outcome.clone(), context));
        }
    }

    /// Calls into a space and updates its timer. A panic is a bug; it ends the relay of this space and
    /// leaves the others alone.
    fn with(&mut self, name: &Arc<str>, call: impl FnOnce(&mut Space, &mut SpaceContext)) {
        let Some(space) = self.spaces.get_mut(name) else { return };
        let mut context = SpaceContext {
            shard: &self.context,
            store: &mut self.store,
            writes: &mut self.writes,
            next_machine: &mut self.next_machine,
            now: now(),
        };
        if catch_unwind(AssertUnwindSafe(|| call(space, &mut context))).is_err() {
            error!(space = &**name, "the relay of a space has panicked");
            space.fail(&mut context);
        }
        if space.is_droppable() {
            self.spaces.remove(name);
        } else if let Some(at) = space.next_timer()
            && space.timer_at.is_none_or(|timer_at| at < timer_at)
        {
            space.timer_at = Some(at);
            self.timers.push(Reverse((at, name.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use eyot_core::base::id::{AuthorId, LinkId, LogId};
    use eyot_core::base::limits::Limits;
    use eyot_core::commit::commit::Commit;
    use eyot_core::commit::descriptor::Descriptor;
    use eyot_core::holder::caps::Caps;
    use eyot_core::wire::bodies::{Commits, Hello};
    use eyot_core::wire::frame::Frame;

    use super::*;
    use crate::access::{AccessPolicy, TicketKey};
    use crate::base::{Config, LinkKey, LinkOrigin};
    use crate::metrics::Metrics;
    use crate::queues::{DialQueue, Inbox, LinkEvent, LinkInbox, Outbox, Outgoing, WaitingBytes};
    use crate::storage::Layout;

    fn shard(folder: &Path) -> (Shard, Inbox) {
        let config = Config {
            region: "eu".to_owned(),
            peers: Vec::new(),
            peer_token_file: None,
            caps: Caps::default(),
            idle_millis: 10_000,
            delays: BTreeMap::new(),
        };
        let context = ShardContext {
            config: Arc::new(config),
            policy: AccessPolicy::Open,
            ticket_key: Arc::new(TicketKey::of_folder(folder).unwrap()),
            metrics: Metrics::default(),
            dials: DialQueue::new().0,
            waiting_bytes: WaitingBytes::default(),
            failure: tokio::sync::mpsc::unbounded_channel().0,
        };
        let (layout, _lock) = Layout::lock(folder, 1).unwrap();
        let id = layout.shards().next().unwrap();
        let store = Store::open(&layout.database(id), layout.place(id)).unwrap();
        let (inbox, events) = Inbox::new();
        let mut shard = Shard::new(Arc::new(context), store, events);
        // A slow machine must not end a turn before the test's events are in.
        shard.batch_time = Duration::from_secs(3_600);
        (shard, inbox)
    }

    fn link(id: u64) -> LinkKey {
        LinkKey { origin: LinkOrigin::Accepted, id: LinkId(id) }
    }

    fn open(inbox: &Inbox, space: &str, id: u64) -> Arc<Outbox> {
        let outbox = Arc::new(Outbox::new(&WaitingBytes::default()));
        inbox.push(ShardEvent::Link(space.into(), link(id), LinkEvent::Opened(outbox.clone(), None)));
        outbox
    }

    /// Somebody who has greeted, and whose frames the test sends.
    async fn greeted(inbox: &Inbox, id: u64) -> (LinkInbox, Arc<Outbox>) {
        let outbox = open(inbox, "space", id);
        let writer = inbox.of_link("space".into(), link(id));
        let log = LogId([id as u8; 16]);
        let hello = Hello::empty(Descriptor::plain("space"), log, Limits::PROTOCOL.credit_bytes);
        writer.push_frame(Frame::Hello(hello).encode()).await;
        (writer, outbox)
    }

    /// A frame with so many commits of one author.
    fn commits(author: u8, count: u64) -> Vec<u8> {
        let mut prev = Descriptor::plain("space").chain_start(0);
        let mut records = Vec::new();
        for seq in 1..=count {
            let of = (AuthorId([author; 16]), seq, prev);
            let commit = Commit::new(of, Vec::new(), 0, Vec::new(), &Limits::PROTOCOL).unwrap();
            prev = commit.id();
            records.push(commit.into());
        }
        Frame::Commits(Commits { records, to: None, named: Vec::new() }).encode()
    }

    #[tokio::test]
    async fn of_much_that_has_come_in_a_part_is_handled_before_the_next_commit() {
        let folder = tempfile::tempdir().unwrap();
        let (mut shard, inbox) = shard(folder.path());
        for id in 0..10 {
            open(&inbox, "space", id);
        }
        shard.batch_time = Duration::ZERO;
        assert!(shard.take_events().is_continue());
        assert_eq!(shard.context.metrics.connections.get(), 1);
        shard.batch_time = Duration::from_secs(3_600);
        assert!(shard.take_events().is_continue());
        assert_eq!(shard.context.metrics.connections.get(), 10);
    }

    #[tokio::test]
    async fn what_a_link_sent_beyond_a_broken_rule_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (mut shard, inbox) = shard(folder.path());
        let (attacker, outbox) = greeted(&inbox, 1).await;
        attacker.push_frame(vec![0xff]).await;
        for _ in 0..1_000 {
            attacker.push_frame(commits(1, 1)).await;
        }
        assert!(shard.turn().is_continue());
        assert_eq!(shard.context.metrics.frames_in.get(), 2);
        assert!(matches!(outbox.take().await.last(), Some(Outgoing::Close(4000, _))));
    }

    #[tokio::test]
    async fn a_panic_in_one_space_leaves_the_others_running() {
        let folder = tempfile::tempdir().unwrap();
        let (mut shard, inbox) = shard(folder.path());
        let outboxes = [("a", 1), ("b", 2)].map(|(space, id)| open(&inbox, space, id));
        assert!(shard.take_events().is_continue());
        shard.with(&"a".into(), |_, _| panic!("as a test wants it"));
        let sent = outboxes[0].take().await;
        assert!(matches!(sent.last(), Some(Outgoing::Close(4008, _))), "{sent:?}");
        let mut gauges = SpaceGauges::default();
        shard.spaces["b"].add_to(&mut gauges);
        assert_eq!(gauges.awake, 1);
    }
}
