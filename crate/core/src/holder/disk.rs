//! Whether storage works.

#[cfg(feature = "documents")]
use std::collections::BTreeMap;

use crate::base::time::Millis;
use crate::storage::request::{Entries, Guard, WriteBatch};

/// Where writes go.
#[derive(Clone, Debug)]
pub(super) enum Disk {
    Healthy,
    /// Storage has failed. Writes are kept here, and shadow what storage holds, until they can be
    /// written after all. Never so without replicas.
    #[cfg_attr(not(feature = "documents"), allow(dead_code))]
    Failing {
        kept: Kept,
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

/// Writes that storage has refused, as they would be together: by key the value, or none where it is
/// removed.
#[cfg(feature = "documents")]
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(BTreeMap<Vec<u8>, Option<Vec<u8>>>);

/// There are none: a relay acknowledges nothing from memory, and stops.
#[cfg(not(feature = "documents"))]
#[derive(Clone, Debug)]
pub(super) enum Kept {}

#[cfg(not(feature = "documents"))]
impl Kept {
    pub fn write(&mut self, _: &WriteBatch) {
        match *self {}
    }

    pub fn value(&self, _: &[u8], _: Option<Vec<u8>>) -> Option<Vec<u8>> {
        match *self {}
    }

    pub fn entries(&self, _: &[u8], _: &[u8], _: Entries) -> Entries {
        match *self {}
    }

    pub fn batch(&self, _: Option<Guard>) -> WriteBatch {
        match *self {}
    }
}

#[cfg(feature = "documents")]
impl Kept {
    pub fn write(&mut self, batch: &WriteBatch) {
        self.0.extend(batch.deletes.iter().map(|key| (key.clone(), None)));
        self.0.extend(batch.puts.iter().map(|(key, value)| (key.clone(), Some(value.clone()))));
    }

    /// The value of a key of which storage says this.
    pub fn value(&self, key: &[u8], stored: Option<Vec<u8>>) -> Option<Vec<u8>> {
        self.0.get(key).cloned().unwrap_or(stored)
    }

    /// The entries from one key up to another, of which storage has these.
    pub fn entries(&self, from: &[u8], to: &[u8], stored: Entries) -> Entries {
        let mut entries: BTreeMap<_, _> = stored.into_iter().collect();
        for (key, value) in self.0.range(from.to_vec()..to.max(from).to_vec()) {
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        entries.into_iter().collect()
    }

    /// All of them in one write, which is as large as what was kept. A part would break the log: of a key that was
    /// written more than once only the last value is here, and that is true of the log's end alone. Whoever ends
    /// between two parts would leave tips and chains that name commits without rows, and the marker that other
    /// processes check has one value for all of it. What bounds the write is the memory in which it is all along:
    /// a process keeps what it made and what links brought since storage failed, and no relay keeps anything.
    pub fn batch(&self, guard: Option<Guard>) -> WriteBatch {
        let puts = self.entries(b"", b"~", Vec::new());
        let deletes = self.0.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.clone());
        WriteBatch { guard, puts, deletes: deletes.collect() }
    }
}
