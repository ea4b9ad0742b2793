//! The log: a holder's own append-only order of the commits it holds.
//!
//! A commit is appended only when its predecessor in the chain and all that its `after` names are
//! in the log, so log order is causal order. [`Log`] decides that from what it has in memory (the
//! tips, and the chains lately used) and says which keys of storage it needs to know more. It does
//! no I/O: it plans reads and hands over puts. [`keys`](crate::log::keys) has the layout.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::id::{AuthorId, CommitId, DocId, LogId};
use crate::base::limits::Limits;
use crate::base::mutation::Mutation;
use crate::base::position::{Mark, Marker, Position};
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::descriptor::Descriptor;
use crate::commit::header::{After, Header};
use crate::commit::vector::{Tip, Vector};
use crate::log::chain::{BranchEnd, CHUNK, Chain, HotChains, Lookup, Slot};
use crate::log::holes::{Hole, Holes};
use crate::log::keys::{
    META_KEY, SCRUB_KEY, author_of_key, branch_end_key, chain_key, doc_key, hole_key, hole_seq,
};
use crate::log::meta::Meta;
use crate::log::rows::{Entry, put_rows};
use crate::storage::request::{Corrupt, Entries, Guard, StorageRequest};
use crate::wire::bodies::ChainRange;

/// A `d` entry.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(array)]
struct DeletedDoc {
    /// The delete.
    #[n(0)]
    delete: After,
    /// Its position in the log.
    #[n(1)]
    at: u64,
}

/// The `g` entry: how far the bytes of deleted documents are gone from the rows. All that was deleted
/// before a pass over the log began is scrubbed by that pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Scrubbing {
    /// What was deleted up to this position is gone from all rows.
    #[n(0)]
    pub done: u64,
    /// The end of the log when the pass under way began; 0 where none is.
    #[n(1)]
    pub until: u64,
    /// How far that pass has come.
    #[n(2)]
    pub at: u64,
}

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
    limits: Arc<Limits>,
    meta: Meta,
    /// What the `m` entry holds, or will once what was taken is written.
    stored_meta: Option<Vec<u8>>,
    /// What the first commit of a chain names as the one before it.
    chain_start: Option<CommitId>,
    vector: Vector,
    keeping: Keeping,
    /// Tips that no commit in the log comes after.
    uncovered: BTreeSet<Tip>,
    /// The ends of forked authors' later branches, with their numbers in storage.
    branches: BTreeMap<AuthorId, BTreeMap<CommitId, u64>>,
    deleted: BTreeMap<DocId, DeletedDoc>,
    /// The position of the last delete.
    last_delete: u64,
    scrubbing: Scrubbing,
    holes: Holes,
    hot: HotChains,
    staged: Staged,
}

#[derive(Clone, Debug, Default)]
struct Staged {
    entries: Vec<Entry>,
    bytes: usize,
    /// Authors whose `t` entry changes.
    dirty: BTreeSet<AuthorId>,
    /// Later branches whose `f` entry changes, with their ends.
    dirty_branches: BTreeMap<(AuthorId, u64), Tip>,
    dirty_holes: BTreeSet<u64>,
    puts: Entries,
    before: Option<Position>,
}

/// Whether a commit may be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is in the log already.
    Held,
    /// It is in the log at that position without some of its bytes, which this copy has.
    Fills(u64),
    /// All that it comes after is in the log.
    Ready,
    /// These are not in the log yet.
    Waits(Vec<Cause>),
    /// Storage must be asked first.
    Reads(Vec<StorageRequest>),
    /// It begins a chain of another space or partition.
    Foreign,
}

/// A commit that is not in the log, and what to ask for to get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The commit.
    pub name: After,
    /// What is missing of its chain, as far as it is known.
    pub range: ChainRange,
}

