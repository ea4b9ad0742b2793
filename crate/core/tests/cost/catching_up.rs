//! How long it takes until two holders know that they hold the same.

use std::collections::BTreeMap;

use eyot_core::base::limits::Limits;
use eyot_core::document::value::Value;
use eyot_core::holder::caps::Caps;
use eyot_core::replica::event::Event;
use eyot_core::replica::status::State;
use eyot_core::replica::waits::WaitId;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::wire::frame::Frame;

use crate::net::{Net, NodeId};
use crate::peers::{Raw, chain, relay, replica};

/// A link's delay there and back, and a write.
const DISK: u64 = 40;

fn is_over(net: &Net, node: NodeId, wait: WaitId) -> bool {
    net.nodes[node].events.iter().any(|event| matches!(event, Event::Waited(over) if *over == wait))
}

/// A relay that holds many commits, and a replica with a slow disk that is on its way to having them.
fn catching_up() -> (Net, NodeId, NodeId) {
    // More than may be on the way at once.
    let limits = Limits { write_bytes_max: 4_000, credit_bytes: 150_000, ..Limits::PROTOCOL };
    let mut net = Net::new(limits);
    let relay = relay(&mut net, "eu", &[], Caps::default(), MemoryStore::default());
    let raw = Raw::new(&mut net, relay);
    for some in chain(1, 2_000).chunks(100) {
        raw.bring(&mut net, some);
        net.run(100);
    }
    let replica = replica(&mut net, &["eu"], DISK);
    (net, relay, replica)
}

#[test]
fn a_replica_that_writes_while_it_catches_up_is_live_and_synced_a_round_trip_after_it_holds_all() {
    // The last write is acknowledged while the last of the others' commits are still being stored.
    for writes in [40, 60, 70] {
        let (mut net, relay, replica) = catching_up();
        assert!(net.run_until(10_000, |net| net.replica(replica).status().state == State::Syncing));
        for _ in 0..writes {
            net.run(DISK);
            net.call(replica, |replica, now| replica.create(&[], None, now)).unwrap();
        }
        let wait = net.call(replica, |replica, _| replica.synced());
        let holds_all =
            |net: &Net| net.replica(replica).vector().digest() == net.relay(relay).vector().digest();
        assert!(net.run_until(60_000, |net| net.replica(replica).vector().len() == 2 && holds_all(net)));
        let before = net.now;
        let is_live = |net: &Net| net.replica(replica).status().state == State::Live;
        assert!(net.run_until(10_000, |net| is_live(net) && is_over(net, replica, wait)));
        let round_trips = (net.now - before).div_ceil(2 * net.link_delay + DISK);
        assert!(round_trips <= 3, "{} ms after {writes} writes", net.now - before);
    }
}

/// Digests say so, and nobody has to be still for them.
#[test]
fn two_holders_that_told_each_other_what_they_hold_compare_it_as_soon_as_neither_lacks_anything() {
    let (mut net, _, replica) = catching_up();
    assert!(net.run_until(60_000, |net| net.replica(replica).status().state == State::Live));
    net.run(2 * net.link_delay + DISK);
    let frames = net.frames_to(replica);
    assert!(frames.iter().any(|frame| matches!(frame, Frame::Agree(_))), "they have not compared");
}

#[test]
fn holders_are_compared_although_one_goes_on_writing() {
    let mut net = Net::new(Limits::PROTOCOL);
    let relay = relay(&mut net, "eu", &[], Caps::default(), MemoryStore::default());
    let replica = replica(&mut net, &["eu"], 0);
    net.run(5_000);
    let quiets =
        |net: &Net| net.frames_to(relay).iter().filter(|frame| matches!(frame, Frame::Quiet(_))).count();
    let before = quiets(&net);
    for _ in 0..130 {
        net.call(replica, |replica, now| replica.create(&[], None, now)).unwrap();
        net.run(1_000);
    }
    assert!((1..=4).contains(&(quiets(&net) - before)), "{} comparisons", quiets(&net) - before);
}

