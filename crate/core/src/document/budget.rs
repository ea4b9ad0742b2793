//! What is checked of foreign bytes before Automerge sees them.

use std::io::Read;

use automerge::Change;

/// What foreign bytes may cost before they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of a change once it is inflated.
    pub inflated_bytes: u64,
    /// Operations in a change.
    pub operations: usize,
    /// Changes that a change depends on.
    pub dependencies: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { inflated_bytes: 64 * 1024 * 1024, operations: 4_000_000, dependencies: 4096 }
    }
}

impl Budget {
    /// Reads a change, unless it would cost more than this to look at.
    pub(super) fn parse(&self, chunk: &[u8]) -> Option<Change> {
        if !inflates_within(chunk, self.inflated_bytes) {
            return None;
        }
        Change::from_bytes(chunk.to_vec()).ok()
    }

    /// Whether a change may be applied.
    pub(super) fn allows(&self, change: &Change) -> bool {
        change.len() <= self.operations && change.deps().len() <= self.dependencies
    }
}

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const COMPRESSED_CHANGE: u8 = 2;

/// The chunks that follow one another in `bytes`: magic, checksum, type, length, data. What is left
/// when one does not begin like that is given as it is.
pub(super) fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
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

fn inflates_within(chunk: &[u8], most: u64) -> bool {
    match chunk_data(chunk) {
        Some((COMPRESSED_CHANGE, data)) => {
            let mut inflated = flate2::read::DeflateDecoder::new(&chunk[data]).take(most + 1);
            std::io::copy(&mut inflated, &mut std::io::sink()).is_ok_and(|bytes| bytes <= most)
        }
        Some(_) => chunk.len() as u64 <= most,
        None => false,
    }
}
