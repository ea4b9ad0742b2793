//! The documents of a space: an index of those held, and those that are open.

use std::collections::VecDeque;

use crate::base::id::{AuthorId, DocId};
use crate::base::id_map::{IdMap, IdSet};
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::kind::Kind;
use crate::document::budget::Budget;
use crate::document::document::{Applied, Document};
use crate::document::genesis::Genesis;
use crate::document::quarantine::Quarantined;
use crate::log::log::Log;
use crate::log::rows::Entry;
use crate::replica::event::{DocInfo, Event, ReplicaError};
use crate::replica::indexed::{Indexed, Pages, encode_page};
use crate::replica::open::{Open, Phase};
use crate::replica::views::Views;
use crate::replica::waits::{Wait, WaitId};
use crate::storage::request::Entries;

#[derive(Clone, Default)]
pub(crate) struct Documents {
    /// What the log holds, as far as it was followed, and nothing else: a delete of this process's counts here once the
    /// log has it.
    pub(super) index: IdMap<DocId, Indexed>,
    /// Pages of the index that storage has as they were before.
    pub(super) changed: Pages,
    pub(super) open: IdMap<DocId, Open>,
    /// Closed for the application, and kept until the log has all that was made in them.
    pub(super) closing: IdSet<DocId>,
    /// Deletes of them were followed.
    deleted: IdSet<DocId>,
    /// This process has deleted them, and the delete is not in the log that was followed.
    leaving: IdSet<DocId>,
    pub(super) views: Views,
    /// Values that are asked for, and those of which the view is being read.
    pub(super) peeks: IdMap<DocId, Vec<WaitId>>,
    pub(super) peeking: IdMap<DocId, Vec<WaitId>>,
    /// Who waits for all values, and what has been read of them.
    pub(super) bulk: Option<(Vec<WaitId>, Entries)>,
    /// Whether the application wants to hear what changes in documents that are not open.
    pub(super) is_watched: bool,
    /// Documents that only somebody's interest in their values keeps, the oldest first.
    pub(super) kept: VecDeque<DocId>,
    /// They have been built from their commits just now.
    pub(super) built: Vec<DocId>,
    /// Asked for by name, and to be looked for again.
    pub(super) named_again: Vec<(WaitId, Wait)>,
    events: VecDeque<Event>,
}

impl Documents {
    /// The next event for the application, until there is none.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    // What is held.

    pub fn is_held(&self, doc: &DocId) -> bool {
        self.held(doc).is_some()
    }

    /// What is known of a document that is held.
    pub(super) fn held(&self, doc: &DocId) -> Option<&Indexed> {
        self.index.get(doc).filter(|_| !self.leaving.contains(doc))
    }

    /// All that is held.
    pub(super) fn all_held(&self) -> impl Iterator<Item = (&DocId, &Indexed)> {
        self.index.iter().filter(|(doc, _)| !self.leaving.contains(doc))
    }

    /// Whether it is known to have a name, or was made here under one.
    pub fn is_named(&self, doc: &DocId) -> bool {
        self.held(doc).is_some_and(|indexed| indexed.name.is_some())
    }

    pub fn is_known(&self, doc: &DocId) -> bool {
        self.is_held(doc) || self.open.contains_key(doc)
    }

    pub fn is_deleted(&self, doc: &DocId, log: &Log) -> bool {
        self.deleted.contains(doc) || self.leaving.contains(doc) || log.is_deleted(doc)
    }

    /// All that is held, and named documents that are open and not in the log yet.
    pub fn list(&self) -> Vec<DocInfo> {
        let held = self.all_held().map(|(id, doc)| {
            let Indexed { name, bytes, commits, .. } = doc;
            (*id, DocInfo { id: *id, name: name.clone(), bytes: *bytes, commits: *commits })
        });
        let mut infos: IdMap<_, _> = held.collect();
        for (id, open) in &self.open {
            if open.is_usable() {
                let name = open.document.beginning().map(|beginning| beginning.name().to_owned());
                infos.get_or_insert_with(*id, || DocInfo { id: *id, name, bytes: 0, commits: 0 });
            }
        }
        infos.into_values().collect()
    }

    /// Changes that are held and not applied, in all open documents, and why.
    pub fn quarantined(&self) -> Quarantined {
        let all = self.open.values().filter(|open| open.is_shown).map(|open| open.document.quarantined());
        all.fold(Quarantined::default(), Quarantined::and)
    }

    // What is open.