#[test]
fn who_asks_for_more_regions_than_there_are_before_a_relay_was_met_waits_and_is_told() {
    let mut net = Net::new(Limits::PROTOCOL);
    relay(&mut net, "eu", &["us"], Caps::default(), MemoryStore::default());
    relay(&mut net, "us", &["eu"], Caps::default(), MemoryStore::default());
    let replica = replica(&mut net, &["eu"], 0);
    net.call(replica, |replica, now| replica.create(&[], None, now)).unwrap();
    let durable = net.call(replica, |replica, _| replica.durable(2, None)).expect("nobody knows yet");
    let fresh = net.call(replica, |replica, _| replica.fresh(2)).expect("nobody knows yet");
    let too_many = net.call(replica, |replica, _| replica.durable(3, None)).expect("nobody knows yet");
    assert!(net.run_until(10_000, |net| is_over(net, replica, durable) && is_over(net, replica, fresh)));
    let reason = net.nodes[replica].events.iter().find_map(|event| match event {
        Event::WaitFailed(wait, reason) if *wait == too_many => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(reason.as_deref(), Some("3 regions were asked for, and this space has 2"));
    let error = net.call(replica, |replica, _| replica.durable(3, None)).unwrap_err();
    assert_eq!((error.code(), error.to_string()), ("invalid", reason.unwrap()));
}

#[test]
fn without_relays_nothing_is_unsent_and_no_region_can_be_waited_for() {
    let mut net = Net::new(Limits::PROTOCOL);
    let replica = replica(&mut net, &[], 0);
    net.run(10);
    let made = net.call(replica, |replica, now| replica.create(&[], None, now)).unwrap();
    net.run(1_000);
    let status = net.replica(replica).status();
    assert_eq!((status.state, status.unsent), (State::Local, 0));
    let value = eyot_core::document::value::decode_value(&net.replica(replica).value(made.doc).unwrap());
    assert_eq!(value.unwrap(), Value::Map(BTreeMap::new()));
    let error = net.call(replica, |replica, _| replica.durable(1, None)).unwrap_err();
    assert_eq!(error.to_string(), "this space has no relays, so nothing is stored in any region");
    let relays = vec!["eu".to_owned()];
    net.call(replica, |replica, _| replica.set_relays(relays));
    assert_eq!(net.replica(replica).status().unsent, 1);
}

#[test]
fn relays_that_are_all_away_are_tried_ever_more_rarely() {
    let mut net = Net::new(Limits::PROTOCOL);
    let replica = replica(&mut net, &["eu", "us", "ap"], 0);
    net.run(15_000);
    let dials = net.nodes[replica].dials;
    assert!((4..=11).contains(&dials), "{dials} in 15 seconds");
    let probes = net.nodes[replica].probes;
    assert!(probes <= 9, "{probes} in 15 seconds");
    net.run(585_000);
    assert!(net.nodes[replica].dials - dials <= 90, "{} in ten minutes", net.nodes[replica].dials);
    // None is tried more rarely than if it were alone.
    relay(&mut net, "ap", &[], Caps::default(), MemoryStore::default());
    assert!(net.run_until(31_000, |net| net.replica(replica).status().state == State::Live));
}

#[test]
fn relays_are_remembered_in_the_order_in_which_they_were_met() {
    let mut net = Net::new(Limits::PROTOCOL);
    let names = ["eu", "us", "ap", "sa"];
    for name in names {
        relay(&mut net, name, &[], Caps::default(), MemoryStore::default());
    }
    let replica = replica(&mut net, &["eu"], 0);
    for name in names {
        net.call(replica, |replica, _| replica.set_relays(vec![name.to_owned()]));
        assert!(net.run_until(20_000, |net| {
            net.replica(replica).relays_met().first().is_some_and(|met| met == name)
        }));
    }
    assert_eq!(net.replica(replica).relays_met(), ["sa", "ap", "us", "eu"]);
}
