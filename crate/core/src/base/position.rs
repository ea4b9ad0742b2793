//! Positions in logs, and how far one holder has got in the log of another.

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::base::hash::{hash16, hash32};
use crate::base::id::{CommitId, LogId};

/// The running hash of the ids in a log up to a position, so that two logs of one [`LogId`] that
/// differ (an older copy was put back) are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct RunningHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// A position in a holder's own log: after its `seq`-th commit.
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

/// A position as its holder gives it to others, who keep it and show it again. Opaque to them but
/// for the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How many commits are before it.
    pub seq: u64,
    /// The first half of the running hash of their ids.
    hash: [u8; 8],
    /// Proves that the holder of the log has given this mark.
    mac: [u8; 8],
}

/// One string of bytes: hash, `mac`, and the number in as few bytes as it needs.
impl<C> Encode<C> for Mark {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.hash);
        bytes[8..16].copy_from_slice(&self.mac);
        bytes[16..].copy_from_slice(&self.seq.to_le_bytes());
        let needed = 8 - self.seq.leading_zeros() as usize / 8;
        e.bytes(&bytes[..16 + needed])?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Mark {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let read = |bytes: &[u8]| {
            let (hash, rest) = bytes.split_first_chunk()?;
            let (mac, seq) = rest.split_first_chunk()?;
            let mut number = [0; 8];
            number.get_mut(..seq.len())?.copy_from_slice(seq);
            let is_short = seq.last() != Some(&0);
            is_short.then_some(Self { seq: u64::from_le_bytes(number), hash: *hash, mac: *mac })
        };
        read(d.bytes()?).ok_or_else(|| DecodeError::message("not a mark"))
    }
}

impl Mark {
    /// Before the first commit of any log.
    pub const START: Self = Self { seq: 0, hash: [0; 8], mac: [0; 8] };
}

/// What a holder makes of a mark that a peer shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// This log never gave it.
    Foreign,
    /// This log gave it, for this position if the log is still the same there.
    Given,
}

/// Makes and knows a log's marks. The key is drawn together with the log's id, so a log put back
/// from an older copy knows the marks that it gave after the copy was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Marker {
    /// The log's id.
    #[n(0)]
    pub log: LogId,
    /// Known to nobody else.
    #[cbor(n(1), with = "minicbor::bytes")]
    key: [u8; 32],
    /// Which partition of the space the log is of.
    #[n(2)]
    pub partition: u32,
}

impl Marker {
    /// For a new log.
    pub fn new(log: LogId, key: [u8; 32], partition: u32) -> Self {
        Self { log, key, partition }
    }

    /// The mark of a position whose commits are durable.
    pub fn mark(&self, position: Position) -> Mark {
        if position.seq == 0 {
            return Mark::START;
        }
        let mut hash = [0; 8];
        hash.copy_from_slice(&position.hash.0[..8]);
        Mark { seq: position.seq, hash, mac: self.mac(position.seq, hash) }
    }

    /// Whether this log gave that mark.
    pub fn judge(&self, mark: &Mark) -> Shown {
        if *mark == Mark::START || self.mac(mark.seq, mark.hash) == mark.mac {
            Shown::Given
        } else {
            Shown::Foreign
        }
    }

    /// The first 8 bytes of SHA-256(key ‖ log ‖ partition ‖ seq ‖ hash). What is hashed has a fixed
    /// length and the result is cut, so that it can't be extended.
    fn mac(&self, seq: u64, hash: [u8; 8]) -> [u8; 8] {
        let parts: [&[u8]; 5] =
            [&self.key, &self.log.0, &self.partition.to_be_bytes(), &seq.to_be_bytes(), &hash];
        let mut mac = [0; 8];
        mac.copy_from_slice(&hash32(&parts)[..8]);
        mac
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
    pub read: Mark,
    /// The furthest position that log is known to have had; past `read` where the other holder
    /// acknowledged what it was sent before it sent all it had.
    #[n(2)]
    pub seen: Mark,
}

impl Cursor {
    /// Nothing of that log is held.
    pub fn start(log: LogId) -> Self {
        Self { log, read: Mark::START, seen: Mark::START }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_known_to_the_log_that_gave_it_and_to_no_other() {
        let marker = Marker::new(LogId([1; 16]), [2; 32], 0);
        let position = Position::START.then(&CommitId([3; 32]));
        let mark = marker.mark(position);
        assert_eq!(marker.judge(&mark), Shown::Given);
        assert_eq!(marker.judge(&Mark { seq: 2, ..mark }), Shown::Foreign);
        assert_eq!(marker.judge(&Mark { hash: [0; 8], ..mark }), Shown::Foreign);
        for other in [
            Marker::new(LogId([9; 16]), [2; 32], 0),
            Marker::new(LogId([1; 16]), [9; 32], 0),
            Marker::new(LogId([1; 16]), [2; 32], 1),
        ] {
            assert_eq!(other.judge(&mark), Shown::Foreign);
        }
    }
}
