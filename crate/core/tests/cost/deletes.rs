//! What deletes cost.

use eyot_core::base::id::{AuthorId, DocId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::kind::Kind;
use eyot_core::holder::caps::Caps;
use eyot_core::storage::memory::MemoryStore;

use crate::net::{Net, NodeId};
use crate::peers::{Raw, relay, start};

const DOCS: u8 = 100;

/// Rows of a few commits, read one by one.
fn limits() -> Limits {
    Limits { row_bytes: 500, read_bytes: 1, ..Limits::PROTOCOL }
}

fn doc(number: u8) -> DocId {
    DocId([number; 16])
}

/// A chain that makes documents and then deletes some of them.
fn commits(deletes: u8) -> (Vec<Commit>, Vec<Commit>) {
    let mut commits: Vec<Commit> = Vec::new();
    let makes = (0..DOCS).map(|number| (doc(number), Kind::Change, b"classified, all of this".to_vec()));
    let ends = (0..deletes).map(|number| (doc(number), Kind::Delete, Vec::new()));
    for (item, seq) in makes.chain(ends).zip(1..) {
        let place = (AuthorId([1; 16]), seq, commits.last().map_or_else(start, Commit::id));
        commits.push(Commit::new(place, Vec::new(), 0, vec![item], &Limits::PROTOCOL).unwrap());
    }
    let deletes = commits.split_off(usize::from(DOCS));
    (commits, deletes)
}

fn held(net: &Net, relay: NodeId) -> usize {
    let rows = net.nodes[relay].store.range(b"b", b"c");
    rows.map(|(_, row)| row.windows(10).filter(|window| window == b"classified").count()).sum()
}

/// A relay that holds the documents, and how many reads a pass over its log takes.
fn world() -> (Net, NodeId, Raw, usize) {
    let mut net = Net::new(limits());
    let relay = relay(&mut net, "eu", &[], Caps::default(), MemoryStore::default());
    let raw = Raw::new(&mut net, relay);
    raw.bring(&mut net, &commits(0).0);
    net.run(10_000);
    let rows = net.nodes[relay].store.range(b"b", b"c").count();
    (net, relay, raw, rows)
}

#[test]
fn many_deletes_share_a_pass_over_the_log() {
    let (mut net, relay, raw, rows) = world();
    assert_eq!(held(&net, relay), usize::from(DOCS));
    let before = net.nodes[relay].asked;
    let (_, deletes) = commits(DOCS);
    for delete in &deletes {
        raw.bring(&mut net, std::slice::from_ref(delete));
        net.run(20);
    }
    assert!(net.run_until(600_000, |net| held(net, relay) == 0), "{} are left", held(&net, relay));
    net.run(600_000);
    let scans = net.nodes[relay].asked.scans - before.scans;
    let all = net.nodes[relay].store.range(b"b", b"c").count();
    assert!(scans <= 4 * all, "{scans} reads of {all} rows");
    // An edited row is written with how far the pass has come.
    let written = net.nodes[relay].asked.rows_written - before.rows_written;
    let appended = deletes.len() * 6;
    assert!(written <= appended + 4 * rows, "{written} rows written");
    assert!(net.relay(relay).is_idle());
}

#[test]
fn a_pass_lets_others_go_first_after_each_read() {
    let (mut net, relay, raw, rows) = world();
    let (_, deletes) = commits(1);
    raw.bring(&mut net, &deletes);
    net.run(net.link_delay);
    let before = net.nodes[relay].asked.scans;
    let at = net.now;
    assert!(net.run_until(600_000, |net| net.relay(relay).is_idle()));
    let scans = net.nodes[relay].asked.scans - before;
    assert!(scans >= rows / 2, "{scans} reads of {rows} rows");
    assert!(net.now - at >= 9 * (scans as u64), "a pause after each");
}

#[test]
fn a_pass_goes_on_where_it_was_when_the_relay_starts_again() {
    let (mut net, relay, raw, rows) = world();
    let (_, deletes) = commits(DOCS);
    raw.bring(&mut net, &deletes);
    let half = usize::from(DOCS) / 2;
    assert!(net.run_until(600_000, |net| held(net, relay) < half));
    let store = net.nodes[relay].store.clone();
    let mut net = Net::new(limits());
    let relay = self::relay(&mut net, "eu", &[], Caps::default(), store);
    assert!(net.run_until(600_000, |net| held(net, relay) == 0));
    let scans = net.nodes[relay].asked.row_scans;
    assert!(scans <= rows / 2 + 5, "{scans} reads of {rows} rows");
    assert!(net.run_until(600_000, |net| net.relay(relay).is_idle()));
}

#[test]
fn a_row_that_is_filled_while_it_is_scrubbed_keeps_what_came_and_loses_what_was_deleted() {
    let item = |number, kind, bytes: &[u8]| vec![(doc(number), kind, bytes.to_vec())];
    let new = |seq, prev, items| {
        Commit::new((AuthorId([1; 16]), seq, prev), Vec::new(), 0, items, &Limits::PROTOCOL).unwrap()
    };
    let wanted = new(1, start(), item(1, Kind::Change, b"missing at first"));
    let secret = new(2, wanted.id(), item(2, Kind::Change, b"classified"));
    let delete = new(3, secret.id(), item(2, Kind::Delete, b""));
    // As it comes from somebody who says that its document was deleted by whatever it may be.
    let mut husk = wanted.clone();
    husk.justify(|_| Some(secret.name()));
    let mut husk = Commit::decode(&husk.encode(), &Limits::PROTOCOL).unwrap();
    husk.justify(|_| None);
    for delay in 0..60 {
        let mut net = Net::new(Limits::PROTOCOL);
        let relay = relay(&mut net, "eu", &[], Caps::default(), MemoryStore::default());
        let [husks, honest] = [relay, relay].map(|relay| Raw::new(&mut net, relay));
        husks.bring(&mut net, &[husk.clone(), secret.clone()]);
        net.run(1_000);
        assert_eq!(net.nodes[relay].store.range(b"b", b"c").count(), 1, "both are in one row");
        net.nodes[relay].disk_delay = 5;
        husks.bring(&mut net, std::slice::from_ref(&delete));
        net.run(delay);
        honest.bring(&mut net, std::slice::from_ref(&wanted));
        net.run(60_000);
        let holds = |text: &[u8]| {
            let mut rows = net.nodes[relay].store.range(b"b", b"c");
            rows.any(|(_, row)| row.windows(text.len()).any(|window| window == text))
        };
        assert!(holds(b"missing at first"), "filled {delay} ms after the delete was sent");
        assert_eq!(held(&net, relay), 0, "filled {delay} ms after the delete was sent");
    }
}
