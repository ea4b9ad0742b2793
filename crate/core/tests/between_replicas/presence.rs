//! What replicas show of themselves to each other.

use std::collections::BTreeMap;

use eyot_core::base::id::{LinkId, PresenceId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Mark;
use eyot_core::replica::event::{Event, ReplicaError};
use eyot_core::wire::access::{Right, Side};
use eyot_core::wire::bodies::Head;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;
use eyot_core::wire::presence::{Presence, Present};

use crate::world::{World, hello};

const WRITE: [Right; 2] = [Right::Write, Right::Write];

fn show(world: &mut World, node: usize, state: &str) -> PresenceId {
    world.call(node, |replica, now| replica.show(Some(state.into()), now)).expect("it is small")
}

/// What a node knows of others.
fn seen(world: &World, node: usize) -> BTreeMap<PresenceId, String> {
    let mut seen = BTreeMap::new();
    for event in &world.nodes[node].events {
        if let Event::Present { id, state } = event {
            match state {
                Some(state) => seen.insert(*id, String::from_utf8(state.clone()).expect("a text")),
                None => seen.remove(id),
            };
        }
    }
    seen
}

fn shown(world: &World, node: usize) -> Vec<String> {
    seen(world, node).into_values().collect()
}

/// How many frames of this a node has sent.
fn told(world: &World, node: usize) -> usize {
    world.sent.iter().filter(|(from, frame)| *from == node && matches!(frame, Frame::Present(_))).count()
}

fn said(id: u8, number: u64, bytes: usize) -> Presence {
    Presence { id: PresenceId([id; 16]), number, age: 0, state: Some(vec![b'x'; bytes].into()) }
}

fn present(all: Vec<Presence>) -> Frame {
    Frame::Present(Present { all })
}

/// A peer for which the test speaks.
fn raw(world: &mut World, log: u8) -> LinkId {
    world.raw(0, Side::Accepter, Right::Read, hello(log))
}

#[test]
fn what_a_replica_shows_is_seen_by_those_it_is_linked_to_and_by_those_behind_them() {
    let mut world = World::new(3);
    world.link(0, 1, WRITE);
    world.link(1, 2, [Right::Read, Right::Write]);
    let one = show(&mut world, 0, "one");
    show(&mut world, 2, "three");
    world.pass(1_000);
    assert_eq!(seen(&world, 2), BTreeMap::from([(one, "one".into())]));
    assert_eq!(shown(&world, 0), ["three"]);
    assert_eq!(shown(&world, 1).len(), 2, "who shows nothing sees others all the same");
    let none = world.call(0, |replica, now| replica.show(None, now)).expect("nothing is small");
    world.pass(1_000);
    assert_eq!(none, one, "a process keeps its id");
    assert_eq!(shown(&world, 2), [""; 0]);
}

#[test]
fn of_what_changes_fast_the_latest_is_told_four_times_a_second() {
    let mut world = World::new(2);
    world.link(0, 1, WRITE);
    show(&mut world, 1, "other");
    show(&mut world, 0, "first");
    world.pass(1_000);
    let before = told(&world, 0);
    for number in 0..100 {
        show(&mut world, 0, &number.to_string());
        world.pass(10);
    }
    assert!(told(&world, 0) - before <= 5, "one at once, and then one each quarter of a second");
    world.pass(250);
    assert_eq!(shown(&world, 1), ["99"]);
}

#[test]
fn what_is_not_said_again_for_ten_seconds_is_not_shown_any_more() {
    let mut world = World::new(2);
    world.link(0, 1, WRITE);
    show(&mut world, 0, "here");
    show(&mut world, 1, "other");
    world.pass(60_000);
    assert_eq!(shown(&world, 1), ["here"]);
    // The link is half dead, which takes longer to find out.
    world.is_lost = |(to, _)| to == 1;
    world.pass(10_500);
    assert_eq!(shown(&world, 1), [""; 0]);
}

#[test]
fn what_was_said_does_not_get_younger_by_being_passed_on() {
    let mut world = World::new(1);
    let link = raw(&mut world, 50);
    world.say(0, link, &present(vec![Presence { age: 8_500, ..said(9, 1, 1) }]));
    world.say(0, link, &present(vec![Presence { age: 9_750, ..said(8, 1, 1) }]));
    assert_eq!(shown(&world, 0), ["x"]);
    world.add("space", None);
    world.link(0, 1, WRITE);
    world.pass(900);
    assert_eq!(shown(&world, 1), ["x"]);
    world.pass(400);
    assert_eq!((shown(&world, 0).len(), shown(&world, 1).len()), (0, 0));
}

#[test]
fn with_its_link_who_was_there_by_it_is_gone_and_comes_back_by_another() {
    let mut world = World::new(3);
    let [link, _] = world.link(0, 1, WRITE);
    world.link(1, 2, WRITE);
    show(&mut world, 0, "one");
    show(&mut world, 2, "three");
    world.pass(1_000);
    world.call(0, |replica, now| replica.close_peer(link, now));
    world.pass(500);
    assert_eq!((shown(&world, 1), shown(&world, 2)), (vec!["three".into()], vec![]));
    world.link(0, 2, WRITE);
    world.pass(1_000);
    assert_eq!((shown(&world, 2), shown(&world, 0)), (vec!["one".into()], vec!["three".into()]));
}

#[test]
fn who_leaves_is_gone_at_once_for_all() {
    let mut world = World::new(3);
    world.link(0, 1, WRITE);
    world.link(1, 2, WRITE);
    world.link(0, 2, WRITE);
    show(&mut world, 0, "one");
    show(&mut world, 1, "two");
    world.call(2, |replica, now| replica.show(None, now)).expect("nothing is small");
    world.pass(1_000);
    world.call(0, |replica, now| replica.leave(now));
    assert_eq!(shown(&world, 1), [""; 0]);
    world.pass(250);
    assert_eq!(shown(&world, 2), ["two"]);
    let before = told(&world, 0);
    world.pass(60_000);
    assert_eq!(shown(&world, 2), ["two"]);
    assert!(told(&world, 0) - before < 40, "what others say is passed on, no more");
}

#[test]
fn who_is_said_to_be_gone_and_is_not_says_so() {
    let mut world = World::new(2);
    world.link(0, 1, WRITE);
    let id = show(&mut world, 0, "here");
    show(&mut world, 1, "other");
    let link = raw(&mut world, 50);
    world.pass(1_000);
    world.say(0, link, &present(vec![Presence { id, state: None, ..said(0, 1_000, 0) }]));
    world.pass(500);
    assert_eq!(shown(&world, 1), ["here"]);
}

#[test]
fn two_processes_with_one_id_become_two() {
    let mut world = World::new(2);
    let id = show(&mut world, 0, "here");
    let link = raw(&mut world, 50);
    world.link(0, 1, WRITE);
    show(&mut world, 1, "other");
    world.pass(1_000);
    world.say(0, link, &present(vec![Presence { id, ..said(0, 1_000, 3) }]));
    world.pass(1_000);
    let other = world.call(0, |replica, now| replica.show(Some("here".into()), now)).expect("it is small");
    assert_ne!(id, other);
    assert_eq!(seen(&world, 1).get(&other).map(String::as_str), Some("here"));
}

#[test]
fn who_is_alone_says_so_once_and_is_heard_by_whoever_comes() {
    let mut world = World::new(1);
    let link = raw(&mut world, 50);
    show(&mut world, 0, "alone");
    world.pass(300_000);
    for number in 0..10 {
        show(&mut world, 0, &format!("alone {number}"));
        world.pass(1_000);
    }
    assert_eq!(world.code(0, link), Some(CloseCode::GoingAway as u16), "the test does not answer there");
    assert_eq!(told(&world, 0), 1);
    world.add("space", None);
    world.link(0, 1, WRITE);
    show(&mut world, 1, "comes");
    world.pass(500);
    assert_eq!((shown(&world, 0), shown(&world, 1)), (vec!["comes".into()], vec!["alone 9".into()]));
}

/// Both believed to be alone, and neither said anything (seed 430225).
#[test]
fn two_that_begin_to_show_at_once_after_everybody_had_left_see_each_other() {
    let mut world = World::new(3);
    world.link(0, 1, WRITE);
    world.link(1, 2, WRITE);
    show(&mut world, 2, "gone soon");
    world.pass(1_000);
    assert_eq!(shown(&world, 0), ["gone soon"]);
    world.call(2, |replica, now| replica.leave(now));
    world.pass(20_000);
    show(&mut world, 0, "one");
    show(&mut world, 1, "two");
    world.pass(1_000);
    assert_eq!((shown(&world, 0), shown(&world, 1)), (vec!["two".into()], vec!["one".into()]));
}

/// Nobody heard of it: whoever had no room for it did not know that there was something to ask for (seed 621234).
#[test]
fn what_is_shown_while_a_link_has_no_room_is_told_once_it_has_read() {
    let mut world = World::new(0);
    world.limits = Limits { unread_bytes: 1_000, probe_bytes: 100, ..Limits::PROTOCOL };
    world.add("space", None);
    for number in 0..100 {
        world.write(0, number);
    }
    let link = world.relay(0, hello(50));
    show(&mut world, 0, "here");
    world.pass(500);
    assert_eq!(told(&world, 0), 0, "there is no room");
    for answered in 0.. {
        let asked = world.sent.iter().filter_map(|(_, frame)| match frame {
            Frame::Head(Head { nonce, at: None }) => Some(*nonce),
            _ => None,
        });
        let Some(nonce) = asked.into_iter().nth(answered) else { break };
        world.say(0, link, &Frame::Head(Head { nonce, at: Some(Mark::START) }));
    }
    world.pass(500);
    assert_eq!((world.commits_of(0), told(&world, 0)), (100, 1));
}

#[test]
fn nothing_of_it_is_written() {
    let mut world = World::new(2);
    world.link(0, 1, WRITE);
    world.pass(60_000);
    let written = world.written.len();
    show(&mut world, 0, "one");
    show(&mut world, 1, "two");
    world.pass(60_000);
    assert_eq!(shown(&world, 0), ["two"]);
    assert_eq!(world.written.len(), written);
    assert_eq!(world.nodes[0].replica.vector().len(), 0);
}

#[test]
fn what_is_shown_is_small() {
    let mut world = World::new(1);
    let most = Limits::PROTOCOL.presence_bytes_max;
    let shown = world.call(0, |replica, now| replica.show(Some(vec![0; most + 1]), now));
    assert!(matches!(shown, Err(ReplicaError::TooLarge(_))), "{shown:?}");
    world.call(0, |replica, now| replica.show(Some(vec![0; most]), now)).expect("as much as may be");
    let link = raw(&mut world, 50);
    world.say(0, link, &present(vec![said(1, 1, most)]));
    assert_eq!(world.code(0, link), None);
    world.say(0, link, &present(vec![said(2, 1, most + 1)]));
    assert_eq!(world.code(0, link), Some(CloseCode::TooLarge as u16));
}

#[test]
fn nobody_fills_up_alone_who_is_known_to_be_there() {
    let mut world = World::new(0);
    world.limits = Limits { presences_max: 4, ..Limits::PROTOCOL };
    world.add("space", None);
    let flood = raw(&mut world, 50);
    world.say(0, flood, &present((1..=4).map(|id| said(id, 1, 1)).collect()));
    world.say(0, flood, &present((5..=8).map(|id| said(id, 1, 1)).collect()));
    assert_eq!(seen(&world, 0).len(), 4);
    let other = raw(&mut world, 51);
    world.say(0, other, &present(vec![said(10, 1, 1), said(11, 1, 1), said(12, 1, 1)]));
    assert_eq!(seen(&world, 0).into_keys().filter(|id| id.0[0] >= 10).count(), 2);
    let own = show(&mut world, 0, "own");
    world.add("space", None);
    world.link(0, 1, WRITE);
    world.pass(250);
    assert!(seen(&world, 1).contains_key(&own), "a replica knows itself");
    world.say(0, flood, &present((1..=5).map(|id| said(id, 2, 1)).collect()));
    assert_eq!(world.code(0, flood), Some(CloseCode::TooLarge as u16));
}

#[test]
fn what_a_peer_says_beyond_its_rate_is_dropped() {
    let mut world = World::new(0);
    world.limits = Limits { presence_bytes_per_second: 200, presence_bytes_burst: 1_000, ..Limits::PROTOCOL };
    world.add("space", None);
    let link = raw(&mut world, 50);
    for number in 1..=20 {
        world.say(0, link, &present(vec![said(1, number, number as usize)]));
    }
    let longest = shown(&world, 0)[0].len();
    assert!((5..10).contains(&longest), "{longest}");
    world.pass(5_000);
    world.say(0, link, &present(vec![said(1, 30, 30)]));
    assert_eq!((shown(&world, 0)[0].len(), world.code(0, link)), (30, None));
}
