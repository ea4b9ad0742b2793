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
            let without = without_checkpoint(&disk.store);
            let quick = open(disk.store.clone(), self.plan.limits)?;
            let slow = open(without, self.plan.limits)?;
            if quick.documents() != slow.documents() {
                return Err(format!("disk {number} has a checkpoint of other documents than its log's"));
            }
            // Of commits that another process got from a relay before it read them from whoever made them, rows say that
            // they are of others. Who made them, and so wrote the checkpoint, knows better.
            let (quick, slow) = (quick.status(), slow.status());
            let is_less = |(region, behind): (&String, &u64)| quick.behind.get(region) < Some(behind);
            if slow.behind.iter().any(is_less) || quick.unsent < slow.unsent {
                return Err(format!("disk {number} has a checkpoint of other commits: {quick:?}, {slow:?}"));
            }
            self.outcome.count("checkpoints", 1);
        }
        Ok(())
    }
}

fn without_checkpoint(store: &MemoryStore) -> MemoryStore {
    let mut store = store.clone();
    let deletes = store.range(b"i", b"k").map(|(key, _)| key.clone()).collect();
    store.write(&WriteBatch { deletes, ..WriteBatch::default() });
    store
}

/// A replica that has read this storage, and writes nothing to it.
fn open(mut store: MemoryStore, limits: Limits) -> Result<Replica, String> {
    let config = ReplicaConfig {
        space: "space".into(),
        author: AuthorId([0xfe; 16]),
        seed: [7; 32],
        relays: vec!["nobody".into()],
        token: None,
        descriptor: None,
        limits,
    };
    let mut replica = Replica::new(config, 0);
    let (mut effects, mut is_ready) = (VecDeque::new(), false);
    loop {
        effects.extend(std::iter::from_fn(|| replica.poll_effect()));
        match effects.pop_front() {
            Some(Effect::Holder(HolderEffect::Storage(id, request))) => {
                let answer = store.answer(&request);
                replica.handle(HolderInput::Storage(id, answer), 0);
            }
            Some(Effect::App(Event::Ready)) => is_ready = true,
            Some(Effect::App(Event::Failed { message, .. })) => return Err(message),
            Some(_) => {}
            None if is_ready => return Ok(replica),
            None => return Err("storage does not come to an end".into()),
        }
    }
}
