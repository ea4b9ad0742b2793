//! The frames of the link protocol, see `docs/protocol.md`.
//!
//! A frame is a CBOR array of its type and a map with integer keys. Unknown keys are skipped, and
//! so are frames of unknown type, so that versions N and N±1 talk.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Decoder, Encode};

use crate::commit::{Position, to_cbor};
use crate::id::{AuthorId, LogId};
use crate::limits;
use crate::vector::{Digest, Tip};

/// The protocol version spoken by this code, and the oldest it understands.
pub const VERSION: u8 = 1;
/// See [`VERSION`].
pub const VERSION_MIN: u8 = 1;

/// The first frame of each side.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hello {
    /// Oldest version understood.
    #[n(0)]
    pub version_min: u8,
    /// Newest version understood.
    #[n(1)]
    pub version_max: u8,
    /// The space this link is for.
    #[n(2)]
    pub space: String,
    /// The sender's log.
    #[n(3)]
    pub log: LogId,
    /// The region, where the sender is a relay.
    #[n(4)]
    pub region: Option<String>,
    /// What lets the sender in.
    #[n(5)]
    pub token: Option<String>,
    /// How far the sender has got in the logs of holders it has met: the dialler's side only.
    #[n(6)]
    pub cursors: Vec<Cursor>,
    /// Of the sender's vector; absent while it holds what is not stored yet.
    #[n(7)]
    pub digest: Option<Digest>,
    /// Answer to `cursors`: whether the stream goes on from there. Where it does not, vectors are
    /// exchanged.
    #[n(8)]
    pub resumed: bool,
    /// The sender's vector, where it is wanted and small.
    #[n(9)]
    pub tips: Option<Vec<Tip>>,
    /// Bytes of commits that the other side may send before more is granted.
    #[n(10)]
    pub credit: u64,
    /// The end of the sender's log.
    #[n(11)]
    pub head: Position,
    /// The regions that hold this space, as a relay knows them.
    #[cbor(n(12), default, skip_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// What the accepter lets the dialler do. From a dialler that will bring no commits: `read_only`.
    #[cbor(n(13), default)]
    pub terms: Terms,
}

/// What an accepter lets a dialler do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Terms {
    /// Whether commits that the dialler brings are refused.
    #[n(0)]
    pub read_only: bool,
    /// In how many milliseconds the token expires; absent: never.
    #[n(1)]
    pub expires_in: Option<u64>,
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

/// Commits of the sender's log, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Commits {
    /// Encoded commits.
    #[n(0)]
    pub records: Vec<ByteVec>,
    /// With these, the receiver has been given all that it lacked up to here.
    #[n(1)]
    pub to: Option<Position>,
    /// Between relays: commits that the sender holds, and all before them in their chains, which it
    /// leaves to others to send. They count for `to`; the receiver asks for them if they do not come.
    #[cbor(n(2), default, skip_if = "Vec::is_empty")]
    pub named: Vec<Tip>,
}

/// A part of a commit too large for a frame. The parts of one commit follow one another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Piece {
    /// The part.
    #[n(0)]
    pub bytes: ByteVec,
    /// Whether it is the last.
    #[n(1)]
    pub last: bool,
    /// Whether it is part of an answer rather than of the stream.
    #[n(2)]
    pub answer: bool,
}

/// What the sender has stored durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ack {
    /// All of the receiver's log up to this number.
    #[n(0)]
    pub upto: u64,
    /// In the sender's own log, all of it at or before this position.
    #[n(1)]
    pub at: Position,
    /// Whether the receiver has been given all of the sender's log up to `at`.
    #[n(2)]
    pub read: bool,
}

/// Part of the sender's vector.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct VectorPart {
    /// Tips.
    #[n(0)]
    pub tips: Vec<Tip>,
    /// Whether these are the last.
    #[n(1)]
    pub last: bool,
    /// Whether the receiver's vector is asked for in return.
    #[n(2)]
    pub answer: bool,
}

/// Nothing has moved on this link for a while: do both sides hold the same?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Quiet {
    /// The end of the sender's log.
    #[n(0)]
    pub head: Position,
    /// How far the sender has got in the receiver's log.
    #[n(1)]
    pub read: u64,
    /// Of the sender's vector.
    #[n(2)]
    pub digest: Digest,
}

/// A request for part of a chain that commits already sent depend on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Want {
    /// Comes back in the answer.
    #[n(0)]
    pub nonce: u64,
    /// What is missing.
    #[n(1)]
    pub ranges: Vec<ChainRange>,
}

/// Commits `from..=to` of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct ChainRange {
    /// Whose.
    #[n(0)]
    pub author: AuthorId,
    /// First number.
    #[n(1)]
    pub from: u64,
    /// Last number.
    #[n(2)]
    pub to: u64,
}

