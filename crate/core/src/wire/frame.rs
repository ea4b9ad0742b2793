//! The frames of the link protocol, see `docs/protocol.md`.
//!
//! A frame is a CBOR array of its type and a map with integer keys. Unknown keys are skipped, and
//! so are frames of unknown type, so that versions N and N±1 talk.

use minicbor::bytes::ByteVec;
use minicbor::{Decoder, Encode};

use crate::base::cbor::{decode_map, to_cbor};
use crate::base::limits::Limits;
use crate::base::position::Mark;
use crate::commit::error::CommitError;
use crate::commit::vector::Tip;
use crate::wire::batch::record::Record;
use crate::wire::batch::{self, BatchError, Last};
use crate::wire::bodies::Ack;
use crate::wire::bodies::Answer;
use crate::wire::bodies::Bye;
use crate::wire::bodies::Commits;
use crate::wire::bodies::Fresh;
use crate::wire::bodies::Head;
use crate::wire::bodies::Hello;
use crate::wire::bodies::Piece;
use crate::wire::bodies::Quiet;
use crate::wire::bodies::Stored;
use crate::wire::bodies::Terms;
use crate::wire::bodies::VectorPart;
use crate::wire::bodies::Want;
use crate::wire::close::CloseCode;
use crate::wire::meeting::{Announce, Introduction, Signal};
use crate::wire::presence::Present;
use crate::wire::receipt::{Inquiry, Receipt};

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "a greeting comes once on a link, and is not kept")]
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
    Agree(Mark),
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
    /// See [`Announce`].
    Announce(Announce),
    /// See [`Introduction`].
    Introduction(Introduction),
    /// See [`Signal`].
    Signal(Signal),
    /// Between replicas: whether commits are to be named on this link rather than sent, either way.
    Naming(bool),
    /// See [`Present`].
    Present(Present),
    /// See [`Inquiry`].
    Inquiry(Inquiry),
    /// See [`Receipt`].
    Receipt(Receipt),
    /// A frame of a newer version.
    Unknown,
}

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Over the limit.
    #[error("a frame of {0} bytes is over the limit")]
    TooLarge(usize),
    /// Not CBOR, or not a frame's.
    #[error("malformed frame: {0}")]
    Malformed(String),
    /// Its commits are not to be had.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

impl FrameError {
    /// What a link ends with that brought such bytes.
    pub fn code(&self) -> CloseCode {
        match self {
            Self::TooLarge(_)
            | Self::Batch(BatchError::TooLarge | BatchError::Commit(CommitError::TooLarge(_))) => {
                CloseCode::TooLarge
            }
            Self::Batch(BatchError::Elsewhere) => CloseCode::GoingAway,
            Self::Malformed(_) | Self::Batch(_) => CloseCode::Malformed,
        }
    }
}

impl From<minicbor::decode::Error> for FrameError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// [`Commits`] as they are written.
#[derive(Encode)]
#[cbor(map)]
struct CommitsBody {
    #[n(0)]
    batch: Option<ByteVec>,
    #[n(1)]
    to: Option<Mark>,
    #[cbor(n(2), default, skip_if = "Vec::is_empty")]
    named: Vec<Tip>,
}

decode_map!(CommitsBody { batch: 0, to: 1, named: 2 default });

/// An [`Answer`] as it is written.
#[derive(Encode)]
#[cbor(map)]
struct AnswerBody {
    #[n(0)]
    nonce: u64,
    #[n(1)]
    batch: Option<ByteVec>,
    #[n(2)]
    more: bool,
    #[n(3)]
    cut: bool,
}

decode_map!(AnswerBody { nonce: 0, batch: 1, more: 2, cut: 3 });

fn to_batch(records: &[Record], last: Option<&Last>) -> Option<ByteVec> {
    (!records.is_empty()).then(|| batch::encode(records, last).into())
}

fn from_batch(
    batch: Option<ByteVec>,
    limits: &Limits,
    last: Option<&Last>,
) -> Result<Vec<Record>, BatchError> {
    batch.map_or(Ok(Vec::new()), |batch| batch::decode(&batch, limits, last))
}