    pub fn document(&self, doc: DocId) -> Result<&Document, ReplicaError> {
        let open = self.open.get(&doc).filter(|open| open.is_usable() && !self.closing.contains(&doc));
        open.map(|open| &open.document).ok_or(ReplicaError::Closed)
    }

    pub(super) fn ready(&mut self, doc: DocId) -> Result<&mut Open, ReplicaError> {
        let is_closing = self.closing.contains(&doc);
        self.open.get_mut(&doc).filter(|open| open.is_usable() && !is_closing).ok_or(ReplicaError::Closed)
    }

    /// Opens a document that begins empty.
    pub fn add_new(&mut self, doc: DocId, author: AuthorId, budget: Budget) {
        let document = Document::new(author, budget);
        self.open.insert(doc, Open::new(document, Phase::Ready));
    }

    pub fn remove_new(&mut self, doc: DocId) {
        self.open.remove(&doc);
    }

    /// Lets go of a document. Until the log has all that was made in it, the document knows more than
    /// storage, and is kept.
    pub fn close(&mut self, doc: DocId, has_pending: bool) {
        if has_pending {
            self.closing.insert(doc);
        } else {
            self.open.remove(&doc);
        }
    }

    /// The log has all that was made in the documents that are open.
    pub fn all_logged(&mut self) {
        for doc in core::mem::take(&mut self.closing) {
            self.open.remove(&doc);
        }
    }

    pub fn set_author(&mut self, author: AuthorId) {
        for open in self.open.values_mut() {
            open.document.set_author(author);
        }
    }

    /// This process has deleted the document.
    pub fn delete(&mut self, doc: DocId) {
        let was_held = self.is_held(&doc);
        if !self.deleted.contains(&doc) {
            self.leaving.insert(doc);
        }
        self.is_deleted_now(doc, was_held);
    }

    /// The delete of a document was followed.
    fn delete_followed(&mut self, doc: DocId) {
        let was_held = self.is_held(&doc);
        self.leaving.remove(&doc);
        self.deleted.insert(doc);
        self.index.remove(&doc);
        self.changed.add(&doc);
        self.views.remove(doc);
        self.is_deleted_now(doc, was_held);
    }

    fn is_deleted_now(&mut self, doc: DocId, was_held: bool) {
        self.closing.remove(&doc);
        let open = self.open.remove(&doc);
        if was_held || open.is_some() {
            self.tell(Event::Deleted { doc });
        }
        if let Some(open) = open {
            self.closed_by_delete(doc, open);
        }
    }

    // What the log brings.

    /// What is held of the log up to some position.
    pub fn begin_with(&mut self, documents: Vec<(DocId, Indexed)>) {
        self.index = documents.into_iter().collect();
    }

    /// A page of the index.
    pub fn page(&self, first: u8) -> Vec<u8> {
        let mut from = [0; 16];
        from[0] = first;
        let mut to = [u8::MAX; 16];
        to[0] = first;
        encode_page(self.index.range(DocId(from)..=DocId(to)))
    }

    /// The log is followed from its start again.
    pub fn log_restarts(&mut self) {
        self.index.clear();
        self.leaving.extend(core::mem::take(&mut self.deleted).iter().copied());
    }

    /// Takes in commits in log order: documents that are open change, all are indexed. `is_ready`:
    /// the application is told of documents that were not known before.
    pub fn follow(&mut self, entries: &[Entry], log: &Log, is_ready: bool) {
        let mut changed: IdMap<DocId, Vec<&Commit>> = IdMap::new();
        let (mut gone, mut touched) = (IdSet::new(), IdSet::new());
        for entry in entries {
            for (item, bytes) in entry.commit.items() {
                let Some(doc) = item.doc else { continue };
                match item.known_kind() {
                    Some(Kind::Delete) => {
                        gone.insert(doc);
                    }
                    _ if gone.contains(&doc) || self.is_deleted_at(&doc, entry, log) => {}
                    kind => {
                        let name = kind.and_then(|kind| name_of(doc, kind, bytes));
                        // A commit with bytes that it lacked is indexed where it is first.
                        let is_new = self.index_item(doc, entry, item.len, name);
                        if self.leaving.contains(&doc) {
                            continue;
                        }
                        if is_new && is_ready && !log.is_deleted(&doc) {
                            self.tell(Event::Held { doc });
                        }
                        let is_told = self.open.get(&doc).is_some_and(Open::is_usable);
                        if self.is_watched && (!is_told || self.closing.contains(&doc)) {
                            touched.insert(doc);
                        }
                        // A document that is being read has perhaps read past a commit that comes again.
                        if self.open.get(&doc).is_some_and(|open| open.is_ready() || entry.again) {
                            let commits = changed.get_or_default(doc);
                            if commits.last().is_none_or(|last| last.id() != entry.commit.id()) {
                                commits.push(&entry.commit);
                            }
                        }
                    }
                }
            }
        }
        for (doc, commits) in changed {
            self.apply(doc, commits);
        }
        for doc in touched.iter().filter(|doc| !gone.contains(doc)) {
            self.tell(Event::Changed { doc: *doc });
        }
        for doc in gone {
            self.delete_followed(doc);
        }
    }

