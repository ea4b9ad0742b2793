//! The documents of a space: an index of those held, and those that are open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::base::id::{AuthorId, DocId};
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::kind::Kind;
use crate::document::budget::Budget;
use crate::document::document::{Applied, Document};
use crate::document::genesis::Genesis;
use crate::log::log::Log;
use crate::log::rows::Entry;
use crate::replica::event::{DocInfo, Event, ReplicaError};
use crate::replica::open::{Open, Phase};

#[derive(Clone, Default)]
pub(crate) struct Documents {
    pub(super) index: BTreeMap<DocId, Indexed>,
    pub(super) open: BTreeMap<DocId, Open>,
    /// Closed for the application, and kept until the log has all that was made in them.
    pub(super) closing: BTreeSet<DocId>,
    deleted: BTreeSet<DocId>,
    events: VecDeque<Event>,
}

/// A document that is held, without what is in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Indexed {
    name: Option<String>,
    bytes: u64,
    /// Log seqs of the commits that have items for it, in rising order.
    pub log_seqs: Vec<u64>,
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
        self.index.contains_key(doc)
    }

    pub fn is_known(&self, doc: &DocId) -> bool {
        self.is_held(doc) || self.open.contains_key(doc)
    }

    pub fn is_deleted(&self, doc: &DocId, log: &Log) -> bool {
        self.deleted.contains(doc) || log.is_deleted(doc)
    }

    /// All that is held, and named documents that are open and not in the log yet.
    pub fn list(&self) -> Vec<DocInfo> {
        let held = self.index.iter().map(|(id, doc)| {
            let commits = doc.log_seqs.len() as u64;
            (*id, DocInfo { id: *id, name: doc.name.clone(), bytes: doc.bytes, commits })
        });
        let mut infos: BTreeMap<_, _> = held.collect();
        for (id, open) in &self.open {
            if open.is_ready() {
                let name = open.document.beginning().map(|beginning| beginning.name().to_owned());
                infos.entry(*id).or_insert(DocInfo { id: *id, name, bytes: 0, commits: 0 });
            }
        }
        infos.into_values().collect()
    }

    /// Changes that are held and not applied, in all open documents.
    pub fn quarantined(&self) -> u64 {
        self.open.values().map(|open| open.document.quarantined() as u64).sum()
    }

    // What is open.

    pub fn document(&self, doc: DocId) -> Result<&Document, ReplicaError> {
        let open = self.open.get(&doc).filter(|open| open.is_ready() && !self.closing.contains(&doc));
        open.map(|open| &open.document).ok_or(ReplicaError::Closed)
    }

    pub(super) fn ready(&mut self, doc: DocId) -> Result<&mut Open, ReplicaError> {
        let is_closing = self.closing.contains(&doc);
        self.open.get_mut(&doc).filter(|open| open.is_ready() && !is_closing).ok_or(ReplicaError::Closed)
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

    /// The document is deleted.
    pub fn delete(&mut self, doc: DocId) {
        self.closing.remove(&doc);
        let was_known = self.index.remove(&doc).is_some() | self.open.remove(&doc).is_some();
        if self.deleted.insert(doc) && was_known {
            self.tell(Event::Deleted { doc });
        }
    }

    // What the log brings.

    /// The log is followed from its start again.
    pub fn log_restarts(&mut self) {
        self.index.clear();
    }

    /// Takes in commits in log order: documents that are open change, all are indexed. `is_ready`:
    /// the application is told of documents that were not known before.
    pub fn follow(&mut self, entries: &[Entry], log: &Log, is_ready: bool) {
        let mut changed: BTreeMap<DocId, Vec<&Commit>> = BTreeMap::new();
        let mut gone = BTreeSet::new();
        for entry in entries {
            for (item, bytes) in entry.commit.items() {
                let Some(doc) = item.doc else { continue };
                match item.known_kind() {
                    Some(Kind::Delete) => {
                        gone.insert(doc);
                    }
                    _ if gone.contains(&doc) || self.is_deleted(&doc, log) => {}
                    kind => {
                        let genesis = match (kind, bytes) {
                            (Some(Kind::Genesis), ItemBytes::Present(bytes)) => {
                                Genesis::decode(bytes).ok().filter(|g| g.doc() == doc)
                            }
                            _ => None,
                        };
                        // A commit with bytes that it lacked is indexed where it is first. While the
                        // document is being read that place may have been read without them.
                        let is_loading = self.open.get(&doc).is_some_and(|open| !open.is_ready());
                        let place = (!entry.again || is_loading).then_some(entry.at.seq);
                        let len = if entry.again { 0 } else { item.len };
                        let is_new = self.index_item(doc, place, len, genesis.as_ref());
                        if is_new && is_ready {
                            self.tell(Event::Held { doc });
                        }
                        if self.open.get(&doc).is_some_and(Open::is_ready) {
                            let commits = changed.entry(doc).or_default();
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
        for doc in gone {
            self.delete(doc);
        }
    }

    /// Takes note of an item, where that of a commit that comes for the first time is. Whether the
    /// document was not held before.
    fn index_item(
        &mut self,
        doc: DocId,
        log_seq: Option<u64>,
        bytes: u64,
        genesis: Option<&Genesis>,
    ) -> bool {
        let is_new = !self.index.contains_key(&doc);
        let indexed = self.index.entry(doc).or_default();
        if let Some(log_seq) = log_seq {
            indexed.bytes += bytes;
            if indexed.log_seqs.last() != Some(&log_seq) {
                indexed.log_seqs.push(log_seq);
            }
        }
        if let Some(genesis) = genesis {
            indexed.name = Some(genesis.name.clone());
        }
        is_new
    }

    fn apply<'a>(&mut self, doc: DocId, commits: impl IntoIterator<Item = &'a Commit>) {
        let Some(open) = self.open.get_mut(&doc).filter(|open| open.is_ready()) else { return };
        let applied = open.document.apply_commits(doc, commits);
        self.tell_applied(doc, applied);
    }

    /// Tells the application what is different in a document.
    pub(super) fn tell_applied(&mut self, doc: DocId, applied: Applied) {
        if self.closing.contains(&doc) {
            return;
        }
        if applied.rebuilt {
            self.tell(Event::Reset { doc });
        } else if !applied.patches.is_empty() {
            self.tell(Event::Patches { doc, patches: applied.patches });
        }
    }
}