impl Frame {
    /// To bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_after(None)
    }

    /// To bytes, as the next frame on a link; `last` is the last commit that its stream has brought.
    pub fn encode_next(&self, last: &mut Option<Last>) -> Vec<u8> {
        let bytes = self.encode_after(last.as_ref());
        *last = self.last().or(*last);
        bytes
    }

    fn encode_after(&self, last: Option<&Last>) -> Vec<u8> {
        match self {
            Frame::Hello(body) => to_cbor(&(1u8, body)),
            Frame::Commits(Commits { records, to, named }) => {
                let batch = to_batch(records, last);
                to_cbor(&(2u8, CommitsBody { batch, to: *to, named: named.clone() }))
            }
            Frame::Piece(body) => to_cbor(&(3u8, body)),
            Frame::Ack(body) => to_cbor(&(4u8, body)),
            Frame::Credit(bytes) => to_cbor(&(5u8, bytes)),
            Frame::Vector(body) => to_cbor(&(6u8, body)),
            Frame::Quiet(body) => to_cbor(&(7u8, body)),
            Frame::Agree(head) => to_cbor(&(8u8, head)),
            Frame::Want(body) => to_cbor(&(9u8, body)),
            Frame::Answer(Answer { nonce, records, more, cut }) => {
                let batch = to_batch(records, None);
                to_cbor(&(10u8, AnswerBody { nonce: *nonce, batch, more: *more, cut: *cut }))
            }
            Frame::Head(body) => to_cbor(&(11u8, body)),
            Frame::Bye(body) => to_cbor(&(12u8, body)),
            Frame::Stored(body) => to_cbor(&(13u8, body)),
            Frame::Fresh(body) => to_cbor(&(14u8, body)),
            Frame::Token(token) => to_cbor(&(15u8, token)),
            Frame::Terms(body) => to_cbor(&(16u8, body)),
            Frame::Announce(body) => to_cbor(&(17u8, body)),
            Frame::Introduction(body) => to_cbor(&(18u8, body)),
            Frame::Signal(body) => to_cbor(&(19u8, body)),
            Frame::Naming(is_wanted) => to_cbor(&(20u8, is_wanted)),
            Frame::Present(body) => to_cbor(&(21u8, body)),
            Frame::Inquiry(body) => to_cbor(&(22u8, body)),
            Frame::Receipt(body) => to_cbor(&(23u8, body)),
            Frame::Unknown => to_cbor(&(u8::MAX, ())),
        }
    }

    /// From bytes. Memory taken is at most a small multiple of what came, and of a frame of the largest size for
    /// commits.
    ///
    /// # Errors
    /// [`FrameError`], the sender's fault.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, FrameError> {
        Self::decode_next(bytes, limits, &mut None)
    }

    /// From bytes, as the next frame on a link; `last` is the last commit that its stream has brought.
    ///
    /// # Errors
    /// [`FrameError`], the sender's fault.
    pub fn decode_next(bytes: &[u8], limits: &Limits, last: &mut Option<Last>) -> Result<Self, FrameError> {
        if bytes.len() > limits.frame_bytes_max {
            return Err(FrameError::TooLarge(bytes.len()));
        }
        let frame = decode(bytes, limits, last.as_ref())?;
        *last = frame.last().or(*last);
        Ok(frame)
    }

    /// The last commit that it brings in the stream of a link, from which the next frame may go on.
    pub fn last(&self) -> Option<Last> {
        match self {
            Frame::Commits(commits) => Last::of_records(&commits.records),
            _ => None,
        }
    }
}

