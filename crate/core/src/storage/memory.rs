//! Storage in memory: an engine for tests and for spaces that nobody keeps, and the model that the
//! other engines are held to.

use std::collections::BTreeMap;

use crate::storage::request::{StorageAnswer, StorageRequest, WriteBatch};

/// An ordered map that answers storage requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl MemoryStore {
    /// Does what is asked, at once.
    pub fn answer(&mut self, request: &StorageRequest) -> StorageAnswer {
        match request {
            StorageRequest::Get(keys) => {
                StorageAnswer::Values(keys.iter().map(|key| self.entries.get(key).cloned()).collect())
            }
            StorageRequest::Scan { from, to, bytes_max } => self.scan(from, to, *bytes_max),
            StorageRequest::Write(batch) => {
                if self.write(batch) {
                    StorageAnswer::Written
                } else {
                    StorageAnswer::GuardFailed
                }
            }
        }
    }

    /// Writes unless the guard does not hold; whether it was written.
    pub fn write(&mut self, batch: &WriteBatch) -> bool {
        if let Some((key, expected)) = &batch.guard
            && self.entries.get(key) != expected.as_ref()
        {
            return false;
        }
        for key in &batch.deletes {
            self.entries.remove(key);
        }
        for (key, value) in &batch.puts {
            self.entries.insert(key.clone(), value.clone());
        }
        true
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&Vec<u8>> {
        self.entries.get(key)
    }

    /// The entries with `from <= key < to`, in order.
    pub fn range(&self, from: &[u8], to: &[u8]) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        let to = if from < to { to } else { from };
        self.entries.range(from.to_vec()..to.to_vec())
    }

    /// All entries in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        self.entries.iter()
    }

    fn scan(&self, from: &[u8], to: &[u8], bytes_max: usize) -> StorageAnswer {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for (key, value) in self.range(from, to) {
            if !entries.is_empty() && bytes >= bytes_max {
                return StorageAnswer::Scanned { entries, more: true };
            }
            bytes += value.len();
            entries.push((key.clone(), value.clone()));
        }
        StorageAnswer::Scanned { entries, more: false }
    }
}
