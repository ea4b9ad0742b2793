//! The bodies of frames, see `docs/protocol.md`.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::base::cbor::decode_map;
use crate::base::id::{AuthorId, LogId, ShortId};
use crate::base::position::{Cursor, Mark};
use crate::commit::descriptor::Descriptor;
use crate::commit::digest::Digest;
use crate::commit::vector::{Tip, Vector};
use crate::wire::batch::record::Record;

/// The protocol version spoken by this code, and the oldest it understands.
pub const VERSION: u8 = 1;
/// See [`VERSION`].
pub const VERSION_MIN: u8 = 1;

/// The first frame of each side.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Hello {
    /// Oldest version understood.
    #[n(0)]
    pub version_min: u8,
    /// Newest version understood.
    #[n(1)]
    pub version_max: u8,
    /// The name of the space that this link is for.
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
    /// How far the sender has got in the logs of holders it has met. From an accepter only between
    /// relays, and between replicas.
    #[n(6)]
    pub cursors: Vec<Cursor>,
    /// Of the sender's vector; absent while it holds what is not stored yet. Says nothing unless both
    /// sides have no holes.
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
    pub head: Mark,
    /// The regions that hold this space, as a relay knows them.
    #[cbor(n(12), default, skip_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// What the accepter lets the dialler do. From a dialler that will bring no commits: `read_only`.
    /// Between replicas: what the sender lets the other do, either way.
    #[n(13)]
    pub terms: Terms,
    /// What the space is; absent from a relay that nobody has told yet.
    #[n(14)]
    pub descriptor: Option<Descriptor>,
    /// The partition of the space that this link is for.
    #[n(15)]
    pub partition: u32,
    /// How many commits the sender holds without all of their bytes.
    #[n(16)]
    pub holes: u64,
    /// Those commits, where `tips` are given.
    #[cbor(n(17), default, skip_if = "Vec::is_empty")]
    pub hole_tips: Vec<Tip>,
    /// Bits of what the receiver must understand beyond its version. Version 1 knows none.
    #[n(18)]
    pub required: u64,
}

decode_map!(Hello { version_min: 0, version_max: 1, space: 2, log: 3, region: 4, token: 5, cursors: 6, digest: 7, resumed: 8, tips: 9, credit: 10, head: 11, regions: 12 default, terms: 13 default, descriptor: 14, partition: 15, holes: 16, hole_tips: 17 default, required: 18 });

impl Hello {
    /// The greeting of a holder that holds nothing, and grants so many bytes of credit.
    pub fn empty(descriptor: Descriptor, log: LogId, credit: u64) -> Self {
        Self {
            version_min: VERSION_MIN,
            version_max: VERSION,
            space: descriptor.name.clone(),
            log,
            region: None,
            token: None,
            cursors: Vec::new(),
            digest: Some(Vector::default().digest()),
            resumed: false,
            tips: Some(Vec::new()),
            credit,
            head: Mark::START,
            regions: Vec::new(),
            terms: Terms::default(),
            descriptor: Some(descriptor),
            partition: 0,
            holes: 0,
            hole_tips: Vec::new(),
            required: 0,
        }
    }
}

/// What an accepter lets a dialler do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Terms {
    /// Whether commits that the dialler brings are refused.
    #[n(0)]
    pub read_only: bool,
    /// In how many milliseconds the token expires; absent: never.
    #[n(1)]
    pub expires_in: Option<u64>,
}

decode_map!(Terms { read_only: 0, expires_in: 1 });

/// Commits of the sender's log, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commits {
    /// The commits.
    pub records: Vec<Record>,
    /// With these, the receiver has been given all that it lacked up to here.
    pub to: Option<Mark>,
    /// Between relays: commits that the sender holds, and all before them in their chains, which it
    /// leaves to others to send. They count for `to`; the receiver asks for them if they do not come.
    pub named: Vec<Tip>,
}

/// A part of a commit too large for a frame. The parts of one commit follow one another.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
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

decode_map!(Piece { bytes: 0, last: 1, answer: 2 });

