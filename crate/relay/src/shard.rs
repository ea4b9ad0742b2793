//! A thread that has a part of the spaces, and one SQLite file for them.
//!
//! It takes whatever has come in, lets the relays of those spaces handle it, commits all that they
//! want written at once, and only then tells them so. One flush of the disk serves as many commits
//! as came during the one before it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use eyot_core::Millis;
use tracing::{error, warn};

use crate::base::now;
use crate::event::Event;
use crate::metrics::Survey;
use crate::setup::Setup;
use crate::space::{Env, PendingWrite, Space};
use crate::storage::Store;

/// Events handled before what they want written is committed.
const BATCH_EVENTS: usize = 1024;
/// Milliseconds between spaces that are woken at the start.
const WAKE_EVERY: usize = 5;
/// How long a stopping shard goes on writing.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// See the module.
pub struct Shard {
    setup: Arc<Setup>,
    store: Store,
    events: Receiver<Event>,
    spaces: HashMap<Arc<str>, Space>,
    /// When which space rings. Out of date where the space says so.
    rings: BinaryHeap<Reverse<(Millis, Arc<str>)>>,
    writes: Vec<PendingWrite>,
    next_epoch: u64,
}

impl Shard {
    /// A shard with no spaces awake.
    pub fn new(setup: Arc<Setup>, store: Store, events: Receiver<Event>) -> Self {
        let (spaces, rings) = (HashMap::new(), BinaryHeap::new());
        Self { setup, store, events, spaces, rings, writes: Vec::new(), next_epoch: 0 }
    }

    /// Runs until it is told to stop.
    pub fn run(mut self) {
        self.wake_unsettled();
        let mut is_stopping = false;
        while !is_stopping {
            is_stopping = self.take_events();
            self.ring();
            self.commit();
        }
        let stopping_since = Instant::now();
        while !self.writes.is_empty() && stopping_since.elapsed() < STOP_WAIT {
            self.commit();
        }
        for name in self.spaces.keys().cloned().collect::<Vec<_>>() {
            self.with(&name, |space, env| space.stop(env));
        }
        if let Err(error) = self.store.checkpoint() {
            warn!(%error, "the write-ahead log stays as it is");
        }
    }

    /// Another region may lack what a process before this one was brought, and nobody may ever ask.
    fn wake_unsettled(&mut self) {
        let names = self.store.unsettled().unwrap_or_else(|error| {
            error!(%error, "what other regions lack can't be looked up");
            Vec::new()
        });
        for (wake_at, name) in (now()..).step_by(WAKE_EVERY).zip(names) {
            let name: Arc<str> = name.into();
            self.spaces.insert(name.clone(), Space::unsettled(name.clone(), wake_at));
            self.with(&name, |_, _| {});
        }
    }

    /// Handles what has come, waiting for it where nothing else is to be done; whether to stop.
    fn take_events(&mut self) -> bool {
        let wait = match self.rings.peek() {
            _ if !self.writes.is_empty() => Some(Duration::ZERO),
            Some(Reverse((at, _))) => Some(Duration::from_millis(at.saturating_sub(now()))),
            None => None,
        };
        let first = match wait {
            None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => self.events.recv_timeout(wait),
        };
        let first = match first {
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => return true,
            Ok(event) => event,
        };
        let mut is_stopped = self.is_stopped_by(first);
        for _ in 1..BATCH_EVENTS {
            if is_stopped {
                break;
            }
            let Ok(event) = self.events.try_recv() else { break };
            is_stopped = self.is_stopped_by(event);
        }
        is_stopped
    }

    fn is_stopped_by(&mut self, event: Event) -> bool {
        match event {
            Event::Link(name, link, what) => {
                self.spaces.entry(name.clone()).or_insert_with(|| Space::new(name.clone()));
                self.with(&name, |space, env| space.happened(link, what, env));
            }
            Event::Survey(answer) => {
                let mut survey = Survey::default();
                self.spaces.values().for_each(|space| space.survey(&mut survey));
                let _ = answer.send(survey);
            }
            Event::Stop => return true,
        }
        false
    }

    fn ring(&mut self) {
        let now = now();
        while self.rings.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((at, name))) = self.rings.pop() else { break };
            if self.spaces.get(&name).is_some_and(|space| space.rings_at == Some(at)) {
                self.with(&name, |space, env| space.ring(env));
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
        match &outcome {
            Ok(()) => {
                self.setup.metrics.flush.observe(started.elapsed().as_secs_f64());
                self.setup.metrics.transactions.inc();
            }
            Err(reason) => {
                self.setup.metrics.failed_transactions.inc();
                error!(%reason, writes = writes.len(), "nothing could be written");
            }
        }
        for write in writes {
            let name = write.space.clone();
            self.with(&name, |space, env| space.written(write, outcome.clone(), env));
        }
    }

    /// A panic is a mistake of ours, and costs the space that it happens in alone.
    fn with(&mut self, name: &Arc<str>, call: impl FnOnce(&mut Space, &mut Env)) {
        let Some(space) = self.spaces.get_mut(name) else { return };
        let mut env = Env {
            setup: &self.setup,
            store: &mut self.store,
            writes: &mut self.writes,
            next_epoch: &mut self.next_epoch,
            now: now(),
        };
        if catch_unwind(AssertUnwindSafe(|| call(space, &mut env))).is_err() {
            error!(space = &**name, "the relay of a space has panicked");
            space.fail(&mut env);
        }
        if space.is_forgettable() {
            self.spaces.remove(name);
        } else if let Some(at) = space.next_ring()
            && space.rings_at.is_none_or(|rings_at| at < rings_at)
        {
            space.rings_at = Some(at);
            self.rings.push(Reverse((at, name.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use eyot_core::{Caps, LinkId};
    use tokio::runtime::Handle;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::access::AccessPolicy;
    use crate::event::{Happening, Inbox, LinkRef, Shards};
    use crate::metrics::Metrics;
    use crate::outbox::{Outbox, Outgoing};

    #[tokio::test]
    async fn a_panic_in_one_space_leaves_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let (inbox, events) = Inbox::new();
        let setup = Setup {
            region: "eu".to_owned(),
            peers: Vec::new(),
            peer_token: None,
            caps: Caps::default(),
            admission: AccessPolicy::Open,
            idle: 10_000,
            delays: BTreeMap::new(),
            metrics: Metrics::default(),
            shards: Shards::new(vec![inbox]),
            runtime: Handle::current(),
            connections: TaskTracker::new(),
        };
        let store = Store::open(&folder.path().join("shard")).unwrap();
        let mut shard = Shard::new(Arc::new(setup), store, events);
        let outboxes = [("a", 1), ("b", 2)].map(|(space, id)| {
            let outbox = Arc::new(Outbox::default());
            let link = LinkRef { epoch: None, id: LinkId(id) };
            shard.is_stopped_by(Event::Link(space.into(), link, Happening::Opened(outbox.clone())));
            outbox
        });
        shard.with(&"a".into(), |_, _| panic!("as a test wants it"));
        let farewell = outboxes[0].take().await;
        assert!(matches!(farewell.last(), Some(Outgoing::Close(4008, _))), "{farewell:?}");
        let mut survey = Survey::default();
        shard.spaces["b"].survey(&mut survey);
        assert_eq!(survey.awake, 1);
    }
}
