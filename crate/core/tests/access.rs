//! Who may come in, and how much of what: a relay and what its clients see of its verdicts.

#[allow(dead_code)]
mod common;

use common::{World, int, put};
use eyot_core::automerge::ScalarValue;
use eyot_core::document::value::Value;
use eyot_core::holder::caps::Caps;
use eyot_core::replica::event::Event;
use eyot_core::replica::status::State;
use eyot_core::wire::access::{Claims, Refusal, Right};

fn claims(right: Right) -> Claims {
    Claims { subject: "somebody".into(), spaces: vec![("space".into(), right)], ..Claims::open() }
}

/// Bytes that do not compress.
fn noise(len: u64, seed: u64) -> Value {
    let byte = |i: u64| (i.wrapping_mul(i).wrapping_mul(31).wrapping_add(seed * 7 + (i >> 3)) >> 5) as u8;
    Value::Scalar(ScalarValue::Bytes((0..len).map(byte).collect()))
}

fn code(world: &World, node: usize) -> Option<&'static str> {
    world.nodes[node].replica.status().error.map(|(code, _)| code)
}

#[test]
fn who_may_only_read_reads_on_keeps_its_own_and_is_told() {
    let mut world = World::new(1);
    world.judge = |number, _| Ok(claims(if number == 1 { Right::Read } else { Right::Write }));
    let doc = world.named(0, "note", &Value::Map([("n".to_owned(), int(0))].into()));
    let reader = world.join(1, Default::default());
    assert_eq!(world.named(reader, "note", &Value::Map([("n".to_owned(), int(0))].into())), doc);
    world.call(reader, |r, now| r.change(doc, &[put("mine", int(1))], None, now)).unwrap();
    world.call(0, |r, now| r.change(doc, &[put("theirs", int(2))], None, now)).unwrap();
    let status = world.nodes[reader].replica.status();
    assert_eq!((status.state, status.unsent), (State::Live, 1));
    assert_eq!(code(&world, reader), Some("denied"));
    assert_ne!(world.nodes[0].replica.value(doc).unwrap(), world.nodes[reader].replica.value(doc).unwrap());

    // A token that allows writing is given on the same link.
    world.judge = |_, _| Ok(claims(Right::Write));
    world.call(reader, |r, _| r.set_token("2".into()));
    assert_eq!(world.nodes[reader].replica.status().unsent, 0);
    assert_eq!(code(&world, reader), None);
    assert_eq!(world.nodes[0].replica.value(doc).unwrap(), world.nodes[reader].replica.value(doc).unwrap());
}

#[test]
fn a_token_for_another_space_or_none_that_counts_lets_nobody_in() {
    let mut world = World::new(0);
    world.judge = |number, _| match number {
        0 => Ok(Claims { spaces: vec![("other".into(), Right::Write)], ..claims(Right::Write) }),
        1 => Err(Refusal::denied("the token was not signed by a key of this relay")),
        _ => Err(Refusal::expired("the token has expired")),
    };
    for (number, expected) in [(0, "denied"), (1, "denied"), (2, "expired")] {
        let node = world.join(number, Default::default());
        world.call(node, |r, now| r.create(&[put("n", int(1))], None, now)).unwrap();
        let status = world.nodes[node].replica.status();
        assert_eq!((status.state, status.unsent), (State::Denied, 1));
        assert_eq!(code(&world, node), Some(expected));
    }
    assert!(world.relay_store.range(b"b", b"c").next().is_none(), "nothing was stored");
}

#[test]
fn a_link_ends_with_its_token_unless_it_is_renewed() {
    let mut world = World::new(0);
    world.judge = |_, now| Ok(Claims { expires_at: Some(now + 100_000), ..claims(Right::Write) });
    let node = world.join(0, Default::default());
    world.pass(2_500);
    world.pass(55_000);
    let asked = |world: &World| {
        world.nodes[node].events.iter().filter(|event| matches!(event, Event::TokenExpiring)).count()
    };
    assert_eq!(asked(&world), 1, "a fresh one is asked for well before");
    world.call(node, |r, _| r.set_token("1".into()));
    world.pass(60_000);
    assert_eq!(world.nodes[node].replica.status().state, State::Live);
    assert_eq!(asked(&world), 2);
    // Nobody gives one this time, and the old one does not let in again.
    world.judge = |_, _| Err(Refusal::expired("the token has expired"));
    world.pass(45_000);
    assert_eq!(code(&world, node), Some("expired"));
    assert_ne!(world.nodes[node].replica.status().state, State::Live);
}

#[test]
fn over_a_quota_a_replica_reads_on_keeps_its_own_and_goes_on_when_there_is_room() {
    let mut world = World::new(1);
    world.caps = Caps { space_bytes_max: 20_000, ..Caps::default() };
    world.restart_relay(2);
    world.pass(1_000);
    let full = world.join(1, Default::default());
    let doc = world.call(full, |r, now| r.create(&[put("n", int(0))], None, now)).unwrap().doc;
    assert!(world.open(0, doc));
    for number in 0..4 {
        let key = format!("text {number}");
        world.call(full, |r, now| r.change(doc, &[put(&key, noise(9_000, number))], None, now)).unwrap();
    }
    world.pass(1_000);
    assert_eq!(code(&world, full), Some("quota"));
    assert!(world.nodes[full].replica.status().unsent > 0);
    // What is small still fits, from whoever has not brought too much; and it is read.
    world.call(0, |r, now| r.change(doc, &[put("small", int(1))], None, now)).unwrap();
    assert_eq!(world.nodes[full].replica.status().state, State::Live);
    assert_eq!(world.nodes[0].replica.status().unsent, 0);

    world.caps = Caps::default();
    world.restart_relay(3);
    world.pass(2_000);
    world.pass(60_000);
    world.pass(2_000);
    assert_eq!(world.nodes[full].replica.status().unsent, 0);
    assert_eq!(code(&world, full), None);
    assert_eq!(world.nodes[0].replica.value(doc).unwrap(), world.nodes[full].replica.value(doc).unwrap());
}

#[test]
fn too_many_connections_of_one_token_are_refused() {
    let mut world = World::new(0);
    world.caps = Caps { subject_connections_max: 2, ..Caps::default() };
    world.restart_relay(2);
    for number in 0..3 {
        world.join(number, Default::default());
    }
    assert_eq!(world.nodes[1].replica.status().state, State::Live);
    assert_eq!(code(&world, 2), Some("quota"));
    world.set_online(0, false);
    world.pass(31_000);
    assert_eq!(world.nodes[2].replica.status().state, State::Live);
}

#[test]
fn who_sends_too_fast_waits_and_loses_nothing() {
    let mut world = World::new(0);
    world.caps = Caps { connection_bytes_per_second: 1_000_000, ..Caps::default() };
    world.restart_relay(2);
    let node = world.join(0, Default::default());
    let doc = world.call(node, |r, now| r.create(&[put("n", int(0))], None, now)).unwrap().doc;
    for number in 0..120u64 {
        let ops = [put(&number.to_string(), noise(100_000, number))];
        world.call(node, |r, now| r.change(doc, &ops, None, now)).unwrap();
    }
    assert!(world.nodes[node].replica.status().unsent > 0, "more than the first credit in no time");
    for _ in 0..15 {
        world.pass(1_000);
    }
    assert_eq!(world.nodes[node].replica.status().unsent, 0);
}
