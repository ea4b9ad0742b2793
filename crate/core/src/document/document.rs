//! A document: Automerge, with changes applied one by one, each checked first, and with a rule for
//! changes that claim the same place.
//!
//! Two different changes under one (actor, seq) can come from a cloned process or from malice. The
//! one in a commit of the author that is that actor wins, otherwise the lower hash; the loser and
//! what depends on it are quarantined, at every replica alike. A change that cannot be applied is
//! quarantined too, and never its neighbours.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{
    ActorId, Automerge, AutomergeError, Change, ChangeHash, LoadOptions, ObjId, ObjType, PatchLog, Prop,
    ROOT, ReadDoc, ScalarValue, TextEncoding,
};

use crate::base::id::AuthorId;
use crate::document::value::{Op, Patch, Value, encode_object};
use crate::document::{diff as text, place as fork};

/// What foreign bytes may cost before they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of a change once it is inflated.
    pub inflated_bytes: u64,
    /// Operations in a change.
    pub operations: usize,
    /// Changes that a change depends on.
    pub dependencies: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { inflated_bytes: 64 * 1024 * 1024, operations: 4_000_000, dependencies: 4096 }
    }
}

/// Why an edit was not made. Nothing of it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The path leads nowhere, or to another type.
    #[error("there is nothing at {0:?} that this edit could be made to")]
    Path(Vec<Prop>),
    /// Automerge refused.
    #[error(transparent)]
    Automerge(#[from] AutomergeError),
}

/// Who vouches for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A commit whose author is the change's actor.
    Author,
    /// Anybody else.
    Import,
}

/// Changes to be added in one go.
#[derive(Default)]
struct Batch {
    changes: Vec<(Change, Source)>,
    hashes: BTreeSet<ChangeHash>,
    seqs: BTreeMap<ActorId, u64>,
}

impl Batch {
    fn push(&mut self, change: Change, source: Source) {
        self.hashes.insert(change.hash());
        self.seqs.insert(change.actor_id().clone(), change.seq());
        self.changes.push((change, source));
    }
}

/// What came of applying changes.
#[derive(Debug, Default)]
pub struct Applied {
    /// What is different now.
    pub patches: Vec<Patch>,
    /// The document was built anew without the loser of a fork: patches do not tell all.
    pub rebuilt: bool,
}

/// A document that is open.
#[derive(Clone)]
pub struct Document {
    doc: Automerge,
    budget: Budget,
    /// The highest seq applied of each actor.
    seqs: BTreeMap<ActorId, u64>,
    /// Changes that came from others than their actor.
    imported: BTreeSet<ChangeHash>,
    quarantine: BTreeMap<ChangeHash, (Change, Source)>,
    /// Chunks that are not even changes.
    malformed: usize,
}

impl Document {
    /// Empty, edited under this author's id.
    pub fn new(author: AuthorId, budget: Budget) -> Self {
        Self {
            doc: empty(actor(author)),
            budget,
            seqs: BTreeMap::new(),
            imported: BTreeSet::new(),
            quarantine: BTreeMap::new(),
            malformed: 0,
        }
    }

    /// Makes further edits under another author's id.
    pub fn set_author(&mut self, author: AuthorId) {
        self.doc.set_actor(actor(author));
    }

