//! A space that was used before is opened from its checkpoint and from what the log has after that.

#[allow(dead_code)]
mod common;

use common::{Node, World, int, put, without_rows};
use eyot_core::base::id::DocId;
use eyot_core::holder::io as holder;
use eyot_core::log::keys::row_seq;
use eyot_core::replica::io::{Effect, Input};
use eyot_core::replica::replica::Replica;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageRequest, WriteBatch};
use eyot_core::wire::access::Refusal;

/// Twelve documents of several commits each, and the storage of who made them.
fn used() -> (World, Vec<DocId>, MemoryStore) {
    let mut world = World::new(1);
    let mut docs = Vec::new();
    for _ in 0..12 {
        let made = world.call(0, |replica, now| replica.create(&[put("n", int(0))], None, now)).unwrap();
        docs.push(made.doc);
    }
    for n in 1..40 {
        for doc in &docs {
            world.call(0, |replica, now| replica.change(*doc, &[put("n", int(n))], None, now)).unwrap();
        }
    }
    world.call(0, |replica, now| replica.leave(now));
    let store = world.nodes[0].store.clone();
    (world, docs, store)
}

#[test]
fn documents_are_known_without_a_look_at_the_log() {
    let (mut world, docs, store) = used();
    let expected = world.nodes[0].replica.documents();
    let other = world.join(7, without_rows(&store));
    assert_eq!(world.nodes[other].replica.documents(), expected);
    assert_eq!(expected.len(), docs.len());
    assert!(expected.iter().all(|info| info.commits == 40));
}

#[test]
fn a_document_opened_from_the_index_has_all_its_commits() {
    let (mut world, docs, store) = used();
    let other = world.join(7, store);
    for doc in docs {
        assert!(world.open(other, doc));
        let value = world.nodes[0].replica.value(doc).unwrap();
        assert_eq!(world.nodes[other].replica.value(doc).unwrap(), value);
    }
}

#[test]
fn what_came_after_the_checkpoint_is_followed() {
    let (mut world, docs, _) = used();
    let late = world.call(0, |replica, now| replica.create(&[put("n", int(7))], None, now)).unwrap().doc;
    world.call(0, |replica, now| replica.change(docs[0], &[put("n", int(9))], None, now)).unwrap();
    world.call(0, |replica, now| replica.delete(docs[1], now)).unwrap();
    let expected = world.nodes[0].replica.documents();
    let store = world.nodes[0].store.clone();
    let other = world.join(7, store);
    assert_eq!(world.nodes[other].replica.documents(), expected);
    assert!(world.open(other, late));
    assert!(!world.open(other, docs[1]));
    assert!(world.open(other, docs[0]));
    let value = |node: usize| world.nodes[node].replica.value(docs[0]).unwrap();
    assert_eq!(value(other), value(0));
}

#[test]
fn a_checkpoint_that_can_not_be_read_is_made_anew_from_the_log() {
    let (mut world, _, store) = used();
    world.judge = |_, _| Err(Refusal::denied("not now"));
    let expected = world.nodes[0].replica.documents();
    let keys: Vec<_> = store.range(b"i", b"k").map(|(key, _)| key.clone()).collect();
    assert!(keys.len() > 3);
    for key in &keys {
        let mut damaged = store.clone();
        damaged.write(&WriteBatch { puts: vec![(key.clone(), vec![0xff])], ..WriteBatch::default() });
        let other = world.join(7, damaged);
        assert_eq!(world.nodes[other].replica.documents(), expected, "{key:?}");
        world.call(other, |replica, now| {
            replica.create(&[], None, now).unwrap();
        });
        world.call(other, |replica, now| replica.leave(now));
        let store = world.nodes[other].store.clone();
        let expected = world.nodes[other].replica.documents();
        let again = world.join(8, without_rows(&store));
        assert_eq!(world.nodes[again].replica.documents(), expected, "{key:?}");
        world.nodes.truncate(1);
    }
}

#[test]
fn two_processes_of_one_holder_write_one_checkpoint_after_the_other() {
    let (mut world, _, store) = used();
    world.set_online(0, false);
    // Both begin with what is there, and only the other one writes at first.
    let other = world.join(7, store);
    world.set_online(other, false);
    let create = |replica: &mut Replica, now: u64| {
        replica.create(&[put("n", int(1))], None, now).unwrap();
    };
    world.call(other, create);
    world.call(other, |replica, now| replica.leave(now));
    world.nodes[0].store = world.nodes[other].store.clone();
    world.call(0, create);
    // It finds that another process has written, and once more it knows what.
    world.call(0, |replica, now| replica.leave(now));
    world.call(0, create);
    world.call(0, |replica, now| replica.leave(now));
    let expected = world.nodes[0].replica.documents();
    assert_eq!(expected.len(), 15);
    let store = world.nodes[0].store.clone();
    let third = world.join(8, without_rows(&store));
    assert_eq!(world.nodes[third].replica.documents(), expected);
}

/// What is read of the log comes while the process reads again what is deleted, because another one has written.
#[test]
fn a_document_that_was_deleted_before_the_checkpoint_does_not_come_back() {
    let (mut world, docs, _) = used();
    let editor = world.join(5, MemoryStore::default());
    assert!(world.open(editor, docs[0]));
    world.set_online(editor, false);
    world.call(editor, |replica, now| replica.change(docs[0], &[put("n", int(50))], None, now)).unwrap();
    world.call(0, |replica, now| replica.delete(docs[0], now)).unwrap();
    world.call(0, |replica, now| replica.leave(now));
    let store = world.nodes[0].store.clone();
    let other = world.join(7, store);
    world.set_online(other, false);
    world.nodes[0].told.clear();
    world.set_online(editor, true);
    world.pass(10);
    let Node { told, store, .. } = &world.nodes[0];
    let (told, store, now) = (told.clone(), store.clone(), world.now);
    assert_eq!(world.nodes[0].replica.documents().len(), docs.len() - 1);
    let node = &mut world.nodes[other];
    node.store = store;
    node.replica.create(&[], None, now).unwrap();
    for message in told {
        node.replica.handle(Input::Broadcast(message), now);
    }
    // Its write is refused, and what it has asked of the log is told before it knows the log again.
    while let Some(effect) = node.replica.poll_effect() {
        let Effect::Holder(holder::Effect::Storage(id, request)) = effect else { continue };
        let answer = node.store.answer(&request);
        node.replica.handle(holder::Input::Storage(id, answer), now);
        if matches!(&request, StorageRequest::Scan { from, .. } if row_seq(from).is_some()) {
            break;
        }
    }
    world.pass(10);
    assert_eq!(world.nodes[other].replica.documents().len(), docs.len(), "one was deleted, and one made");
}
