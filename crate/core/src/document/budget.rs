//! What is checked of foreign bytes before Automerge sees them.

use std::io::Read;

use automerge::Change;

use crate::base::limits::Limits;
use crate::base::mutation::Mutation;

/// What foreign bytes may cost before they are applied. An item of a commit that is over it is not
/// applied at all, whatever else is held, so that all replicas decide alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of all changes of an item once they are inflated.
    pub inflated_bytes: u64,
    /// Operations in all changes of an item.
    pub operations: usize,
    /// Changes that a change depends on.
    pub dependencies: usize,
    /// The deliberate fault of this run.
    #[cfg(feature = "mutations")]
    pub mutation: Option<Mutation>,
}

/// What an item holds.
pub(super) struct Parsed {
    pub changes: Vec<Change>,
    /// Chunks that are no changes, or all of them where the item is over the budget.
    pub refused: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            inflated_bytes: 64 * 1024 * 1024,
            operations: 4_000_000,
            dependencies: 4096,
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

    /// Reads the changes of an item, and stops where they cost more than this.
    pub(super) fn parse(&self, item: &[u8]) -> Parsed {
        let chunks = split(item);
        let mut parsed = Parsed { changes: Vec::new(), refused: 0 };
        let (mut bytes_left, mut operations) = (self.inflated_bytes, 0);
        for chunk in &chunks {
            let Some(bytes) = inflated_len(chunk, bytes_left) else {
                parsed.refused += 1;
                continue;
            };
            let Some(left) = bytes_left.checked_sub(bytes) else { return Parsed::refused(chunks.len()) };
            bytes_left = left;
            match Change::from_bytes(chunk.to_vec()) {
                Ok(change) => {
                    operations += change.len();
                    parsed.changes.push(change);
                }
                Err(_) => parsed.refused += 1,
            }
            if operations > self.operations {
                return Parsed::refused(chunks.len());
            }
        }
        parsed
    }

    /// Whether a change may be applied.
    pub(super) fn allows(&self, change: &Change) -> bool {
        change.deps().len() <= self.dependencies
    }
}

impl Parsed {
    fn refused(chunks: usize) -> Self {
        Self { changes: Vec::new(), refused: chunks }
    }
}

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const COMPRESSED_CHANGE: u8 = 2;

/// The chunks that follow one another in `bytes`: magic, checksum, type, length, data. What is left
/// when one does not begin like that is given as it is.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        let len = chunk_data(bytes).map_or(bytes.len(), |(_, data)| data.end);
        let (chunk, rest) = bytes.split_at(len);
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

/// The type of the chunk that `bytes` begin with, and where its data is.
fn chunk_data(bytes: &[u8]) -> Option<(u8, core::ops::Range<usize>)> {
    if bytes.len() < 10 || bytes[..4] != MAGIC {
        return None;
    }
    let mut len = 0usize;
    for (i, byte) in bytes[9..].iter().take(9).enumerate() {
        len |= usize::from(byte & 0x7f).checked_shl(7 * i as u32)?;
        if byte & 0x80 == 0 {
            let start = 9 + i + 1;
            let end = start.checked_add(len)?;
            return (end <= bytes.len()).then_some((bytes[8], start..end));
        }
    }
    None
}

/// How many bytes a chunk has once it is inflated, counted to one more than `most`; none where it is
/// no chunk.
fn inflated_len(chunk: &[u8], most: u64) -> Option<u64> {
    match chunk_data(chunk)? {
        (COMPRESSED_CHANGE, data) => {
            let mut inflated = flate2::read::DeflateDecoder::new(&chunk[data]).take(most + 1);
            std::io::copy(&mut inflated, &mut std::io::sink()).ok()
        }
        _ => Some(chunk.len() as u64),
    }
}
