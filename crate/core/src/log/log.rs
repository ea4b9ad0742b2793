//! The log: a holder's own append-only order of the commits it holds, and how it lies in storage.
//!
//! A commit is appended only when its predecessor in the chain and all that its `after` names are
//! in the log, so log order is causal order. [`Log`] decides that from what it has in memory (the
//! tips, and the chains lately used) and says which keys of storage it needs to know more. It does
//! no I/O: it plans reads and hands over puts.
//!
//! Keys in storage, numbers most significant byte first:
//!
//! | key | value |
//! | --- | --- |
//! | `m` | [`Meta`]: the log's id and its end |
//! | `b` last-seq(8) piece(2) | a row of commits up to last-seq, in pieces of at most 1 MiB |
//! | `t` author(16) | an author's tips and where its last commits are in the log |
//! | `c` author(16) chunk(8) | where 32 older commits of the chain are |
//! | `s` author(16) seq(8) id(16) | where a commit of a fork's later branches is |
//! | `p` log-id(16) | [`PeerRecord`]: how far another holder's log has been read, and ours by it |
//! | `r` region | [`RegionRecord`]: how much of this log another region has stored |
//! | `q` | [`Reconciled`]: with which regions a relay has compared all it holds |
//! | `d` document(16) | the document is deleted; 1 once its bytes are gone from the rows |

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::id::{AuthorId, CommitId, DocId, LogId, ShortId};
use crate::base::limits;
use crate::base::position::Position;
use crate::commit::commit::{After, Commit, Header};
use crate::commit::vector::{Tip, Vector};
use crate::storage::request::Corrupt;
use crate::storage::request::StorageRequest;
use crate::wire::bodies::ChainRange;

/// Commits of a chain in one `c` entry, and the fewest kept in the `t` entry once there are more.
const CHUNK: usize = 32;
/// Chains kept in memory beyond their tips.
const HOT_CHAINS_MAX: usize = 1024;
/// A row is closed once it has this many bytes.
const ROW_BYTES: usize = 64 * 1024;

/// The `m` entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Meta {
    /// The log's id.
    #[n(0)]
    pub log: LogId,
    /// Its end.
    #[n(1)]
    pub head: Position,
}

/// Commits that follow one another in the log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Row {
    /// The position before the first.
    #[n(0)]
    before: Position,
    #[n(1)]
    records: Vec<RowRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct RowRecord {
    #[n(0)]
    record: ByteVec,
    /// Whether it was made by this holder.
    #[n(1)]
    own: bool,
}

/// A commit in the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The position after it.
    pub at: Position,
    /// The commit.
    pub commit: Commit,
    /// Whether it was made by this holder: this process, another that shares the log, or one that
    /// did.
    pub own: bool,
}

/// Where a commit of a chain is: enough of its id to tell branches apart, and its log seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Place {
    #[cbor(n(0), with = "minicbor::bytes")]
    id: [u8; 16],
    #[n(1)]
    log_seq: u64,
}

impl Place {
    fn is(&self, id: &CommitId) -> bool {
        self.id == id.0[..16]
    }

    fn is_short(&self, short: &ShortId) -> bool {
        self.id == short.0
    }
}

/// A `t` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Chain {
    #[n(0)]
    tips: Vec<Tip>,
    /// Tips that no commit in the log comes after. Kept where commits are made.
    #[n(1)]
    uncovered: Vec<Tip>,
    /// How many commits of the first branch are in `c` entries.
    #[n(2)]
    spilled: u64,
    /// The first branch's commits after those.
    #[n(3)]
    recent: Vec<Place>,
}

/// A [`Chain`] and what else of it has been read.
#[derive(Clone, Debug, Default)]
struct HotChain {
    chain: Chain,
    chunks: BTreeMap<u64, Vec<Place>>,
    /// Commits of later branches; `None` until read. Read for forked authors alone.
    branches: Option<BTreeMap<u64, Vec<Place>>>,
}