    /// Whether the delete of a document is in the log before this entry.
    fn is_deleted_at(&self, doc: &DocId, entry: &Entry, log: &Log) -> bool {
        self.deleted.contains(doc) || log.is_deleted_by(doc, entry.at.seq)
    }

    /// Takes note of an item of an entry. Whether the document was not held before.
    fn index_item(&mut self, doc: DocId, entry: &Entry, bytes: u64, name: Option<String>) -> bool {
        let is_new = !self.index.contains_key(&doc);
        self.changed.add(&doc);
        let indexed = self.index.get_or_default(doc);
        if entry.again {
            indexed.again(entry.at.seq);
        } else {
            indexed.add(entry.at.seq, bytes);
        }
        if name.is_some() {
            indexed.name = name;
        }
        is_new
    }

    fn apply<'a>(&mut self, doc: DocId, commits: impl IntoIterator<Item = &'a Commit>) {
        let Some(open) = self.open.get_mut(&doc) else { return };
        let applied = open.document.apply_commits(doc, commits);
        // Who waits for a document that is being read is told its whole value.
        if open.is_ready() {
            self.tell_applied(doc, applied);
        }
    }

    /// Tells the application what is different in a document.
    pub(super) fn tell_applied(&mut self, doc: DocId, applied: Applied) {
        if self.closing.contains(&doc) || self.open.get(&doc).is_none_or(|open| !open.is_shown) {
            return;
        }
        if applied.rebuilt {
            self.tell(Event::Reset { doc });
        } else if !applied.patches.is_empty() {
            self.tell(Event::Patches { doc, patches: applied.patches });
        }
    }
}

