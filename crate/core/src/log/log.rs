//! The log: a holder's own append-only order of the commits it holds.
//!
//! A commit is appended only when its predecessor in the chain and all that its `after` names are
//! in the log, so log order is causal order. [`Log`] decides that from what it has in memory (the
//! tips, and the chains lately used) and says which keys of storage it needs to know more. It does
//! no I/O: it plans reads and hands over puts. [`keys`](crate::log::keys) has the layout.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::id::{AuthorId, CommitId, DocId, LogId};
use crate::base::id_map::{IdMap, IdSet};
use crate::base::limits::Limits;
use crate::base::mutation::Mutation;
use crate::base::position::{Mark, Marker, Position};
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::descriptor::Descriptor;
use crate::commit::header::{After, Header};
use crate::commit::vector::{Tip, Vector};
use crate::log::chain::{BranchEnd, Chain, HotChains};
use crate::log::deleted::Deleted;
use crate::log::holes::{Hole, Holes, Word};
use crate::log::keys::{META_KEY, author_of_key, branch_end_key, chain_key, hole_key, hole_seq};
use crate::log::meta::Meta;
use crate::log::rows::{Entry, put_rows};
use crate::storage::request::{Corrupt, Entries, Guard};

/// Whether a holder makes commits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It does, and needs to know what a new commit comes after.
    Uncovered,
    /// It does not (a relay), and writes nothing for that.
    Nothing,
}

/// What a holder knows of its log without reading storage.
#[derive(Clone, Debug)]
pub struct Log {
    pub(super) limits: Arc<Limits>,
    meta: Meta,
    /// What the `m` entry holds, or will once what was taken is written.
    stored_meta: Option<Vec<u8>>,
    /// What the first commit of a chain names as the one before it.
    pub(super) chain_start: Option<CommitId>,
    pub(super) vector: Vector,
    keeping: Keeping,
    /// Tips that no commit in the log comes after.
    uncovered: BTreeSet<Tip>,
    /// The ends of forked authors' later branches, with their numbers in storage.
    branches: IdMap<AuthorId, IdMap<CommitId, u64>>,
    deleted: Deleted,
    pub(super) holes: Holes,
    pub(super) hot: HotChains,
    staged: Staged,
}

#[derive(Clone, Debug, Default)]
struct Staged {
    entries: Vec<Entry>,
    bytes: usize,
    /// Authors whose `t` entry changes.
    dirty: IdSet<AuthorId>,
    /// Later branches whose `f` entry changes, with their ends.
    dirty_branches: IdMap<(AuthorId, u64), Tip>,
    dirty_holes: IdSet<u64>,
    puts: Entries,
    before: Option<Position>,
}

/// What was staged, to be written at once.
#[derive(Debug)]
pub struct StagedWrite {
    /// Of the `m` entry: what it must be.
    pub guard: Guard,
    /// All entries to write.
    pub puts: Entries,
    /// Keys to remove.
    pub deletes: Vec<Vec<u8>>,
    /// The commits, in order.
    pub entries: Vec<Entry>,
}

impl Log {
    /// An empty log.
    pub fn new(
        marker: Marker,
        descriptor: Option<Descriptor>,
        keeping: Keeping,
        limits: Arc<Limits>,
    ) -> Self {
        Self { stored_meta: None, ..Self::open(Meta::new(marker, descriptor), keeping, limits) }
    }

    /// A log whose tips, deletions and holes are still to be told by [`Log::load`].
    pub fn open(meta: Meta, keeping: Keeping, limits: Arc<Limits>) -> Self {
        Self {
            limits,
            stored_meta: Some(meta.encode()),
            chain_start: chain_start(&meta),
            meta,
            vector: Vector::default(),
            keeping,
            uncovered: BTreeSet::new(),
            branches: IdMap::new(),
            deleted: Deleted::default(),
            holes: Holes::default(),
            hot: HotChains::default(),
            staged: Staged::default(),
        }
    }

