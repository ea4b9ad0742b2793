//! A commit in a frame.

use std::borrow::Cow;

use crate::base::limits::Limits;
use crate::commit::commit::Commit;
use crate::commit::error::CommitError;

/// A commit in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// It was checked, and goes out in a few bytes.
    Checked(Commit),
    /// Bytes that may be a record. They go out as they are.
    Encoded(Vec<u8>),
}

impl Record {
    /// How many bytes it has as it is written out: so much credit it takes.
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Checked(commit) => commit.encoded_len(),
            Self::Encoded(bytes) => bytes.len(),
        }
    }

    /// As it is written out.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Checked(commit) => Cow::Owned(commit.encode()),
            Self::Encoded(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// The commit.
    ///
    /// # Errors
    /// [`CommitError`]: it is none.
    pub fn open(self, limits: &Limits) -> Result<Commit, CommitError> {
        match self {
            Self::Checked(commit) => Ok(commit),
            Self::Encoded(bytes) => Commit::decode(&bytes, limits),
        }
    }
}

impl From<Vec<u8>> for Record {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Encoded(bytes)
    }
}

impl From<Commit> for Record {
    fn from(commit: Commit) -> Self {
        Self::Checked(commit)
    }
}
