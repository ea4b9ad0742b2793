//! A disk that answers late, and on a crash keeps of the writes under way only some first ones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use eyot_core::base::id::RequestId;
use eyot_core::base::id::{AuthorId, CommitId};
use eyot_core::log::rows::read_rows;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageAnswer, StorageRequest};

use crate::base::ids::ProcessId;
use crate::base::rng::Rng;

/// Who asked: a process, and which of its machines, should it have had several.
pub type Asker = (ProcessId, u64);

#[derive(Clone, Default)]
pub struct Disk {
    pub store: MemoryStore,
    /// Asked and not answered yet; done in this order.
    queue: VecDeque<(Asker, RequestId, StorageRequest)>,
    /// Full: writes fail.
    pub is_full: bool,
    /// The commits that are durable, with their places in their chains.
    pub durable: BTreeMap<CommitId, (AuthorId, u64)>,
    /// The same in the order of the log.
    pub log: BTreeMap<u64, CommitId>,
    /// Those of them that nobody has looked at yet.
    pub unseen: BTreeSet<CommitId>,
}

impl Disk {
    pub fn ask(&mut self, asker: Asker, id: RequestId, request: StorageRequest) {
        self.queue.push_back((asker, id, request));
    }

    /// Does what was asked first.
    pub fn answer(&mut self) -> Option<(Asker, RequestId, StorageAnswer)> {
        let (asker, id, request) = self.queue.pop_front()?;
        if self.is_full && matches!(request, StorageRequest::Write(_)) {
            return Some((asker, id, StorageAnswer::Failed("the disk is full".into())));
        }
        let answer = self.store.answer(&request);
        if let (StorageRequest::Write(batch), StorageAnswer::Written) = (&request, &answer) {
            let rows = batch.puts.iter().filter(|(key, _)| key.first() == Some(&b'b')).cloned();
            let rows: Vec<_> = rows.collect();
            for entry in read_rows(&rows, false).expect("rows are written whole").entries {
                let (id, header) = (entry.commit.id(), entry.commit.header());
                self.log.insert(entry.at.seq, id);
                if self.durable.insert(id, (header.author, header.seq)).is_none() {
                    self.unseen.insert(id);
                }
            }
        }
        Some((asker, id, answer))
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// The process died: what it had asked for may or may not have been done, in order.
    pub fn crash(&mut self, process: ProcessId, rng: &mut Rng) {
        let mut others = VecDeque::new();
        let mut is_lost = false;
        for entry in std::mem::take(&mut self.queue) {
            if entry.0.0 != process {
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
        self.unseen.clear();
        self.is_full = false;
    }
}