/// Whether a commit is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It is.
    Held,
    /// It is not.
    Missing(Cause),
    /// Storage must be asked first.
    Reads(StorageRequest),
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
            branches: BTreeMap::new(),
            deleted: BTreeMap::new(),
            last_delete: 0,
            scrubbing: Scrubbing::default(),
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
        self.deleted.contains_key(doc)
    }

    /// Brings a commit that was read from storage up to what the log knows: bytes of deleted
    /// documents are gone. Whether it is different now.
    pub fn justify(&self, commit: &mut Commit) -> bool {
        commit.justify(|doc| self.deleted.get(doc).map(|deleted| deleted.delete))
    }

    /// Whether bytes of deleted documents may still be in the rows.
    pub fn has_unscrubbed(&self) -> bool {
        self.last_delete > self.scrubbing.done
    }

    /// How far they are gone.
    pub fn scrubbing(&self) -> Scrubbing {
        self.scrubbing
    }

    /// They are gone so far: what to write.
    pub fn scrubbed(&mut self, scrubbing: Scrubbing) -> (Vec<u8>, Vec<u8>) {
        self.scrubbing = scrubbing;
        (SCRUB_KEY.to_vec(), to_cbor(&scrubbing))
    }

    /// A pass over the rows has come so far.
    pub fn set_scrubbing(&mut self, scrubbing: Scrubbing) {
        self.scrubbing = scrubbing;
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
                let branches = self.branches.entry(end.tip.author).or_default();
                branches.insert(end.tip.id, u64::from_be_bytes(number));
                self.load_end(end);
            }
            Some((b'g', [])) => self.scrubbing = from_cbor(value)?,
            Some((b'd', doc)) => {
                let doc = DocId::from_slice(doc).ok_or_else(|| Corrupt("a key of another length".into()))?;
                let deleted: DeletedDoc = from_cbor(value)?;
                self.deleted.insert(doc, deleted);
                self.last_delete = self.last_delete.max(deleted.at);
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

    /// Takes in the answer to a read of [`Admission::Reads`]: one call for each key of a `Get`.
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

    /// Whether this commit may be appended now.
    pub fn admit(&self, commit: &Commit) -> Admission {
        let header = commit.header();
        if let Some(seq) = self.holes.seq_of(&commit.id()) {
            return if self.fills(seq, commit) { Admission::Fills(seq) } else { Admission::Held };
        }
        let mut reads = Vec::new();
        let mut missing = Vec::new();
        let held = self.vector.seq(&header.author);
        if self.vector.has(&commit.tip()) {
            return Admission::Held;
        }
        let is_foreign = header.seq == 1 && self.chain_start != Some(header.prev);
        if is_foreign && !self.limits.is_mutated(Mutation::AnyChainStart) {
            return Admission::Foreign;
        }
        if header.seq <= held {
            if self.limits.is_mutated(Mutation::DropSecondBranch) {
                return Admission::Held;
            }
            match self.is_indexed(&commit.name()) {
                Lookup::Found(true) => return Admission::Held,
                Lookup::Found(false) => {}
                Lookup::Reads(read) => reads.push(read),
            }
        }
        // Appending changes the chain's entry, so it must be known.
        if held > 0 && !self.hot.contains(&header.author) {
            reads.push(StorageRequest::Get(vec![chain_key(&header.author)]));
        }
        if header.seq > 1 {
            let prev = After { author: header.author, seq: header.seq - 1, short: header.prev.short() };
            self.require(&prev, &mut reads, &mut missing);
        }
        for after in &header.after {
            if !self.limits.is_mutated(Mutation::AppendWithoutCauses) {
                self.require(after, &mut reads, &mut missing);
            }
            // It is covered by this commit, which changes the chain's entry.
            let is_first = |tip: &Tip| self.number_of(tip).is_none();
            if self.uncovered_tip(after).as_ref().is_some_and(is_first) && !self.hot.contains(&after.author) {
                reads.push(StorageRequest::Get(vec![chain_key(&after.author)]));
            }
        }
        if !missing.is_empty() {
            Admission::Waits(missing)
        } else if !reads.is_empty() {
            Admission::Reads(reads)
        } else {
            Admission::Ready
        }
    }

    /// Whether the commit of that tip is in the log, with its bytes or without.
    pub fn holds(&self, tip: &Tip) -> Holding {
        let (mut reads, mut missing) = (Vec::new(), Vec::new());
        let name = After { author: tip.author, seq: tip.seq, short: tip.id.short() };
        self.require(&name, &mut reads, &mut missing);
        match (missing.pop(), reads.pop()) {
            (Some(cause), _) => Holding::Missing(cause),
            (None, Some(read)) => Holding::Reads(read),
            (None, None) => Holding::Held,
        }
    }

    fn fills(&self, seq: u64, commit: &Commit) -> bool {
        let Some(hole) = self.holes.get(seq) else { return false };
        commit.items().any(|(item, bytes)| {
            matches!(bytes, ItemBytes::Present(_))
                && item.len > 0
                && item.doc.is_some_and(|doc| hole.docs.contains(&doc))
        })
    }

    fn is_indexed(&self, name: &After) -> Lookup<bool> {
        let is_forked = self.vector.of(&name.author).len() > 1;
        self.hot.holds(&name.author, name.seq, name.short, is_forked)
    }

    fn require(&self, name: &After, reads: &mut Vec<StorageRequest>, missing: &mut Vec<Cause>) {
        let After { author, seq, short } = *name;
        if self.vector.named(&author, seq, short).is_some() {
            return;
        }
        let held = self.vector.seq(&author);
        if seq > held {
            let range = ChainRange { author, from: held + 1, to: seq, branch: None };
            missing.push(Cause { name: *name, range });
            return;
        }
        match self.is_indexed(name) {
            Lookup::Reads(read) => reads.push(read),
            Lookup::Found(true) => {}
            // Another branch than the one held: ask for it from below.
            Lookup::Found(false) => {
                let from = seq.saturating_sub(CHUNK as u64).max(1);
                let range = ChainRange { author, from, to: seq, branch: Some(short) };
                missing.push(Cause { name: *name, range });
            }
        }
    }

    /// The positions of these parts of chains as far as they are held: in log order, so that causes
    /// come first. Where a branch of a fork is meant its last commit comes first and those before it
    /// follow: whoever asks does not know where the branch begins, and an answer that is cut must not
    /// bring the same commits each time.
    ///
    /// # Errors
    /// What must be read first.
    pub fn find(&self, ranges: &[ChainRange]) -> Result<Vec<u64>, Vec<StorageRequest>> {
        let mut in_order = BTreeSet::new();
        let mut from_ends = Vec::new();
        let mut reads = Vec::new();
        for range in ranges {
            let last = range.to.min(self.vector.seq(&range.author));
            let is_forked = self.vector.of(&range.author).len() > 1;
            for seq in (range.from.max(1)..=last).rev() {
                match self.hot.find(&range.author, seq, is_forked) {
                    Lookup::Found(slots) => {
                        let is_meant = |slot: &&Slot| {
                            seq < range.to || range.branch.is_none_or(|branch| branch == slot.id)
                        };
                        let found = slots.iter().filter(is_meant).map(|slot| slot.log_seq);
                        match range.branch {
                            Some(_) => from_ends.extend(found),
                            None => in_order.extend(found),
                        }
                    }
                    Lookup::Reads(read) => {
                        if reads.last() != Some(&read) {
                            reads.push(read);
                        }
                    }
                }
            }
            // The first of a chain are needed first.
            while in_order.len() > self.limits.waiting_commits_max {
                in_order.pop_last();
            }
        }
        if reads.is_empty() { Ok(in_order.into_iter().chain(from_ends).collect()) } else { Err(reads) }
    }

    /// Appends a commit that [`Log::admit`] found ready, to be written by the next
    /// [`Log::take_staged`]. `bringer` is the log that it was brought from, and up to which number
    /// everything from there is whole.
    pub fn stage(&mut self, mut commit: Commit, own: bool, bringer: Option<(LogId, u64)>) {
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
        self.staged.entries.push(Entry { at: self.meta.head, commit, own });
    }

    /// A commit that is in the log without some of its bytes was brought from that log too.
    pub fn brought_hole(&mut self, seq: u64, bringer: (LogId, u64)) {
        if self.holes.brought(seq, bringer) {
            self.staged.dirty_holes.insert(seq);
        }
    }

    /// The commit at that position has all its bytes now, or those of fewer documents are missing:
    /// what to write of it.
    pub fn filled(&mut self, seq: u64, commit: &Commit) {
        let bringers = self.holes.get(seq).map(|hole| hole.bringers.clone()).unwrap_or_default();
        self.holes.remove(seq);
        if commit.has_holes() {
            self.holes.insert(seq, Hole { bringers, ..Hole::new(commit, None) });
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
        // Whoever deleted a document may be gone before its bytes are.
        self.take_deletes(&entry.commit);
        self.index(&entry.commit);
        let mut commit = entry.commit.clone();
        self.justify(&mut commit);
        if commit.has_holes() {
            self.holes.insert(entry.at.seq, Hole::new(&commit, None));
        }
        self.staged = Staged::default();
        self.stored_meta = Some(self.meta.encode());
    }

    /// See [`Mutation::BelieveDeleted`].
    fn believe(&mut self, commit: &Commit) {
        for (item, bytes) in commit.items() {
            if let (Some(doc), crate::commit::commit::ItemBytes::Deleted(delete)) = (item.doc, bytes) {
                self.note_deleted(doc, *delete);
            }
        }
    }

    /// The document is deleted by the commit that is appended next.
    fn note_deleted(&mut self, doc: DocId, delete: After) -> DeletedDoc {
        let deleted = DeletedDoc { delete, at: self.meta.head.seq + 1 };
        self.last_delete = deleted.at;
        *self.deleted.entry(doc).or_insert(deleted)
    }

    fn take_deletes(&mut self, commit: &Commit) {
        for doc in commit.header().deletes() {
            if self.deleted.contains_key(&doc) {
                continue;
            }
            let deleted = self.note_deleted(doc, commit.name());
            self.staged.puts.push((doc_key(&doc), to_cbor(&deleted)));
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
            let branches = self.branches.entry(author).or_default();
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
    fn number_of(&self, tip: &Tip) -> Option<u64> {
        self.branches.get(&tip.author)?.get(&tip.id).copied()
    }

    /// The tip of that name, if nothing comes after it and that is kept.
    fn uncovered_tip(&self, name: &After) -> Option<Tip> {
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
            puts.push((chain_key(author), to_cbor(&hot.ending(&end))));
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
