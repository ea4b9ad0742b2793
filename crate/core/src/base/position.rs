//! Positions in logs, and how far one holder has got in the log of another.

use minicbor::{Decode, Encode};

use crate::base::hash::hash16;
use crate::base::id::{CommitId, LogId};

/// The running hash of the ids in a log up to a position, so that two logs of one [`LogId`](crate::id::LogId) that
/// differ (an older copy was put back) are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct RunningHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// A position in a log: after its `seq`-th commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Position {
    /// How many commits are before it.
    #[n(0)]
    pub seq: u64,
    /// The running hash of their ids.
    #[n(1)]
    pub hash: RunningHash,
}

impl Position {
    /// Before the first commit.
    pub const START: Self = Self { seq: 0, hash: RunningHash([0; 16]) };

    /// After one more commit.
    #[must_use]
    pub fn then(self, id: &CommitId) -> Self {
        Self { seq: self.seq + 1, hash: RunningHash(hash16(&[&self.hash.0, &id.0])) }
    }
}

/// How far a holder has got in another holder's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cursor {
    /// The other holder's log.
    #[n(0)]
    pub log: LogId,
    /// All up to here is held.
    #[n(1)]
    pub read: Position,
    /// The furthest position that log is known to have had; past `read` where the other holder
    /// acknowledged what it was sent before it sent all it had.
    #[n(2)]
    pub seen: Position,
}