    /// Applies these chunks, each with who vouches for its changes; `author` is the commit's.
    pub fn apply<'a>(&mut self, chunks: impl IntoIterator<Item = (AuthorId, &'a [u8])>) -> Applied {
        let mut changes = Vec::new();
        for (author, bytes) in chunks {
            for chunk in split(bytes) {
                match self.parse(chunk) {
                    Some(change) => {
                        let is_author = change.actor_id().to_bytes() == author.0;
                        let source = if is_author { Source::Author } else { Source::Import };
                        changes.push((change, source));
                    }
                    None => self.malformed += 1,
                }
            }
        }
        self.apply_changes(changes)
    }

    fn apply_changes(&mut self, changes: Vec<(Change, Source)>) -> Applied {
        let mut applied = Applied::default();
        let mut log = PatchLog::active();
        let mut batch = Batch::default();
        for (change, source) in changes {
            let hash = change.hash();
            if self.contains(&hash) || batch.hashes.contains(&hash) {
                continue;
            }
            if self.quarantine.is_empty() && self.is_next(&change, &batch) {
                batch.push(change, source);
            } else {
                self.quarantine.insert(hash, (change, source));
            }
        }
        self.add_batch(batch, &mut log);
        if !self.quarantine.is_empty() {
            self.resolve(&mut log, &mut applied);
        }
        applied.patches = self.doc.make_patches(&mut log).into_iter().map(Patch::from).collect();
        applied
    }

    /// Whether the document and the batch have all that this change follows, and nothing in its
    /// place.
    fn is_next(&self, change: &Change, batch: &Batch) -> bool {
        let held = batch.seqs.get(change.actor_id()).or_else(|| self.seqs.get(change.actor_id()));
        change.seq() == held.copied().unwrap_or(0) + 1
            && change.len() <= self.budget.operations
            && change.deps().len() <= self.budget.dependencies
            && change.deps().iter().all(|dep| batch.hashes.contains(dep) || self.contains(dep))
    }

    /// Adds changes in one go: Automerge takes about as long for many as for one, which is in
    /// proportion to the objects they touch. Where that fails they are added one by one, so that an
    /// error costs one change and not its neighbours.
    fn add_batch(&mut self, batch: Batch, log: &mut PatchLog) {
        let changes: Vec<_> = batch.changes.iter().map(|(change, _)| change.clone()).collect();
        let is_added = self.doc.apply_changes_log_patches(changes, log).is_ok();
        for (change, source) in batch.changes {
            if is_added {
                self.note(&change, source);
            } else if !self.is_next(&change, &Batch::default()) || self.add(&change, source, log).is_err() {
                self.quarantine.insert(change.hash(), (change, source));
            }
        }
    }

    fn add(&mut self, change: &Change, source: Source, log: &mut PatchLog) -> Result<(), AutomergeError> {
        self.doc.apply_changes_log_patches([change.clone()], log)?;
        self.note(change, source);
        Ok(())
    }

    fn note(&mut self, change: &Change, source: Source) {
        if source == Source::Import {
            self.imported.insert(change.hash());
        }
        self.seqs.insert(change.actor_id().clone(), change.seq());
    }

    /// Decides anew which of all the changes that are known belong to the document: a function of
    /// their set, so that every replica decides alike.
    fn resolve(&mut self, log: &mut PatchLog, applied: &mut Applied) {
        let known: BTreeMap<ChangeHash, (Change, Source)> = self
            .doc
            .get_changes(&[])
            .into_iter()
            .map(|change| (change.hash(), change))
            .map(|(hash, change)| (hash, (change, self.source(&hash))))
            .chain(self.quarantine.iter().map(|(hash, held)| (*hash, held.clone())))
            .collect();
        let losers = fork::losers(&known);
        if losers.iter().any(|loser| self.contains(loser)) {
            self.doc = empty(self.doc.get_actor().clone());
            self.seqs.clear();
            self.imported.clear();
            self.quarantine = known;
            *log = PatchLog::active();
            applied.rebuilt = true;
        }
        loop {
            let mut batch = Batch::default();
            while let Some(hash) = self
                .quarantine
                .iter()
                .find(|(hash, (change, _))| !losers.contains(*hash) && self.is_next(change, &batch))
                .map(|(hash, _)| *hash)
            {
                let (change, source) = self.quarantine.remove(&hash).expect("it was just found");
                batch.push(change, source);
            }
            let count = batch.changes.len();
            let before = self.quarantine.len();
            self.add_batch(batch, log);
            // What could not be added is back in quarantine.
            if count == 0 || self.quarantine.len() == before + count {
                return;
            }
        }
    }

    fn source(&self, hash: &ChangeHash) -> Source {
        if self.imported.contains(hash) { Source::Import } else { Source::Author }
    }

    /// Makes edits as one change, whose bytes it gives; none where the edits changed nothing.
    ///
    /// # Errors
    /// [`EditError`]: the document is as it was.
    pub fn change(
        &mut self,
        ops: &[Op],
        message: Option<String>,
        seconds: i64,
    ) -> Result<Option<Vec<u8>>, EditError> {
        let mut transaction = self.doc.transaction();
        for op in ops {
            if let Err(error) = edit(&mut transaction, op) {
                transaction.rollback();
                return Err(error);
            }
        }
        if transaction.pending_ops() == 0 {
            transaction.rollback();
            return Ok(None);
        }
        let options = CommitOptions { message, time: Some(seconds) };
        transaction.commit_with(options);
        let mut change = self.doc.get_last_local_change().expect("it was just made");
        self.seqs.insert(change.actor_id().clone(), change.seq());
        Ok(Some(change.bytes().into_owned()))
    }

    /// Takes the last change made by [`Document::change`] back: it was not accepted.
    pub fn forget_last(&mut self) {
        let Some(last) = self.doc.get_last_local_change() else { return };
        let kept = self.doc.get_changes(&[]).into_iter().filter(|change| change.hash() != last.hash());
        let mut doc = empty(self.doc.get_actor().clone());
        doc.apply_changes(kept.collect::<Vec<_>>()).expect("they were applied before, in this order");
        self.doc = doc;
        self.seqs.insert(last.actor_id().clone(), last.seq() - 1);
    }

    /// The changes of a saved document, or of any Automerge chunks, that this one lacks: their
    /// bytes in a row. They are not applied yet.
    ///
    /// # Errors
    /// [`EditError`]: it is no such file.
    pub fn missing_of_file(&self, file: &[u8]) -> Result<Vec<u8>, EditError> {
        let options = LoadOptions::new().text_encoding(TextEncoding::Utf16CodeUnit);
        let other = Automerge::load_with_options(file, options)?;
        let missing = other.get_changes(&[]).into_iter().filter(|c| !self.contains(&c.hash()));
        Ok(missing.flat_map(|mut change| change.bytes().into_owned()).collect())
    }

    /// Whether a change is applied.
    pub fn contains(&self, hash: &ChangeHash) -> bool {
        self.doc.get_change_meta_by_hash(hash).is_some()
    }

    /// Changes held and not applied.
    pub fn quarantined(&self) -> usize {
        self.quarantine.len() + self.malformed
    }

    /// The hashes of the changes that no other depends on, in hexadecimal.
    pub fn heads(&self) -> Vec<String> {
        let mut heads: Vec<_> = self.doc.get_heads().iter().map(ToString::to_string).collect();
        heads.sort();
        heads
    }

    /// The whole value, see [`crate::value`].
    pub fn value(&self) -> Vec<u8> {
        encode_object(&self.doc, &ROOT, ObjType::Map)
    }

    /// A standard Automerge file.
    pub fn save(&self) -> Vec<u8> {
        self.doc.save()
    }

    /// For reading.
    pub fn automerge(&self) -> &Automerge {
        &self.doc
    }

    /// Reads a change, unless it would cost more than the budget to look at.
    fn parse(&self, chunk: &[u8]) -> Option<Change> {
        if !inflates_within(chunk, self.budget.inflated_bytes) {
            return None;
        }
        Change::from_bytes(chunk.to_vec()).ok()
    }
}

