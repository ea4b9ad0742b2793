//! What the application changes: edits of documents become commits. A commit holds all that one call changes, of one
//! document or of several: other replicas apply it whole.

use automerge::Change;

use crate::base::id::DocId;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::commit::header::After;
use crate::commit::kind::Kind;
use crate::document::beginning::Beginning;
use crate::document::budget::Budget;
use crate::document::patch::Patch;
use crate::document::source::Source;
use crate::document::stripped::strip::Context;
use crate::document::value::{DocEdit, Edit, Op};
use crate::replica::event::{Event, Made, ReplicaError};
use crate::replica::replica::Replica;

impl Replica {
    /// Makes a document with a fresh id from these edits of an empty one.
    ///
    /// # Errors
    /// [`ReplicaError`]: nothing was made.
    pub fn create(&mut self, ops: &[Op], message: Option<String>, now: Millis) -> Result<Made, ReplicaError> {
        let doc = self.fresh_id();
        self.transact(&[DocEdit { doc, edit: Edit::Create(ops.into()), message }], now)
    }

    /// Chance makes no id twice, but a cloned process has the same chances.
    fn fresh_id(&mut self) -> DocId {
        loop {
            let doc = DocId(self.holder.rng().bytes16());
            if !self.documents.is_known(&doc) && !self.documents.is_deleted(&doc, self.holder.log()) {
                return doc;
            }
        }
    }

    /// Edits an open document.
    ///
    /// # Errors
    /// [`ReplicaError`]: the document is as it was.
    pub fn change(
        &mut self,
        doc: DocId,
        ops: &[Op],
        message: Option<String>,
        now: Millis,
    ) -> Result<Made, ReplicaError> {
        self.transact(&[DocEdit { doc, edit: Edit::Change(ops.into()), message }], now)
    }

    /// Deletes a document everywhere.
    ///
    /// # Errors
    /// [`ReplicaError::NotFound`]
    pub fn delete(&mut self, doc: DocId, now: Millis) -> Result<Made, ReplicaError> {
        self.transact(&[DocEdit { doc, edit: Edit::Delete, message: None }], now)
    }