/// What a holder knows of its log without reading storage.
#[derive(Clone, Debug)]
pub struct Log {
    meta: Meta,
    /// What the `m` entry holds, or will once what was taken is written.
    stored_meta: Option<Meta>,
    vector: Vector,
    uncovered: BTreeSet<Tip>,
    deleted: BTreeSet<DocId>,
    /// Those whose bytes may still be in rows written before.
    unscrubbed: BTreeSet<DocId>,
    hot: BTreeMap<AuthorId, HotChain>,
    staged: Staged,
}

#[derive(Clone, Debug, Default)]
struct Staged {
    entries: Vec<Entry>,
    bytes: usize,
    dirty: BTreeSet<AuthorId>,
    puts: Vec<(Vec<u8>, Vec<u8>)>,
    before: Option<Position>,
}

/// Whether a commit may be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is in the log already.
    Held,
    /// All that it comes after is in the log.
    Ready,
    /// These are not in the log yet.
    Waits(Vec<ChainRange>),
    /// Storage must be asked first.
    Reads(Vec<StorageRequest>),
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
pub struct StagedWrite {
    /// Of the `m` entry: what it must be, and what it becomes.
    pub guard: Guard,
    /// All entries to write.
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// The commits, in order.
    pub entries: Vec<Entry>,
}

/// A key and the value it must have for a write to be done.
pub type Guard = (Vec<u8>, Option<Vec<u8>>);

enum Lookup {
    Places(Vec<Place>),
    Reads(StorageRequest),
}

impl Log {
    /// An empty log.
    pub fn new(log: LogId) -> Self {
        Self { stored_meta: None, ..Self::open(Meta { log, head: Position::START }) }
    }

    /// A log whose tips and deletions are still to be told by [`Log::load`].
    pub fn open(meta: Meta) -> Self {
        Self {
            meta,
            stored_meta: Some(meta),
            vector: Vector::default(),
            uncovered: BTreeSet::new(),
            deleted: BTreeSet::new(),
            unscrubbed: BTreeSet::new(),
            hot: BTreeMap::new(),
            staged: Staged::default(),
        }
    }

    /// The log's id.
    pub fn id(&self) -> LogId {
        self.meta.log
    }

    /// Its end.
    pub fn head(&self) -> Position {
        self.meta.head
    }

    /// What it holds.
    pub fn vector(&self) -> &Vector {
        &self.vector
    }

    /// The tips that no commit in the log comes after.
    pub fn uncovered(&self) -> impl Iterator<Item = &Tip> {
        self.uncovered.iter()
    }

    /// Whether the document is deleted.
    pub fn is_deleted(&self, doc: &DocId) -> bool {
        self.deleted.contains(doc)
    }

    /// Deleted documents whose bytes may still be in rows written before.
    pub fn unscrubbed(&self) -> &BTreeSet<DocId> {
        &self.unscrubbed
    }