fn empty(actor: ActorId) -> Automerge {
    Automerge::new_with_encoding(TextEncoding::Utf16CodeUnit).with_actor(actor)
}

fn actor(author: AuthorId) -> ActorId {
    ActorId::from(author.0.as_slice())
}

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const COMPRESSED_CHANGE: u8 = 2;

/// The chunks that follow one another in `bytes`: magic, checksum, type, length, data. What is left
/// when one does not begin like that is given as it is.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        let len = chunk_data(bytes).map_or(bytes.len(), |(_, data)| data.end);
        let (chunk, rest) = bytes.split_at(len);
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

/// The type of the chunk that `bytes` begin with, and where its data is.
fn chunk_data(bytes: &[u8]) -> Option<(u8, core::ops::Range<usize>)> {
    if bytes.len() < 10 || bytes[..4] != MAGIC {
        return None;
    }
    let mut len = 0usize;
    for (i, byte) in bytes[9..].iter().take(9).enumerate() {
        len |= usize::from(byte & 0x7f).checked_shl(7 * i as u32)?;
        if byte & 0x80 == 0 {
            let start = 9 + i + 1;
            let end = start.checked_add(len)?;
            return (end <= bytes.len()).then_some((bytes[8], start..end));
        }
    }
    None
}

fn inflates_within(chunk: &[u8], most: u64) -> bool {
    match chunk_data(chunk) {
        Some((COMPRESSED_CHANGE, data)) => {
            let mut inflated = flate2::read::DeflateDecoder::new(&chunk[data]).take(most + 1);
            std::io::copy(&mut inflated, &mut std::io::sink()).is_ok_and(|bytes| bytes <= most)
        }
        Some(_) => chunk.len() as u64 <= most,
        None => false,
    }
}

