//! Values of documents without opening them.

#[allow(dead_code)]
mod common;

use common::{World, int, put, without_rows};
use eyot_core::base::id::DocId;
use eyot_core::holder::io as holder;
use eyot_core::log::keys::row_seq;
use eyot_core::replica::event::Event;
use eyot_core::replica::io::Effect;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageRequest, WriteBatch};

fn peek(world: &mut World, node: usize, doc: DocId) -> Option<Vec<u8>> {
    let awaited = world.call(node, |replica, _| replica.peek(doc));
    let mut events = world.nodes[node].events.iter();
    let value = events.find_map(|event| match event {
        Event::Peeked { wait, value, .. } if *wait == awaited => Some(value.clone()),
        _ => None,
    });
    value.expect("storage answers at once")
}

fn values(world: &mut World, node: usize) -> Vec<(DocId, Vec<u8>)> {
    let awaited = world.call(node, |replica, _| replica.values());
    let mut events = world.nodes[node].events.iter();
    let values = events.find_map(|event| match event {
        Event::Values { wait, values } if *wait == awaited => {
            Some(values.iter().filter_map(|(doc, value)| Some((*doc, value.clone()?))).collect())
        }
        _ => None,
    });
    values.expect("storage answers at once")
}

fn close(world: &mut World, node: usize) -> MemoryStore {
    world.call(node, |replica, _| replica.flush());
    world.call(node, |replica, now| replica.leave(now));
    world.nodes[node].store.clone()
}

/// Documents with these numbers, and one with a long text.
fn used(numbers: i64) -> (World, Vec<DocId>) {
    let mut world = World::new(1);
    let mut docs = Vec::new();
    for n in 0..numbers {
        let made = world.call(0, |replica, now| replica.create(&[put("n", int(n))], None, now)).unwrap();
        docs.push(made.doc);
    }
    let text = eyot_core::document::value::Value::Text("long ".repeat(1000));
    let made = world.call(0, |replica, now| replica.create(&[put("text", text)], None, now)).unwrap();
    docs.push(made.doc);
    (world, docs)
}

#[test]
fn values_are_read_from_views_without_a_look_at_the_log() {
    let (mut world, docs) = used(40);
    let store = close(&mut world, 0);
    let other = world.join(7, without_rows(&store));
    let expected: Vec<_> =
        docs.iter().map(|doc| (*doc, world.nodes[0].replica.value(*doc).unwrap())).collect();
    for (doc, value) in &expected {
        assert_eq!(peek(&mut world, other, *doc).as_ref(), Some(value));
    }
    let mut all = values(&mut world, other);
    let mut expected = expected;
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
}

/// A space that was just downloaded has no views: rows are read once for all of their documents, and not once for each.
#[test]
fn values_without_views_are_built_from_a_few_reads_of_the_log() {
    let (mut world, docs) = used(500);
    let mut store = close(&mut world, 0);
    let deletes = store.range(b"v", b"x").map(|(key, _)| key.clone()).collect();
    store.write(&WriteBatch { deletes, ..WriteBatch::default() });
    let other = world.join(7, store);
    let node = &mut world.nodes[other];
    for doc in &docs {
        node.replica.peek(*doc);
    }
    let (mut reads, mut told) = (0, Vec::new());
    while let Some(effect) = node.replica.poll_effect() {
        match effect {
            Effect::Holder(holder::Effect::Storage(id, request)) => {
                let is_row = |from: &Vec<u8>| row_seq(from).is_some();
                reads += u32::from(matches!(&request, StorageRequest::Scan { from, .. } if is_row(from)));
                let answer = node.store.answer(&request);
                node.replica.handle(holder::Input::Storage(id, answer), world.now);
            }
            Effect::App(Event::Peeked { doc, value: Some(value), .. }) => told.push((doc, value)),
            _ => {}
        }
    }
    told.sort();
    let mut expected: Vec<_> =
        docs.iter().map(|doc| (*doc, world.nodes[0].replica.value(*doc).unwrap())).collect();
    expected.sort();
    assert_eq!(told, expected);
    assert!(reads <= 40, "{reads} reads for {} documents", docs.len());
}

