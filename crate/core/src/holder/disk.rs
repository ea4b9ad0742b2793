//! Whether storage works.

use crate::base::time::Millis;
use crate::storage::memory::MemoryStore;
use crate::storage::request::Guard;

/// Where writes go.
#[derive(Clone, Debug)]
pub(super) enum Disk {
    Healthy,
    /// Storage has failed. Writes are kept here, and shadow what storage holds, until they can be
    /// written after all.
    Failing {
        kept: MemoryStore,
        guard: Option<Guard>,
        /// How much of the log is in storage.
        since: u64,
        reason: String,
        retry_at: Millis,
    },
}

impl Disk {
    pub fn retry_at(&self) -> Option<Millis> {
        match self {
            Disk::Failing { retry_at, .. } => Some(*retry_at),
            Disk::Healthy => None,
        }
    }
}