fn decode(bytes: &[u8], limits: &Limits, last: Option<&Last>) -> Result<Frame, FrameError> {
    let mut d = Decoder::new(bytes);
    if d.array()? != Some(2) {
        return Err(minicbor::decode::Error::message("not a type and a body").into());
    }
    let frame = match d.u8()? {
        1 => Frame::Hello(d.decode()?),
        2 => {
            let CommitsBody { batch, to, named } = d.decode()?;
            Frame::Commits(Commits { records: from_batch(batch, limits, last)?, to, named })
        }
        3 => Frame::Piece(d.decode()?),
        4 => Frame::Ack(d.decode()?),
        5 => Frame::Credit(d.decode()?),
        6 => Frame::Vector(d.decode()?),
        7 => Frame::Quiet(d.decode()?),
        8 => Frame::Agree(d.decode()?),
        9 => Frame::Want(d.decode()?),
        10 => {
            let AnswerBody { nonce, batch, more, cut } = d.decode()?;
            Frame::Answer(Answer { nonce, records: from_batch(batch, limits, None)?, more, cut })
        }
        11 => Frame::Head(d.decode()?),
        12 => Frame::Bye(d.decode()?),
        13 => Frame::Stored(d.decode()?),
        14 => Frame::Fresh(d.decode()?),
        15 => Frame::Token(d.decode()?),
        16 => Frame::Terms(d.decode()?),
        17 => Frame::Announce(d.decode()?),
        18 => Frame::Introduction(d.decode()?),
        19 => Frame::Signal(d.decode()?),
        20 => Frame::Naming(d.decode()?),
        21 => Frame::Present(d.decode()?),
        22 => Frame::Inquiry(d.decode()?),
        23 => Frame::Receipt(d.decode()?),
        _ => {
            d.skip()?;
            Frame::Unknown
        }
    };
    if d.position() == bytes.len() {
        Ok(frame)
    } else {
        Err(minicbor::decode::Error::message("bytes after the end").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{AuthorId, CommitId, InquiryId, LogId, PeerKey, PresenceId};
    use crate::base::position::Cursor;
    use crate::commit::descriptor::Descriptor;
    use crate::commit::vector::{Tip, Vector};
    use crate::wire::bodies::{ChainRange, RegionHead};
    use crate::wire::close::CloseCode;
    use crate::wire::presence::Presence;

    fn frames() -> Vec<Frame> {
        let tip = Tip { author: AuthorId([1; 16]), seq: 9, id: CommitId([2; 32]) };
        vec![
            Frame::Hello(Hello {
                version_min: 1,
                version_max: 1,
                space: "team".into(),
                log: LogId([3; 16]),
                region: Some("eu".into()),
                token: None,
                cursors: vec![Cursor { log: LogId([4; 16]), read: Mark::START, seen: Mark::START }],
                digest: Some(Vector::default().digest()),
                resumed: true,
                tips: Some(vec![tip]),
                credit: 10,
                head: Mark::START,
                regions: vec!["eu".into()],
                terms: Terms { read_only: true, expires_in: Some(1) },
                descriptor: Some(Descriptor::plain("team")),
                partition: 0,
                holes: 1,
                hole_tips: vec![tip],
                required: 0,
            }),
            Frame::Commits(Commits {
                records: vec![vec![1, 2].into()],
                to: Some(Mark::START),
                named: vec![tip],
            }),
            Frame::Piece(Piece { bytes: vec![1].into(), last: true, answer: false }),
            Frame::Ack(Ack { read: 4, whole: Some(3), at: Mark::START, complete: true }),
            Frame::Credit(5),
            Frame::Vector(VectorPart { tips: vec![tip], last: true, answer: true, hole_tips: vec![tip] }),
            Frame::Quiet(Quiet { head: Mark::START, read: 2, digest: Vector::default().digest() }),
            Frame::Agree(Mark::START),
            Frame::Stored(Stored {
                region: "us".into(),
                log: LogId([5; 16]),
                upto: 3,
                is_linked: true,
                partition: 0,
            }),
            Frame::Fresh(Fresh { nonce: 1, answer: None }),
            Frame::Fresh(Fresh {
                nonce: 1,
                answer: Some(RegionHead { region: "us".into(), at: Mark::START }),
            }),
            Frame::Token("a.b.c".into()),
            Frame::Terms(Terms { read_only: false, expires_in: None }),
            Frame::Want(Want {
                nonce: 1,
                ranges: vec![ChainRange { author: AuthorId([1; 16]), from: 1, to: 2, branch: None }],
            }),
            Frame::Answer(Answer { nonce: 1, records: vec![], more: false, cut: true }),
            Frame::Head(Head { nonce: 7, at: None }),
            Frame::Announce(Announce { key: Some(PeerKey([8; 32])), terms: Some(Terms::default()) }),
            Frame::Introduction(Introduction {
                key: PeerKey([8; 32]),
                region: "us".into(),
                ticket: vec![1].into(),
                to: Some(PeerKey([9; 32])),
            }),
            Frame::Signal(Signal {
                key: PeerKey([8; 32]),
                region: "us".into(),
                bytes: vec![1].into(),
                from: Some(PeerKey([9; 32])),
            }),
            Frame::Naming(true),
            Frame::Present(Present {
                all: vec![
                    Presence { id: PresenceId([10; 16]), number: 7, age: 250, state: Some(vec![1].into()) },
                    Presence { id: PresenceId([11; 16]), number: 8, age: 0, state: None },
                ],
            }),
            Frame::Inquiry(Inquiry { id: InquiryId([12; 16]), authors: vec![AuthorId([1; 16])], hops: 3 }),
            Frame::Receipt(Receipt { id: InquiryId([12; 16]), bytes: vec![1].into() }),
            Frame::Bye(Bye { code: CloseCode::Denied as u16, reason: "no".into(), descriptor: None }),
        ]
    }

    #[test]
    fn every_frame_reads_back_as_it_was_written() {
        for frame in frames() {
            assert_eq!(Frame::decode(&frame.encode(), &Limits::PROTOCOL), Ok(frame));
        }
    }

    #[test]
    fn every_truncation_of_every_frame_is_refused() {
        for frame in frames() {
            let bytes = frame.encode();
            for len in 0..bytes.len() {
                assert!(Frame::decode(&bytes[..len], &Limits::PROTOCOL).is_err(), "{frame:?} cut at {len}");
            }
        }
    }

    #[test]
    fn a_frame_of_a_newer_version_is_skipped() {
        let later = to_cbor(&(200u8, (1u8, 2u8)));
        assert_eq!(Frame::decode(&later, &Limits::PROTOCOL), Ok(Frame::Unknown));
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_it_is_read() {
        let bytes = vec![0; Limits::PROTOCOL.frame_bytes_max + 1];
        assert_eq!(Frame::decode(&bytes, &Limits::PROTOCOL), Err(FrameError::TooLarge(bytes.len())));
    }

    #[test]
    fn a_count_that_is_not_there_takes_no_memory() {
        // An array that says it has 2^60 tips, and has none.
        let mut bytes = vec![0x82, 6, 0xa1, 0, 0x9b];
        bytes.extend((1u64 << 60).to_be_bytes());
        assert!(Frame::decode(&bytes, &Limits::PROTOCOL).is_err());
    }
}
