//! A disk that answers late, and on a crash keeps of the writes under way only some first ones. It
//! keeps account of what is durable, from the rows that are written to it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use eyot_core::base::id::{AuthorId, CommitId, DocId, LogId, RequestId};
use eyot_core::base::position::{Mark, Marker, Position, Shown};
use eyot_core::commit::commit::{Commit, ItemBytes};
use eyot_core::log::meta::Meta;
use eyot_core::log::rows::read_rows;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageAnswer, StorageRequest, WriteBatch};

use crate::base::ids::ProcessId;
use crate::base::rng::Rng;

/// Who asked: a process, and which of its machines, should it have had several.
pub type Asker = (ProcessId, u64);

#[derive(Clone, Default)]
pub struct Disk {
    pub store: MemoryStore,
    /// Asked and not answered yet; done in this order.
    queue: VecDeque<(Asker, RequestId, StorageRequest)>,
    /// What was read, and is still to be told.
    late: VecDeque<(Asker, RequestId, StorageAnswer)>,
    /// Full: writes fail.
    pub is_full: bool,
    /// Some of what its processes believed was never written: a write has failed.
    pub has_failed: bool,
    /// Nobody keeps a log here: it is the place of a scripted actor.
    pub is_outside: bool,
    /// The commits that are durable, with their places in their chains.
    pub durable: BTreeMap<CommitId, (AuthorId, u64)>,
    /// The documents of items whose bytes are absent from those, wherever in the log they are.
    bare: BTreeMap<CommitId, BTreeSet<DocId>>,
    /// And from each place: a commit whose bytes came late is in the log again.
    bare_at: BTreeMap<(CommitId, u64), BTreeSet<DocId>>,
    /// The place in the log from which on a commit is there with all bytes, or with deletes in their
    /// place.
    whole_at: BTreeMap<CommitId, u64>,
    /// The documents that each of those changes.
    docs: BTreeMap<CommitId, BTreeSet<DocId>>,
    /// The documents that the log deletes, and where.
    deleted: BTreeMap<DocId, u64>,
    /// The commits in the order of the log.
    pub log: BTreeMap<u64, CommitId>,
    /// The positions after them.
    places: BTreeMap<u64, Position>,
    /// Those of them that nobody has looked at yet.
    pub unseen: BTreeSet<CommitId>,
    /// Those that have become whole and that nobody has looked at yet.
    pub unseen_whole: BTreeSet<CommitId>,
    /// The log's id, those that it ever had, the one that it has just given up without an older copy having
    /// been put back, and the one that a process greeted with last.
    log_id: Option<LogId>,
    log_ids: BTreeSet<LogId>,
    given_up: Option<LogId>,
    greeted_as: Option<LogId>,
    was_restored: bool,
    /// A law that a write has broken.
    pub broken: Option<String>,
}

impl Disk {
    /// That of somebody who keeps no log.
    pub fn outside() -> Self {
        Self { is_outside: true, ..Self::default() }
    }

    pub fn ask(&mut self, asker: Asker, id: RequestId, request: StorageRequest) {
        self.queue.push_back((asker, id, request));
    }

    /// Does what was asked first.
    pub fn answer(&mut self) -> Option<(Asker, RequestId, StorageAnswer)> {
        let (asker, id, request) = self.queue.pop_front()?;
        if self.is_full && matches!(request, StorageRequest::Write(_)) {
            self.has_failed = true;
            return Some((asker, id, StorageAnswer::Failed("the disk is full".into())));
        }
        let answer = self.store.answer(&request);
        if let (StorageRequest::Write(batch), StorageAnswer::Written) = (&request, &answer) {
            self.note(batch);
        }
        Some((asker, id, answer))
    }

    fn note(&mut self, batch: &WriteBatch) {
        let rows = batch.puts.iter().filter(|(key, _)| key.first() == Some(&b'b')).cloned();
        let rows: Vec<_> = rows.collect();
        let entries = read_rows(&rows, false).expect("rows are written whole").entries;
        let end = self.log.last_key_value().map_or(0, |(seq, _)| *seq);
        for entry in &entries {
            let (id, header) = (entry.commit.id(), entry.commit.header());
            self.log.insert(entry.at.seq, id);
            self.places.insert(entry.at.seq, entry.at);
            for doc in header.deletes() {
                self.delete(doc, entry.at.seq);
            }
            if self.durable.insert(id, (header.author, header.seq)).is_none() {
                self.unseen.insert(id);
                self.docs.insert(id, entry.commit.items().filter_map(|(item, _)| item.doc).collect());
            }
        }
        for entry in &entries {
            self.note_bytes(&entry.commit, entry.at.seq);
            if entry.at.seq > end && self.is_whole(&entry.commit.id()) {
                self.whole_at.entry(entry.commit.id()).or_insert(entry.at.seq);
            }
        }
        let meta = batch.puts.iter().find(|(key, _)| key == b"m");
        if let Some(meta) = meta.and_then(|(_, value)| Meta::decode(value).ok()) {
            self.note_log(meta.marker.log);
        }
    }