/// Commits that were asked for, in the order of the sender's log. What is not in it, or in the
/// [`Piece`]s before it, the sender does not hold, unless `cut`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Answer {
    /// Of the [`Want`].
    #[n(0)]
    pub nonce: u64,
    /// Encoded commits.
    #[n(1)]
    pub records: Vec<ByteVec>,
    /// More follow in further answers with this nonce.
    #[n(2)]
    pub more: bool,
    /// The answer was full; ask again for the rest.
    #[n(3)]
    pub cut: bool,
}

/// "Tell me the end of your log now", and the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Head {
    /// Comes back in the answer.
    #[n(0)]
    pub nonce: u64,
    /// The end of the log; absent in the question.
    #[n(1)]
    pub at: Option<Position>,
}

/// A relay tells whose commits it brought on how far another region has come.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Stored {
    /// The region.
    #[n(0)]
    pub region: String,
    /// Its log. Another one than before: what was said of that is void.
    #[n(1)]
    pub log: LogId,
    /// It has stored all of the sender's log up to this number.
    #[n(2)]
    pub upto: u64,
    /// Whether the sender is linked to it; otherwise it knows this from a while ago.
    #[n(3)]
    pub is_linked: bool,
}

/// "Tell me of each region when all that it holds now is in your log", and the answers to it, one
/// for each region.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Fresh {
    /// Comes back in the answers.
    #[n(0)]
    pub nonce: u64,
    /// The region and where its commits are in the sender's log by now; absent in the question.
    #[n(1)]
    pub answer: Option<RegionHead>,
}

/// What a region held is in a log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RegionHead {
    /// The region.
    #[n(0)]
    pub region: String,
    /// At or before this position.
    #[n(1)]
    pub at: Position,
}

/// The link is about to be closed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Bye {
    /// A [`CloseCode`].
    #[n(0)]
    pub code: u16,
    /// For people.
    #[n(1)]
    pub reason: String,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// See [`Hello`].
    Hello(Hello),
    /// See [`Commits`].
    Commits(Commits),
    /// See [`Piece`].
    Piece(Piece),
    /// See [`Ack`].
    Ack(Ack),
    /// So many more bytes of commits may be sent.
    Credit(u64),
    /// See [`VectorPart`].
    Vector(VectorPart),
    /// See [`Quiet`].
    Quiet(Quiet),
    /// The answer to [`Quiet`] when both hold the same: the end of the sender's log.
    Agree(Position),
    /// See [`Want`].
    Want(Want),
    /// See [`Answer`].
    Answer(Answer),
    /// See [`Head`].
    Head(Head),
    /// See [`Bye`].
    Bye(Bye),
    /// See [`Stored`].
    Stored(Stored),
    /// See [`Fresh`].
    Fresh(Fresh),
    /// The dialler's token from now on.
    Token(String),
    /// The answer to [`Frame::Token`]: what it allows.
    Terms(Terms),
    /// A frame of a newer version.
    Unknown,
}

