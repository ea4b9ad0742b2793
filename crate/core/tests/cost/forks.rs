//! What a forked author costs.

use eyot_core::commit::commit::Commit;
use eyot_core::holder::caps::Caps;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::wire::close::CloseCode;

use crate::net::{Asked, Net};
use crate::peers::{Raw, commit, relay, start};
use eyot_core::base::limits::Limits;

fn forks(count: u64) -> Vec<Commit> {
    (0..count).map(|time| commit(7, 1, start(), Vec::new(), time)).collect()
}

/// What storage is asked for while so many branches of one author come in, and the relay's storage.
fn bring_forks(count: u64) -> (Asked, MemoryStore) {
    let mut net = Net::new(Limits { write_bytes_max: 500, ..Limits::PROTOCOL });
    let caps = Caps { author_branches_max: u64::MAX, ..Caps::default() };
    let relay = relay(&mut net, "eu", &[], caps, MemoryStore::default());
    let raw = Raw::new(&mut net, relay);
    for some in forks(count).chunks(200) {
        raw.bring(&mut net, some);
        net.run(1_000);
    }
    assert_eq!(net.relay(relay).vector().len() as u64, count);
    (net.nodes[relay].asked, net.nodes[relay].store.clone())
}

#[test]
fn each_branch_of_a_fork_costs_the_same_however_many_there_are() {
    let (few, _) = bring_forks(300);
    let (many, _) = bring_forks(1_200);
    assert!(many.rows_written <= 4 * few.rows_written, "{few:?}, {many:?}");
    assert!(many.gets + many.scans <= 4 * (few.gets + few.scans), "{few:?}, {many:?}");
    assert!(many.largest_value <= few.largest_value + 100, "no row grows with the branches: {many:?}");
}

#[test]
fn a_relay_that_wakes_knows_all_branches_and_takes_each_once() {
    let (_, store) = bring_forks(100);
    let mut net = Net::new(Limits::PROTOCOL);
    let relay = relay(&mut net, "eu", &[], Caps::default(), store);
    net.run(10);
    assert_eq!(net.relay(relay).vector().len(), 100);
    let raw = Raw::new(&mut net, relay);
    let forks = forks(100);
    raw.bring(&mut net, &forks);
    // One of them goes on.
    raw.bring(&mut net, &[commit(7, 2, forks[50].id(), Vec::new(), 0)]);
    net.run(1_000);
    assert_eq!((net.relay(relay).vector().len(), net.relay(relay).stored()), (100, 101));
    let before = net.relay(relay).vector().clone();
    let mut again = Net::new(Limits::PROTOCOL);
    let relay = self::relay(&mut again, "eu", &[], Caps::default(), net.nodes[relay].store.clone());
    again.run(10);
    assert_eq!(*again.relay(relay).vector(), before);
    assert_eq!(again.relay(relay).vector().digest(), before.digest());
}

#[test]
fn a_link_that_brings_more_branches_of_an_author_than_a_relay_takes_ends_and_no_other_does() {
    let mut net = Net::new(Limits::PROTOCOL);
    let caps = Caps { author_branches_max: 5, ..Caps::default() };
    let eu = relay(&mut net, "eu", &["us"], caps, MemoryStore::default());
    let us = relay(&mut net, "us", &["eu"], caps, MemoryStore::default());
    let [at_eu, at_us, honest] = [eu, us, eu].map(|relay| Raw::new(&mut net, relay));
    let forks = forks(20);
    at_eu.bring(&mut net, &forks[..10]);
    at_us.bring(&mut net, &forks[10..]);
    honest.bring(&mut net, &[commit(8, 1, start(), Vec::new(), 0)]);
    net.run(30_000);
    assert_eq!(net.bye_to(at_eu.node), Some(CloseCode::Full as u16));
    assert_eq!(net.bye_to(at_us.node), Some(CloseCode::Full as u16));
    assert_eq!(net.bye_to(honest.node), None);
    // What one relay has taken, the others take from it, whatever they hold already.
    assert_eq!(net.relay(eu).vector().digest(), net.relay(us).vector().digest());
    assert!(net.relay(eu).vector().len() > 5, "{}", net.relay(eu).vector().len());
}

#[test]
fn branches_are_charged_as_authors_are() {
    let mut net = Net::new(Limits::PROTOCOL);
    let caps = Caps { subject_authors_max: 10, ..Caps::default() };
    let relay = relay(&mut net, "eu", &[], caps, MemoryStore::default());
    let raw = Raw::new(&mut net, relay);
    raw.bring(&mut net, &forks(20));
    net.run(1_000);
    assert_eq!(net.bye_to(raw.node), Some(CloseCode::Full as u16));
    assert_eq!(net.relay(relay).vector().len(), 10);
}

#[test]
fn a_relay_writes_no_rows_for_the_authors_that_a_commit_comes_after() {
    let mut net = Net::new(Limits::PROTOCOL);
    let relay = relay(&mut net, "eu", &[], Caps::default(), MemoryStore::default());
    let raw = Raw::new(&mut net, relay);
    let others: Vec<_> = (10..30).map(|author| commit(author, 1, start(), Vec::new(), 0)).collect();
    raw.bring(&mut net, &others);
    net.run(1_000);
    raw.bring(&mut net, &[commit(1, 1, start(), others.iter().map(Commit::name).collect(), 0)]);
    net.run(1_000);
    let mut kinds: Vec<_> = net.nodes[relay].last_write.iter().map(|key| key[0]).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [b'b', b'm', b't', b'u', b'u'], "the row, the end, one chain, two accounts");
}