    /// The bytes of these documents are gone from all rows: what to write.
    pub fn scrubbed(&mut self, docs: &BTreeSet<DocId>) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.unscrubbed.retain(|doc| !docs.contains(doc));
        docs.iter().map(|doc| (doc_key(doc), vec![1])).collect()
    }

    /// The bytes of these documents are still in the rows after all.
    pub fn not_scrubbed(&mut self, docs: BTreeSet<DocId>) {
        self.unscrubbed.extend(docs);
    }

    /// Takes in an entry of storage under `t` or `d`.
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
                self.deleted.insert(doc);
                if value.is_empty() {
                    self.unscrubbed.insert(doc);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in the answer to a read of [`Admission::Reads`]: one call for each key of a `Get`, or
    /// for a whole `Scan`.
    ///
    /// # Errors
    /// Storage holds what this code did not write.
    pub fn learn(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Corrupt> {
        let Some((author, rest)) = author_of_key(key) else {
            return Ok(());
        };
        match key[0] {
            b't' => {
                let chain = value.map(from_cbor).transpose()?.unwrap_or_default();
                self.hot.entry(author).or_insert_with(|| HotChain { chain, ..HotChain::default() });
            }
            b'c' => {
                let chunk: Vec<Place> = value.map(from_cbor).transpose()?.unwrap_or_default();
                if let (Some(hot), Ok(number)) = (self.hot.get_mut(&author), rest.try_into()) {
                    hot.chunks.insert(u64::from_be_bytes(number), chunk);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in the answer to a scan of an author's later branches.
    ///
    /// # Errors
    /// Storage holds what this code did not write.
    pub fn learn_branches(&mut self, from: &[u8], entries: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Corrupt> {
        let Some((author, _)) = author_of_key(from) else {
            return Ok(());
        };
        let Some(hot) = self.hot.get_mut(&author) else {
            return Ok(());
        };
        let mut branches = BTreeMap::<u64, Vec<Place>>::new();
        for (key, value) in entries {
            let Some((_, rest)) = author_of_key(key) else { continue };
            let Some(seq) = rest.first_chunk() else { continue };
            branches.entry(u64::from_be_bytes(*seq)).or_default().push(from_cbor(value)?);
        }
        hot.branches = Some(branches);
        Ok(())
    }

    /// Whether this commit may be appended now.
    pub fn admit(&self, commit: &Commit) -> Admission {
        let header = commit.header();
        let mut reads = Vec::new();
        let mut missing = Vec::new();
        let tips = self.vector.of(&header.author);
        if tips.iter().any(|tip| tip.id == commit.id()) {
            return Admission::Held;
        }
        if header.seq <= self.vector.seq(&header.author) {
            match self.places(&header.author, header.seq) {
                Lookup::Places(places) if places.iter().any(|place| place.is(&commit.id())) => {
                    return Admission::Held;
                }
                Lookup::Places(_) => {}
                Lookup::Reads(read) => reads.push(read),
            }
        }
        // Appending changes the chain's entry, so it must be known.
        match self.hot.get(&header.author) {
            None if !tips.is_empty() => {
                reads.push(StorageRequest::Get(vec![chain_key(&header.author)]));
            }
            Some(hot) if tips.len() > 1 && hot.branches.is_none() => {
                reads.push(branches_scan(&header.author));
            }
            _ => {}
        }
        if let Some(prev) = &header.prev {
            self.require(
                &header.author,
                header.seq - 1,
                |p| p.is(prev),
                |t| t == prev,
                &mut reads,
                &mut missing,
            );
        }
        for After { author, seq, short } in &header.after {
            self.require(
                author,
                *seq,
                |p| p.is_short(short),
                |t| t.short() == *short,
                &mut reads,
                &mut missing,
            );
            if self.uncovered.iter().any(|tip| tip.author == *author) && !self.hot.contains_key(author) {
                reads.push(StorageRequest::Get(vec![chain_key(author)]));
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

    /// Whether the commit of that tip is in the log.
    pub fn holds(&self, tip: &Tip) -> Holding {
        let (mut reads, mut missing) = (Vec::new(), Vec::new());
        self.require(
            &tip.author,
            tip.seq,
            |place| place.is(&tip.id),
            |id| *id == tip.id,
            &mut reads,
            &mut missing,
        );
        match (missing.pop(), reads.pop()) {
            (Some(range), _) => Holding::Missing(range),
            (None, Some(read)) => Holding::Reads(read),
            (None, None) => Holding::Held,
        }
    }

    fn require(
        &self,
        author: &AuthorId,
        seq: u64,
        is_place: impl Fn(&Place) -> bool,
        is_tip: impl Fn(&CommitId) -> bool,
        reads: &mut Vec<StorageRequest>,
        missing: &mut Vec<ChainRange>,
    ) {
        let tips = self.vector.of(author);
        if tips.iter().any(|tip| tip.seq == seq && is_tip(&tip.id)) {
            return;
        }
        let held = self.vector.seq(author);
        if seq > held {
            missing.push(ChainRange { author: *author, from: held + 1, to: seq });
            return;
        }
        match self.places(author, seq) {
            Lookup::Reads(read) => reads.push(read),
            Lookup::Places(places) if places.iter().any(is_place) => {}
            // Another branch than the one held: ask for it from below.
            Lookup::Places(_) => missing.push(ChainRange {
                author: *author,
                from: seq.saturating_sub(CHUNK as u64).max(1),
                to: seq,
            }),
        }
    }

    /// The commits in the log that have this number, or what to read to know.
    fn places(&self, author: &AuthorId, seq: u64) -> Lookup {
        let Some(hot) = self.hot.get(author) else {
            return Lookup::Reads(StorageRequest::Get(vec![chain_key(author)]));
        };
        let mut places = Vec::new();
        let spilled = hot.chain.spilled;
        if seq > spilled {
            places.extend(hot.chain.recent.get((seq - spilled - 1) as usize));
        } else if seq > 0 {
            let number = (seq - 1) / CHUNK as u64;
            match hot.chunks.get(&number) {
                Some(chunk) => places.extend(chunk.get(((seq - 1) % CHUNK as u64) as usize)),
                None => return Lookup::Reads(StorageRequest::Get(vec![chunk_key(author, number)])),
            }
        }
        if hot.chain.tips.len() > 1 {
            match &hot.branches {
                Some(branches) => places.extend(branches.get(&seq).into_iter().flatten()),
                None => return Lookup::Reads(branches_scan(author)),
            }
        }
        Lookup::Places(places)
    }

    /// The log seqs of these parts of chains as far as they are held, in log order; or what to read.
    pub fn find(&self, ranges: &[ChainRange]) -> Result<BTreeSet<u64>, Vec<StorageRequest>> {
        let mut found = BTreeSet::new();
        let mut reads = Vec::new();
        for range in ranges {
            let last = range.to.min(self.vector.seq(&range.author));
            for seq in range.from.max(1)..=last {
                match self.places(&range.author, seq) {
                    Lookup::Places(places) => {
                        found.extend(places.iter().map(|place| place.log_seq));
                    }
                    Lookup::Reads(read) => {
                        if reads.last() != Some(&read) {
                            reads.push(read);
                        }
                    }
                }
                if found.len() > limits::WAITING_COMMITS_MAX {
                    break;
                }
            }
        }
        if reads.is_empty() { Ok(found) } else { Err(reads) }
    }

    /// Appends a commit that [`Log::admit`] found ready, to be written by the next
    /// [`Log::take_staged`].
    pub fn stage(&mut self, mut commit: Commit, own: bool) {
        self.staged.before.get_or_insert(self.meta.head);
        for doc in commit.deletes() {
            if self.deleted.insert(doc) {
                self.unscrubbed.insert(doc);
                self.staged.puts.push((doc_key(&doc), Vec::new()));
            }
        }
        commit.drop_deleted(|doc| self.deleted.contains(doc));
        self.index(&commit);
        self.staged.bytes += commit.size();
        self.staged.entries.push(Entry { at: self.meta.head, commit, own });
    }

    /// Takes in a commit that another process of this holder has appended to the shared log.
    pub fn follow(&mut self, entry: &Entry) {
        for doc in entry.commit.deletes() {
            // Whoever deleted it may be gone before its bytes are.
            if self.deleted.insert(doc) {
                self.unscrubbed.insert(doc);
            }
        }
        self.index(&entry.commit);
        self.staged = Staged::default();
        self.stored_meta = Some(self.meta);
    }

    /// Whether storage does not know of this log yet.
    pub fn is_unwritten(&self) -> bool {
        self.stored_meta.is_none()
    }

    /// Gives the log another id: what was acknowledged under the old one is void. The `m` entry to
    /// write, with its guard.
    pub fn renew(&mut self, log: LogId) -> (Guard, (Vec<u8>, Vec<u8>)) {
        self.meta.log = log;
        (self.guard_and_advance(), (META_KEY.to_vec(), to_cbor(&self.meta)))
    }

    fn guard_and_advance(&mut self) -> Guard {
        let expected = self.stored_meta.replace(self.meta);
        (META_KEY.to_vec(), expected.map(|meta| to_cbor(&meta)))
    }

    fn index(&mut self, commit: &Commit) {
        let header = commit.header();
        let tip = Tip { author: header.author, seq: header.seq, id: commit.id() };
        self.meta.head = self.meta.head.then(&tip.id);
        let is_new_author = self.vector.of(&header.author).is_empty();
        self.vector.advance(tip, header.prev.as_ref());
        self.cover(header);
        self.uncovered.insert(tip);
        let place = Place { id: first16(&tip.id), log_seq: self.meta.head.seq };
        if is_new_author {
            self.hot.entry(header.author).or_default().branches = Some(BTreeMap::new());
        }
        let tips = self.vector.of(&header.author).to_vec();
        let Some(hot) = self.hot.get_mut(&header.author) else {
            return;
        };
        let continues_first = match hot.chain.recent.last() {
            Some(last) => header.prev.is_some_and(|prev| last.is(&prev)),
            None => header.seq == hot.chain.spilled + 1,
        };
        if continues_first && header.seq == hot.chain.spilled + hot.chain.recent.len() as u64 + 1 {
            hot.chain.recent.push(place);
            if hot.chain.recent.len() == 2 * CHUNK {
                let chunk: Vec<_> = hot.chain.recent.drain(..CHUNK).collect();
                let number = hot.chain.spilled / CHUNK as u64;
                self.staged.puts.push((chunk_key(&header.author, number), to_cbor(&chunk)));
                hot.chain.spilled += CHUNK as u64;
            }
        } else {
            let key = branch_key(&header.author, header.seq, &place);
            self.staged.puts.push((key, to_cbor(&place)));
            // Of an author forked before, a map that was not read would lack the other branches.
            if hot.branches.is_none() && hot.chain.tips.len() <= 1 {
                hot.branches = Some(BTreeMap::new());
            }
            if let Some(branches) = &mut hot.branches {
                branches.entry(header.seq).or_default().push(place);
            }
        }
        hot.chain.tips = tips;
        self.staged.dirty.insert(header.author);
    }

    /// The tips that this commit comes after are covered by it.
    fn cover(&mut self, header: &Header) {
        let prev = header.prev.map(|id| Tip { author: header.author, seq: header.seq - 1, id });
        if let Some(prev) = prev {
            self.uncovered.remove(&prev);
        }
        for after in &header.after {
            let covered: Vec<_> = self
                .uncovered
                .iter()
                .filter(|tip| {
                    tip.author == after.author && tip.seq == after.seq && tip.id.short() == after.short
                })
                .copied()
                .collect();
            for tip in covered {
                self.uncovered.remove(&tip);
                self.staged.dirty.insert(tip.author);
            }
        }
    }

    /// Bytes staged so far.
    pub fn staged_bytes(&self) -> usize {
        self.staged.bytes
    }

    /// What was staged since the last call; none where nothing was.
    pub fn take_staged(&mut self) -> Option<StagedWrite> {
        let staged = core::mem::take(&mut self.staged);
        let before = staged.before?;
        let mut puts = staged.puts;
        puts.push((META_KEY.to_vec(), to_cbor(&self.meta)));
        for author in &staged.dirty {
            let Some(hot) = self.hot.get_mut(author) else { continue };
            let range = Tip { author: *author, seq: 0, id: CommitId([0; 32]) }..=Tip {
                author: *author,
                seq: u64::MAX,
                id: CommitId([255; 32]),
            };
            hot.chain.uncovered = self.uncovered.range(range).copied().collect();
            puts.push((chain_key(author), to_cbor(&hot.chain)));
        }
        rows(before, &staged.entries, &mut puts);
        if self.hot.len() > HOT_CHAINS_MAX {
            self.hot.clear();
        }
        Some(StagedWrite { guard: self.guard_and_advance(), puts, entries: staged.entries })
    }
}

/// The key of [`Meta`].
pub const META_KEY: &[u8] = b"m";

/// The range of keys that [`Log::load`] wants to see.
pub fn load_range() -> [(Vec<u8>, Vec<u8>); 2] {
    [(b"d".to_vec(), b"e".to_vec()), (b"t".to_vec(), b"u".to_vec())]
}

/// A scan for the commits after this number.
pub fn rows_after(seq: u64, bytes_max: usize) -> StorageRequest {
    StorageRequest::Scan { from: row_key(seq + 1, 0), to: b"c".to_vec(), bytes_max }
}

/// What a scan of rows gave.
pub struct RowsRead {
    /// The commits, in order, of every row that was read whole.
    pub entries: Vec<Entry>,
    /// The first row was not read whole: scan again for at least this many bytes.
    pub bytes_needed: Option<usize>,
    /// There may be more rows.
    pub more: bool,
}

/// What a scan of rows becomes without the bytes of deleted documents.
#[derive(Default)]
pub struct Scrubbed {
    /// Rows that change.
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Pieces that are not needed any more.
    pub deletes: Vec<Vec<u8>>,
}

/// Takes the bytes of deleted documents out of the rows that a scan gave, as far as they were read
/// whole.
///
/// # Errors
/// Storage holds what this code did not write.
pub fn scrub_rows(
    scanned: &[(Vec<u8>, Vec<u8>)],
    is_deleted: impl Fn(&DocId) -> bool,
) -> Result<Scrubbed, Corrupt> {
    let mut scrubbed = Scrubbed::default();
    for pieces in scanned.chunk_by(|(a, _), (b, _)| row_seq(a) == row_seq(b)) {
        let Some(row) = read_row(pieces)? else { continue };
        let mut is_changed = false;
        let mut entries = Vec::new();
        let mut at = row.before;
        for RowRecord { record, own } in row.records {
            let mut commit = Commit::decode(&record)?;
            at = at.then(&commit.id());
            is_changed |= commit.drop_deleted(&is_deleted);
            entries.push(Entry { at, commit, own });
        }
        if is_changed {
            let records = entries
                .iter()
                .map(|entry| RowRecord { record: entry.commit.encode().into(), own: entry.own })
                .collect();
            let first = scrubbed.puts.len();
            put_row(at, &Row { before: row.before, records }, &mut scrubbed.puts);
            let kept = scrubbed.puts.len() - first;
            scrubbed.deletes.extend(pieces[kept..].iter().map(|(key, _)| key.clone()));
        }
    }
    Ok(scrubbed)
}

/// The row of these pieces; none where the last are missing.
fn read_row(pieces: &[(Vec<u8>, Vec<u8>)]) -> Result<Option<Row>, Corrupt> {
    let corrupt = || Corrupt("a row's pieces are not all there".into());
    let (_, first) = pieces.first().ok_or_else(corrupt)?;
    let (count, piece) = first.split_first_chunk::<2>().ok_or_else(corrupt)?;
    if pieces.len() < usize::from(u16::from_be_bytes(*count)) {
        return Ok(None);
    }
    let mut bytes = piece.to_vec();
    for (_, piece) in &pieces[1..] {
        bytes.extend(piece);
    }
    Ok(Some(from_cbor(&bytes)?))
}

/// Reads what a scan of rows gave.
///
/// # Errors
/// Storage holds what this code did not write.
pub fn read_rows(scanned: &[(Vec<u8>, Vec<u8>)], more: bool) -> Result<RowsRead, Corrupt> {
    let mut entries = Vec::new();
    for pieces in scanned.chunk_by(|(a, _), (b, _)| row_seq(a) == row_seq(b)) {
        let Some(row) = read_row(pieces)? else {
            // Only the last row may be cut, by the scan's end.
            let (_, first) = &pieces[0];
            let count = usize::from(u16::from_be_bytes([first[0], first[1]]));
            let bytes_needed = entries.is_empty().then_some(count * limits::VALUE_BYTES_MAX);
            return if more {
                Ok(RowsRead { entries, bytes_needed, more })
            } else {
                Err(Corrupt("a row's pieces are not all there".into()))
            };
        };
        let mut at = row.before;
        for RowRecord { record, own } in row.records {
            let commit = Commit::decode(&record)?;
            at = at.then(&commit.id());
            entries.push(Entry { at, commit, own });
        }
    }
    Ok(RowsRead { entries, bytes_needed: None, more })
}

/// A [`Meta`] from storage.
///
/// # Errors
/// Storage holds what this code did not write.
pub fn read_meta(value: &[u8]) -> Result<Meta, Corrupt> {
    Ok(from_cbor(value)?)
}

/// Puts entries into rows of about [`ROW_BYTES`].
fn rows(before: Position, entries: &[Entry], puts: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    let mut row = Row { before, records: Vec::new() };
    let mut bytes = 0;
    for entry in entries {
        let record = entry.commit.encode();
        bytes += record.len();
        row.records.push(RowRecord { record: record.into(), own: entry.own });
        if bytes >= ROW_BYTES {
            put_row(entry.at, &row, puts);
            row = Row { before: entry.at, records: Vec::new() };
            bytes = 0;
        }
    }
    if let (false, Some(last)) = (row.records.is_empty(), entries.last()) {
        put_row(last.at, &row, puts);
    }
}

fn put_row(last: Position, row: &Row, puts: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    const PIECE: usize = limits::VALUE_BYTES_MAX - 2;
    let bytes = to_cbor(row);
    let count = bytes.len().div_ceil(PIECE) as u16;
    for (number, piece) in (0u16..).zip(bytes.chunks(PIECE)) {
        let value = if number == 0 { [&count.to_be_bytes(), piece].concat() } else { piece.to_vec() };
        puts.push((row_key(last.seq, number), value));
    }
}

fn row_key(last_seq: u64, piece: u16) -> Vec<u8> {
    [b"b".as_slice(), &last_seq.to_be_bytes(), &piece.to_be_bytes()].concat()
}

/// The last number in the row of this key, if it is a row's.
pub fn row_seq(key: &[u8]) -> Option<u64> {
    let (b'b', rest) = key.split_first().map(|(first, rest)| (*first, rest))? else { return None };
    rest.first_chunk().map(|seq| u64::from_be_bytes(*seq))
}

fn chain_key(author: &AuthorId) -> Vec<u8> {
    [b"t".as_slice(), &author.0].concat()
}

fn chunk_key(author: &AuthorId, number: u64) -> Vec<u8> {
    [b"c".as_slice(), &author.0, &number.to_be_bytes()].concat()
}

fn branch_key(author: &AuthorId, seq: u64, place: &Place) -> Vec<u8> {
    [b"s".as_slice(), &author.0, &seq.to_be_bytes(), &place.id].concat()
}

fn branches_scan(author: &AuthorId) -> StorageRequest {
    let from = [b"s".as_slice(), &author.0].concat();
    let to = [from.as_slice(), &[255; 9]].concat();
    StorageRequest::Scan { from, to, bytes_max: usize::MAX }
}

fn doc_key(doc: &DocId) -> Vec<u8> {
    [b"d".as_slice(), &doc.0].concat()
}

fn author_of_key(key: &[u8]) -> Option<(AuthorId, &[u8])> {
    let (author, rest) = key.get(1..)?.split_first_chunk::<16>()?;
    Some((AuthorId(*author), rest))
}

fn first16(id: &CommitId) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&id.0[..16]);
    first
}
