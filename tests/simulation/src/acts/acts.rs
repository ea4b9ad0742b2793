//! What applications do.

use eyot_core::automerge::{Prop, ROOT, ReadDoc, ScalarValue};
use eyot_core::base::id::DocId;
use eyot_core::document::value::{Op, Value};
use eyot_core::replica::event::Made;
use eyot_core::replica::replica::Replica;
use eyot_core::replica::waits::WaitId;

use crate::base::ids::ProcessId;
use crate::parts::history::Waiting;
use crate::parts::process::{Machine, Process};
use crate::world::world::World;

impl World {
    pub fn act(&mut self) {
        let ready: Vec<_> = self.processes.iter().filter(|(_, p)| p.is_ready).map(|(id, _)| *id).collect();
        let Some(id) = self.rng.pick(&ready).copied() else { return };
        let open: Vec<_> = self.processes[&id].open.iter().copied().collect();
        match self.rng.below(41) {
            0 => self.create(id),
            1 => {
                if let Some(doc) = self.rng.pick(&self.docs).copied() {
                    self.call(id, |replica, _| {
                        replica.open(doc);
                    });
                }
            }
            2 => {
                if let Some(doc) = self.rng.pick(&open).copied() {
                    self.close_document(id, doc);
                    // Named documents are opened again: that is where replicas meet.
                    self.open_names(id);
                }
            }
            3 if self.rng.chance(200) => {
                if let Some(doc) = self.rng.pick(&open).copied() {
                    self.delete(id, doc);
                }
            }
            4 | 5 => self.wait_for_fresh(id),
            6 if self.rng.chance(100) => {
                let relays = self.relays_for(self.processes[&id].disk);
                self.call(id, |replica, _| replica.set_relays(relays));
            }
            _ => {
                if let Some(doc) = self.rng.pick(&open).copied() {
                    self.change(id, doc);
                }
            }
        }
    }

    /// The application keeps the value that it had last, and is told what changes from there on.
    fn close_document(&mut self, id: ProcessId, doc: DocId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.open.remove(&doc);
        if let Machine::Replica(replica) = &process.machine
            && process.is_watching
            && let Ok(value) = replica.value(doc)
        {
            process.peeked.insert(doc, value);
        }
        self.call(id, |replica, _| replica.close_document(doc));
    }

    fn create(&mut self, id: ProcessId) {
        let value = Value::Scalar(ScalarValue::Int(self.rng.below(9) as i64));
        let op = Op::Put { path: vec![Prop::Map("k".into())], value };
        let mut made = None;
        self.call(id, |replica, now| made = replica.create(&[op], None, now).ok());
        let Some(made) = made else { return };
        self.docs.push(made.doc);
        if let Some(process) = self.processes.get_mut(&id) {
            process.open.insert(made.doc);
        }
        self.made(id, made);
        self.count("documents");
    }

    fn delete(&mut self, id: ProcessId, doc: DocId) {
        let mut made = None;
        self.call(id, |replica, now| made = replica.delete(doc, now).ok());
        if let Some(made) = made {
            self.deleted.insert(doc);
            self.made(id, made);
            self.count("deletions");
        }
    }

    fn change(&mut self, id: ProcessId, doc: DocId) {
        let ops = self.edits(id, doc);
        let mut made = None;
        self.call(id, |replica, now| {
            made = replica.change(doc, &ops, None, now).ok().filter(|made| made.seq > 0);
        });
        let Some(made) = made else { return };
        self.made(id, made);
        self.count("changes");
        if let (Some(commit), true) = (made.id, self.rng.chance(300)) {
            let regions = self.rng.between(1, self.plan.regions as u64) as u32;
            let waiting = Waiting::Durable { regions, commit };
            self.wait(id, waiting, |replica| replica.durable(regions, Some(made.seq)).ok());
        }
    }

    fn wait_for_fresh(&mut self, id: ProcessId) {
        let regions = self.rng.between(1, self.plan.regions as u64) as u32;
        let waiting = Waiting::Fresh { regions, promises: self.history.promises.len() };
        self.wait(id, waiting, |replica| replica.fresh(regions).ok());
    }

    fn made(&mut self, id: ProcessId, made: Made) {
        self.say(|| format!("{id:?} made {:?}", made.id));
        if let Some(process) = self.processes.get_mut(&id) {
            process.made.extend(made.id);
        }
    }

    fn wait(&mut self, id: ProcessId, waiting: Waiting, ask: impl FnOnce(&mut Replica) -> Option<WaitId>) {
        let mut wait = None;
        self.call(id, |replica, _| wait = ask(replica));
        let Some(process) = self.processes.get_mut(&id) else { return };
        match wait {
            Some(wait) if process.over.remove(&wait) => self.waited(id, &waiting),
            Some(wait) => {
                process.waits.insert(wait, waiting);
            }
            None => {}
        }
    }

    fn edits(&mut self, id: ProcessId, doc: DocId) -> Vec<Op> {
        let Some(Process { machine: Machine::Replica(replica), .. }) = self.processes.get(&id) else {
            return Vec::new();
        };
        let Ok(document) = replica.document(doc) else { return Vec::new() };
        let key = |key: &str| Prop::Map(key.to_owned());
        let held = |key: &str| document.automerge().get(ROOT, key).ok().flatten().map(|(_, id)| id);
        let text = held("text").map_or(0, |text| document.automerge().length(&text));
        let list = held("list").map_or(0, |list| document.automerge().length(&list));
        let has_text = held("text").is_some();
        let rng = &mut self.rng;
        let int = Value::Scalar(ScalarValue::Int(rng.below(1000) as i64));
        vec![match rng.below(6) {
            0 if has_text => Op::Splice {
                path: vec![key("text")],
                index: rng.below(text as u64 + 1) as usize,
                remove: 0,
                insert: "añ".into(),
            },
            1 if text > 0 => Op::Splice {
                path: vec![key("text")],
                index: rng.below(text as u64) as usize,
                remove: 1,
                insert: String::new(),
            },
            2 if has_text => Op::Increment { path: vec![key("n")], by: 1 },
            3 if has_text => Op::Insert {
                path: vec![key("list"), Prop::Seq(rng.below(list as u64 + 1) as usize)],
                values: vec![Value::Text("item".into()), int],
            },
            4 if list > 0 => {
                Op::Delete { path: vec![key("list"), Prop::Seq(rng.below(list as u64) as usize)], count: 1 }
            }
            _ => Op::Put { path: vec![key("k")], value: int },
        }]
    }
}
