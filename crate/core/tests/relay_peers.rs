//! A relay, and peers of which the test says every frame.

use std::collections::{BTreeMap, VecDeque};

use eyot_core::base::id::{AuthorId, DocId, LinkId, LogId, ShortId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::{Cursor, Mark, Marker, Position};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;
use eyot_core::holder::caps::Caps;
use eyot_core::holder::io::{Effect, Input};
use eyot_core::relay::region::RelayPeer;
use eyot_core::relay::relay::{Relay, RelayConfig};
use eyot_core::storage::memory::MemoryStore;
use eyot_core::wire::access::Claims;
use eyot_core::wire::batch::Last;
use eyot_core::wire::batch::record::Record;
use eyot_core::wire::bodies::{Ack, Commits, Hello};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

const CLIENT: LinkId = LinkId(1);
const OTHER: LinkId = LinkId(2);

struct Bench {
    relay: Relay,
    store: MemoryStore,
    /// What the relay has sent and nobody has looked at yet.
    sent: Vec<(LinkId, Frame)>,
    last: BTreeMap<LinkId, Option<Last>>,
    closed: Vec<(LinkId, u16)>,
    now: u64,
}

impl Bench {
    fn new() -> Self {
        Self::with_peers(Vec::new())
    }

    fn with_peers(peers: Vec<RelayPeer>) -> Self {
        let config = RelayConfig {
            space: "space".into(),
            region: "eu".into(),
            peers,
            token: None,
            caps: Caps::default(),
            limits: Limits::PROTOCOL,
            seed: [7; 32],
        };
        let now = 1_000_000;
        let relay = Relay::new(config, now);
        let store = MemoryStore::default();
        let mut bench =
            Self { relay, store, sent: Vec::new(), last: BTreeMap::new(), closed: Vec::new(), now };
        bench.run();
        bench
    }

    fn input(&mut self, input: Input) {
        self.relay.handle(input, self.now);
        self.run();
    }

    fn run(&mut self) {
        let mut inputs = VecDeque::new();
        loop {
            while let Some(effect) = self.relay.poll_effect() {
                match effect {
                    Effect::Storage(id, request) => {
                        inputs.push_back(Input::Storage(id, self.store.answer(&request)));
                    }
                    Effect::Authorize(link, _) => {
                        let claims = Claims { is_relay: true, ..Claims::open() };
                        inputs.push_back(Input::Authorized(link, Ok(claims)));
                    }
                    Effect::Send(link, frame) => {
                        let frame =
                            Frame::decode_next(&frame, &Limits::PROTOCOL, self.last.entry(link).or_default())
                                .expect("a relay sends frames");
                        self.sent.push((link, frame));
                    }
                    Effect::Close(link, code, _) => self.closed.push((link, code)),
                    Effect::Dial(..) | Effect::SetTimer(_) | Effect::Sign(..) => {}
                }
            }
            let Some(input) = inputs.pop_front() else { return };
            self.relay.handle(input, self.now);
        }
    }

    fn frame(&mut self, link: LinkId, frame: &Frame) {
        self.input(Input::Received(link, frame.encode()));
    }

    /// A peer comes, with this of a greeting.
    fn greet(&mut self, link: LinkId, log: u8, change: impl FnOnce(&mut Hello)) {
        let mut hello = Hello::empty(Descriptor::plain("space"), LogId([log; 16]), 1 << 20);
        change(&mut hello);
        self.input(Input::LinkOpened(link));
        self.frame(link, &Frame::Hello(hello));
    }

    fn bring(&mut self, link: LinkId, commits: &[&Commit]) {
        let records = commits.iter().map(|commit| commit.encode().into()).collect();
        self.frame(link, &Frame::Commits(Commits { records, to: None, named: Vec::new() }));
    }

    /// What was sent on a link since this was last asked.
    fn take(&mut self, link: LinkId) -> Vec<Frame> {
        let (taken, left) = std::mem::take(&mut self.sent).into_iter().partition(|(to, _)| *to == link);
        self.sent = left;
        taken.into_iter().map(|(_, frame): (LinkId, Frame)| frame).collect()
    }

    /// The commits that were sent on a link since this was last asked.
    fn commits(&mut self, link: LinkId) -> Vec<Commit> {
        let frames = self.take(link).into_iter();
        let records = frames.flat_map(|frame| match frame {
            Frame::Commits(commits) => commits.records,
            _ => Vec::new(),
        });
        let decode = |record: Record| record.open(&Limits::PROTOCOL).expect("a relay sends commits");
        records.map(decode).collect()
    }

    /// The relay's log, and the mark of its end.
    fn end(&mut self, link: LinkId) -> (LogId, Mark) {
        self.greet(link, 3, |_| {});
        let frames = self.take(link);
        self.input(Input::LinkClosed(link));
        let hello = frames.into_iter().find_map(|frame| match frame {
            Frame::Hello(hello) => Some((hello.log, hello.head)),
            _ => None,
        });
        hello.expect("a relay greets back")
    }
}

/// The first commit of an author.
fn commit(author: u8) -> Commit {
    let start = Descriptor::plain("space").chain_start(0);
    let items = vec![(DocId([9; 16]), Kind::Change, vec![author; 20])];
    Commit::new((AuthorId([author; 16]), 1, start), Vec::new(), 0, items, &Limits::PROTOCOL).expect("small")
}

/// The same without its bytes, and with a reason that nobody can check.
fn husk(commit: &Commit) -> Commit {
    let delete = After { author: AuthorId([99; 16]), seq: 1, short: ShortId([99; 16]) };
    let mut husk = commit.clone();
    husk.justify(|_| Some(delete));
    husk.justify(|_| None);
    assert!(husk.has_holes());
    husk
}

#[test]
fn bytes_that_come_late_are_sent_at_a_place_of_their_own_to_who_was_linked_and_to_who_was_away() {
    let mut bench = Bench::new();
    bench.greet(CLIENT, 1, |hello| hello.tips = Some(Vec::new()));
    bench.greet(OTHER, 2, |hello| hello.tips = Some(Vec::new()));
    let whole = commit(1);
    bench.bring(CLIENT, &[&husk(&whole)]);
    assert!(bench.commits(OTHER).iter().all(Commit::has_holes));
    assert_eq!(bench.relay.stored(), 1);
    // It acknowledges that, goes, and the bytes come.
    let (log, mark) = bench.end(LinkId(3));
    let at = Cursor { log, read: mark, seen: mark };
    bench.frame(OTHER, &Frame::Ack(Ack { read: 1, whole: None, at: at.read, complete: false }));
    bench.input(Input::LinkClosed(OTHER));
    bench.greet(LinkId(4), 4, |hello| hello.cursors = vec![at]);
    bench.take(LinkId(4));
    bench.bring(CLIENT, &[&whole]);
    assert_eq!(bench.relay.stored(), 2);
    assert_eq!(bench.commits(LinkId(4)), std::slice::from_ref(&whole));
    bench.greet(OTHER, 2, |hello| hello.cursors = vec![at]);
    assert_eq!(bench.commits(OTHER), std::slice::from_ref(&whole));
    // A copy that comes once more is held, and no fork of its author.
    bench.bring(CLIENT, &[&whole]);
    assert_eq!(bench.relay.stored(), 2);
    assert_eq!(bench.relay.vector().tips().copied().collect::<Vec<_>>(), [whole.tip()]);
}

#[test]
fn a_copy_without_bytes_that_waits_is_completed_by_one_that_has_them() {
    let mut bench = Bench::new();
    bench.greet(CLIENT, 1, |hello| hello.tips = Some(Vec::new()));
    bench.greet(OTHER, 2, |hello| hello.tips = Some(Vec::new()));
    let first = commit(1);
    let items = vec![(DocId([9; 16]), Kind::Change, vec![2; 20])];
    let place = (AuthorId([1; 16]), 2, first.id());
    let second = Commit::new(place, Vec::new(), 0, items, &Limits::PROTOCOL).expect("small");
    bench.bring(OTHER, &[&husk(&second)]);
    bench.bring(CLIENT, &[&second]);
    bench.bring(CLIENT, &[&first]);
    assert_eq!(bench.relay.stored(), 2);
    // Whoever lacked the bytes is sent them.
    assert_eq!(bench.commits(OTHER), [first, second]);
}

#[test]
fn a_relay_that_learns_what_the_space_is_greets_those_again_that_it_could_not_tell() {
    let mut bench = Bench::new();
    bench.greet(OTHER, 2, |hello| hello.descriptor = None);
    assert!(bench.closed.is_empty());
    bench.greet(CLIENT, 1, |_| {});
    assert_eq!(bench.closed, [(OTHER, CloseCode::GoingAway as u16)]);
    // Who says the same may come again, who says otherwise is told what it is.
    bench.closed.clear();
    bench.greet(LinkId(3), 3, |_| {});
    bench.greet(LinkId(4), 4, |hello| {
        hello.descriptor = Some(Descriptor { partitions: 2, ..Descriptor::plain("space") });
    });
    assert_eq!(bench.closed, [(LinkId(4), CloseCode::Incompatible as u16)]);
}

#[test]
fn a_relay_that_had_holes_when_it_greeted_says_what_is_whole() {
    let mut bench = Bench::new();
    bench.greet(CLIENT, 1, |hello| hello.tips = Some(Vec::new()));
    let whole = commit(1);
    bench.bring(CLIENT, &[&husk(&whole)]);
    bench.greet(OTHER, 2, |hello| hello.tips = Some(Vec::new()));
    let frames = bench.take(OTHER);
    assert!(frames.iter().any(|frame| matches!(frame, Frame::Hello(hello) if hello.holes == 1)));
    assert!(frames.iter().any(|frame| matches!(frame, Frame::Ack(Ack { whole: None, .. }))));
}

/// Seed 455348: one copy of a log had said that the bytes are deleted and was never seen again, and the other one's
/// `durable` waited for that delete for ever.
#[test]
fn a_hole_limits_what_is_whole_for_the_copy_of_a_log_that_had_its_bytes_and_not_for_the_one_that_lacks_them()
{
    let mut bench = Bench::new();
    let mut gone = commit(1);
    gone.justify(|_| Some(After { author: AuthorId([99; 16]), seq: 1, short: ShortId([99; 16]) }));
    let marker = Marker::new(LogId([1; 16]), [5; 32], 0);
    let mark = |seq| marker.mark(Position { seq, ..Position::START });
    let bring = |bench: &mut Bench, link, commits: &[&Commit], to| {
        let records = commits.iter().map(|commit| commit.encode().into()).collect();
        bench.frame(link, &Frame::Commits(Commits { records, to: Some(mark(to)), named: Vec::new() }));
    };
    let acks = |bench: &mut Bench, link| {
        let acks = bench.take(link).into_iter().filter_map(|frame| match frame {
            Frame::Ack(ack) => Some((ack.read, ack.whole)),
            _ => None,
        });
        acks.last()
    };
    bench.greet(CLIENT, 1, |hello| hello.head = mark(9));
    bring(&mut bench, CLIENT, &[&gone], 1);
    assert_eq!(acks(&mut bench, CLIENT), Some((1, Some(0))));
    bench.input(Input::LinkClosed(CLIENT));
    bench.greet(OTHER, 1, |hello| hello.head = mark(9));
    bring(&mut bench, OTHER, &[&husk(&commit(1)), &commit(2)], 2);
    assert_eq!(acks(&mut bench, OTHER), Some((2, None)));
    // The copy that had the bytes comes back.
    bench.input(Input::LinkClosed(OTHER));
    bench.greet(LinkId(4), 1, |hello| hello.head = mark(9));
    bring(&mut bench, LinkId(4), &[&commit(3)], 3);
    assert_eq!(acks(&mut bench, LinkId(4)), Some((3, Some(0))));
}

/// Seed 452878: it was told nothing, and its `durable` waited for ever.
#[test]
fn a_client_that_came_while_a_region_was_away_is_told_what_that_has_stored_once_it_is_back() {
    let us = RelayPeer { region: "us".into(), url: "us".into() };
    let mut bench = Bench::with_peers(vec![us]);
    let is_from_us = |hello: &mut Hello| {
        hello.region = Some("us".into());
        hello.regions = vec!["eu".into(), "us".into()];
    };
    let has_told = |frames: Vec<Frame>| {
        frames.iter().any(|frame| matches!(frame, Frame::Stored(stored) if stored.upto == 1))
    };
    bench.greet(CLIENT, 1, |_| {});
    bench.bring(CLIENT, &[&commit(1)]);
    let (log, mark) = bench.end(LinkId(3));
    let at = Cursor { log, read: mark, seen: mark };
    bench.greet(OTHER, 2, |hello| {
        is_from_us(hello);
        hello.cursors = vec![at];
    });

    bench.input(Input::LinkClosed(OTHER));
    bench.greet(LinkId(4), 4, |hello| hello.cursors = vec![at]);
    assert!(!has_told(bench.take(LinkId(4))));
    bench.greet(LinkId(5), 2, |hello| {
        is_from_us(hello);
        hello.cursors = vec![at];
    });
    assert!(has_told(bench.take(LinkId(4))));
}
