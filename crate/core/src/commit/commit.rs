//! The commit: the atomic unit of change, one author's changes to one or more documents.
//!
//! A commit is a header and items. Its id is the header's hash, and the header holds the hash of
//! each item's bytes, so the header can be checked, chained and ordered while bytes are absent.
//! Nothing here opens the bytes.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::base::cbor::to_cbor;
use crate::base::cbor::{CborError, from_cbor};
use crate::base::hash::hash32;
use crate::base::id::{AuthorId, CommitId, DocId, ShortId};
use crate::base::limits;

/// The header format written by this version.
pub const HEADER_VERSION: u8 = 1;

/// What a commit says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Header {
    /// [`HEADER_VERSION`] of the writer.
    #[n(0)]
    pub version: u8,
    /// Who made it.
    #[n(1)]
    pub author: AuthorId,
    /// Its number in the author's chain, from 1.
    #[n(2)]
    pub seq: u64,
    /// The commit before it in the chain; none for the first.
    #[n(3)]
    pub prev: Option<CommitId>,
    /// The tips of the author's log, other authors' only, that no other held commit came after.
    #[n(4)]
    pub after: Vec<After>,
    /// The author's wall clock in milliseconds since 1970: a hint, never trusted for order.
    #[n(5)]
    pub time: u64,
    /// What it changes.
    #[n(6)]
    pub items: Vec<ItemHeader>,
}

/// A cause: another author's commit that the author had in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct After {
    /// The other author.
    #[n(0)]
    pub author: AuthorId,
    /// The number of its commit.
    #[n(1)]
    pub seq: u64,
    /// Which of that number, should the author be forked.
    #[n(2)]
    pub short: ShortId,
}

/// What a commit says of one of its items.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ItemHeader {
    /// The document it belongs to.
    #[n(0)]
    pub doc: DocId,
    /// What its bytes are, see [`Kind`]. Kinds that this version does not know are kept and sent on.
    #[n(1)]
    pub kind: u8,
    /// Length of its bytes.
    #[n(2)]
    pub len: u64,
    /// SHA-256 of its bytes.
    #[n(3)]
    pub hash: ItemHash,
}

/// SHA-256 of an item's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct ItemHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// The kinds of items known to this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One Automerge change whose actor is the commit's author.
    Change,
    /// Automerge changes of other actors, one chunk after the other.
    Import,
    /// The deterministic beginning of a named document, see [`crate::genesis`].
    Genesis,
    /// The document is deleted, for good. No bytes.
    Delete,
}

impl Kind {
    /// The number in [`ItemHeader::kind`].
    pub fn number(self) -> u8 {
        match self {
            Kind::Change => 1,
            Kind::Import => 2,
            Kind::Genesis => 3,
            Kind::Delete => 4,
        }
    }
}

impl ItemHeader {
    /// The kind, if this version knows it.
    pub fn known_kind(&self) -> Option<Kind> {
        [Kind::Change, Kind::Import, Kind::Genesis, Kind::Delete]
            .into_iter()
            .find(|kind| kind.number() == self.kind)
    }
}

/// An item's bytes, or why they are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemBytes {
    /// They are here.
    Present(Vec<u8>),
    /// Its document is deleted.
    Deleted,
}

/// A header, its id and the items: checked, so that what is held is what was hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    id: CommitId,
    header: Header,
    header_bytes: Vec<u8>,
    items: Vec<ItemBytes>,
}

/// Why bytes are not a commit. The sender's fault, always.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Not the encoding of a commit.
    #[error("malformed commit: {0}")]
    Malformed(String),
    /// Over one of [`crate::limits`].
    #[error("commit over the limit: {0}")]
    TooLarge(&'static str),
    /// An item's bytes are not those the header names.
    #[error("item bytes do not match their hash")]
    ItemMismatch,
}

impl From<CborError> for CommitError {
    fn from(error: CborError) -> Self {
        Self::Malformed(error.0)
    }
}

/// A commit as it travels and is stored.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Record {
    #[n(0)]
    header: ByteVec,
    /// Bytes, or `None` where the document is deleted.
    #[n(1)]
    items: Vec<Option<ByteVec>>,
}

impl Commit {
    /// A new commit of these items.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`] where it would break a limit that every holder checks.
    pub fn new(
        author: AuthorId,
        prev: Option<(u64, CommitId)>,
        after: Vec<After>,
        time: u64,
        items: Vec<(DocId, Kind, Vec<u8>)>,
    ) -> Result<Self, CommitError> {
        let header = Header {
            version: HEADER_VERSION,
            author,
            seq: prev.map_or(1, |(seq, _)| seq + 1),
            prev: prev.map(|(_, id)| id),
            after,
            time,
            items: items
                .iter()
                .map(|(doc, kind, bytes)| ItemHeader {
                    doc: *doc,
                    kind: kind.number(),
                    len: bytes.len() as u64,
                    hash: ItemHash(hash32(&[bytes])),
                })
                .collect(),
        };
        let header_bytes = to_cbor(&header);
        let items = items.into_iter().map(|(_, _, bytes)| ItemBytes::Present(bytes)).collect();
        Self::check(header_bytes, header, items)
    }