    /// Law: bytes that are in a log stay there until a delete of their document is in that log.
    fn note_bytes(&mut self, commit: &Commit, seq: u64) {
        let id = commit.id();
        let now = absent(commit);
        let before = self.bare_at.insert((id, seq), now.clone()).unwrap_or_else(|| now.clone());
        if let Some(doc) = now.iter().find(|doc| !before.contains(doc) && !self.deleted.contains_key(doc)) {
            self.broken =
                Some(format!("{id:?} lost its bytes of {doc:?}, and nothing in the log deletes it"));
        }
        let places = self.bare_at.range((id, 0)..=(id, u64::MAX)).map(|(_, docs)| docs.clone());
        self.bare.extend(places.reduce(|all, docs| &all & &docs).map(|docs| (id, docs)));
        if self.is_whole(&id) {
            self.unseen_whole.insert(id);
        }
    }

    fn delete(&mut self, doc: DocId, seq: u64) {
        if let Entry::Vacant(place) = self.deleted.entry(doc) {
            place.insert(seq);
            let bare = self.bare.iter().filter(|(_, docs)| docs.contains(&doc));
            let whole = bare.map(|(id, _)| *id).filter(|id| self.is_whole(id));
            for id in whole.collect::<Vec<_>>() {
                self.unseen_whole.insert(id);
                self.whole_at.entry(id).or_insert(seq);
            }
        }
    }

    fn note_log(&mut self, log: LogId) {
        self.log_ids.insert(log);
        if let Some(before) = self.log_id.replace(log).filter(|before| *before != log)
            && !std::mem::take(&mut self.was_restored)
        {
            self.given_up = Some(before);
        }
    }

    /// What the log's marks are made with.
    pub fn marker(&self) -> Option<Marker> {
        let meta = self.store.get(b"m").and_then(|meta| Meta::decode(meta).ok());
        meta.map(|meta| meta.marker)
    }

    /// Whether this is a mark that was given with that marker, of something that is not in the log.
    pub fn has_lost(&self, marker: &Marker, mark: &Mark) -> bool {
        let place = self.places.get(&mark.seq);
        *mark != Mark::START
            && marker.judge(mark) == Shown::Given
            && place.is_none_or(|place| marker.mark(*place) != *mark)
    }

    /// Whether a commit is durable with all its bytes, or with deletes that explain their absence.
    pub fn is_whole(&self, id: &CommitId) -> bool {
        self.bare.get(id).is_some_and(|docs| docs.iter().all(|doc| self.deleted.contains_key(doc)))
    }

    /// Whether a commit is there with all bytes at or before this place in the log, and none of them are
    /// deleted after it: whoever has read so far may have come too late for those.
    pub fn is_whole_by(&self, id: &CommitId, seq: u64) -> bool {
        let is_deleted_later = |doc| self.deleted.get(doc).is_some_and(|at| *at > seq);
        self.whole_at.get(id).is_some_and(|at| *at <= seq)
            && !self.docs.get(id).into_iter().flatten().any(is_deleted_later)
    }

    /// The documents of a durable commit whose bytes are missing, and nothing explains it.
    pub fn missing(&self) -> impl Iterator<Item = (&CommitId, &DocId)> {
        let all = self.bare.iter().flat_map(|(id, docs)| docs.iter().map(move |doc| (id, doc)));
        all.filter(|(_, doc)| !self.deleted.contains_key(doc))
    }

    /// Whether the bytes that a commit has of a document are here.
    pub fn has_bytes(&self, id: &CommitId, doc: &DocId) -> bool {
        self.bare.get(id).is_some_and(|docs| !docs.contains(doc))
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.late.is_empty()
    }

    /// What was read is told later, and what is read after it may be told before.
    pub fn tell_late(&mut self, asker: Asker, id: RequestId, answer: StorageAnswer) {
        self.late.push_back((asker, id, answer));
    }

    pub fn next_late(&mut self) -> Option<(Asker, RequestId, StorageAnswer)> {
        self.late.pop_front()
    }

    /// What is still to be told to this process: before a write of its own is answered.
    pub fn late_for(&mut self, asker: Asker) -> VecDeque<(Asker, RequestId, StorageAnswer)> {
        let all = std::mem::take(&mut self.late);
        let (told, late) = all.into_iter().partition(|(of, _, _)| *of == asker);
        self.late = late;
        told
    }

    /// The process died: what it had asked for may or may not have been done, in order.
    pub fn crash(&mut self, process: ProcessId, rng: &mut Rng) {
        self.late.retain(|((asker, _), _, _)| *asker != process);
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

    /// The id that the log has given up without an older copy having been put back, if nobody has looked yet.
    pub fn take_given_up(&mut self) -> Option<LogId> {
        self.given_up.take()
    }

    /// A process greets with this id, which may not be written yet.
    pub fn note_greeting(&mut self, log: LogId) {
        self.log_ids.insert(log);
        self.greeted_as = Some(log);
    }

    /// The log's id, or what a process that has written nothing greeted with last.
    pub fn log_id(&self) -> Option<LogId> {
        self.marker().map(|marker| marker.log).or(self.greeted_as)
    }

    /// Whether the log ever had this id.
    pub fn has_had(&self, log: LogId) -> bool {
        self.log_ids.contains(&log)
    }

    /// An older copy is put back, or an empty one.
    pub fn restore(&mut self, copy: Disk) {
        *self = copy;
        self.queue.clear();
        self.late.clear();
        self.unseen.clear();
        self.unseen_whole.clear();
        self.is_full = false;
        self.was_restored = true;
    }
}

/// The documents of items whose bytes are absent, for whatever reason.
fn absent(commit: &Commit) -> BTreeSet<DocId> {
    let absent = commit.items().filter(|(_, bytes)| !matches!(bytes, ItemBytes::Present(_)));
    absent.filter_map(|(item, _)| item.doc).collect()
}