    /// A log like this one of which nothing is known: to be loaded again.
    #[must_use]
    pub fn unread(&self) -> Self {
        Self::new(self.meta.marker, self.meta.descriptor.clone(), self.keeping, self.limits.clone())
    }

    /// The log's id.
    pub fn id(&self) -> LogId {
        self.meta.marker.log
    }

    /// What makes its marks.
    pub fn marker(&self) -> &Marker {
        &self.meta.marker
    }

    /// The mark of a position that is durable.
    pub fn mark(&self, position: Position) -> Mark {
        self.meta.marker.mark(position)
    }

    /// Its end.
    pub fn head(&self) -> Position {
        self.meta.head
    }

    /// What the space is, if this holder has been told.
    pub fn descriptor(&self) -> Option<&Descriptor> {
        self.meta.descriptor.as_ref()
    }

    /// What the first commit of every chain names as the one before it, if that is known.
    pub fn chain_start(&self) -> Option<CommitId> {
        self.chain_start
    }

    /// What it holds.
    pub fn vector(&self) -> &Vector {
        &self.vector
    }

    /// The commits that lack bytes.
    pub fn holes(&self) -> &Holes {
        &self.holes
    }

    /// Whether it is for a holder that makes commits of its own.
    pub fn keeping(&self) -> Keeping {
        self.keeping
    }

    /// The tips that no commit in the log comes after, where commits are made.
    pub fn uncovered(&self) -> impl Iterator<Item = &Tip> {
        self.uncovered.iter()
    }

    /// Whether the document is deleted.
    pub fn is_deleted(&self, doc: &DocId) -> bool {
        self.deleted.contains(doc)
    }

    /// Whether its delete is at that position or before.
    pub fn is_deleted_by(&self, doc: &DocId, seq: u64) -> bool {
        self.deleted.delete_of(doc, seq).is_some()
    }

    /// Brings a commit that was read from storage up to what the log knows: bytes of deleted
    /// documents are gone. Whether it is different now.
    pub fn justify(&self, commit: &mut Commit) -> bool {
        commit.justify(|doc| self.deleted.delete_of(doc, u64::MAX))
    }

    /// Brings a commit up to what the log knows up to this position, which is durable: whoever is told of a
    /// delete looks for it there.
    pub fn justify_by(&self, commit: &mut Commit, stored: u64) {
        commit.justify(|doc| self.deleted.delete_of(doc, stored));
    }

    /// Whether another process has taken bytes out of this row for a delete of which this one, up to this
    /// position, has yet to know.
    pub fn is_behind_storage(&self, commit: &Commit, stored: u64) -> bool {
        commit.items().any(|(item, bytes)| {
            let is_known = |doc: DocId| self.deleted.delete_of(&doc, stored).is_some();
            matches!(bytes, ItemBytes::Deleted(_)) && item.doc.is_some_and(|doc| !is_known(doc))
        })
    }

    /// How far the bytes of deleted documents are gone from the rows.
    pub fn deleted(&self) -> &Deleted {
        &self.deleted
    }

    /// As above, to be changed.
    pub fn deleted_mut(&mut self) -> &mut Deleted {
        &mut self.deleted
    }

