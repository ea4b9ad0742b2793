//! What a replica takes from another one, of which the test says every frame.

use eyot_core::base::id::{AuthorId, LinkId};
use eyot_core::base::position::{Mark, Marker, Position};
use eyot_core::commit::header::After;
use eyot_core::wire::access::{Right, Side};
use eyot_core::wire::bodies::{
    Ack, ChainRange, Commits, Fresh, Head, Hello, RegionHead, Stored, Terms, Want,
};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

use crate::world::{World, after, commit, commits, hello, husk};

const SIDES: [Side; 2] = [Side::Dialer, Side::Accepter];

/// A replica whose peer may do that, on each side.
fn with_peer(side: Side, right: Right) -> (World, LinkId) {
    let mut world = World::new(1);
    let link = world.raw(0, side, right, hello(9));
    assert_eq!(world.code(0, link), None);
    (world, link)
}

#[test]
fn what_only_relays_say_is_refused() {
    let fresh = RegionHead { region: "eu".into(), at: Mark::START };
    let stored = Stored { region: "eu".into(), log: hello(9).log, upto: 1, is_linked: true, partition: 0 };
    let frames = [
        Frame::Stored(stored),
        Frame::Fresh(Fresh { nonce: 1, answer: Some(fresh) }),
        Frame::Fresh(Fresh { nonce: 1, answer: None }),
        Frame::Token("a token".into()),
        Frame::Terms(Terms::default()),
    ];
    for (side, frame) in SIDES.into_iter().flat_map(|side| frames.iter().map(move |frame| (side, frame))) {
        let (mut world, link) = with_peer(side, Right::Write);
        world.say(0, link, frame);
        assert_eq!(world.code(0, link), Some(CloseCode::OutOfOrder as u16), "{frame:?}");
    }
}

#[test]
fn nobody_is_a_relay_by_its_own_word() {
    for side in SIDES {
        let mut world = World::new(1);
        let hello = Hello { region: Some("eu".into()), ..hello(9) };
        let link = world.raw(0, side, Right::Write, hello);
        assert_eq!(world.code(0, link), Some(CloseCode::Denied as u16));
        assert!(world.nodes[0].replica.status().behind.is_empty());
    }
}

#[test]
fn a_reader_that_brings_commits_is_refused_on_either_side() {
    for side in SIDES {
        let (mut world, link) = with_peer(side, Right::Read);
        world.say(0, link, &commits(&[commit(9)]));
        assert_eq!(world.code(0, link), Some(CloseCode::Denied as u16));
        assert!(world.nodes[0].replica.documents().is_empty());
    }
}

#[test]
fn a_writers_commits_are_taken() {
    for side in SIDES {
        let (mut world, link) = with_peer(side, Right::Write);
        world.say(0, link, &commits(&[commit(9)]));
        assert_eq!(world.code(0, link), None);
        assert_eq!(world.nodes[0].replica.documents().len(), 1);
    }
}

#[test]
fn of_commits_without_their_bytes_a_peer_may_bring_only_so_many() {
    let mut world = World::new(0);
    world.limits.holes_max = 2;
    world.add("space", None);
    let link = world.raw(0, Side::Accepter, Right::Write, hello(9));
    world.say(0, link, &commits(&[husk(9), husk(10)]));
    assert_eq!(world.code(0, link), None);
    world.say(0, link, &commits(&[husk(11)]));
    assert_eq!(world.code(0, link), Some(CloseCode::Full as u16));
    assert_eq!(world.nodes[0].replica.vector().len(), 2);
}

#[test]
fn frames_have_a_rate_on_either_side() {
    for side in SIDES {
        let (mut world, link) = with_peer(side, Right::Read);
        for nonce in 0..6_000 {
            world.say(0, link, &Frame::Head(Head { nonce, at: None }));
        }
        assert_eq!(world.code(0, link), Some(CloseCode::Flow as u16));
    }
}

#[test]
fn what_is_read_for_a_peer_waits_for_its_time() {
    let (mut world, link) = with_peer(Side::Accepter, Right::Read);
    world.write(0, 1);
    let is_answer = |(_, frame): &&(usize, Frame)| matches!(frame, Frame::Answer(_));
    let range = ChainRange { author: AuthorId([1; 16]), from: 1, to: 1, branch: None };
    // Each costs 4 KiB of reads at least, of which there are 64 MiB a second, and 1 MiB at once.
    for nonce in 0..2_000 {
        world.say(0, link, &Frame::Want(Want { nonce, ranges: vec![range] }));
        if world.code(0, link).is_some() {
            break;
        }
    }
    let answered = world.sent.iter().filter(is_answer).count();
    assert!(answered < 1_000, "{answered} answers in no time");
    assert_eq!(world.code(0, link), Some(CloseCode::Flow as u16), "a second question while one waits");
}

#[test]
fn who_lacks_bytes_is_not_owed_to_for_what_another_said_of_the_same_commit() {
    let mut world = World::new(1);
    let [liar, honest] = [8, 9].map(|log| world.raw(0, Side::Accepter, Right::Write, hello(log)));
    let cause = commit(20);
    let whole = after(21, &cause);
    let delete = After { author: AuthorId([99; 16]), seq: 1, short: whole.id().short() };
    let mut deleted = whole.clone();
    deleted.justify(|_| Some(delete));
    let mut hole = deleted.clone();
    hole.justify(|_| None);
    // Both copies wait for the cause, and are one commit then.
    world.say(0, liar, &commits(&[deleted]));
    world.say(0, honest, &commits(&[hole]));
    world.say(0, honest, &commits(&[cause]));
    for (link, next) in [(honest, 22), (liar, 23)] {
        let marker = Marker::new(hello(8).log, [1; 32], 0);
        let mark = |seq| marker.mark(Position { seq, ..Position::START });
        world.say(0, link, &Frame::Ack(Ack { read: 0, whole: None, at: mark(2), complete: false }));
        let records = vec![commit(next).encode().into()];
        world.say(0, link, &Frame::Commits(Commits { records, to: Some(mark(3)), named: Vec::new() }));
    }
    assert_eq!(world.code(0, honest), None);
    assert_eq!(world.code(0, liar), Some(CloseCode::Withheld as u16));
}
