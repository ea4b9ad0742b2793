//! The values of documents, kept in storage, so that a value costs no more than reading it: *views*.
//!
//! A view says how much of the log it is of. It is believed where nothing of its document comes after that, and only
//! where this process has followed the log as far; otherwise the document is built from its commits. Views are
//! written late and in no order. Who is behind, or finds something else than it reads, loses nothing but time.
//!
//! | key | value |
//! | --- | --- |
//! | `v` first-byte(1) | small views of the documents whose ids begin with that byte |
//! | `w` document(16) | a larger one |

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::id::DocId;
use crate::base::id_map::IdMap;
use crate::base::mutation::Mutation;
use crate::holder::notice::OwnerRequest;
use crate::replica::replica::Replica;
use crate::storage::request::{Entries, StorageAnswer, StorageRequest, WriteBatch};

/// Of how they lie in storage, of the form of values, and of what Automerge and the budget make of changes: a view of
/// another number is none.
const VERSION: u32 = 1;

const PAGES: u8 = b'v';
const LARGE: u8 = b'w';
const END: u8 = b'x';

/// Values of at most so many bytes are together with others.
const SMALL_BYTES_MAX: usize = 1024;
/// Pages that are changed at once.
const PAGES_MAX: usize = 64;
/// So many bytes wait to be written while more come.
const FRESH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The value of a document.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct View {
    #[n(0)]
    id: DocId,
    /// Of all that the log has of the document up to here.
    #[n(1)]
    pub at: u64,
    #[n(2)]
    pub value: ByteVec,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Stored {
    #[n(0)]
    version: u32,
    #[n(1)]
    views: Vec<View>,
}

/// What is to be written, and what is being read and written.
#[derive(Clone, Debug, Default)]
pub(super) struct Views {
    /// Not in storage yet; none: to be removed.
    fresh: IdMap<DocId, Option<View>>,
    fresh_bytes: usize,
    step: Option<Step>,
    /// It is time to write them: all values were read, or much has happened.
    pub is_due: bool,
    /// They could not be written: that is not tried again until something changes.
    pub is_stuck: bool,
}

/// What storage is to answer.
#[derive(Clone, Debug)]
enum Step {
    /// The pages of these first bytes.
    Read(Vec<u8>),
    /// That these are written.
    Write(Vec<(DocId, Option<View>)>),
}

impl Views {
    /// What is known of a document's view apart from storage.
    pub fn fresh(&self, doc: &DocId) -> Option<&View> {
        self.fresh.get(doc)?.as_ref()
    }

    /// Whether views of deleted documents are to be removed.
    pub fn has_removals(&self) -> bool {
        let mut is_removed = self.fresh.values().any(Option::is_none);
        if let Some(Step::Write(views)) = &self.step {
            is_removed |= views.iter().any(|(_, view)| view.is_none());
        }
        is_removed
    }

    /// Whether all are in storage that can be.
    pub fn are_written(&self) -> bool {
        self.step.is_none() && (self.fresh.is_empty() || self.is_stuck)
    }

    /// The document is deleted.
    pub fn remove(&mut self, doc: DocId) {
        self.set(doc, None);
    }

    fn set(&mut self, doc: DocId, view: Option<View>) {
        self.is_stuck = false;
        self.fresh_bytes += view.as_ref().map_or(0, |view| view.value.len());
        if let Some(Some(before)) = self.fresh.insert(doc, view) {
            self.fresh_bytes -= before.value.len();
        }
    }

    /// What of a page is to be written.
    fn take_page(&mut self, first: u8) -> Vec<(DocId, Option<View>)> {
        let docs: Vec<_> = self.fresh.range(first_of(first)..=last_of(first)).map(|(id, _)| *id).collect();
        let mut views = Vec::with_capacity(docs.len());
        for doc in docs {
            if let Some(view) = self.fresh.remove(&doc) {
                self.fresh_bytes -= view.as_ref().map_or(0, |view| view.value.len());
                views.push((doc, view));
            }
        }
        views
    }
}

fn first_of(first: u8) -> DocId {
    let mut id = [0; 16];
    id[0] = first;
    DocId(id)
}

fn last_of(first: u8) -> DocId {
    let mut id = [u8::MAX; 16];
    id[0] = first;
    DocId(id)
}

/// The keys of a document's view.
pub(super) fn keys_of(doc: &DocId) -> Vec<Vec<u8>> {
    vec![vec![PAGES, doc.0[0]], large_key(doc)]
}

fn large_key(doc: &DocId) -> Vec<u8> {
    [&[LARGE], doc.0.as_slice()].concat()
}

/// A scan for all views.
pub(super) fn scan(after: Option<&[u8]>, bytes_max: usize) -> StorageRequest {
    let from = after.map_or_else(|| vec![PAGES], |after| [after, &[0]].concat());
    StorageRequest::Scan { from, to: vec![END], bytes_max }
}

/// The views in a value of storage; none where it is not what this version writes.
pub(super) fn read(value: &[u8]) -> Vec<View> {
    match from_cbor::<Stored>(value) {
        Ok(Stored { version: VERSION, views }) => views,
        _ => Vec::new(),
    }
}

/// The newest view of a document in these values.
pub(super) fn find(doc: &DocId, values: &[Option<Vec<u8>>]) -> Option<View> {
    let views = values.iter().flatten().flat_map(|value| read(value));
    views.filter(|view| view.id == *doc).max_by_key(|view| view.at)
}

impl Replica {
    /// Whether a view is the value of its document.
    pub(super) fn is_current(&self, view: &View) -> bool {
        let is_followed = view.at <= self.follow.seq && !self.holder.disk_failed();
        if self.holder.limits().is_mutated(Mutation::BelieveViews) {
            return true;
        }
        is_followed && self.documents.index.get(&view.id).is_some_and(|doc| view.at >= doc.last)
    }

    /// Takes note of the value of an open document, where it is what the log in storage makes it.
    pub(super) fn note_view(&mut self, doc: DocId) {
        let at = self.follow.seq;
        let is_stored = !self.holder.disk_failed() && at <= self.holder.on_disk();
        let is_followed = self.follow.is_ready && at >= self.follow.indexed;
        let (Some(open), Some(indexed)) = (self.documents.open.get(&doc), self.documents.index.get(&doc))
        else {
            return;
        };
        let is_of_log = open.is_ready() && open.document.beginning().is_none() && !self.own.has_pending();
        let is_known = open.viewed_at.is_some_and(|viewed| viewed >= indexed.last);
        if !is_stored || !is_followed || !is_of_log || is_known {
            return;
        }
        let value = open.document.value();
        if let Some(open) = self.documents.open.get_mut(&doc) {
            open.viewed_at = Some(at);
        }
        // What is larger is built from its commits.
        if value.len() + 64 <= self.holder.limits().value_bytes_max {
            self.documents.views.set(doc, Some(View { id: doc, at, value: value.into() }));
        }
    }

    /// The same of all documents that are open.
    pub(super) fn note_views(&mut self) {
        for doc in self.documents.open.keys().copied().collect::<Vec<_>>() {
            self.note_view(doc);
        }
    }

    /// The same of those that are closed once the log has all that was made in them.
    pub(super) fn note_closing_views(&mut self) {
        for doc in self.documents.closing.iter().copied().collect::<Vec<_>>() {
            self.note_view(doc);
        }
    }

    /// Writes views where it is time to. `is_last`: there is no later time.
    pub(super) fn write_views(&mut self, is_last: bool) {
        let views = &self.documents.views;
        let is_busy = views.fresh.is_empty() || views.step.is_some() || views.is_stuck;
        let is_time =
            is_last || views.fresh_bytes >= FRESH_BYTES_MAX || views.is_due && !self.documents.is_reading();
        if is_busy || !is_time || self.holder.disk_failed() || !self.holder.is_open() {
            return;
        }
        let mut pages: Vec<u8> = views.fresh.keys().map(|doc| doc.0[0]).collect();
        pages.dedup();
        pages.truncate(PAGES_MAX);
        let get = StorageRequest::Get(pages.iter().map(|first| vec![PAGES, *first]).collect());
        self.documents.views.is_due |= is_last;
        self.documents.views.step = Some(Step::Read(pages));
        self.holder.ask_storage(OwnerRequest::ViewPages, get);
    }

    /// Storage has answered to the read or the write of pages.
    pub(super) fn view_pages_answered(&mut self, answer: StorageAnswer) {
        match (self.documents.views.step.take(), answer) {
            (Some(Step::Read(pages)), StorageAnswer::Values(values)) if !self.holder.disk_failed() => {
                self.write_view_pages(&pages, values);
            }
            (Some(Step::Read(_)), _) => self.documents.views.is_stuck = true,
            (Some(Step::Write(_)), StorageAnswer::Written) => {
                let views = &mut self.documents.views;
                views.is_due &= !views.fresh.is_empty();
            }
            (None, _) => {}
            (Some(Step::Write(views)), _) => {
                for (doc, view) in views {
                    if !self.documents.views.fresh.contains_key(&doc) {
                        self.documents.views.set(doc, view);
                    }
                }
                self.documents.views.is_stuck = true;
            }
        }
    }

    /// Only where the log in storage ends where this process knows it to: another one may have deleted documents.
    fn write_view_pages(&mut self, pages: &[u8], values: Vec<Option<Vec<u8>>>) {
        let mut batch = WriteBatch { guard: Some(self.holder.log().guard()), ..WriteBatch::default() };
        let mut written = Vec::new();
        for (first, before) in pages.iter().zip(values) {
            let changed = self.documents.views.take_page(*first);
            // Where nothing was written nothing is to be removed.
            if before.is_some() || changed.iter().any(|(_, view)| view.is_some()) {
                self.change_page(*first, before, &changed, &mut batch);
                written.extend(changed);
            }
        }
        if !batch.puts.is_empty() {
            self.documents.views.step = Some(Step::Write(written));
            self.holder.ask_storage(OwnerRequest::ViewPages, StorageRequest::Write(batch.into()));
        }
    }

    fn change_page(
        &self,
        first: u8,
        before: Option<Vec<u8>>,
        changed: &[(DocId, Option<View>)],
        batch: &mut WriteBatch,
    ) {
        let before = before.as_deref().map(read).unwrap_or_default();
        let mut page: IdMap<DocId, View> = before.into_iter().map(|view| (view.id, view)).collect();
        for (doc, view) in changed {
            if view.as_ref().is_some_and(|view| page.get(doc).is_some_and(|held| held.at > view.at)) {
                // Another process knows more.
                continue;
            }
            page.remove(doc);
            match view {
                Some(view) if view.value.len() > SMALL_BYTES_MAX => {
                    batch.puts.push((large_key(doc), encode(vec![view.clone()])));
                }
                Some(view) => {
                    page.insert(*doc, view.clone());
                    batch.deletes.push(large_key(doc));
                }
                None => batch.deletes.push(large_key(doc)),
            }
        }
        page.retain(|doc, _| self.documents.is_held(doc));
        let mut bytes = 64;
        let most = self.holder.limits().value_bytes_max;
        page.retain(|_, view| {
            bytes += view.value.len() + 32;
            bytes <= most
        });
        batch.puts.push((vec![PAGES, first], encode(page.into_values().collect())));
    }
}

fn encode(views: Vec<View>) -> Vec<u8> {
    to_cbor(&Stored { version: VERSION, views })
}

/// The newest of the views that a scan has given, by document.
pub(super) fn newest(entries: &Entries) -> IdMap<DocId, View> {
    let mut newest: IdMap<DocId, View> = IdMap::new();
    for view in entries.iter().flat_map(|(_, value)| read(value)) {
        if newest.get(&view.id).is_none_or(|other| other.at < view.at) {
            newest.insert(view.id, view);
        }
    }
    newest
}
