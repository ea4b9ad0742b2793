//! A disk that answers late, and on a crash keeps of the writes under way only some first ones.

use std::collections::{BTreeSet, VecDeque};

use eyot_core::id::CommitId;
use eyot_core::log::read_rows;
use eyot_core::store::MemoryStore;
use eyot_core::{RequestId, StorageAnswer, StorageRequest};

use crate::rng::Rng;
use crate::world::ProcessId;

#[derive(Clone, Default)]
pub struct Disk {
    pub store: MemoryStore,
    /// Asked and not answered yet; done in this order.
    queue: VecDeque<(ProcessId, RequestId, StorageRequest)>,
    /// Full: writes fail.
    pub is_full: bool,
    /// The commits that are durable.
    pub durable: BTreeSet<CommitId>,
    /// Those of them that nobody has looked at yet.
    pub fresh: BTreeSet<CommitId>,
}

impl Disk {
    pub fn ask(&mut self, process: ProcessId, id: RequestId, request: StorageRequest) {
        self.queue.push_back((process, id, request));
    }

    /// Does what was asked first.
    pub fn answer(&mut self) -> Option<(ProcessId, RequestId, StorageAnswer)> {
        let (process, id, request) = self.queue.pop_front()?;
        if self.is_full && matches!(request, StorageRequest::Write(_)) {
            return Some((process, id, StorageAnswer::Failed("the disk is full".into())));
        }
        let answer = self.store.answer(&request);
        if let (StorageRequest::Write(batch), StorageAnswer::Written) = (&request, &answer) {
            let rows = batch.puts.iter().filter(|(key, _)| key.first() == Some(&b'b')).cloned();
            let rows: Vec<_> = rows.collect();
            for entry in read_rows(&rows, false).expect("rows are written whole").entries {
                self.durable.insert(entry.commit.id());
                self.fresh.insert(entry.commit.id());
            }
        }
        Some((process, id, answer))
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// The process died: what it had asked for may or may not have been done, in order.
    pub fn crash(&mut self, process: ProcessId, rng: &mut Rng) {
        let mut others = VecDeque::new();
        let mut is_lost = false;
        for entry in std::mem::take(&mut self.queue) {
            if entry.0 != process {
                others.push_back(entry);
                continue;
            }
            is_lost |= rng.chance(500);
            if !is_lost && matches!(entry.2, StorageRequest::Write(_)) {
                self.queue.push_back(entry);
                self.answer();
            }
        }
        self.queue = others;
    }

    /// An older copy is put back, or an empty one.
    pub fn restore(&mut self, copy: Disk) {
        *self = copy;
        self.queue.clear();
        self.is_full = false;
    }
}
