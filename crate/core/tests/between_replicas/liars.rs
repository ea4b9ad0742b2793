//! What a peer gains that is not who it says it is.

use eyot_core::base::id::LogId;
use eyot_core::base::position::{Mark, Marker, Position};
use eyot_core::replica::event::Event;
use eyot_core::wire::access::{Right, Side};
use eyot_core::wire::bodies::{Ack, Commits, Hello};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

use crate::world::{World, hello, husk};

/// Says that all was read and stored.
fn ack(read: u64) -> Frame {
    Frame::Ack(Ack { read, whole: None, at: Mark::START, complete: false })
}

fn log_of(world: &World, node: usize) -> LogId {
    let greeting = world.sent.iter().find_map(|(from, frame)| match frame {
        Frame::Hello(hello) if *from == node => Some(hello.log),
        _ => None,
    });
    greeting.expect("it has greeted")
}

#[test]
fn who_greets_as_the_log_of_a_relay_is_refused_and_durable_waits_for_the_relay() {
    for is_liar_first in [true, false] {
        let mut world = World::new(1);
        let liar = |world: &mut World| world.raw(0, Side::Accepter, Right::Write, hello(9));
        let first = is_liar_first.then(|| liar(&mut world));
        let made = world.write(0, 1);
        let wait = world.call(0, |replica, _| replica.durable(1, Some(made.seq))).expect("a wait");
        if let Some(link) = first {
            world.say(0, link, &ack(1));
        }
        let relay = world.relay(0, hello(9));
        let link = first.unwrap_or_else(|| liar(&mut world));
        assert_eq!(world.code(0, link), Some(CloseCode::Denied as u16));
        let is_over = |world: &World| {
            world.nodes[0].events.iter().any(|event| matches!(event, Event::Waited(over) if *over == wait))
        };
        assert!(!is_over(&world), "the relay has said nothing");
        world.say(0, relay, &ack(1));
        assert!(is_over(&world), "the relay's word counts");
    }
}

#[test]
fn what_another_acknowledges_as_the_log_of_a_replica_is_sent_to_that_one_all_the_same() {
    let mut world = World::new(2);
    let [link, _] = world.link(0, 1, [Right::Write, Right::Write]);
    world.write(0, 1);
    world.pass(5_000);
    world.call(0, |replica, now| replica.close_peer(link, now));
    world.write(0, 2);
    let liar_hello = Hello { log: log_of(&world, 1), ..hello(9) };
    let liar = world.raw(0, Side::Accepter, Right::Write, liar_hello);
    world.say(0, liar, &ack(2));
    world.call(0, |replica, now| replica.close_peer(liar, now));
    // Nobody compares what both hold where one may only read.
    world.link(0, 1, [Right::Write, Right::Read]);
    assert!(world.hold_the_same());
}

/// It acknowledged what the other's log never had, and each link between the two ended for it (seed 154).
#[test]
fn no_position_counts_that_another_has_told_of_a_log_that_is_shorter() {
    let mut world = World::new(2);
    let [link, _] = world.link(0, 1, [Right::Write, Right::Write]);
    world.write(0, 1);
    world.pass(5_000);
    world.call(0, |replica, now| replica.close_peer(link, now));
    let log = log_of(&world, 0);
    let liar = world.raw(1, Side::Accepter, Right::Write, Hello { log, ..hello(9) });
    let to = Some(Marker::new(log, [1; 32], 0).mark(Position { seq: 50, ..Position::START }));
    let records = vec![husk(9).encode().into()];
    world.say(1, liar, &Frame::Commits(Commits { records, to, named: Vec::new() }));
    world.pass(2_000);
    world.call(1, |replica, now| replica.close_peer(liar, now));
    // It brings nothing that would put it right.
    let [dialled, accepted] = world.link(0, 1, [Right::Read, Right::Write]);
    world.pass(5_000);
    assert_eq!([world.code(0, dialled), world.code(1, accepted)], [None, None]);
    assert!(world.hold_the_same());
}
