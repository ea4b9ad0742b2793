//! What links and storage agree on, with made-up ids: every frame, records, and what is hashed.

use eyot_core::base::id::{AuthorId, CommitId, DocId, InquiryId, LogId, PeerKey, PresenceId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::{Cursor, Mark, Marker, Position};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;
use eyot_core::commit::vector::{Tip, Vector};
use eyot_core::wire::access::Right;
use eyot_core::wire::batch::record::Record;
use eyot_core::wire::batch::{Last, encode};
use eyot_core::wire::bodies::{
    Ack, Answer, Bye, ChainRange, Commits, Fresh, Head, Hello, Piece, Quiet, RegionHead, Stored, Terms,
    VectorPart, Want,
};
use eyot_core::wire::frame::Frame;
use eyot_core::wire::meeting::{Announce, Introduction, Signal};
use eyot_core::wire::presence::{Presence, Present};
use eyot_core::wire::receipt::{Inquiry, Receipt, Statement, space_of};
use eyot_core::wire::ticket::Ticket;

const KEY: PeerKey = PeerKey([14; 32]);

/// A line for each vector: what it is, and bytes in hexadecimal.
pub fn lines() -> Vec<String> {
    let frames = frames().into_iter().map(|(name, frame)| format!("frame {name}: {}", hex(&frame.encode())));
    let records = records().into_iter().map(|(name, commit)| {
        let header = commit.header().encode();
        format!("record {name}: {} {} {}", hex(&commit.encode()), hex(&header), hex(&commit.id().0))
    });
    let batches = batches()
        .into_iter()
        .map(|(name, records, last)| format!("batch {name}: {}", hex(&encode(&records, last.as_ref()))));
    frames.chain(records).chain(batches).chain(hashes()).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn frames() -> Vec<(&'static str, Frame)> {
    let mark = marker().mark(end());
    let tips = tips();
    let terms = Terms { read_only: true, expires_in: Some(60_000) };
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        space: "team ü".into(),
        log: LogId([3; 16]),
        region: None,
        token: None,
        cursors: Vec::new(),
        digest: None,
        resumed: false,
        tips: None,
        credit: 4_194_304,
        head: Mark::START,
        regions: Vec::new(),
        terms: Terms { read_only: false, expires_in: None },
        descriptor: None,
        partition: 0,
        holes: 0,
        hole_tips: Vec::new(),
        required: 0,
    };
    let full = Hello {
        region: Some("eu".into()),
        token: Some("a.b.c".into()),
        cursors: vec![Cursor { log: LogId([4; 16]), read: Mark::START, seen: mark }],
        digest: Some(Vector::from_tips(tips.clone()).digest()),
        resumed: true,
        tips: Some(tips.clone()),
        head: mark,
        regions: vec!["eu".into(), "us".into()],
        terms,
        descriptor: Some(Descriptor::plain("team ü")),
        holes: 1,
        hole_tips: vec![tips[0]],
        ..hello.clone()
    };
    let record = |number: usize| records()[number].1.clone().into();
    let range = ChainRange { author: AuthorId([1; 16]), from: 1, to: 300, branch: None };
    let branch = ChainRange { branch: Some(tips[0].id.short()), from: 2, to: 2, ..range };
    vec![
        ("Hello, least", Frame::Hello(hello)),
        ("Hello, full", Frame::Hello(full)),
        (
            "Commits",
            Frame::Commits(Commits {
                records: vec![record(0), record(1)],
                to: Some(mark),
                named: Vec::new(),
            }),
        ),
        ("Commits, named", Frame::Commits(Commits { records: Vec::new(), to: None, named: tips.clone() })),
        ("Piece", Frame::Piece(Piece { bytes: vec![1, 2, 3].into(), last: true, answer: false })),
        ("Piece of an answer", Frame::Piece(Piece { bytes: vec![4].into(), last: false, answer: true })),
        ("Ack", Frame::Ack(Ack { read: 300, whole: None, at: mark, complete: true })),
        ("Ack with a hole", Frame::Ack(Ack { read: 300, whole: Some(12), at: mark, complete: false })),
        ("Credit", Frame::Credit(1_048_576)),
        (
            "Vector",
            Frame::Vector(VectorPart {
                tips: tips.clone(),
                last: true,
                answer: false,
                hole_tips: Vec::new(),
            }),
        ),
        (
            "Vector that asks",
            Frame::Vector(VectorPart { tips: Vec::new(), last: true, answer: true, hole_tips: tips.clone() }),
        ),
        ("Quiet", Frame::Quiet(Quiet { head: mark, read: 7, digest: Vector::from_tips(tips).digest() })),
        ("Agree", Frame::Agree(mark)),
        ("Want", Frame::Want(Want { nonce: 9, ranges: vec![range, branch] })),
        ("Answer", Frame::Answer(Answer { nonce: 9, records: vec![record(0)], more: true, cut: false })),
        ("Answer, cut", Frame::Answer(Answer { nonce: 9, records: Vec::new(), more: false, cut: true })),
        ("Head, asked", Frame::Head(Head { nonce: 10, at: None })),
        ("Head", Frame::Head(Head { nonce: 10, at: Some(mark) })),
        ("Bye", Frame::Bye(Bye { code: 4004, reason: "no".into(), descriptor: None })),
        (
            "Bye with a descriptor",
            Frame::Bye(Bye {
                code: 4003, reason: "é".into(), descriptor: Some(Descriptor::plain("team ü"))
            }),
        ),
        (
            "Stored",
            Frame::Stored(Stored {
                region: "us".into(),
                log: LogId([5; 16]),
                upto: 300,
                is_linked: true,
                partition: 0,
            }),
        ),
        ("Fresh, asked", Frame::Fresh(Fresh { nonce: 11, answer: None })),
        (
            "Fresh",
            Frame::Fresh(Fresh { nonce: 11, answer: Some(RegionHead { region: "us".into(), at: mark }) }),
        ),
        ("Token", Frame::Token("a.b.c".into())),
        ("Terms", Frame::Terms(terms)),
        ("Announce", Frame::Announce(Announce { key: Some(KEY), terms: None })),
        ("Announce, no longer", Frame::Announce(Announce { key: None, terms: None })),
        ("Announce between relays", Frame::Announce(Announce { key: Some(KEY), terms: Some(terms) })),
        (
            "Introduction",
            Frame::Introduction(Introduction {
                key: KEY,
                region: "us".into(),
                ticket: vec![1, 2].into(),
                to: None,
            }),
        ),
        (
            "Introduction between relays",
            Frame::Introduction(Introduction {
                key: KEY,
                region: "us".into(),
                ticket: vec![1, 2].into(),
                to: Some(PeerKey([15; 32])),
            }),
        ),
        (
            "Signal",
            Frame::Signal(Signal { key: KEY, region: "us".into(), bytes: vec![3].into(), from: None }),
        ),
        (
            "Signal between relays",
            Frame::Signal(Signal {
                key: KEY,
                region: "us".into(),
                bytes: vec![3].into(),
                from: Some(PeerKey([15; 32])),
            }),
        ),
        ("Naming", Frame::Naming(true)),
        (
            "Present",
            Frame::Present(Present {
                all: vec![
                    Presence { id: PresenceId([10; 16]), number: 7, age: 250, state: Some(vec![1].into()) },
                    Presence { id: PresenceId([11; 16]), number: 8, age: 0, state: None },
                ],
            }),
        ),
        (
            "Inquiry",
            Frame::Inquiry(Inquiry { id: InquiryId([16; 16]), authors: vec![AuthorId([1; 16])], hops: 3 }),
        ),
        ("Receipt", Frame::Receipt(Receipt { id: InquiryId([16; 16]), bytes: vec![4].into() })),
        ("Terms without an end", Frame::Terms(Terms { read_only: false, expires_in: None })),
    ]
}

/// Two commits of one author, and one of another that comes after the second.
pub fn records() -> [(&'static str, Commit); 3] {
    let start = Descriptor::plain("team ü").chain_start(0);
    let doc = DocId([7; 16]);
    let commit =
        |place, after, time, items| Commit::new(place, after, time, items, &Limits::PROTOCOL).unwrap();
    let (one, two) = (AuthorId([1; 16]), AuthorId([2; 16]));
    let first =
        commit((one, 1, start), Vec::new(), 1_790_000_000_000, vec![(doc, Kind::Change, vec![1, 2, 3])]);
    let items = vec![(doc, Kind::Delete, Vec::new()), (DocId([8; 16]), Kind::Import, vec![9; 30])];
    let second = commit((one, 2, first.id()), Vec::new(), 1_790_000_000_001, items);
    let third = commit((two, 1, start), vec![second.name()], 0, Vec::new());
    [("first", first), ("second", second), ("after another's", third)]
}

/// Batches, and the last commit of the one before.
pub fn batches() -> Vec<(&'static str, Vec<Record>, Option<Last>)> {
    let [first, second, third] = records().map(|(_, commit)| commit);
    let last = Some(Last::of(&first));
    let later = After { seq: 9, ..second.name() };
    let mut lacking = second.clone();
    lacking.justify(|_| Some(later));
    let hole = Commit::decode(&lacking.encode(), &Limits::PROTOCOL).map(|mut commit| {
        commit.justify(|_| None);
        commit
    });
    vec![
        ("of three", vec![first.clone().into(), second.clone().into(), third.into()], None),
        ("that goes on", vec![second.into()], last),
        ("with a record as it is", vec![Record::Encoded(vec![1, 2, 3])], None),
        ("with a deleted item and a hole", vec![lacking.into(), hole.expect("a commit").into()], last),
    ]
}

/// The batch of three, compressed by hand: all of it is written out. Which bytes repeat others is left to who
/// compresses.
pub fn compressed() -> Vec<u8> {
    let (_, records, _) = batches().swap_remove(0);
    let body = encode(&records, None).split_off(1);
    let len = body.len();
    // More than 15 bytes follow, and no repetition.
    let mut bytes = vec![1, len as u8 & 0x7f | 0x80, (len >> 7) as u8, 0xf0, (len - 15) as u8];
    bytes.extend(body);
    bytes
}

fn hashes() -> Vec<String> {
    let descriptor = Descriptor::plain("team ü");
    let bytes = hex(&minicbor::to_vec(&descriptor).unwrap());
    let start = hex(&descriptor.chain_start(3).0);
    let mark = marker().mark(end());
    let many = (0..40).map(|number: u8| Tip {
        author: AuthorId([number * 6; 16]),
        seq: u64::from(number) + 1,
        id: CommitId([number; 32]),
    });
    let ends = [(PeerKey([15; 32]), Right::Read), (KEY, Right::Write)];
    let ticket = Ticket { space: "team ü", ends, expires_at: 1_700_000_000_123 };
    let statement = Statement {
        id: InquiryId([16; 16]),
        space: space_of("team ü"),
        partition: 5,
        region: "eu".into(),
        log: LogId([3; 16]),
        tips: vec![Tip { author: AuthorId([1; 16]), seq: 7, id: CommitId([2; 32]) }],
    };
    vec![
        format!("descriptor plain: {bytes} {start}"),
        format!("running hash of three commits: {}", hex(&end().hash.0)),
        format!("mark of its end: {}", hex(&minicbor::to_vec(mark).unwrap())),
        format!("ticket to be signed: {}", hex(&ticket.to_sign())),
        format!("receipt to be signed: {}", hex(&statement.to_sign())),
        format!("digest of nothing: {}", digest(&Vector::default())),
        format!("digest of three: {}", digest(&Vector::from_tips(tips()))),
        format!("digest of forty: {}", digest(&Vector::from_tips(many))),
    ]
}

fn marker() -> Marker {
    Marker::new(LogId([6; 16]), [5; 32], 0)
}

fn end() -> Position {
    records().iter().fold(Position::START, |at, (_, commit)| at.then(&commit.id()))
}

/// Tips, two of them of one author.
fn tips() -> Vec<Tip> {
    let tip = |author, seq, id| Tip { author: AuthorId([author; 16]), seq, id: CommitId([id; 32]) };
    vec![tip(1, 9, 0x22), tip(1, 9, 0x33), tip(2, 300, 0x44)]
}

fn digest(vector: &Vector) -> String {
    hex(&minicbor::to_vec(vector.digest()).unwrap())
}
