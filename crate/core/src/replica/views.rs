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
use crate::storage::request::{Entries, StorageRequest};

/// Of how they lie in storage, of the form of values, and of what Automerge and the budget make of changes: a view of
/// another number is none.
const VERSION: u32 = 1;

pub(super) const PAGES: u8 = b'v';
const LARGE: u8 = b'w';
const END: u8 = b'x';

/// Values of at most so many bytes are together with others.
pub(super) const SMALL_BYTES_MAX: usize = 1024;
/// Pages that are changed at once.
pub(super) const PAGES_MAX: usize = 64;
/// So many bytes wait to be written while more come.
pub(super) const FRESH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The value of a document.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct View {
    #[n(0)]
    pub id: DocId,
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
    pub fresh: IdMap<DocId, Option<View>>,
    pub fresh_bytes: usize,
    pub step: Option<Step>,
    /// It is time to write them: all values were read, or much has happened.
    pub is_due: bool,
    /// They could not be written: that is not tried again until something changes.
    pub is_stuck: bool,
}

/// What storage is to answer.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The pages of these first bytes.
    Read(Vec<u8>),
    /// That these are written.
    Write(Vec<(DocId, Option<View>)>),
}

impl Views {
    /// What is known of a document's view apart from storage.
    pub fn fresh_of(&self, doc: &DocId) -> Option<&View> {
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

    pub fn set(&mut self, doc: DocId, view: Option<View>) {
        self.is_stuck = false;
        self.fresh_bytes += view.as_ref().map_or(0, |view| view.value.len());
        if let Some(Some(before)) = self.fresh.insert(doc, view) {
            self.fresh_bytes -= before.value.len();
        }
    }

    /// What of a page is to be written.
    pub fn take_page(&mut self, first: u8) -> Vec<(DocId, Option<View>)> {
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

pub(super) fn large_key(doc: &DocId) -> Vec<u8> {
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

pub(super) fn encode(views: Vec<View>) -> Vec<u8> {
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
