//! The core's only source of chance: a seed.

use crate::base::hash::hash32;

/// Random bytes from a seed: SHA-256 of the seed and a counter.
#[derive(Clone)]
pub(crate) struct Rng {
    seed: [u8; 32],
    counter: u64,
}

impl Rng {
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// Two copies of one process draw the same numbers, until they take in what tells them apart.
    pub fn take_in(&mut self, bytes: &[u8]) {
        self.seed = hash32(&[&self.seed, bytes]);
    }

    pub fn bytes32(&mut self) -> [u8; 32] {
        self.counter += 1;
        hash32(&[&self.seed, &self.counter.to_be_bytes()])
    }

    pub fn bytes16(&mut self) -> [u8; 16] {
        *self.bytes32().first_chunk().expect("32 bytes are more than 16")
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let bytes = self.bytes16();
        u64::from_be_bytes(*bytes.first_chunk().expect("16 bytes are more than 8")) % bound.max(1)
    }
}
