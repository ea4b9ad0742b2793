//! A document: Automerge, with foreign changes checked first, and with a rule for changes of the
//! same actor and seq.
//!
//! Two different changes under one (actor, seq) can come from a cloned process or from malice. One
//! wins, see [`crate::document::forks`]; the other and what depends on it are quarantined, at every
//! replica alike. A change that cannot be applied is quarantined too, and never its neighbours.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, Change, ChangeHash, LoadOptions, ObjId, ObjType, ROOT, TextEncoding};

use crate::base::id::{AuthorId, DocId};
use crate::base::id_map::IdSet;
use crate::commit::commit::Commit;
use crate::commit::kind::Kind;
use crate::document::beginning::{Beginning, is_all_held, overlay};
use crate::document::budget::{Budget, Refused};
use crate::document::commits::Commits;
use crate::document::edit::{self, EditError};
use crate::document::genesis::Genesis;
use crate::document::history::{History, Outcome};
use crate::document::patch::Patch;
use crate::document::quarantine::Quarantined;
use crate::document::source::Source;
use crate::document::stripped::strip::Context;
use crate::document::value::{Op, Value, encode_object};

/// What came of applying changes.
#[derive(Debug, Default)]
pub struct Applied {
    /// What is different now.
    pub patches: Vec<Patch>,
    /// The document was built anew, without a change that was applied: the patches do not tell all.
    pub rebuilt: bool,
}

/// A document that is open.
#[derive(Clone)]
pub struct Document {
    history: History,
    /// Initial values that are applied and not in the log.
    beginning: Option<Beginning>,
    commits: Commits,
    /// What was not taken of items that came without a commit.
    refused: Refused,
}

impl Document {
    /// Empty, edited under this author's id.
    pub fn new(author: AuthorId, budget: Budget) -> Self {
        Self {
            history: History::new(actor(author), budget),
            beginning: None,
            commits: Commits::default(),
            refused: Refused::default(),
        }
    }

    /// Makes further edits under another author's id.
    pub fn set_author(&mut self, author: AuthorId) {
        self.history.doc.set_actor(actor(author));
    }