#[test]
fn a_view_that_is_behind_is_not_shown() {
    let (mut world, docs) = used(3);
    let store = close(&mut world, 0);
    let old: Vec<_> = store.range(b"v", b"x").map(|(key, value)| (key.clone(), value.clone())).collect();
    world.call(0, |replica, now| replica.change(docs[0], &[put("n", int(77))], None, now)).unwrap();
    let mut store = close(&mut world, 0);
    // The views of before, as a process leaves them that ends before it can write new ones.
    store.write(&WriteBatch { puts: old, ..WriteBatch::default() });
    let value = world.nodes[0].replica.value(docs[0]).unwrap();
    let other = world.join(7, store);
    assert!(values(&mut world, other).iter().all(|(doc, _)| *doc != docs[0]));
    assert_eq!(values(&mut world, other).len(), 3);
    assert_eq!(peek(&mut world, other, docs[0]), Some(value));
    assert_eq!(values(&mut world, other).len(), 4, "its view was made anew");
}

#[test]
fn a_view_that_was_damaged_is_none() {
    let (mut world, docs) = used(3);
    let mut store = close(&mut world, 0);
    let keys: Vec<_> = store.range(b"v", b"x").map(|(key, _)| key.clone()).collect();
    for key in keys {
        store.write(&WriteBatch { puts: vec![(key, vec![0x81, 3])], ..WriteBatch::default() });
    }
    let other = world.join(7, store);
    assert_eq!(values(&mut world, other), []);
    for doc in docs {
        let value = world.nodes[0].replica.value(doc).unwrap();
        assert_eq!(peek(&mut world, other, doc), Some(value));
    }
    assert_eq!(values(&mut world, other).len(), 4);
}

#[test]
fn storage_has_no_view_of_a_deleted_document() {
    let (mut world, docs) = used(3);
    close(&mut world, 0);
    for doc in &docs {
        world.call(0, |replica, now| replica.delete(*doc, now)).unwrap();
    }
    let store = close(&mut world, 0);
    assert!(store.range(b"w", b"x").next().is_none());
    assert!(store.range(b"v", b"w").all(|(_, page)| page.len() < 8), "pages without a view");
    let other = world.join(7, store);
    assert_eq!(values(&mut world, other), []);
    assert_eq!(peek(&mut world, other, docs[0]), None);
}

#[test]
fn who_watches_is_told_what_changes_in_documents_that_are_not_open() {
    let (mut world, docs) = used(1);
    let store = close(&mut world, 0);
    let other = world.join(7, store);
    let changed = |world: &World| {
        world.nodes[other].events.iter().filter(|event| matches!(event, Event::Changed { .. })).count()
    };
    let set = |world: &mut World, n: i64| {
        world.call(0, |replica, now| replica.change(docs[0], &[put("n", int(n))], None, now)).unwrap();
        world.pass(10);
    };
    set(&mut world, 5);
    assert_eq!(changed(&world), 0);
    world.call(other, |replica, _| replica.watch(true));
    assert!(peek(&mut world, other, docs[0]).is_some());
    for n in 6..9 {
        let before = changed(&world);
        set(&mut world, n);
        assert_eq!(changed(&world), before + 1);
        let value = world.nodes[0].replica.value(docs[0]).unwrap();
        assert_eq!(peek(&mut world, other, docs[0]), Some(value));
    }
    assert!(world.nodes[other].replica.value(docs[0]).is_err(), "it is not open");
    assert!(world.open(other, docs[0]));
    let before = changed(&world);
    set(&mut world, 10);
    assert_eq!(changed(&world), before, "its patches are told");
    world.call(other, |replica, _| replica.close_document(docs[0]));
    set(&mut world, 11);
    assert_eq!(changed(&world), before + 1, "it is not open any more");
}

#[test]
fn a_document_that_this_process_has_deleted_has_no_value_before_the_log_has_the_delete() {
    let (mut world, docs) = used(2);
    close(&mut world, 0);
    let now = world.now;
    let replica = &mut world.nodes[0].replica;
    replica.delete(docs[0], now).unwrap();
    let peeked = replica.peek(docs[0]);
    assert_eq!(replica.documents().len(), 2);
    let mut told = Vec::new();
    while let Some(effect) = replica.poll_effect() {
        if let Effect::App(Event::Peeked { wait, value, .. }) = effect {
            told.push((wait, value));
        }
    }
    assert_eq!(told, [(peeked, None)]);
}