    /// Takes in an entry of storage in one of [`load_ranges`](crate::log::keys::load_ranges).
    ///
    /// # Errors
    /// Storage holds what this code did not write.
    pub fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Corrupt> {
        match key.split_first() {
            Some((b't', _)) => {
                let chain: Chain = from_cbor(value)?;
                if let Some(end) = chain.end {
                    self.load_end(end);
                }
            }
            Some((b'f', _)) => {
                let end: BranchEnd = from_cbor(value)?;
                let number = author_of_key(key).and_then(|(_, rest)| rest.try_into().ok());
                let number = number.ok_or_else(|| Corrupt("a key of another length".into()))?;
                let branches = self.branches.get_or_default(end.tip.author);
                branches.insert(end.tip.id, u64::from_be_bytes(number));
                self.load_end(end);
            }
            Some((b'g', [])) => self.deleted.set_scrubbing(from_cbor(value)?),
            Some((b'd', doc)) => {
                let doc = DocId::from_slice(doc).ok_or_else(|| Corrupt("a key of another length".into()))?;
                self.deleted.load(doc, value)?;
            }
            Some((b'h', _)) => {
                let seq = hole_seq(key).ok_or_else(|| Corrupt("a key of another length".into()))?;
                self.holes.insert(seq, from_cbor(value)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn load_end(&mut self, end: BranchEnd) {
        self.vector.advance(end.tip, None);
        if end.is_uncovered && self.keeping == Keeping::Uncovered {
            self.uncovered.insert(end.tip);
        }
    }

    /// Takes in the answer to a read of [`Admission::Reads`](crate::log::lookup::Admission::Reads): one call for each key of a `Get`.
    ///
    /// # Errors
    /// Storage holds what this code did not write.
    pub fn learn(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Corrupt> {
        self.hot.learn(key, value)
    }

    /// Takes in the answer to a scan of the commits of an author's later branches with a number.
    ///
    /// # Errors
    /// Storage holds what this code did not write.
    pub fn learn_branches(&mut self, from: &[u8], entries: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Corrupt> {
        self.hot.learn_branches(from, entries)
    }

    /// Appends a commit that [`Log::admit`] found ready, to be written by the next
    /// [`Log::take_staged`]. `bringer` is the log that it was brought from, and what that says of
    /// its bytes.
    pub fn stage(&mut self, mut commit: Commit, own: bool, bringer: Option<(LogId, Word)>) {
        self.staged.before.get_or_insert(self.meta.head);
        self.take_deletes(&commit);
        if self.limits.is_mutated(Mutation::BelieveDeleted) {
            self.believe(&commit);
        }
        self.justify(&mut commit);
        self.index(&commit);
        let seq = self.meta.head.seq;
        if commit.has_holes() && !self.limits.is_mutated(Mutation::HoleIsHeld) {
            self.holes.insert(seq, Hole::new(&commit, bringer));
            self.staged.dirty_holes.insert(seq);
        }
        self.staged.bytes += commit.size();
        self.staged.entries.push(Entry { at: self.meta.head, commit, own, again: false });
    }

    /// Appends a commit again that is in the log at `seq`, with bytes that it lacked there: whoever has
    /// read the log to its end has the bytes too. The index of chains keeps the first position, which
    /// is in causal order.
    pub fn stage_again(&mut self, seq: u64, commit: Commit) {
        self.staged.before.get_or_insert(self.meta.head);
        self.filled(seq, &commit);
        self.meta.head = self.meta.head.then(&commit.id());
        self.staged.bytes += commit.size();
        self.staged.entries.push(Entry { at: self.meta.head, commit, own: false, again: true });
    }

    /// A commit that is in the log without some of its bytes was brought from that log too, or named, by a
    /// link that has read it up to `read`.
    pub fn brought_hole(&mut self, seq: u64, bringer: (LogId, Word), read: u64) {
        if self.holes.brought(seq, bringer, read) {
            self.staged.dirty_holes.insert(seq);
        }
    }

    /// The commit at that position has all its bytes now, or those of fewer documents are missing:
    /// what to write of it.
    pub fn filled(&mut self, seq: u64, commit: &Commit) {
        let before = self.holes.remove(seq);
        if commit.has_holes() {
            let hole = Hole::new(commit, None);
            let (bringers, named) = before.map(|before| (before.bringers, before.named)).unwrap_or_default();
            self.holes.insert(seq, Hole { bringers, named, ..hole });
        }
        self.staged.dirty_holes.insert(seq);
    }

    /// Changes of holes that are not written yet: what to put and what to remove.
    pub fn take_holes(&mut self) -> (Entries, Vec<Vec<u8>>) {
        let (mut puts, mut deletes) = (Vec::new(), Vec::new());
        for seq in core::mem::take(&mut self.staged.dirty_holes) {
            match self.holes.get(seq) {
                Some(hole) => puts.push((hole_key(seq), to_cbor(hole))),
                None => deletes.push(hole_key(seq)),
            }
        }
        (puts, deletes)
    }

    /// Whether there are changes of holes that are not written yet.
    pub fn has_unwritten_holes(&self) -> bool {
        !self.staged.dirty_holes.is_empty()
    }

    /// Takes in a commit that another process of this holder has appended to the shared log.
    pub fn follow(&mut self, entry: &Entry) {
        if entry.again {
            self.follow_again(entry);
        } else {
            self.follow_first(entry);
        }
        self.staged = Staged::default();
        self.stored_meta = Some(self.meta.encode());
    }

    /// The row where the commit is first may have been read with its bytes in it: then there is no hole.
    fn follow_again(&mut self, entry: &Entry) {
        let id = entry.commit.id();
        self.meta.head = self.meta.head.then(&id);
        if let Some(seq) = self.holes.seq_of(&id) {
            let mut commit = entry.commit.clone();
            self.justify(&mut commit);
            self.filled(seq, &commit);
        }
    }

    fn follow_first(&mut self, entry: &Entry) {
        // Whoever deleted a document may be gone before its bytes are.
        self.take_deletes(&entry.commit);
        self.index(&entry.commit);
        let mut commit = entry.commit.clone();
        self.justify(&mut commit);
        if commit.has_holes() {
            self.holes.insert(entry.at.seq, Hole::new(&commit, None));
        }
    }

    /// See [`Mutation::BelieveDeleted`].
    fn believe(&mut self, commit: &Commit) {
        for (item, bytes) in commit.items() {
            if let (Some(doc), crate::commit::commit::ItemBytes::Deleted(delete)) = (item.doc, bytes) {
                self.deleted.insert(doc, *delete, self.meta.head.seq + 1);
            }
        }
    }

    fn take_deletes(&mut self, commit: &Commit) {
        for doc in commit.header().deletes() {
            if let Some(put) = self.deleted.insert(doc, commit.name(), self.meta.head.seq + 1) {
                self.staged.puts.push(put);
            } else {
                continue;
            }
            self.staged.dirty_holes.extend(self.holes.close(&doc));
        }
    }

    /// Whether storage does not know of this log yet.
    pub fn is_unwritten(&self) -> bool {
        self.stored_meta.is_none()
    }

    /// Takes another id and key: what was acknowledged under the old id is void. The `m` entry to
    /// write, with its guard.
    pub fn renew(&mut self, marker: Marker) -> (Guard, (Vec<u8>, Vec<u8>)) {
        self.meta.marker = marker;
        self.write_meta()
    }

    /// Takes note of what the space is, while the log is empty and not written.
    pub fn adopt(&mut self, descriptor: Descriptor) {
        self.meta.descriptor = Some(descriptor);
        self.chain_start = chain_start(&self.meta);
    }

    /// Takes note of what the space is. The `m` entry to write, with its guard.
    pub fn pin(&mut self, descriptor: Descriptor) -> (Guard, (Vec<u8>, Vec<u8>)) {
        self.adopt(descriptor);
        self.write_meta()
    }

    /// The `m` entry as it is, with its guard.
    pub fn write_meta(&mut self) -> (Guard, (Vec<u8>, Vec<u8>)) {
        (self.guard_and_advance(), (META_KEY.to_vec(), self.meta.encode()))
    }

    /// Of the `m` entry, where it is not written: what it must be.
    pub fn guard(&self) -> Guard {
        (META_KEY.to_vec(), self.stored_meta.clone())
    }

    fn guard_and_advance(&mut self) -> Guard {
        let expected = self.stored_meta.replace(self.meta.encode());
        (META_KEY.to_vec(), expected)
    }

    fn index(&mut self, commit: &Commit) {
        let header = commit.header();
        let (tip, author) = (commit.tip(), header.author);
        self.meta.head = self.meta.head.then(&tip.id);
        if self.vector.of(&author).is_empty() {
            self.hot.begin(author);
        }
        let seq_before = header.seq.saturating_sub(1);
        let continued = self.vector.named(&author, seq_before, header.prev.short()).copied();
        // Numbered in the order of the log, so that all processes that share it number them alike.
        let number = continued.as_ref().and_then(|tip| self.number_of(tip));
        let is_first_branch = self.vector.of(&author).is_empty() || continued.is_some() && number.is_none();
        self.hot.append(&tip, is_first_branch, self.meta.head.seq, &mut self.staged.puts);
        self.cover(header);
        if is_first_branch {
            self.staged.dirty.insert(author);
        } else {
            let branches = self.branches.get_or_default(author);
            let number = number.unwrap_or(branches.len() as u64);
            if let Some(before) = &continued {
                branches.remove(&before.id);
            }
            branches.insert(tip.id, number);
            self.staged.dirty_branches.insert((author, number), tip);
        }
        self.vector.advance(tip, Some(&header.prev));
        if self.keeping == Keeping::Uncovered {
            self.uncovered.insert(tip);
        }
    }

    /// The number of the branch that ends with this tip, where that is not the author's first.
    pub(super) fn number_of(&self, tip: &Tip) -> Option<u64> {
        self.branches.get(&tip.author)?.get(&tip.id).copied()
    }

    /// The tip of that name, if nothing comes after it and that is kept.
    pub(super) fn uncovered_tip(&self, name: &After) -> Option<Tip> {
        let tip = self.vector.named(&name.author, name.seq, name.short)?;
        self.uncovered.contains(tip).then_some(*tip)
    }

    /// The tips that this commit comes after are covered by it.
    fn cover(&mut self, header: &Header) {
        if header.seq > 1 {
            let prev = After { author: header.author, seq: header.seq - 1, short: header.prev.short() };
            self.cover_one(&prev);
        }
        for after in &header.after {
            self.cover_one(after);
        }
    }

    fn cover_one(&mut self, name: &After) {
        let Some(tip) = self.uncovered_tip(name) else { return };
        self.uncovered.remove(&tip);
        match self.number_of(&tip) {
            Some(number) => {
                self.staged.dirty_branches.insert((tip.author, number), tip);
            }
            None => {
                self.staged.dirty.insert(tip.author);
            }
        }
    }

    /// Bytes staged so far.
    pub fn staged_bytes(&self) -> usize {
        self.staged.bytes
    }

    /// What was staged since the last call; none where no commit was.
    pub fn take_staged(&mut self) -> Option<StagedWrite> {
        let before = self.staged.before?;
        let (hole_puts, deletes) = self.take_holes();
        let staged = core::mem::take(&mut self.staged);
        let mut puts = staged.puts;
        puts.extend(hole_puts);
        puts.push((META_KEY.to_vec(), self.meta.encode()));
        let end = |tip: Tip| BranchEnd { tip, is_uncovered: self.uncovered.contains(&tip) };
        for author in &staged.dirty {
            let Some(hot) = self.hot.get(author) else { continue };
            puts.push((chain_key(author), to_cbor(&hot.ending(end))));
        }
        for ((author, number), tip) in &staged.dirty_branches {
            puts.push((branch_end_key(author, *number), to_cbor(&end(*tip))));
        }
        put_rows(before, &staged.entries, &self.limits, &mut puts);
        self.hot.shrink(self.limits.hot_chains_max);
        Some(StagedWrite { guard: self.guard_and_advance(), puts, deletes, entries: staged.entries })
    }
}

fn chain_start(meta: &Meta) -> Option<CommitId> {
    meta.descriptor.as_ref().map(|descriptor| descriptor.chain_start(meta.marker.partition))
}