    /// Applies what these commits hold of the document, which is known by that id. They come in the order
    /// of the log; one that is here already may come again, with bytes that it lacked before.
    pub fn apply_commits<'a>(
        &mut self,
        doc: DocId,
        commits: impl IntoIterator<Item = &'a Commit>,
    ) -> Applied {
        let mut changes: Vec<(Change, Source)> = Vec::new();
        let (budget, mut held) = (self.history.budget, self.history.bytes);
        for commit in commits {
            let arrived = self.commits.take(commit, doc, |bytes| budget.of_commit(held + bytes));
            held += arrived.iter().map(|(change, _)| change.raw_bytes().len() as u64).sum::<u64>();
            changes.extend(arrived);
        }
        self.apply_changes(changes)
    }

    /// The last change that was made here is in this commit, with nothing else of the document.
    pub fn committed(&mut self, doc: DocId, commit: &Commit, change: &Change) {
        if self.history.is_undecided || !self.commits.note_own(commit, change) {
            self.apply_commits(doc, [commit]);
        }
    }

    /// The item that holds a change made here, in a commit of which this is known, and its kind.
    pub fn item(&self, change: &mut Change, context: &Context<'_>) -> (Kind, Vec<u8>) {
        self.commits.item(change, context)
    }

    /// Applies the changes of these items, each with where they come from.
    pub fn apply<'a>(&mut self, items: impl IntoIterator<Item = (Source, &'a [u8])>) -> Applied {
        let mut changes = Vec::new();
        for (source, bytes) in items {
            let parsed = self.history.budget.of_commit(self.history.bytes).parse(bytes);
            self.refused.add(parsed.refused);
            changes.extend(parsed.changes.into_iter().map(|change| (change, source)));
        }
        self.apply_changes(changes)
    }

    fn apply_changes(&mut self, changes: Vec<(Change, Source)>) -> Applied {
        let ranked = changes.into_iter().map(|(change, source)| {
            let rank = source.rank(change.actor_id());
            (change, rank)
        });
        let changes: Vec<_> = ranked.collect();
        let Some(mut beginning) = self.beginning.take() else {
            let outcome = self.history.add(changes);
            return self.applied(outcome);
        };
        let arrived: Vec<_> = changes.iter().map(|(change, rank)| (change.hash(), *rank)).collect();
        let outcome = self.history.add(changes);
        let outcome = beginning.follow(&arrived, &mut self.history, outcome);
        self.keep(beginning);
        self.applied(outcome)
    }

    // How a named document begins.

    /// Shows the initial values of a named document, at the keys that its changes have not touched.
    /// They are not in the log before [`Document::take_beginning`].
    ///
    /// # Errors
    /// [`EditError`]: the value is not one that a document can begin with.
    pub fn begin(&mut self, name: &str, generation: u64, initial: &Value) -> Result<Applied, EditError> {
        Genesis::check(initial)?;
        let is_unlogged = self.beginning.is_some() || self.history.doc.is_empty();
        if !is_unlogged && is_all_held(name, initial, &self.history) {
            return Ok(Applied::default());
        }
        let mut beginning = Beginning::new(name.into(), generation, initial)?;
        let mut rebuilt = false;
        if let Some(before) = &self.beginning {
            if before.initial() == beginning.initial() {
                return Ok(Applied::default());
            }
            let both = overlay(before.initial(), beginning.initial());
            beginning = Beginning::new(name.into(), generation, &both)?;
            self.history.remove(before.unlogged());
            rebuilt = true;
        }
        let outcome = beginning.apply(&mut self.history);
        self.keep(beginning);
        Ok(self.applied(Outcome { rebuilt: rebuilt || outcome.rebuilt, ..outcome }))
    }

    /// A document without any change has its name from its genesis, although that makes nothing.
    fn keep(&mut self, beginning: Beginning) {
        let is_needed = beginning.is_needed() || self.history.doc.is_empty();
        self.beginning = Some(beginning).filter(|_| is_needed);
    }

    /// Makes the initial values stay that the changes of this item follow. Whoever commits the item
    /// puts the genesis before it.
    pub fn hold_beginning(&mut self, item: &[u8]) {
        let Some(beginning) = &mut self.beginning else { return };
        for change in self.history.budget.of_commit(0).parse(item).changes {
            beginning.hold(change.deps());
        }
    }

    /// The beginning that is not in the log yet.
    pub fn beginning(&self) -> Option<&Beginning> {
        self.beginning.as_ref()
    }

    /// Takes the beginning, to put its genesis into the log: its initial values stay from now on.
    pub fn take_beginning(&mut self) -> Option<Beginning> {
        self.beginning.take()
    }

    /// Puts back what was taken: its genesis is not in the log after all.
    pub fn put_back_beginning(&mut self, beginning: Option<Beginning>) {
        self.beginning = beginning;
    }

    // Edits and files.

    /// Makes edits as one change; none where the edits changed nothing.
    ///
    /// # Errors
    /// [`EditError`]: the document is as it was.
    pub fn change(
        &mut self,
        ops: &[Op],
        message: Option<String>,
        seconds: i64,
    ) -> Result<Option<Change>, EditError> {
        let operations = ops.iter().map(edit::operations).sum();
        if !self.history.has_room(operations, 0) {
            return Err(EditError::TooLarge);
        }
        let mut transaction = self.history.doc.transaction();
        for op in ops {
            if let Err(error) = edit::edit(&mut transaction, op) {
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
        let change = self.history.doc.get_last_local_change().expect("it was just made");
        let has_room = self.history.has_room(change.len() as u64, change.raw_bytes().len() as u64);
        if !has_room || !self.history.made(&change) {
            self.forget_last();
            return Err(EditError::TooLarge);
        }
        Ok(Some(change))
    }

    /// Takes the last change made by [`Document::change`] back: it was not accepted.
    pub fn forget_last(&mut self) {
        if let Some(last) = self.history.doc.get_last_local_change() {
            self.remove(&IdSet::from([last.hash()]));
        }
    }

    /// Builds the document anew without these changes, and without what depends on them.
    fn remove(&mut self, hashes: &IdSet<ChangeHash>) -> Applied {
        let outcome = self.history.remove(hashes);
        self.applied(outcome)
    }

    fn applied(&self, mut outcome: Outcome) -> Applied {
        let patches = self.history.doc.make_patches(&mut outcome.log);
        Applied { patches: patches.into_iter().map(Patch::from).collect(), rebuilt: outcome.rebuilt }
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

    /// Whether these changes can be an item of a commit: they are not over the budget.
    pub fn allows(&self, item: &[u8]) -> bool {
        self.history.budget.of_commit(self.history.bytes).parse(item).refused.is_empty()
    }

    /// Whether a change is applied.
    pub fn contains(&self, hash: &ChangeHash) -> bool {
        self.history.is_applied(hash)
    }

    /// Changes held and not applied.
    pub fn quarantined(&self) -> Quarantined {
        let mut refused = self.refused;
        refused.add(self.commits.refused());
        let Refused { malformed, too_large } = refused;
        let waiting = self.commits.waiting();
        let counts = self.history.quarantine.counts();
        counts.and(Quarantined { waiting, malformed, too_large, lost: 0 })
    }

    /// How many changes were looked at so far to decide what to apply: what its changes have cost.
    pub fn examined(&self) -> u64 {
        self.history.examined
    }

    /// How many changes of others were made once more as transactions of their authors, and how many of these
    /// came out as another change.
    pub fn replayed(&self) -> (u64, u64) {
        (self.history.replayed, self.history.misplayed)
    }

    /// The hashes of the changes that no other depends on, in hexadecimal.
    pub fn heads(&self) -> Vec<String> {
        let mut heads: Vec<_> = self.history.doc.get_heads().iter().map(ToString::to_string).collect();
        heads.sort();
        heads
    }

    /// The whole value, see [`crate::document::value`].
    pub fn value(&self) -> Vec<u8> {
        encode_object(&self.history.doc, &ROOT, ObjType::Map)
    }

    /// A standard Automerge file.
    pub fn save(&self) -> Vec<u8> {
        self.history.doc.save()
    }

    /// Whether marks were made in any of its texts.
    pub fn has_marks(&self) -> bool {
        self.history.has_marks()
    }

    /// Whether this operation has inserted an item of that list or text, or set one.
    pub(super) fn is_item(&self, operation: &ObjId, list: &ObjId) -> bool {
        self.history.is_item(operation, list)
    }

    /// All texts there are or were.
    pub(super) fn texts(&self) -> impl Iterator<Item = ObjId> {
        self.history.texts()
    }

    /// For reading.
    pub fn automerge(&self) -> &Automerge {
        &self.history.doc
    }
}

fn actor(author: AuthorId) -> ActorId {
    ActorId::from(author.0.as_slice())
}
