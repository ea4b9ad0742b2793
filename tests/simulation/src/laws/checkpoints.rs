//! Laws of what replicas keep beside their logs, to open soon: it says nothing else than the log.

use std::collections::VecDeque;

use eyot_core::base::id::AuthorId;
use eyot_core::base::limits::Limits;
use eyot_core::holder::io::{Effect as HolderEffect, Input as HolderInput};
use eyot_core::replica::event::Event;
use eyot_core::replica::io::Effect;
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::WriteBatch;

use crate::world::world::World;

impl World {
    /// Law: whoever opens a space from its checkpoint knows the same documents as who follows the log from its start, and
    /// no fewer own commits that regions lack.
    pub fn check_checkpoints(&mut self) -> Result<(), String> {
        for number in self.plan.regions..self.disks.len() {
            let disk = &self.disks[number];
            if disk.is_outside || disk.store.get(b"i").is_none() {
                continue;
            }
            let limits = self.plan.limits;
            let mut quick = Opened::new(disk.store.clone(), limits)?;
            let mut slow = Opened::new(log_alone(&disk.store), limits)?;
            if quick.replica.documents() != slow.replica.documents() {
                return Err(format!("disk {number} has a checkpoint of other documents than its log's"));
            }
            // Of commits that another process got from a relay before it read them from whoever made them, rows say that
            // they are of others. Who made them, and so wrote the checkpoint, knows better.
            let (knows, reads) = (quick.replica.status(), slow.replica.status());
            let is_less = |(region, behind): (&String, &u64)| knows.behind.get(region) < Some(behind);
            if reads.behind.iter().any(is_less) || knows.unsent < reads.unsent {
                return Err(format!("disk {number} has a checkpoint of other commits: {knows:?}, {reads:?}"));
            }
            let views =
                check_views(&mut quick, &mut slow).map_err(|error| format!("disk {number}: {error}"))?;
            self.outcome.count("views", views);
            self.outcome.count("checkpoints", 1);
        }
        Ok(())
    }
}

/// Law: a view that is believed is the value that the commits make.
fn check_views(quick: &mut Opened, slow: &mut Opened) -> Result<u64, String> {
    let wait = quick.replica.values();
    let values = quick.run(|event| match event {
        Event::Values { wait: answered, values } if *answered == wait => Some(values.clone()),
        _ => None,
    })?;
    let mut views = 0;
    for (doc, value) in values {
        let Some(value) = value else { continue };
        views += 1;
        let wait = slow.replica.open(doc);
        slow.run(|event| {
            matches!(event, Event::Opened { wait: w, held: true, .. } if *w == wait).then_some(())
        })?;
        let built = slow.replica.value(doc).map_err(|error| error.to_string())?;
        if value != built {
            return Err(format!("the view of {doc:?} is not its value"));
        }
    }
    Ok(views)
}

/// The same storage, with nothing beside the log.
fn log_alone(store: &MemoryStore) -> MemoryStore {
    let mut store = store.clone();
    let beside = store.range(b"i", b"k").chain(store.range(b"v", b"x"));
    let deletes = beside.map(|(key, _)| key.clone()).collect();
    store.write(&WriteBatch { deletes, ..WriteBatch::default() });
    store
}

/// A replica of its own on a copy of a disk.
struct Opened {
    replica: Replica,
    store: MemoryStore,
    effects: VecDeque<Effect>,
}

impl Opened {
    fn new(store: MemoryStore, limits: Limits) -> Result<Self, String> {
        let config = ReplicaConfig {
            space: "space".into(),
            author: AuthorId([0xfe; 16]),
            seed: [7; 32],
            relays: vec!["nobody".into()],
            token: None,
            descriptor: None,
            limits,
        };
        let mut opened = Self { replica: Replica::new(config, 0), store, effects: VecDeque::new() };
        opened.run(|event| matches!(event, Event::Ready).then_some(()))?;
        Ok(opened)
    }

    /// Answers for storage until an event gives something.
    fn run<R>(&mut self, mut look: impl FnMut(&Event) -> Option<R>) -> Result<R, String> {
        loop {
            self.effects.extend(std::iter::from_fn(|| self.replica.poll_effect()));
            match self.effects.pop_front() {
                Some(Effect::Holder(HolderEffect::Storage(id, request))) => {
                    let answer = self.store.answer(&request);
                    self.replica.handle(HolderInput::Storage(id, answer), 0);
                }
                Some(Effect::App(Event::Failed { message, .. })) => return Err(message),
                Some(Effect::App(event)) => {
                    if let Some(found) = look(&event) {
                        return Ok(found);
                    }
                }
                Some(_) => {}
                None => return Err("storage does not come to an end".into()),
            }
        }
    }
}
