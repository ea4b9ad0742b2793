//! The log: a holder's own append-only order of the commits it holds.
//!
//! A commit is appended only when its predecessor in the chain and all that its `after` names are
//! in the log, so log order is causal order. [`Log`] decides that from what it has in memory (the
//! tips, and the chains lately used) and says which keys of storage it needs to know more. It does
//! no I/O: it plans reads and hands over puts. [`keys`](crate::log::keys) has the layout.

use std::collections::BTreeSet;
use std::sync::Arc;

use minicbor::{Decode, Encode};

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
use crate::log::chain::{CHUNK, Chain, HotChains, Lookup};
use crate::log::holes::{Hole, Holes, Word};
use crate::log::keys::{META_KEY, chain_key, doc_key, hole_key, hole_seq, tips_of};
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
    /// Whether the document's bytes are gone from all rows.
    #[n(1)]
    is_scrubbed: bool,
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
    uncovered: BTreeSet<Tip>,
    deleted: IdMap<DocId, After>,
    /// Deleted documents whose bytes may still be in rows written before.
    unscrubbed: IdSet<DocId>,
    holes: Holes,
    hot: HotChains,
    staged: Staged,
}

#[derive(Clone, Debug, Default)]
struct Staged {
    entries: Vec<Entry>,
    bytes: usize,
    dirty: IdSet<AuthorId>,
    dirty_holes: IdSet<u64>,
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
    Waits(Vec<ChainRange>),
    /// Storage must be asked first.
    Reads(Vec<StorageRequest>),
    /// It begins a chain of another space or partition.
    Foreign,
}

