//! What it costs to open a document.

use eyot_core::base::limits::Limits;
use eyot_core::replica::event::Event;
use eyot_core::storage::memory::MemoryStore;

use crate::net::Net;
use crate::peers::{put, replica, replica_on};

/// For each commit as much was read as for a document whose commits stand side by side.
#[test]
fn of_a_document_whose_commits_are_far_apart_little_else_is_read() {
    const OF_IT: usize = 20;
    const BETWEEN: usize = 100;
    let mut net = Net::new(Limits { row_bytes: 1_000, read_bytes: 64_000, ..Limits::PROTOCOL });
    let writer = replica(&mut net, &[], 0);
    net.run(10);
    let new = |net: &mut Net| net.call(writer, |replica, now| replica.create(&[], None, now)).unwrap().doc;
    let doc = new(&mut net);
    for _ in 1..OF_IT {
        for _ in 0..BETWEEN {
            new(&mut net);
        }
        net.call(writer, |replica, now| replica.change(doc, &[put("n", 1)], None, now)).unwrap();
        net.run(1);
    }
    net.run(100);

    let store: MemoryStore = net.nodes[writer].store.clone();
    let reader = replica_on(&mut net, &[], 0, store);
    net.run(10);
    net.nodes[reader].asked.bytes_scanned = 0;
    net.call(reader, |replica, _| replica.open(doc));
    net.run(10);
    let is_open = |event: &Event| matches!(event, Event::Opened { held: true, .. });
    assert!(net.nodes[reader].events.iter().any(is_open));
    let bytes = net.nodes[reader].asked.bytes_scanned;
    assert!(bytes <= OF_IT * 2 * net.limits.row_bytes, "{bytes} bytes are read");
}
