//! A commit's header: who made it, where it stands, and the hashes of its items.
//!
//! A header has one encoding: deterministic CBOR, as this code writes it. Other bytes of the same
//! meaning are refused, so that a header's hash names what it says.

use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::hash::hash32;
use crate::base::id::{AuthorId, CommitId, DocId, ShortId};
use crate::base::limits::Limits;
use crate::commit::error::CommitError;
use crate::commit::kind::{KINDS_OF_SPACE, Kind};

/// The header format that this version writes.
pub const HEADER_FORMAT: u8 = 1;

/// What a commit says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Header {
    /// [`HEADER_FORMAT`] of the writer.
    #[n(0)]
    pub format: u8,
    /// Who made it.
    #[n(1)]
    pub author: AuthorId,
    /// Its number in the author's chain, from 1.
    #[n(2)]
    pub seq: u64,
    /// The commit before it in the chain. For the first commit the start of all chains of its space
    /// and partition, see [`chain_start`](crate::commit::descriptor::Descriptor::chain_start). It is
    /// found by its first 16 bytes, like what `after` names: the rest says nothing.
    #[n(3)]
    pub prev: CommitId,
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

/// A commit of another author, named by its place in that author's chain and enough of its id to
/// tell it from the other branches of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct After {
    /// Its author.
    #[n(0)]
    pub author: AuthorId,
    /// Its number in the author's chain.
    #[n(1)]
    pub seq: u64,
    /// The beginning of its id.
    #[n(2)]
    pub short: ShortId,
}

/// What a header says of one item.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ItemHeader {
    /// The document it belongs to. Absent for kinds from [`KINDS_OF_SPACE`] on.
    #[n(0)]
    pub doc: Option<DocId>,
    /// What its bytes are, see [`Kind`].
    #[n(1)]
    pub kind: u8,
    /// Length of its bytes.
    #[n(2)]
    pub len: u64,
    /// SHA-256 of its bytes. Absent where there are none.
    #[n(3)]
    pub hash: Option<ItemHash>,
}

/// SHA-256 of an item's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct ItemHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl ItemHeader {
    /// Of these bytes.
    pub fn new(doc: Option<DocId>, kind: u8, bytes: &[u8]) -> Self {
        let hash = (!bytes.is_empty()).then(|| ItemHash(hash32(&[bytes])));
        Self { doc, kind, len: bytes.len() as u64, hash }
    }

    /// The kind, if this version knows it.
    pub fn known_kind(&self) -> Option<Kind> {
        Kind::from_number(self.kind)
    }

    /// Whether these are its bytes.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        *self == Self::new(self.doc, self.kind, bytes)
    }
}

impl Header {
    /// Reads a header and checks all that can be checked of it alone.
    ///
    /// # Errors
    /// [`CommitError`]: the bytes are not a header, or one of a later format.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, CommitError> {
        if bytes.len() > limits.header_bytes_max {
            return Err(CommitError::TooLarge("header"));
        }
        let header: Self = from_cbor(bytes)?;
        if header.format > HEADER_FORMAT {
            return Err(CommitError::LaterFormat(header.format));
        }
        if header.encode() != bytes {
            return Err(CommitError::malformed("the header is not in its one encoding"));
        }
        header.check(limits)?;
        Ok(header)
    }

    /// Its one encoding.
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Whether it breaks no rule that every holder checks.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), CommitError> {
        if self.format != HEADER_FORMAT || self.seq == 0 {
            return Err(CommitError::malformed("there is no such format, or no such number"));
        }
        if self.items.len() > limits.items_max {
            return Err(CommitError::TooLarge("items"));
        }
        if self.after.len() > limits.after_max {
            return Err(CommitError::TooLarge("after"));
        }
        let is_foreign = |after: &After| after.author != self.author && after.seq > 0;
        if !self.after.iter().all(is_foreign) || !self.after.is_sorted_by(|a, b| a < b) {
            return Err(CommitError::malformed("the causes are not other authors' in ascending order"));
        }
        let mut bytes = 0u64;
        for item in &self.items {
            let is_empty = item.len == 0;
            if item.doc.is_some() != (item.kind < KINDS_OF_SPACE)
                || item.hash.is_none() != is_empty
                || (item.known_kind() == Some(Kind::Delete) && !is_empty)
            {
                return Err(CommitError::malformed("an item is not as its kind asks for"));
            }
            bytes = bytes.saturating_add(item.len);
        }
        if bytes > limits.commit_bytes_max as u64 {
            return Err(CommitError::TooLarge("items' bytes"));
        }
        Ok(())
    }

    /// What is in a log before it: the commit before it in its chain, and what `after` names.
    pub fn causes(&self) -> impl Iterator<Item = After> + '_ {
        let Self { author, seq, prev, .. } = self;
        let prev = (*seq > 1).then(|| After { author: *author, seq: seq - 1, short: prev.short() });
        prev.into_iter().chain(self.after.iter().copied())
    }

    /// The documents that it deletes.
    pub fn deletes(&self) -> impl Iterator<Item = DocId> + '_ {
        let deletes = self.items.iter().filter(|item| item.known_kind() == Some(Kind::Delete));
        deletes.filter_map(|item| item.doc)
    }
}
