//! What came of a seed.

use std::collections::BTreeMap;
use std::fmt;

/// What happened, counted, and a digest of all of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub steps: u64,
    pub counts: BTreeMap<&'static str, u64>,
    /// FNV-1a over everything sent, with its time.
    pub trace: u64,
}

impl Default for Outcome {
    fn default() -> Self {
        Self { steps: 0, counts: BTreeMap::new(), trace: 0xcbf2_9ce4_8422_2325 }
    }
}

impl Outcome {
    pub fn add(&mut self, other: &Outcome) {
        self.steps += other.steps;
        for (name, count) in &other.counts {
            self.count(name, *count);
        }
        self.trace(other.trace.to_be_bytes().into_iter());
    }

    pub fn count(&mut self, name: &'static str, more: u64) {
        *self.counts.entry(name).or_default() += more;
    }

    pub fn trace(&mut self, bytes: impl Iterator<Item = u8>) {
        for byte in bytes {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<_> = self.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        write!(f, "{} steps, trace {:016x}: {}", self.steps, self.trace, counts.join(", "))
    }
}