/// Why a link was closed: WebSocket close codes of the application's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// Bytes that are not a frame, or a commit that is not one.
    Malformed = 4000,
    /// A frame, a commit or a vector over its limit.
    TooLarge = 4001,
    /// A frame that may not come now.
    OutOfOrder = 4002,
    /// No version in common.
    Incompatible = 4003,
    /// The token does not allow this.
    Denied = 4004,
    /// Too much is waiting, or a quota is used up.
    Quota = 4005,
    /// This holder's log was replaced; connect again.
    LogReplaced = 4006,
    /// Commits were sent whose causes the sender says it does not have.
    Withheld = 4007,
    /// This holder's storage has failed.
    Storage = 4008,
    /// This holder is going away; connect again.
    GoingAway = 4009,
    /// The token has expired; connect again with a fresh one.
    Expired = 4010,
}

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Over [`limits::FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes is over the limit of {max}", max = limits::FRAME_BYTES_MAX)]
    TooLarge(usize),
    /// Not CBOR, or not a frame's.
    #[error("malformed frame: {0}")]
    Malformed(String),
}

impl Frame {
    /// To bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Frame::Hello(body) => to_cbor(&(1u8, body)),
            Frame::Commits(body) => to_cbor(&(2u8, body)),
            Frame::Piece(body) => to_cbor(&(3u8, body)),
            Frame::Ack(body) => to_cbor(&(4u8, body)),
            Frame::Credit(bytes) => to_cbor(&(5u8, bytes)),
            Frame::Vector(body) => to_cbor(&(6u8, body)),
            Frame::Quiet(body) => to_cbor(&(7u8, body)),
            Frame::Agree(head) => to_cbor(&(8u8, head)),
            Frame::Want(body) => to_cbor(&(9u8, body)),
            Frame::Answer(body) => to_cbor(&(10u8, body)),
            Frame::Head(body) => to_cbor(&(11u8, body)),
            Frame::Bye(body) => to_cbor(&(12u8, body)),
            Frame::Stored(body) => to_cbor(&(13u8, body)),
            Frame::Fresh(body) => to_cbor(&(14u8, body)),
            Frame::Token(token) => to_cbor(&(15u8, token)),
            Frame::Terms(body) => to_cbor(&(16u8, body)),
            Frame::Unknown => to_cbor(&(u8::MAX, ())),
        }
    }

    /// From bytes. Memory taken is at most a small multiple of what came.
    ///
    /// # Errors
    /// [`FrameError`], the sender's fault.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > limits::FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge(bytes.len()));
        }
        decode(bytes).map_err(|error| FrameError::Malformed(error.to_string()))
    }
}

fn decode(bytes: &[u8]) -> Result<Frame, minicbor::decode::Error> {
    let mut d = Decoder::new(bytes);
    if d.array()? != Some(2) {
        return Err(minicbor::decode::Error::message("not a type and a body"));
    }
    let frame = match d.u8()? {
        1 => Frame::Hello(d.decode()?),
        2 => Frame::Commits(d.decode()?),
        3 => Frame::Piece(d.decode()?),
        4 => Frame::Ack(d.decode()?),
        5 => Frame::Credit(d.decode()?),
        6 => Frame::Vector(d.decode()?),
        7 => Frame::Quiet(d.decode()?),
        8 => Frame::Agree(d.decode()?),
        9 => Frame::Want(d.decode()?),
        10 => Frame::Answer(d.decode()?),
        11 => Frame::Head(d.decode()?),
        12 => Frame::Bye(d.decode()?),
        13 => Frame::Stored(d.decode()?),
        14 => Frame::Fresh(d.decode()?),
        15 => Frame::Token(d.decode()?),
        16 => Frame::Terms(d.decode()?),
        _ => {
            d.skip()?;
            Frame::Unknown
        }
    };
    if d.position() == bytes.len() {
        Ok(frame)
    } else {
        Err(minicbor::decode::Error::message("bytes after the end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LogId;

    fn frames() -> Vec<Frame> {
        let tip = Tip { author: AuthorId([1; 16]), seq: 9, id: crate::id::CommitId([2; 32]) };
        vec![
            Frame::Hello(Hello {
                version_min: 1,
                version_max: 1,
                space: "team".into(),
                log: LogId([3; 16]),
                region: Some("eu".into()),
                token: None,
                cursors: vec![Cursor { log: LogId([4; 16]), read: Position::START, seen: Position::START }],
                digest: Some(Digest::default()),
                resumed: true,
                tips: Some(vec![tip]),
                credit: 10,
                head: Position::START,
                regions: vec!["eu".into()],
                terms: Terms { read_only: true, expires_in: Some(1) },
            }),
            Frame::Commits(Commits {
                records: vec![vec![1, 2].into()],
                to: Some(Position::START),
                named: vec![tip],
            }),
            Frame::Piece(Piece { bytes: vec![1].into(), last: true, answer: false }),
            Frame::Ack(Ack { upto: 4, at: Position::START, read: true }),
            Frame::Credit(5),
            Frame::Vector(VectorPart { tips: vec![tip], last: true, answer: true }),
            Frame::Quiet(Quiet { head: Position::START, read: 2, digest: Digest::default() }),
            Frame::Agree(Position::START),
            Frame::Stored(Stored { region: "us".into(), log: LogId([5; 16]), upto: 3, is_linked: true }),
            Frame::Fresh(Fresh { nonce: 1, answer: None }),
            Frame::Fresh(Fresh {
                nonce: 1,
                answer: Some(RegionHead { region: "us".into(), at: Position::START }),
            }),
            Frame::Token("a.b.c".into()),
            Frame::Terms(Terms { read_only: false, expires_in: None }),
            Frame::Want(Want {
                nonce: 1,
                ranges: vec![ChainRange { author: AuthorId([1; 16]), from: 1, to: 2 }],
            }),
            Frame::Answer(Answer { nonce: 1, records: vec![], more: false, cut: true }),
            Frame::Head(Head { nonce: 7, at: None }),
            Frame::Bye(Bye { code: CloseCode::Denied as u16, reason: "no".into() }),
        ]
    }

    #[test]
    fn every_frame_reads_back_as_it_was_written() {
        for frame in frames() {
            assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn every_truncation_of_every_frame_is_refused() {
        for frame in frames() {
            let bytes = frame.encode();
            for len in 0..bytes.len() {
                assert!(Frame::decode(&bytes[..len]).is_err(), "{frame:?} cut at {len}");
            }
        }
    }

    #[test]
    fn a_frame_of_a_newer_version_is_skipped() {
        assert_eq!(Frame::decode(&to_cbor(&(200u8, (1u8, 2u8)))), Ok(Frame::Unknown));
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_it_is_read() {
        let bytes = vec![0; limits::FRAME_BYTES_MAX + 1];
        assert_eq!(Frame::decode(&bytes), Err(FrameError::TooLarge(bytes.len())));
    }

    #[test]
    fn a_count_that_is_not_there_takes_no_memory() {
        // An array that says it has 2^60 tips, and has none.
        let mut bytes = vec![0x82, 6, 0xa1, 0, 0x9b];
        bytes.extend((1u64 << 60).to_be_bytes());
        assert!(Frame::decode(&bytes).is_err());
    }
}