    /// Does all of this in one commit, which every replica applies whole. Each document is named once.
    ///
    /// # Errors
    /// [`ReplicaError`]: all documents are as they were.
    pub fn transact(&mut self, edits: &[DocEdit<'_>], now: Millis) -> Result<Made, ReplicaError> {
        self.observe(now);
        let mut prepared = Prepared::default();
        let result = match self.prepare_all(edits, now, &mut prepared) {
            Ok(()) if prepared.items.is_empty() => {
                return Ok(Made {
                    doc: edits.first().map_or(DocId([0; 16]), |edit| edit.doc),
                    id: None,
                    seq: 0,
                });
            }
            Ok(()) => self.commit(core::mem::take(&mut prepared.items)),
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.take_back(prepared);
            return result;
        }
        for edit in edits.iter().filter(|edit| matches!(edit.edit, Edit::Delete)) {
            self.documents.delete(edit.doc);
        }
        self.tell_of_documents();
        self.advance();
        result
    }

    fn prepare_all(
        &mut self,
        edits: &[DocEdit<'_>],
        now: Millis,
        prepared: &mut Prepared,
    ) -> Result<(), ReplicaError> {
        for (number, DocEdit { doc, edit, message }) in edits.iter().enumerate() {
            if edits[..number].iter().any(|before| before.doc == *doc) {
                return Err(ReplicaError::Invalid("a commit has one edit of each document".into()));
            }
            match edit {
                Edit::Create(ops) => {
                    if self.documents.is_known(doc) || self.documents.is_deleted(doc, self.holder.log()) {
                        return Err(ReplicaError::Invalid("there is a document of that id already".into()));
                    }
                    let budget = Budget::of_run(self.holder.limits());
                    self.documents.add_new(*doc, self.own.author(), budget);
                    prepared.undo.push((*doc, Undo::Create));
                    self.prepare(*doc, ops, message, now, true, prepared)?;
                }
                Edit::Change(ops) => self.prepare(*doc, ops, message, now, false, prepared)?,
                Edit::Delete => {
                    if !self.documents.is_known(doc) || self.documents.is_deleted(doc, self.holder.log()) {
                        return Err(ReplicaError::NotFound);
                    }
                    prepared.items.push((*doc, NewItem::Bytes(Kind::Delete, Vec::new())));
                }
            }
        }
        Ok(())
    }

    /// Edits a document, and adds the items that say so.
    fn prepare(
        &mut self,
        doc: DocId,
        ops: &[Op],
        message: &Option<String>,
        now: Millis,
        is_new: bool,
        prepared: &mut Prepared,
    ) -> Result<(), ReplicaError> {
        let seconds = (now / 1000) as i64;
        let open = self.documents.ready(doc)?;
        let item = match open.document.change(ops, message.clone(), seconds)? {
            Some(change) => NewItem::Change(Box::new(change)),
            // A document that begins empty exists all the same.
            None if is_new => NewItem::Bytes(Kind::Import, Vec::new()),
            None => return Ok(()),
        };
        let beginning = open.document.take_beginning();
        if let Some(beginning) = &beginning {
            prepared.items.push((doc, NewItem::Bytes(Kind::Genesis, beginning.genesis().encode())));
        }
        if !is_new {
            prepared.undo.push((doc, Undo::Change(beginning.map(Box::new))));
        }
        prepared.items.push((doc, item));
        Ok(())
    }

    /// Makes documents what they were before edits that came to no commit.
    fn take_back(&mut self, prepared: Prepared) {
        for (doc, undo) in prepared.undo {
            match undo {
                Undo::Create => self.documents.remove_new(doc),
                Undo::Change(beginning) => {
                    if let Ok(open) = self.documents.ready(doc) {
                        open.document.forget_last();
                        open.document.put_back_beginning(beginning.map(|beginning| *beginning));
                    }
                }
            }
        }
    }

    /// Merges an Automerge file into an open document; what it changed comes with the commit, or
    /// [`Event::Reset`] where that is not all.
    ///
    /// # Errors
    /// [`ReplicaError`]: the document is as it was.
    pub fn merge(
        &mut self,
        doc: DocId,
        file: &[u8],
        now: Millis,
    ) -> Result<(Made, Vec<Patch>), ReplicaError> {
        self.observe(now);
        let author = self.own.author();
        let bytes_max = self.holder.limits().commit_bytes_max / 2;
        let open = self.documents.ready(doc)?;
        let changes = open.document.missing_of_file(file)?;
        if changes.is_empty() {
            return Ok((Made { doc, id: None, seq: 0 }, Vec::new()));
        }
        if changes.len() > bytes_max {
            return Err(ReplicaError::TooLarge("the file is more than a commit may hold".into()));
        }
        if !open.document.allows(&changes) {
            return Err(ReplicaError::TooLarge("the file has more operations than a commit may hold".into()));
        }
        let before = open.document.clone();
        // The initial values that the file follows stay. Of other keys that it has touched they are withdrawn.
        open.document.hold_beginning(&changes);
        let applied = open.document.apply([(Source::Commit(author), changes.as_slice())]);
        let mut items = vec![(doc, NewItem::Bytes(Kind::Import, changes))];
        if let Some(beginning) = open.document.take_beginning() {
            items.insert(0, (doc, NewItem::Bytes(Kind::Genesis, beginning.genesis().encode())));
        }
        match self.commit(items) {
            Ok(made) if applied.rebuilt => {
                self.tell(Event::Reset { doc });
                Ok((made, Vec::new()))
            }
            Ok(made) => Ok((made, applied.patches)),
            Err(error) => {
                self.documents.ready(doc)?.document = before;
                Err(error)
            }
        }
    }

    /// Makes a commit of these items, those of one document in a row.
    fn commit(&mut self, mut items: Vec<(DocId, NewItem)>) -> Result<Made, ReplicaError> {
        let mut after = self.own.causes(self.holder.log());
        // More causes than a header may name are taken in by commits that do nothing else.
        let after_max = self.holder.limits().after_max;
        while after.len() > after_max {
            let rest = after.split_off(after_max);
            self.append(after, Vec::new())?;
            after = rest;
        }
        let (author, seq, prev) = self.own.next(self.holder.log());
        let time = self.clock.host();
        let context = Context { author, seq, prev: (seq > 1).then_some(prev), after: &after, time };
        let mut written = Vec::with_capacity(items.len());
        for (doc, item) in &mut items {
            let (kind, bytes) = match (item, self.documents.document(*doc).ok()) {
                (NewItem::Change(change), Some(document)) => document.item(change, &context),
                (NewItem::Change(change), None) => (Kind::Import, change.bytes().into_owned()),
                (NewItem::Bytes(kind, bytes), _) => (*kind, core::mem::take(bytes)),
            };
            written.push((*doc, kind, bytes));
        }
        let commit = self.append(after, written)?;
        for items in items.chunk_by(|(a, _), (b, _)| a == b) {
            let doc = items[0].0;
            let Ok(open) = self.documents.ready(doc) else { continue };
            // What is made next may refer to it.
            match items {
                [(_, NewItem::Change(change))] => open.document.committed(doc, &commit, change),
                _ => drop(open.document.apply_commits(doc, [&commit])),
            }
        }
        self.advance();
        Ok(Made { doc: items[0].0, id: Some(commit.id()), seq: self.own.made() })
    }

    fn append(
        &mut self,
        after: Vec<After>,
        items: Vec<(DocId, Kind, Vec<u8>)>,
    ) -> Result<Commit, ReplicaError> {
        let host_now = self.clock.host();
        let commit = self.own.make(after, items, host_now, self.holder.log(), self.holder.limits())?;
        self.holder.append_own(commit.clone(), self.own.made(), self.now);
        Ok(commit)
    }
}

/// What goes into a new commit.
enum NewItem {
    /// A change that was made here.
    Change(Box<Change>),
    Bytes(Kind, Vec<u8>),
}

/// What a commit is to hold, and how to undo what was done for it so far.
#[derive(Default)]
struct Prepared {
    items: Vec<(DocId, NewItem)>,
    undo: Vec<(DocId, Undo)>,
}

enum Undo {
    Create,
    /// It may have begun with the change.
    Change(Option<Box<Beginning>>),
}
