//! Which documents are deleted, and how far their bytes are gone from the rows.

use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::id::DocId;
use crate::base::id_map::IdMap;
use crate::commit::header::After;
use crate::log::keys::{SCRUB_KEY, doc_key};
use crate::storage::request::Corrupt;

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

/// All documents that are deleted.
#[derive(Clone, Debug, Default)]
pub struct Deleted {
    docs: IdMap<DocId, DeletedDoc>,
    /// The position of the last delete.
    last: u64,
    scrubbing: Scrubbing,
}

impl Deleted {
    /// Whether the document is deleted.
    pub fn contains(&self, doc: &DocId) -> bool {
        self.docs.contains_key(doc)
    }

    /// The delete of a document, if it is at or before this position.
    pub(super) fn delete_of(&self, doc: &DocId, by: u64) -> Option<After> {
        self.docs.get(doc).filter(|deleted| deleted.at <= by).map(|deleted| deleted.delete)
    }

    pub(super) fn load(&mut self, doc: DocId, value: &[u8]) -> Result<(), Corrupt> {
        let deleted: DeletedDoc = from_cbor(value)?;
        self.last = self.last.max(deleted.at);
        self.docs.insert(doc, deleted);
        Ok(())
    }

    /// The commit at that position deletes the document: what to write, if that is new.
    pub(super) fn insert(&mut self, doc: DocId, delete: After, at: u64) -> Option<(Vec<u8>, Vec<u8>)> {
        if self.contains(&doc) {
            return None;
        }
        let deleted = DeletedDoc { delete, at };
        self.last = at;
        self.docs.insert(doc, deleted);
        Some((doc_key(&doc), to_cbor(&deleted)))
    }

    /// Whether bytes of deleted documents may still be in the rows.
    pub fn has_unscrubbed(&self) -> bool {
        self.last > self.scrubbing.done
    }

    /// How far they are gone.
    pub fn scrubbing(&self) -> Scrubbing {
        self.scrubbing
    }

    /// They are gone so far: what to write.
    pub fn set_scrubbed(&mut self, scrubbing: Scrubbing) -> (Vec<u8>, Vec<u8>) {
        self.scrubbing = scrubbing;
        (SCRUB_KEY.to_vec(), to_cbor(&scrubbing))
    }

    /// They are gone so far, and no further than storage says.
    pub fn set_scrubbing(&mut self, scrubbing: Scrubbing) {
        self.scrubbing = scrubbing;
    }
}
