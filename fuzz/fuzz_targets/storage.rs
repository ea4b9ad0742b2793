//! What a disk holds: rows of commits, the head, the index, holes, deletes, records of others.
#![no_main]

use arbitrary::Arbitrary;
use eyot_core::base::id::LinkId;
use eyot_core::holder::io::Input;
use eyot_core::holder::records;
use eyot_core::log::meta::Meta;
use eyot_core::log::rows::read_rows;
use eyot_core::relay::changes::{After, ChangesPage};
use eyot_core::storage::request::WriteBatch;
use eyot_fuzz::{Host, NOW, hello, relay};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Disk {
    /// Of which kind, the rest of the key, and the value.
    entries: Vec<(Kind, Vec<u8>, Vec<u8>)>,
    /// Begin with what a relay has written itself.
    is_used: bool,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Kind {
    Meta,
    Row,
    Tips,
    Chunk,
    Branch,
    Hole,
    Delete,
    Peer,
    Reconciled,
    Region,
    Usage,
    Other,
}

fuzz_target!(|disk: Disk| {
    let mut puts = Vec::new();
    for (kind, rest, value) in &disk.entries {
        let _ = Meta::decode(value);
        let _ = records::read_peer(value);
        let _ = records::read_region(rest, value);
        let _ = records::read_reconciled(value);
        let (letter, length) = match kind {
            Kind::Meta => ("m", 0),
            Kind::Row => ("b", 10),
            Kind::Tips => ("t", 16),
            Kind::Chunk => ("c", 24),
            Kind::Branch => ("s", 40),
            Kind::Hole => ("h", 8),
            Kind::Delete => ("d", 16),
            Kind::Peer => ("p", 16),
            Kind::Reconciled => ("q", 0),
            Kind::Region => ("r", rest.len()),
            Kind::Usage => ("u", 16),
            Kind::Other => ("", rest.len()),
        };
        let mut key = [letter.as_bytes(), rest].concat();
        key.resize(letter.len() + length, 0);
        puts.push((key, value.clone()));
    }
    let _ = read_rows(&puts, false);
    let mut host = Host::new(relay());
    if disk.is_used {
        host.handle(Input::LinkOpened(LinkId(1)), NOW);
        host.handle(Input::Received(LinkId(1), hello(1)), NOW);
    }
    host.store.write(&WriteBatch { puts, ..WriteBatch::default() });
    let mut page = ChangesPage::new(After::START, 100);
    while let Some(request) = page.go_on() {
        if page.learn(host.store.answer(&request)).is_err() {
            break;
        }
    }
    // The relay is made again over it, and somebody comes.
    let mut again = Host { store: std::mem::take(&mut host.store), ..Host::bare(relay()) };
    again.run(NOW);
    again.handle(Input::LinkOpened(LinkId(2)), NOW);
    again.handle(Input::Received(LinkId(2), hello(2)), NOW);
    again.handle(Input::Timer, NOW + 10_000);
});
