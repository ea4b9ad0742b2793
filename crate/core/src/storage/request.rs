//! What is asked of storage, and what it answers.

use std::sync::Arc;

use crate::base::cbor::CborError;
use crate::commit::error::CommitError;

/// What is asked of storage: an ordered map from byte keys to byte values. Keys are at most
/// 64 bytes, values at most 1 MiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageRequest {
    /// The values of these keys, in the same order.
    Get(Vec<Vec<u8>>),
    /// The entries with `from <= key < to` in order, stopping once `bytes_max` is passed; at least
    /// one where there is any.
    Scan {
        /// First key, inclusive.
        from: Vec<u8>,
        /// Last key, exclusive.
        to: Vec<u8>,
        /// Stop after this many bytes of values.
        bytes_max: usize,
    },
    /// An atomic write, durable once answered. Shared with the core, which needs it again where it fails.
    Write(Arc<WriteBatch>),
}

/// Keys and their values.
pub type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// A key and the value it must have (`None`: be absent) for a write to be done.
pub type Guard = (Vec<u8>, Option<Vec<u8>>);

/// An atomic write: all of it, or nothing where the guard does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch {
    /// The value this key must have (`None`: be absent) for the write to be done at all.
    pub guard: Option<Guard>,
    /// Keys and their new values.
    pub puts: Entries,
    /// Keys to remove.
    pub deletes: Vec<Vec<u8>>,
}

/// What storage answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageAnswer {
    /// To `Get`.
    Values(Vec<Option<Vec<u8>>>),
    /// To `Scan`; `more` when it stopped before `to`.
    Scanned {
        /// Keys and values in order.
        entries: Entries,
        /// Whether there is more in the range.
        more: bool,
    },
    /// To `Write`: durable now.
    Written,
    /// To `Write`: the guard did not hold and nothing was written.
    GuardFailed,
    /// To anything: it could not be done.
    Failed(String),
}

/// Why storage can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageFault {
    /// It could not be read or written.
    Failed,
    /// It holds what this code did not write.
    Corrupt,
    /// It holds another space, or was written by another version.
    Incompatible,
}

impl StorageFault {
    /// What it is if this answer can't be used.
    pub fn of(answer: &StorageAnswer) -> Self {
        match answer {
            StorageAnswer::Failed(_) => StorageFault::Failed,
            _ => StorageFault::Corrupt,
        }
    }

    /// The code that JavaScript sees.
    pub fn code(self) -> &'static str {
        match self {
            StorageFault::Failed => "storage",
            StorageFault::Corrupt => "corrupt",
            StorageFault::Incompatible => "incompatible",
        }
    }
}

/// Storage holds what this code did not write, or can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Corrupt(pub String);

impl From<CborError> for Corrupt {
    fn from(error: CborError) -> Self {
        Self(error.to_string())
    }
}

impl From<CommitError> for Corrupt {
    fn from(error: CommitError) -> Self {
        Self(error.to_string())
    }
}