/// The name that an item gives to a document: a genesis of it.
fn name_of(doc: DocId, kind: Kind, bytes: &ItemBytes) -> Option<String> {
    let (Kind::Genesis, ItemBytes::Present(bytes)) = (kind, bytes) else { return None };
    Genesis::decode(bytes).ok().filter(|genesis| genesis.doc() == doc).map(|genesis| genesis.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use automerge::ScalarValue;

    use super::*;
    use crate::base::id::{CommitId, LogId};
    use crate::base::limits::Limits;
    use crate::base::position::{Marker, Position};
    use crate::document::value::Value;
    use crate::log::log::Keeping;
    use crate::replica::indexed::decode_page;

    const OTHER: AuthorId = AuthorId([2; 16]);

    fn entry(seq: u64, items: Vec<(DocId, Kind, Vec<u8>)>) -> Entry {
        let place = (OTHER, seq, CommitId([7; 32]));
        let commit = Commit::new(place, Vec::new(), 0, items, &Limits::PROTOCOL).unwrap();
        Entry { commit, own: false, at: Position { seq, ..Position::START }, again: true }
    }

    fn log() -> Log {
        let marker = Marker::new(LogId([1; 16]), [0; 32], 0);
        Log::new(marker, None, Keeping::Uncovered, Arc::new(Limits::PROTOCOL))
    }

    /// With a document that is held, and open in that phase.
    fn documents(doc: DocId, phase: Phase) -> Documents {
        let mut documents = Documents::default();
        documents.index.get_or_default(doc).add(1, 0);
        let document = Document::new(AuthorId([1; 16]), Budget::default());
        documents.open.insert(doc, Open::new(document, phase));
        documents
    }

    #[test]
    fn what_is_filled_while_a_document_is_read_is_in_it_and_gives_it_its_name() {
        let title = Value::Scalar(ScalarValue::Str("untitled".into()));
        let value = Value::Map(BTreeMap::from([("title".to_owned(), title)]));
        let genesis = Genesis { name: "board".into(), generation: 0, value };
        let doc = genesis.doc();
        // It has read past the commit, when that had no bytes.
        let phase = Phase::Loading {
            next: 2,
            waits: Vec::new(),
            named_waits: Vec::new(),
            peeks: Vec::new(),
            named: None,
        };
        let mut documents = documents(doc, phase);
        let filled = entry(1, vec![(doc, Kind::Genesis, genesis.encode())]);
        documents.follow(std::slice::from_ref(&filled), &log(), true);
        documents.follow(std::slice::from_ref(&filled), &log(), true);
        assert!(documents.poll_event().is_none(), "nobody has its value yet");
        assert_eq!(documents.list()[0].name.as_deref(), Some("board"));
        assert_eq!(documents.list()[0].commits, 1);
        documents.open.get_mut(&doc).unwrap().phase = Phase::Ready;
        assert!(!documents.document(doc).unwrap().heads().is_empty());
    }

    /// What storage would have of the document in a checkpoint: how many commits, and up to which position.
    fn in_checkpoint(documents: &Documents, doc: DocId) -> Option<(u64, u64)> {
        let page = decode_page(&documents.page(doc.0[0])).expect("it was just made");
        page.iter().find(|(id, _)| *id == doc).map(|(_, indexed)| (indexed.commits, indexed.last))
    }

    /// It was lost with the process, and who began with the checkpoint of that process lacked the changes that
    /// came before it (seed 610994).
    #[test]
    fn a_delete_that_is_not_in_the_log_yet_takes_nothing_out_of_a_checkpoint() {
        let doc = DocId([3; 16]);
        let mut documents = documents(doc, Phase::Ready);
        documents.delete(doc);
        assert!(!documents.is_held(&doc) && documents.list().is_empty());
        assert_eq!(in_checkpoint(&documents, doc), Some((1, 1)));
        let follow = |documents: &mut Documents, seq, kind| {
            let bytes = if kind == Kind::Delete { Vec::new() } else { vec![1] };
            let entry = Entry { again: false, ..entry(seq, vec![(doc, kind, bytes)]) };
            documents.follow(&[entry], &log(), true);
        };
        follow(&mut documents, 2, Kind::Change);
        assert!(!documents.is_held(&doc) && documents.list().is_empty());
        assert_eq!(in_checkpoint(&documents, doc), Some((2, 2)));
        follow(&mut documents, 3, Kind::Delete);
        assert_eq!(in_checkpoint(&documents, doc), None);
        follow(&mut documents, 4, Kind::Change);
        assert_eq!(in_checkpoint(&documents, doc), None);
        let told: Vec<_> = core::iter::from_fn(|| documents.poll_event()).collect();
        assert!(matches!(told[..], [Event::Deleted { .. }]), "{told:?}");
    }

    /// The same of a delete that a link has brought and that is being written.
    #[test]
    fn a_checkpoint_is_of_what_was_followed_although_the_log_ends_later() {
        let doc = DocId([3; 16]);
        let (mut documents, mut log) = (Documents::default(), log());
        for (seq, kind, bytes) in
            [(1, Kind::Change, vec![1]), (2, Kind::Delete, Vec::new()), (3, Kind::Change, vec![1])]
        {
            let place = (OTHER, seq, CommitId([7; 32]));
            let commit =
                Commit::new(place, Vec::new(), 0, vec![(doc, kind, bytes)], &Limits::PROTOCOL).unwrap();
            log.stage(commit, false, None);
        }
        let entries = log.take_staged().expect("three commits").entries;
        documents.follow(&entries[..1], &log, true);
        assert_eq!(in_checkpoint(&documents, doc), Some((1, 1)));
        documents.follow(&entries[1..2], &log, true);
        documents.deleted.clear();
        documents.follow(&entries[2..], &log, true);
        assert_eq!(in_checkpoint(&documents, doc), None, "the log knows where it was deleted");
    }

    #[test]
    fn what_others_have_written_and_can_not_be_applied_is_an_error_of_the_status() {
        let doc = DocId([3; 16]);
        let mut documents = documents(doc, Phase::Ready);
        assert_eq!(documents.quarantined().error(), None);
        documents.follow(&[entry(1, vec![(doc, Kind::Import, b"garbage".to_vec())])], &log(), true);
        let text = "1 change of others is not applied: this version can't read them";
        assert_eq!(documents.quarantined().error(), Some(("invalid", text.to_owned())));
        // It is counted once, however often it comes.
        documents.follow(&[entry(1, vec![(doc, Kind::Import, b"garbage".to_vec())])], &log(), true);
        assert_eq!(documents.quarantined().count(), 1);
    }
}