/// Whether a commit is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It is.
    Held,
    /// This is what is missing.
    Missing(ChainRange),
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
    pub fn new(marker: Marker, descriptor: Option<Descriptor>, limits: Arc<Limits>) -> Self {
        Self { stored_meta: None, ..Self::open(Meta::new(marker, descriptor), limits) }
    }

    /// A log whose tips, deletions and holes are still to be told by [`Log::load`].
    pub fn open(meta: Meta, limits: Arc<Limits>) -> Self {
        Self {
            limits,
            stored_meta: Some(meta.encode()),
            chain_start: chain_start(&meta),
            meta,
            vector: Vector::default(),
            uncovered: BTreeSet::new(),
            deleted: IdMap::new(),
            unscrubbed: IdSet::new(),
            holes: Holes::default(),
            hot: HotChains::default(),
            staged: Staged::default(),
        }
    }

    /// A log like this one of which nothing is known: to be loaded again.
    #[must_use]
    pub fn unread(&self) -> Self {
        Self::new(self.meta.marker, self.meta.descriptor.clone(), self.limits.clone())
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

    /// The tips that no commit in the log comes after.
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
        commit.justify(|doc| self.deleted.get(doc).copied())
    }

    /// Deleted documents whose bytes may still be in rows written before.
    pub fn unscrubbed(&self) -> &IdSet<DocId> {
        &self.unscrubbed
    }

    /// The bytes of these documents are gone from all rows: what to write.
    pub fn scrubbed(&mut self, docs: &IdSet<DocId>) -> Entries {
        self.unscrubbed.retain(|doc| !docs.contains(doc));
        let deletes = docs.iter().filter_map(|doc| Some((doc, *self.deleted.get(doc)?)));
        deletes.map(|(doc, delete)| (doc_key(doc), deleted_value(delete, true))).collect()
    }

    /// The bytes of these documents are still in the rows after all.
    pub fn not_scrubbed(&mut self, docs: IdSet<DocId>) {
        self.unscrubbed.extend(docs);
    }

    /// Takes in an entry of storage in one of [`load_ranges`](crate::log::keys::load_ranges).
    ///
    /// # Errors
    /// Storage holds what this code did not write.
    pub fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Corrupt> {
        match key.split_first() {
            Some((b't', _)) => {
                let chain: Chain = from_cbor(value)?;
                for tip in chain.tips {
                    self.vector.advance(tip, None);
                }
                self.uncovered.extend(chain.uncovered);
            }
            Some((b'd', doc)) => {
                let doc = DocId::from_slice(doc).ok_or_else(|| Corrupt("a key of another length".into()))?;
                let DeletedDoc { delete, is_scrubbed } = from_cbor(value)?;
                self.deleted.insert(doc, delete);
                if !is_scrubbed {
                    self.unscrubbed.insert(doc);
                }
            }
            Some((b'h', _)) => {
                let seq = hole_seq(key).ok_or_else(|| Corrupt("a key of another length".into()))?;
                self.holes.insert(seq, from_cbor(value)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in the answer to a read of [`Admission::Reads`]: one call for each key of a `Get`.
    ///
    /// # Errors
    /// Storage holds what this code did not write.
    pub fn learn(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Corrupt> {
        self.hot.learn(key, value)
    }

    /// Takes in the answer to a scan of an author's later branches.
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
        let tips = self.vector.of(&header.author);
        if tips.iter().any(|tip| tip.id == commit.id()) {
            return Admission::Held;
        }
        let is_foreign = header.seq == 1 && self.chain_start != Some(header.prev);
        if is_foreign && !self.limits.is_mutated(Mutation::AnyChainStart) {
            return Admission::Foreign;
        }
        if header.seq <= self.vector.seq(&header.author) {
            if self.limits.is_mutated(Mutation::DropSecondBranch) {
                return Admission::Held;
            }
            let short = commit.id().short();
            match self.hot.find(&header.author, header.seq) {
                Lookup::Slots(slots) if slots.iter().any(|slot| slot.id == short) => return Admission::Held,
                Lookup::Slots(_) => {}
                Lookup::Reads(read) => reads.push(read),
            }
        }
        // Appending changes the chain's entry, so it must be known.
        reads.extend(self.hot.needed_to_append(&header.author, tips));
        if header.seq > 1 {
            let prev = After { author: header.author, seq: header.seq - 1, short: header.prev.short() };
            self.require(&prev, &mut reads, &mut missing);
        }
        for after in &header.after {
            if !self.limits.is_mutated(Mutation::AppendWithoutCauses) {
                self.require(after, &mut reads, &mut missing);
            }
            let has_uncovered = self.uncovered.range(tips_of(after.author)).next().is_some();
            if has_uncovered && !self.hot.contains(&after.author) {
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
            (Some(range), _) => Holding::Missing(range),
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

    fn require(&self, name: &After, reads: &mut Vec<StorageRequest>, missing: &mut Vec<ChainRange>) {
        let After { author, seq, short } = *name;
        let tips = self.vector.of(&author);
        if tips.iter().any(|tip| tip.seq == seq && tip.id.short() == short) {
            return;
        }
        let held = self.vector.seq(&author);
        if seq > held {
            missing.push(ChainRange { author, from: held + 1, to: seq, branch: None });
            return;
        }
        match self.hot.find(&author, seq) {
            Lookup::Reads(read) => reads.push(read),
            Lookup::Slots(slots) if slots.iter().any(|slot| slot.id == short) => {}
            // Another branch than the one held: ask for it from below.
            Lookup::Slots(_) => {
                let from = seq.saturating_sub(CHUNK as u64).max(1);
                missing.push(ChainRange { author, from, to: seq, branch: Some(short) });
            }
        }
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

    /// A commit that is in the log without some of its bytes was brought from that log too, or named.
    pub fn brought_hole(&mut self, seq: u64, (log, word): (LogId, Word)) {
        if self.holes.brought(seq, log, word) {
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
                self.deleted.insert(doc, *delete);
                self.unscrubbed.insert(doc);
            }
        }
    }

    fn take_deletes(&mut self, commit: &Commit) {
        for doc in commit.header().deletes() {
            if self.deleted.contains_key(&doc) {
                continue;
            }
            self.deleted.insert(doc, commit.name());
            self.unscrubbed.insert(doc);
            self.staged.puts.push((doc_key(&doc), deleted_value(commit.name(), false)));
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
        let tip = commit.tip();
        self.meta.head = self.meta.head.then(&tip.id);
        if self.vector.of(&header.author).is_empty() {
            self.hot.begin(header.author);
        }
        self.vector.advance(tip, Some(&header.prev));
        self.cover(header);
        self.uncovered.insert(tip);
        let tips = self.vector.of(&header.author).to_vec();
        let Some(hot) = self.hot.get_mut(&header.author) else { return };
        hot.append(&tip, &header.prev, self.meta.head.seq, &mut self.staged.puts);
        hot.chain.tips = tips;
        self.staged.dirty.insert(header.author);
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
        let tips = self.uncovered.range(tips_of(name.author));
        let covered = tips.filter(|tip| tip.seq == name.seq && tip.id.short() == name.short);
        for tip in covered.copied().collect::<Vec<_>>() {
            self.uncovered.remove(&tip);
            self.staged.dirty.insert(tip.author);
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
        for author in &staged.dirty {
            let Some(hot) = self.hot.get_mut(author) else { continue };
            hot.chain.uncovered = self.uncovered.range(tips_of(*author)).copied().collect();
            puts.push((chain_key(author), to_cbor(&hot.chain)));
        }
        put_rows(before, &staged.entries, &self.limits, &mut puts);
        self.hot.shrink(self.limits.hot_chains_max);
        Some(StagedWrite { guard: self.guard_and_advance(), puts, deletes, entries: staged.entries })
    }
}

fn chain_start(meta: &Meta) -> Option<CommitId> {
    meta.descriptor.as_ref().map(|descriptor| descriptor.chain_start(meta.marker.partition))
}

fn deleted_value(delete: After, is_scrubbed: bool) -> Vec<u8> {
    to_cbor(&DeletedDoc { delete, is_scrubbed })
}
