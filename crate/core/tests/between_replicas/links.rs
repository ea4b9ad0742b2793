//! What two replicas that link to each other come to hold, and what they believe of each other.

use eyot_core::base::id::{AuthorId, DocId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::header::{HEADER_FORMAT, Header, ItemHeader};
use eyot_core::replica::event::Event;
use eyot_core::wire::access::{Right, Side};
use eyot_core::wire::bodies::Commits;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

use minicbor::bytes::ByteVec;

use crate::world::{World, hello};

const BOTH: [Right; 2] = [Right::Write, Right::Write];

#[test]
fn what_either_writes_the_other_reads_with_no_relay() {
    let mut world = World::new(2);
    world.write(0, 1);
    world.write(1, 2);
    world.link(0, 1, BOTH);
    assert!(world.hold_the_same(), "what was there before");
    world.write(0, 3);
    world.write(1, 4);
    assert!(world.hold_the_same(), "what comes after");
    assert_eq!(world.nodes[0].replica.documents().len(), 4);
}

#[test]
fn a_commit_passes_on_through_others_and_never_back_to_who_brought_it() {
    let mut world = World::new(3);
    world.link(0, 1, BOTH);
    world.link(1, 2, BOTH);
    for n in 0..10 {
        world.write(0, n);
    }
    assert!(world.hold_the_same());
    assert_eq!([0, 1, 2].map(|node| world.commits_of(node)), [10, 10, 0]);
}

#[test]
fn who_may_only_read_is_sent_to_and_brings_nothing_whoever_greets() {
    for rights in [[Right::Read, Right::Write], [Right::Write, Right::Read]] {
        let mut world = World::new(2);
        let reader = usize::from(rights[1] == Right::Read);
        world.write(reader, 1);
        world.write(1 - reader, 2);
        let links = world.link(0, 1, rights);
        world.write(reader, 3);
        world.write(1 - reader, 4);
        world.pass(120_000);
        assert_eq!(world.commits_of(reader), 0);
        assert_eq!(world.nodes[reader].replica.documents().len(), 4);
        assert_eq!(world.nodes[1 - reader].replica.documents().len(), 2);
        assert_eq!([world.code(0, links[0]), world.code(1, links[1])], [None, None], "the link stays");
    }
}

#[test]
fn neither_shows_the_other_what_lets_it_in_at_relays() {
    let mut world = World::new(2);
    world.link(0, 1, BOTH);
    for node in 0..2 {
        world.call(node, |replica, _| replica.set_token("another secret".into()));
    }
    let is_shown = |frame: &Frame| match frame {
        Frame::Hello(hello) => hello.token.is_some(),
        frame => matches!(frame, Frame::Token(_)),
    };
    assert!(!world.sent.iter().any(|(_, frame)| is_shown(frame)));
}

#[test]
fn after_a_break_only_what_is_new_is_sent_whoever_greets() {
    let mut world = World::new(2);
    let [link, _] = world.link(0, 1, BOTH);
    for n in 0..50 {
        world.write((n % 2) as usize, n);
    }
    // Both agree, and write down what they know of each other.
    world.pass(10_000);
    world.call(0, |replica, now| replica.close_peer(link, now));
    world.write(0, 100);
    world.write(1, 101);
    let before = world.sent.len();
    world.link(1, 0, BOTH);
    assert!(world.hold_the_same());
    let after = &world.sent[before..];
    let greeted_with_cursor = after.iter().any(|(_, frame)| matches!(frame, Frame::Hello(h) if h.resumed));
    assert!(greeted_with_cursor, "the side that was dialled before greets with what it kept");
    assert!(after.len() <= 8, "{} frames", after.len());
}

#[test]
fn another_replica_is_counted_as_a_peer_and_never_as_a_region() {
    let mut world = World::new(2);
    let made = world.write(0, 1);
    let wait = world.call(0, |replica, _| replica.durable(1, Some(made.seq))).expect("there may be a region");
    world.link(0, 1, BOTH);
    world.pass(5_000);
    assert!(world.hold_the_same());
    let status = world.nodes[0].replica.status();
    assert_eq!((status.peers, status.unsent, status.behind.len()), (1, 1, 0));
    assert!(!status.synced);
    let is_over = |event: &Event| matches!(event, Event::Waited(id) if *id == wait);
    assert!(!world.nodes[0].events.iter().any(is_over), "no region has it");
}

#[test]
fn a_link_on_which_nothing_comes_back_is_given_up() {
    let mut world = World::new(2);
    let [link, _] = world.link(0, 1, BOTH);
    world.pass(60_000);
    assert_eq!(world.code(0, link), None, "both are there");
    world.is_lost = |(node, _)| node == 0;
    world.pass(20_000);
    assert_eq!(world.code(0, link), Some(CloseCode::GoingAway as u16));
}

#[test]
fn a_space_of_another_name_or_kind_is_refused_and_not_believed() {
    let mut world = World::new(1);
    let elsewhere = world.add("another space", None);
    let [_, link] = world.link(0, elsewhere, BOTH);
    assert_eq!(world.code(elsewhere, link), Some(CloseCode::Denied as u16));
    let other = Descriptor { partitions: 2, ..Descriptor::plain("space") };
    let rival = world.add("space", Some(other));
    let [_, refused] = world.link(0, rival, BOTH);
    assert_eq!(world.code(rival, refused), Some(CloseCode::Incompatible as u16));
    world.link(rival, 0, BOTH);
    world.write(0, 1);
    assert!(world.nodes[rival].replica.documents().is_empty());
    // It is still of the space that it was.
    let friend = world.add("space", None);
    world.link(friend, 0, BOTH);
    assert_eq!(world.nodes[friend].replica.documents().len(), 1);
}

#[test]
fn both_ends_of_a_link_have_logs_of_their_own() {
    let mut world = World::new(1);
    let [_, link] = world.link(0, 0, BOTH);
    assert_eq!(world.code(0, link), Some(CloseCode::OutOfOrder as u16));
}

#[test]
fn of_the_replicas_that_were_met_those_met_last_are_kept() {
    let mut world = World::new(1);
    let most = Limits::PROTOCOL.hello_cursors_max;
    for _ in 0..most + 10 {
        let other = world.add("space", None);
        let [link, _] = world.link(0, other, BOTH);
        world.call(0, |replica, now| replica.close_peer(link, now));
        world.nodes.pop();
    }
    let kept = world.nodes[0].store.iter().filter(|(key, _)| key.first() == Some(&b'p')).count();
    assert_eq!(kept, most);
    assert!(world.nodes[0].replica.relays_met().is_empty());
}

#[test]
fn what_is_known_of_many_others_is_written_in_parts_and_all_of_it() {
    let mut world = World::new(0);
    world.limits = Limits { peers_written_max: 2, ..Limits::PROTOCOL };
    world.add("space", None);
    let links = [9, 8, 7, 6, 5].map(|log| world.raw(0, Side::Accepter, Right::Write, hello(log)));
    world.call(0, |replica, now| replica.close_peer(links[0], now));
    // Along with a commit, and then by itself.
    world.write(0, 1);
    let of_others = |keys: &[Vec<u8>]| keys.iter().filter(|key| key.first() == Some(&b'p')).count();
    let written = world.written.iter().map(|(_, keys)| of_others(keys)).filter(|count| *count > 0);
    assert_eq!(written.collect::<Vec<_>>(), [2, 2, 1]);
    let kept = world.nodes[0].store.iter().filter(|(key, _)| key.first() == Some(&b'p')).count();
    assert_eq!(kept, links.len());
}

#[test]
fn items_of_kinds_that_this_version_does_not_know_are_kept_and_sent_on_as_they_are() {
    let mut world = World::new(2);
    world.link(0, 1, BOTH);
    let doc = DocId([7; 16]);
    // One of a document, one of none.
    let items = [(Some(doc), 9, b"of a document".to_vec()), (None, 64, b"a seal".to_vec())];
    let header = Header {
        format: HEADER_FORMAT,
        author: AuthorId([7; 16]),
        seq: 1,
        prev: Descriptor::plain("space").chain_start(0),
        after: Vec::new(),
        time: 0,
        items: items.iter().map(|(doc, kind, bytes)| ItemHeader::new(*doc, *kind, bytes)).collect(),
    };
    let bytes: Vec<ByteVec> = items.map(|(_, _, bytes)| bytes.into()).to_vec();
    let record = minicbor::to_vec((ByteVec::from(header.encode()), bytes)).expect("into memory");
    let link = world.raw(0, Side::Accepter, Right::Write, hello(9));
    let frame = Commits { records: vec![record.clone().into()], to: None, named: Vec::new() };
    world.say(0, link, &Frame::Commits(frame));
    assert_eq!(world.code(0, link), None);
    assert!(world.hold_the_same());
    let is_it = |(from, frame): &(usize, Frame)| match frame {
        Frame::Commits(commits) => *from == 0 && commits.records.iter().any(|sent| *sent.bytes() == record),
        _ => false,
    };
    assert!(world.sent.iter().any(is_it), "to the byte");
    world.write(1, 1);
    assert!(world.hold_the_same());
}

/// A backup that was put back and the original, each with more than may wait (seeds 1057, 5743).
#[test]
fn a_fork_deeper_than_what_may_wait_is_taken_by_the_next_link() {
    let mut world = World::new(0);
    world.limits = Limits { waiting_commits_max: 40, ..Limits::PROTOCOL };
    world.author = Some(AuthorId([1; 16]));
    for commits in [100, 160] {
        let node = world.add("space", None);
        for n in 0..commits {
            world.write(node, n);
        }
    }
    let mut codes = Vec::new();
    for _ in 0..5 {
        let links = world.link(0, 1, BOTH);
        world.pass(120_000);
        codes.extend([world.code(0, links[0]), world.code(1, links[1])].into_iter().flatten());
        if world.hold_the_same() {
            break;
        }
    }
    assert!(world.hold_the_same());
    let has_closed = |code: CloseCode| codes.contains(&(code as u16));
    assert!(has_closed(CloseCode::GoingAway) && !has_closed(CloseCode::Waiting), "{codes:?}");
}

#[test]
fn links_tell_what_each_lets_pass_and_how_long_a_round_trip_takes() {
    let mut world = World::new(3);
    let [full, _] = world.link(0, 1, BOTH);
    let [one_way, _] = world.link(0, 2, [Right::Write, Right::Read]);
    let now = world.now;
    let look = |world: &mut World, node: usize| {
        let links = world.call(node, |replica, _| replica.links(now));
        links.into_iter().map(|link| (link.link, link.own, link.theirs)).collect::<Vec<_>>()
    };
    let of_first = look(&mut world, 0);
    assert_eq!(
        of_first,
        [(Some(full), Right::Write, Right::Write), (Some(one_way), Right::Write, Right::Read)]
    );
    let of_reader = look(&mut world, 2);
    assert_eq!((of_reader[0].1, of_reader[0].2), (Right::Read, Right::Write));
    // Nobody is asked again before a while has passed.
    let asked =
        |world: &World| world.sent.iter().filter(|(_, frame)| matches!(frame, Frame::Head(_))).count();
    let before = asked(&world);
    look(&mut world, 0);
    assert_eq!(asked(&world), before);
    world.pass(1_000);
    let now = world.now;
    world.call(0, |replica, _| replica.links(now));
    assert_eq!(asked(&world), before + 4, "two questions and two answers");
    world.call(0, |replica, now| replica.close_peer(full, now));
    assert_eq!(look(&mut world, 0).len(), 1);
}
