//! A log that is read anew, because another process that shares it has written.

use eyot_core::base::limits::Limits;
use eyot_core::holder::caps::Caps;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::wire::bodies::{ChainRange, Want};
use eyot_core::wire::frame::Frame;

use crate::net::Net;
use crate::peers::{Raw, chain, commit, relay, start};
use eyot_core::base::id::AuthorId;

/// A question is under way, and so is a write that another process overtakes.
#[test]
fn a_question_that_was_asked_of_the_log_as_it_was_is_answered_from_the_log_as_it_is() {
    for delay in 0..60 {
        let mut net = Net::new(Limits::PROTOCOL);
        let store = {
            let relay = relay(&mut net, "eu", &[], Caps::default(), MemoryStore::default());
            let raw = Raw::new(&mut net, relay);
            raw.bring(&mut net, &chain(1, 5));
            net.run(1_000);
            net.nodes[relay].store.clone()
        };
        let mut net = Net::new(Limits::PROTOCOL);
        let relay = relay(&mut net, "eu", &[], Caps::default(), store);
        net.run(10);
        let [raw, asker] = [Raw::new(&mut net, relay), Raw::new(&mut net, relay)];
        net.run(1_000);
        net.nodes[relay].disk_delay = 5;
        // Another process on the same storage appends.
        let mut other = Net::new(Limits::PROTOCOL);
        let second = self::relay(&mut other, "eu", &[], Caps::default(), net.nodes[relay].store.clone());
        other.run(10);
        let third = Raw::new(&mut other, second);
        third.bring(&mut other, &chain(2, 3));
        other.run(1_000);
        net.nodes[relay].store = other.nodes[second].store.clone();
        raw.bring(&mut net, &chain(3, 4));
        net.run(delay);
        let range = ChainRange { author: AuthorId([3; 16]), from: 1, to: 4, branch: None };
        net.send(asker.node, asker.link, &Frame::Want(Want { nonce: 7, ranges: vec![range] }));
        net.run(2_000);
        assert_eq!(net.relay(relay).failure(), None, "after {delay} ms");
        let answers = asker.hears(&net).filter_map(|frame| match frame {
            Frame::Answer(answer) if answer.nonce == 7 => Some(answer.records),
            _ => None,
        });
        let records = answers.flatten().map(|record| record.open(&Limits::PROTOCOL).unwrap());
        let records: Vec<_> = records.map(|commit| commit.header().author.0[0]).collect();
        assert!(records.iter().all(|author| *author == 3), "{records:?} after {delay} ms");
        assert_eq!(net.relay(relay).stored(), 12);
    }
}

/// It would wait until its link ended, although what it waits for is in the log.
#[test]
fn who_waits_for_a_cause_that_another_process_appends_is_let_in() {
    let mut net = Net::new(Limits::PROTOCOL);
    let relay = relay(&mut net, "eu", &[], Caps::default(), MemoryStore::default());
    let raw = Raw::new(&mut net, relay);
    raw.bring(&mut net, &chain(4, 1));
    let cause = commit(1, 1, start(), Vec::new(), 0);
    raw.bring(&mut net, &[commit(2, 1, start(), vec![cause.name()], 0)]);
    net.run(100);
    assert_eq!(net.relay(relay).stored(), 1);

    let mut other = Net::new(Limits::PROTOCOL);
    let second = self::relay(&mut other, "eu", &[], Caps::default(), net.nodes[relay].store.clone());
    other.run(10);
    Raw::new(&mut other, second).bring(&mut other, &[cause]);
    other.run(100);
    net.nodes[relay].store = other.nodes[second].store.clone();

    // Its next write is refused, and it reads the log anew.
    Raw::new(&mut net, relay).bring(&mut net, &chain(3, 1));
    net.run(1_000);
    assert_eq!((net.relay(relay).failure(), net.relay(relay).stored()), (None, 4));
}