/// What the sender has stored durably of the receiver's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Ack {
    /// All of the receiver's log up to this number: from there the receiver may resume.
    #[n(0)]
    pub read: u64,
    /// Of what this link brought, or one before it: up to this number all its bytes are there, or the
    /// deletes that explain their absence. Only this counts as stored. Absent where nothing is missing.
    #[n(1)]
    pub whole: Option<u64>,
    /// In the sender's own log, all of that at or before this position.
    #[n(2)]
    pub at: Mark,
    /// Whether the receiver has been given all of the sender's log up to `at`. As a rule it has, so that is left out.
    #[cbor(n(3), default, skip_if = "is_true")]
    pub complete: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as minicbor asks for it")]
fn is_true(value: &bool) -> bool {
    *value
}

decode_map!(Ack { read: 0, whole: 1, at: 2, complete: 3 or_true });

/// Part of the sender's vector.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
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
    /// Commits that the sender holds without all of their bytes.
    #[cbor(n(3), default, skip_if = "Vec::is_empty")]
    pub hole_tips: Vec<Tip>,
}

decode_map!(VectorPart { tips: 0, last: 1, answer: 2, hole_tips: 3 default });

/// Nothing has moved on this link for a while: do both sides hold the same?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Quiet {
    /// The end of the sender's log.
    #[n(0)]
    pub head: Mark,
    /// How far the sender has got in the receiver's log.
    #[n(1)]
    pub read: u64,
    /// Of the sender's vector.
    #[n(2)]
    pub digest: Digest,
}

decode_map!(Quiet { head: 0, read: 1, digest: 2 });

/// A request for part of a chain that commits already sent depend on.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Want {
    /// Comes back in the answer.
    #[n(0)]
    pub nonce: u64,
    /// What is missing.
    #[n(1)]
    pub ranges: Vec<ChainRange>,
}

decode_map!(Want { nonce: 0, ranges: 1 });

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
    /// Of the commits with the last number only this one: the branch of a fork that is meant.
    #[n(3)]
    pub branch: Option<ShortId>,
}

/// Commits that were asked for, in the order of the sender's log. What is not in it, or in the
/// [`Piece`]s before it, the sender does not hold, unless `cut`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the [`Want`].
    pub nonce: u64,
    /// The commits.
    pub records: Vec<Record>,
    /// More follow in further answers with this nonce.
    pub more: bool,
    /// The answer was full; ask again for the rest.
    pub cut: bool,
}

/// "Tell me the end of your log now", and the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Head {
    /// Comes back in the answer.
    #[n(0)]
    pub nonce: u64,
    /// The end of the log; absent in the question.
    #[n(1)]
    pub at: Option<Mark>,
}

decode_map!(Head { nonce: 0, at: 1 });

/// A relay tells whose commits it brought on how far another region has come.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Stored {
    /// The region.
    #[n(0)]
    pub region: String,
    /// Its log. Another one than before: what was said of that is void.
    #[n(1)]
    pub log: LogId,
    /// It has stored all of the sender's log up to this number, with all bytes.
    #[n(2)]
    pub upto: u64,
    /// Whether the sender is linked to it; otherwise it knows this from a while ago.
    #[n(3)]
    pub is_linked: bool,
    /// The partition that both logs are of.
    #[n(4)]
    pub partition: u32,
}

decode_map!(Stored { region: 0, log: 1, upto: 2, is_linked: 3, partition: 4 });

/// "Tell me of each region when all that it holds now is in your log", and the answers to it, one
/// for each region.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Fresh {
    /// Comes back in the answers.
    #[n(0)]
    pub nonce: u64,
    /// The region and where its commits are in the sender's log by now; absent in the question.
    #[n(1)]
    pub answer: Option<RegionHead>,
}

decode_map!(Fresh { nonce: 0, answer: 1 });

/// What a region held is in a log.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct RegionHead {
    /// The region.
    #[n(0)]
    pub region: String,
    /// At or before this position.
    #[n(1)]
    pub at: Mark,
}

decode_map!(RegionHead { region: 0, at: 1 });

/// The link is about to be closed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Bye {
    /// A [`CloseCode`](crate::wire::close::CloseCode).
    #[n(0)]
    pub code: u16,
    /// For people.
    #[n(1)]
    pub reason: String,
    /// With [`CloseCode::Incompatible`](crate::wire::close::CloseCode): what the space is here.
    #[n(2)]
    pub descriptor: Option<Descriptor>,
}

decode_map!(Bye { code: 0, reason: 1, descriptor: 2 });