    /// Reads a record and checks all that can be checked of it alone.
    ///
    /// # Errors
    /// [`CommitError`]: the bytes are not a commit.
    pub fn decode(record: &[u8]) -> Result<Self, CommitError> {
        if record.len() > limits::COMMIT_BYTES_MAX + limits::HEADER_BYTES_MAX {
            return Err(CommitError::TooLarge("record"));
        }
        let record: Record = from_cbor(record)?;
        if record.header.len() > limits::HEADER_BYTES_MAX {
            return Err(CommitError::TooLarge("header"));
        }
        let header: Header = from_cbor(&record.header)?;
        let items = record
            .items
            .into_iter()
            .map(|item| item.map_or(ItemBytes::Deleted, |bytes| ItemBytes::Present(bytes.into())))
            .collect();
        Self::check(record.header.into(), header, items)
    }

    fn check(header_bytes: Vec<u8>, header: Header, items: Vec<ItemBytes>) -> Result<Self, CommitError> {
        let malformed = |what: &str| Err(CommitError::Malformed(what.into()));
        if header_bytes.len() > limits::HEADER_BYTES_MAX {
            return Err(CommitError::TooLarge("header"));
        }
        if header.items.len() > limits::ITEMS_MAX {
            return Err(CommitError::TooLarge("items"));
        }
        if header.after.len() > limits::AFTER_MAX {
            return Err(CommitError::TooLarge("after"));
        }
        if header.seq == 0 || header.prev.is_some() != (header.seq > 1) {
            return malformed("number and predecessor do not fit");
        }
        if header.after.iter().any(|after| after.author == header.author || after.seq == 0)
            || !header.after.is_sorted_by(|a, b| a < b)
        {
            return malformed("causes are not in order");
        }
        if header.items.len() != items.len() {
            return malformed("another number of items");
        }
        let mut total = 0u64;
        for (item, bytes) in header.items.iter().zip(&items) {
            total = total.saturating_add(item.len);
            if let ItemBytes::Present(bytes) = bytes
                && (bytes.len() as u64 != item.len || hash32(&[bytes]) != item.hash.0)
            {
                return Err(CommitError::ItemMismatch);
            }
        }
        if total > limits::COMMIT_BYTES_MAX as u64 {
            return Err(CommitError::TooLarge("items' bytes"));
        }
        let id = CommitId(hash32(&[&header_bytes]));
        Ok(Self { id, header, header_bytes, items })
    }

    /// The hash of its header.
    pub fn id(&self) -> CommitId {
        self.id
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its items, each with its bytes.
    pub fn items(&self) -> impl Iterator<Item = (&ItemHeader, &ItemBytes)> {
        self.header.items.iter().zip(&self.items)
    }

    /// The documents that it deletes.
    pub fn deletes(&self) -> impl Iterator<Item = DocId> + '_ {
        self.header.items.iter().filter(|item| item.known_kind() == Some(Kind::Delete)).map(|item| item.doc)
    }

    /// Drops the bytes of items whose document is deleted; whether there were any.
    pub fn drop_deleted(&mut self, is_deleted: impl Fn(&DocId) -> bool) -> bool {
        let mut dropped = false;
        for (item, bytes) in self.header.items.iter().zip(&mut self.items) {
            let is_chunk = item.known_kind() != Some(Kind::Delete);
            if is_chunk && *bytes != ItemBytes::Deleted && is_deleted(&item.doc) {
                *bytes = ItemBytes::Deleted;
                dropped = true;
            }
        }
        dropped
    }

    /// As it travels and is stored.
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(&Record {
            header: self.header_bytes.clone().into(),
            items: self
                .items
                .iter()
                .map(|bytes| match bytes {
                    ItemBytes::Present(bytes) => Some(bytes.clone().into()),
                    ItemBytes::Deleted => None,
                })
                .collect(),
        })
    }

    /// About how many bytes [`Commit::encode`] gives.
    pub fn size(&self) -> usize {
        let items: usize = self
            .items
            .iter()
            .map(|bytes| match bytes {
                ItemBytes::Present(bytes) => bytes.len() + 8,
                ItemBytes::Deleted => 1,
            })
            .sum();
        self.header_bytes.len() + items + 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit() -> Commit {
        Commit::new(
            AuthorId([1; 16]),
            None,
            vec![After { author: AuthorId([2; 16]), seq: 3, short: ShortId([4; 16]) }],
            5,
            vec![(DocId([6; 16]), Kind::Change, vec![7; 100])],
        )
        .unwrap()
    }

    #[test]
    fn a_commit_reads_back_as_it_was_written() {
        let commit = commit();
        assert_eq!(Commit::decode(&commit.encode()), Ok(commit));
    }

    #[test]
    fn a_changed_byte_is_noticed_or_makes_another_commit() {
        let commit = commit();
        let bytes = commit.encode();
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1;
            if let Ok(other) = Commit::decode(&changed) {
                assert_ne!(other.id(), commit.id(), "byte {i}");
            }
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = commit().encode();
        for len in 0..bytes.len() {
            assert!(Commit::decode(&bytes[..len]).is_err(), "length {len}");
        }
    }

    #[test]
    fn a_commit_without_its_deleted_bytes_keeps_its_id() {
        let mut commit = commit();
        let id = commit.id();
        assert!(commit.drop_deleted(|_| true));
        let back = Commit::decode(&commit.encode()).unwrap();
        assert_eq!(back.id(), id);
        assert_eq!(back.items().next().unwrap().1, &ItemBytes::Deleted);
    }

    #[test]
    fn more_items_than_the_limit_are_refused() {
        let items = vec![(DocId([0; 16]), Kind::Delete, vec![]); limits::ITEMS_MAX + 1];
        assert_eq!(
            Commit::new(AuthorId([1; 16]), None, vec![], 0, items),
            Err(CommitError::TooLarge("items"))
        );
    }
}
