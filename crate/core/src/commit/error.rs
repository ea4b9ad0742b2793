//! Why bytes are not a commit.

use crate::base::cbor::CborError;

/// Why bytes are not a commit. The sender's fault, always.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Not the encoding of a commit.
    #[error("malformed commit: {0}")]
    Malformed(String),
    /// Over one of the [limits](crate::base::limits::Limits).
    #[error("commit over the limit: {0}")]
    TooLarge(&'static str),
    /// An item's bytes are not those that the header names.
    #[error("item bytes do not match their hash")]
    ItemMismatch,
    /// Written by a later version in a header format that this one does not know.
    #[error("a commit of format {0}, which this version does not know")]
    LaterFormat(u8),
}

impl CommitError {
    pub(super) fn malformed(what: &str) -> Self {
        Self::Malformed(what.to_owned())
    }
}

impl From<CborError> for CommitError {
    fn from(error: CborError) -> Self {
        Self::Malformed(error.0)
    }
}