fn edit(tx: &mut Transaction<'_>, op: &Op) -> Result<(), EditError> {
    match op {
        Op::Put { path, value } => {
            let (parent, prop) = parent(tx, path)?;
            put(tx, &parent, prop, value)
        }
        Op::Insert { path, values } => match parent(tx, path)? {
            (parent, Prop::Seq(index)) => {
                values.iter().enumerate().try_for_each(|(i, value)| insert(tx, &parent, index + i, value))
            }
            _ => Err(EditError::Path(path.clone())),
        },
        Op::Delete { path, count } => {
            let (parent, prop) = parent(tx, path)?;
            for _ in 0..*count {
                tx.delete(&parent, prop.clone())?;
            }
            Ok(())
        }
        Op::Splice { path, index, remove, insert } => {
            let text = object(tx, path, ObjType::Text)?;
            let remove = isize::try_from(*remove).map_err(|_| EditError::Path(path.clone()))?;
            Ok(tx.splice_text(&text, *index, remove, insert)?)
        }
        Op::Increment { path, by } => {
            let (parent, prop) = parent(tx, path)?;
            Ok(tx.increment(&parent, prop, *by)?)
        }
        Op::UpdateText { path, text } => {
            let object = object(tx, path, ObjType::Text)?;
            // Automerge's own search takes seconds where two long texts have little in common.
            for edit in text::edits(&tx.text(&object)?, text) {
                let remove = isize::try_from(edit.remove).expect("a text in memory is no longer");
                tx.splice_text(&object, edit.index, remove, &edit.insert)?;
            }
            Ok(())
        }
    }
}

fn put(tx: &mut Transaction<'_>, parent: &ObjId, prop: Prop, value: &Value) -> Result<(), EditError> {
    match value {
        Value::Scalar(scalar) => Ok(tx.put(parent, prop, scalar.clone())?),
        container => {
            let object = tx.put_object(parent, prop, kind(container))?;
            fill(tx, &object, container)
        }
    }
}

fn insert(tx: &mut Transaction<'_>, list: &ObjId, index: usize, value: &Value) -> Result<(), EditError> {
    match value {
        Value::Scalar(scalar) => Ok(tx.insert(list, index, scalar.clone())?),
        container => {
            let object = tx.insert_object(list, index, kind(container))?;
            fill(tx, &object, container)
        }
    }
}

fn kind(value: &Value) -> ObjType {
    match value {
        Value::Text(_) => ObjType::Text,
        Value::List(_) => ObjType::List,
        Value::Map(_) | Value::Scalar(_) => ObjType::Map,
    }
}

/// Puts the contents of a value into the empty container made for it.
pub(crate) fn fill(tx: &mut Transaction<'_>, object: &ObjId, value: &Value) -> Result<(), EditError> {
    match value {
        Value::Scalar(_) => Ok(()),
        Value::Text(text) => Ok(tx.splice_text(object, 0, 0, text)?),
        Value::List(values) => {
            values.iter().enumerate().try_for_each(|(i, value)| insert(tx, object, i, value))
        }
        Value::Map(map) => {
            map.iter().try_for_each(|(key, value)| put(tx, object, Prop::Map(key.clone()), value))
        }
    }
}

/// The container that a path's last step is in, and that step.
fn parent(tx: &Transaction<'_>, path: &[Prop]) -> Result<(ObjId, Prop), EditError> {
    let nothing = || EditError::Path(path.to_vec());
    let (last, before) = path.split_last().ok_or_else(nothing)?;
    let object = walk(tx, before).ok_or_else(nothing)?;
    let kind = tx.object_type(&object)?;
    let fits = match last {
        Prop::Map(_) => kind == ObjType::Map || kind == ObjType::Table,
        Prop::Seq(_) => kind == ObjType::List,
    };
    if fits { Ok((object, last.clone())) } else { Err(nothing()) }
}

fn object(tx: &Transaction<'_>, path: &[Prop], kind: ObjType) -> Result<ObjId, EditError> {
    walk(tx, path)
        .filter(|object| tx.object_type(object).is_ok_and(|held| held == kind))
        .ok_or_else(|| EditError::Path(path.to_vec()))
}

fn walk(tx: &Transaction<'_>, path: &[Prop]) -> Option<ObjId> {
    path.iter().try_fold(ROOT, |object, prop| match tx.get(&object, prop.clone()).ok()?? {
        (automerge::Value::Object(_), id) => Some(id),
        _ => None,
    })
}

/// Whether the key of this map was ever set, in all the history that is held.
pub(crate) fn was_touched(doc: &Automerge, object: &ObjId, key: &str) -> bool {
    use automerge::legacy::{Key, ObjectId};
    let is_object = |held: &ObjectId| match (held, object) {
        (ObjectId::Root, ObjId::Root) => true,
        (ObjectId::Id(id), ObjId::Id(counter, actor, _)) => id.0 == *counter && id.1 == *actor,
        _ => false,
    };
    doc.get_changes(&[]).iter().any(|change| {
        change
            .decode()
            .operations
            .iter()
            .any(|op| is_object(&op.obj) && matches!(&op.key, Key::Map(held) if held.as_str() == key))
    })
}

/// The scalar of a value, for those that are one.
pub(crate) fn scalar(value: &Value) -> Option<&ScalarValue> {
    match value {
        Value::Scalar(scalar) => Some(scalar),
        _ => None,
    }
}
