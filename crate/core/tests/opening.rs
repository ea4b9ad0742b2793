//! What a replica says of storage that it can't open.

use std::collections::VecDeque;

use eyot_core::base::id::AuthorId;
use eyot_core::base::limits::Limits;
use eyot_core::holder::io as holder;
use eyot_core::replica::event::Event;
use eyot_core::replica::io::Effect;
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageAnswer, StorageRequest, WriteBatch};

const SPACE: &str = "space";

/// Opens a space on this storage and makes a document in it, if it can; the code of what fails.
fn open(space: &str, store: &mut MemoryStore, is_broken: bool) -> Option<&'static str> {
    let config = ReplicaConfig {
        space: space.into(),
        author: AuthorId([1; 16]),
        seed: [2; 32],
        relays: Vec::new(),
        token: None,
        descriptor: None,
        limits: Limits::PROTOCOL,
    };
    let mut replica = Replica::new(config, 0);
    let mut effects = VecDeque::new();
    let (mut code, mut is_made) = (None, false);
    loop {
        effects.extend(std::iter::from_fn(|| replica.poll_effect()));
        match effects.pop_front() {
            Some(Effect::Holder(holder::Effect::Storage(id, request))) => {
                let is_refused = is_broken && matches!(request, StorageRequest::Scan { .. });
                let answer =
                    if is_refused { StorageAnswer::Failed("no disk".into()) } else { store.answer(&request) };
                replica.handle(holder::Input::Storage(id, answer), 0);
            }
            Some(Effect::App(Event::Failed { fault, .. })) => code = code.or(Some(fault.code())),
            Some(_) => {}
            None if is_made || code.is_some() => return code,
            None => {
                is_made = true;
                replica.create(&[], None, 0).unwrap();
            }
        }
    }
}

fn used() -> MemoryStore {
    let mut store = MemoryStore::default();
    assert_eq!(open(SPACE, &mut store, false), None);
    assert!(store.get(b"m").is_some());
    store
}

fn put(store: &mut MemoryStore, key: &[u8], value: Vec<u8>) {
    store.write(&WriteBatch { puts: vec![(key.to_vec(), value)], ..WriteBatch::default() });
}

#[test]
fn storage_of_the_same_space_opens_again() {
    assert_eq!(open(SPACE, &mut used(), false), None);
}

#[test]
fn storage_of_another_space_is_incompatible() {
    assert_eq!(open("other", &mut used(), false), Some("incompatible"));
}

#[test]
fn storage_of_another_layout_is_incompatible_whatever_else_it_holds() {
    let mut store = used();
    // {0: 4, 1: "something new"}
    put(&mut store, b"m", [&[0xa2, 0, 4, 1, 0x6d][..], b"something new"].concat());
    assert_eq!(open(SPACE, &mut store, false), Some("incompatible"));
}

#[test]
fn storage_that_holds_what_nobody_wrote_is_corrupt() {
    for key in [&b"m"[..], b"t0123456789abcdef", b"h01234567"] {
        let mut store = used();
        put(&mut store, key, vec![0xff, 0xff]);
        assert_eq!(open(SPACE, &mut store, false), Some("corrupt"), "{}", key[0] as char);
    }
}

#[test]
fn storage_that_can_not_be_read_is_no_corrupt_one() {
    assert_eq!(open(SPACE, &mut used(), true), Some("storage"));
}
