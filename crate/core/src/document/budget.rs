//! What foreign bytes may cost, and how the changes of an item are read.

use std::io::Read;

use automerge::Change;

use crate::base::leb128::{Reader, write_number};
use crate::base::limits::Limits;
use crate::base::mutation::Mutation;
use crate::document::checked::operations::{ChangeParts, Unfit};

/// What foreign bytes may cost before they are applied. What one commit holds of a document is taken
/// whole or not at all, so that all replicas decide alike. Own edits are held to the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of the changes of a commit once they are inflated.
    pub commit_bytes: u64,
    /// Operations in the changes of a commit, and values that a change replaces. Automerge takes some
    /// 500 bytes for each while it applies them, and some 7 µs.
    pub commit_operations: usize,
    /// Changes that a change depends on.
    pub dependencies: usize,
    /// Bytes of all changes of a document that are held, applied or not.
    pub document_bytes: u64,
    /// Operations applied in a document.
    pub document_operations: u64,
    /// Changes of a document that nothing follows. At most as many as the dependencies of a change, or
    /// nobody could write a change that follows all of them.
    pub heads: usize,
    /// The deliberate fault of this run.
    #[cfg(feature = "mutations")]
    pub mutation: Option<Mutation>,
}

/// What a commit may still hold.
pub(super) struct Allowance {
    pub bytes: u64,
    pub operations: usize,
}

/// How many changes were not taken, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// They are no changes, or such as no Automerge writes.
    pub malformed: u64,
    /// They are over the budget.
    pub too_large: u64,
}

/// What an item holds.
#[derive(Default)]
pub(super) struct Parsed {
    pub changes: Vec<Change>,
    pub refused: Refused,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            commit_bytes: 32 * 1024 * 1024,
            commit_operations: 1_000_000,
            dependencies: 4096,
            document_bytes: 512 * 1024 * 1024,
            document_operations: 16_000_000,
            heads: 2048,
            #[cfg(feature = "mutations")]
            mutation: None,
        }
    }
}

impl Budget {
    /// That of all replicas, with the deliberate fault of the run that these limits are of.
    pub(crate) fn of_run(limits: &Limits) -> Self {
        let _ = limits;
        Self {
            #[cfg(feature = "mutations")]
            mutation: limits.mutation,
            ..Self::default()
        }
    }

    /// Whether this is the deliberate fault of this run. Without the feature `mutations` there is none.
    #[cfg(feature = "mutations")]
    pub(super) fn is_mutated(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Whether this is the deliberate fault of this run. Without the feature `mutations` there is none.
    #[cfg(not(feature = "mutations"))]
    #[allow(clippy::unused_self)]
    pub(super) const fn is_mutated(&self, _: Mutation) -> bool {
        false
    }

    /// What a commit may hold of a document that has so many bytes already.
    pub(super) fn of_commit(&self, held: u64) -> Allowance {
        let bytes = self.commit_bytes.min(self.document_bytes.saturating_sub(held));
        Allowance { bytes, operations: self.commit_operations }
    }
}

impl Allowance {
    /// Reads the changes of an item, and stops where they cost more than is left.
    pub fn parse(&mut self, item: &[u8]) -> Parsed {
        let chunks = split(item);
        let mut parsed = Parsed::default();
        for chunk in &chunks {
            match self.read(chunk) {
                Ok(change) => parsed.changes.push(change),
                Err(Unfit::Malformed) => parsed.refused.malformed += 1,
                Err(Unfit::TooMany) => {
                    let too_large = chunks.len() as u64;
                    return Parsed { changes: Vec::new(), refused: Refused { malformed: 0, too_large } };
                }
            }
        }
        parsed
    }

    fn read(&mut self, chunk: &[u8]) -> Result<Change, Unfit> {
        let chunk = inflated(chunk, self.bytes)?;
        self.bytes = self.bytes.checked_sub(chunk.len() as u64).ok_or(Unfit::TooMany)?;
        let parts = ChangeParts::parse(&chunk)?;
        let mut operations = parts.operations(self.operations);
        while operations.next()?.is_some() {}
        self.operations = operations.left();
        let checksum: [u8; 4] = chunk[4..8].try_into().expect("a chunk has a checksum");
        let change = Change::from_bytes(chunk).map_err(|_| Unfit::Malformed)?;
        // Who wrote a change is said by the first change of an actor; Automerge asserts it.
        let names_author = change.author().is_some() && change.seq() > 1;
        if change.hash().0[..4] != checksum || names_author {
            return Err(Unfit::Malformed);
        }
        Ok(change)
    }
}

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE: u8 = 1;
const COMPRESSED_CHANGE: u8 = 2;

/// The chunks that follow one another in `bytes`: magic, checksum, type, length, data. What is left
/// when one does not begin like that is given as it is.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        let len = chunk_data(bytes).map_or(bytes.len(), |(_, data)| bytes.len() - data.1);
        let (chunk, rest) = bytes.split_at(len);
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

/// The type of the chunk that `bytes` begin with, its data, and how many bytes follow it.
fn chunk_data(bytes: &[u8]) -> Option<(u8, (&[u8], usize))> {
    let mut reader = Reader::new(bytes);
    if reader.array().ok()? != MAGIC {
        return None;
    }
    reader.take(4).ok()?;
    let kind = reader.byte().ok()?;
    let data = reader.prefixed().ok()?;
    Some((kind, (data, reader.take_rest().len())))
}

/// A chunk that holds a change, inflated. What inflates to more than `most` is not inflated to its end.
fn inflated(chunk: &[u8], most: u64) -> Result<Vec<u8>, Unfit> {
    let (kind, (data, _)) = chunk_data(chunk).ok_or(Unfit::Malformed)?;
    match kind {
        CHANGE if chunk.len() as u64 > most => Err(Unfit::TooMany),
        CHANGE => Ok(chunk.to_vec()),
        COMPRESSED_CHANGE => {
            let mut raw = Vec::new();
            let mut inflater = flate2::read::DeflateDecoder::new(data).take(most.saturating_add(1));
            inflater.read_to_end(&mut raw).map_err(|_| Unfit::Malformed)?;
            if raw.len() as u64 > most {
                return Err(Unfit::TooMany);
            }
            let mut whole = Vec::with_capacity(raw.len() + 20);
            whole.extend_from_slice(&chunk[..8]);
            whole.push(CHANGE);
            write_number(raw.len() as u64, &mut whole);
            whole.extend_from_slice(&raw);
            Ok(whole)
        }
        _ => Err(Unfit::Malformed),
    }
}

impl Refused {
    /// Counts more.
    pub(super) fn add(&mut self, other: Self) {
        self.malformed += other.malformed;
        self.too_large += other.too_large;
    }

    /// Counts fewer.
    pub(super) fn remove(&mut self, other: Self) {
        self.malformed -= other.malformed;
        self.too_large -= other.too_large;
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.malformed + self.too_large == 0
    }
}
