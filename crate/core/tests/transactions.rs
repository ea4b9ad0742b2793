//! Commits over several documents.

#[allow(dead_code)]
mod common;

use common::{World, int, put};
use eyot_core::base::id::DocId;
use eyot_core::document::value::{DocEdit, Edit, Op, Value};
use eyot_core::replica::event::{Event, Made, ReplicaError};

fn change(doc: DocId, ops: Vec<Op>) -> DocEdit<'static> {
    DocEdit { doc, edit: Edit::Change(ops.into()), message: Some("both".into()) }
}

/// Two documents that both replicas have open.
fn two_documents(world: &mut World) -> [DocId; 2] {
    [1, 2].map(|number| {
        let ops = [put("n", int(number)), put("text", Value::Text("abc".into()))];
        let made = world.call(0, |r, now| r.create(&ops, None, now)).unwrap();
        assert!(world.open(1, made.doc));
        made.doc
    })
}

fn transact(world: &mut World, node: usize, edits: &[DocEdit<'_>]) -> Result<Made, ReplicaError> {
    world.call(node, |r, now| r.transact(edits, now))
}

fn values(world: &World, node: usize, docs: &[DocId]) -> Vec<Vec<u8>> {
    docs.iter().map(|doc| world.nodes[node].replica.value(*doc).unwrap()).collect()
}

#[test]
fn a_transaction_is_one_commit_that_others_apply_whole() {
    let mut world = World::new(2);
    let docs = two_documents(&mut world);
    let before = world.nodes[0].replica.vector().clone();
    world.nodes[1].events.clear();
    let edits = docs.map(|doc| change(doc, vec![put("n", int(7)), put("new", Value::List(Vec::new()))]));
    let made = transact(&mut world, 0, &edits).unwrap();
    assert_eq!(made.seq, 3, "two documents were made before, by a commit each");
    assert_ne!(*world.nodes[0].replica.vector(), before);
    assert_eq!(values(&world, 0, &docs), values(&world, 1, &docs));
    // Nothing else is told between the two.
    let told: Vec<_> = world.nodes[1].events.iter().filter(|e| matches!(e, Event::Patches { .. })).collect();
    assert_eq!(told.len(), 2);
    let first = world.nodes[1].events.iter().position(|e| matches!(e, Event::Patches { .. })).unwrap();
    assert!(matches!(world.nodes[1].events[first + 1], Event::Patches { .. }));
    // What follows it refers to it, and is read from storage alone.
    transact(&mut world, 1, &docs.map(|doc| change(doc, vec![put("n", int(8))]))).unwrap();
    transact(&mut world, 0, &docs.map(|doc| change(doc, vec![put("n", int(9))]))).unwrap();
    let store = world.nodes[1].store.clone();
    world.set_online(1, false);
    let again = world.join(9, store);
    assert!(docs.into_iter().all(|doc| world.open(again, doc)));
    assert_eq!(values(&world, again, &docs), values(&world, 0, &docs));
    assert_eq!(world.nodes[again].replica.status().quarantined, 0);
}

#[test]
fn an_edit_that_fails_takes_the_whole_transaction_back() {
    let mut world = World::new(2);
    let docs = two_documents(&mut world);
    let (before, heads) =
        (values(&world, 0, &docs), docs.map(|doc| world.nodes[0].replica.heads(doc).unwrap()));
    let vector = world.nodes[0].replica.vector().clone();
    let bad = Op::Increment { path: Vec::new(), by: 1 };
    let fresh = DocId([77; 16]);
    let create = DocEdit { doc: fresh, edit: Edit::Create(vec![put("n", int(1))].into()), message: None };
    for edits in [
        vec![
            create.clone(),
            change(docs[0], vec![put("n", int(7))]),
            change(docs[1], vec![put("n", int(8)), bad]),
        ],
        vec![create.clone(), change(docs[0], vec![put("n", int(7))]), change(DocId([9; 16]), Vec::new())],
        vec![create.clone(), change(docs[0], vec![put("n", int(7))]), change(docs[0], Vec::new())],
        vec![create.clone(), DocEdit { doc: DocId([9; 16]), edit: Edit::Delete, message: None }],
        vec![
            create,
            DocEdit { doc: docs[0], edit: Edit::Create(vec![put("n", int(7))].into()), message: None },
        ],
    ] {
        assert!(transact(&mut world, 0, &edits).is_err());
        assert_eq!(values(&world, 0, &docs), before);
        assert_eq!(docs.map(|doc| world.nodes[0].replica.heads(doc).unwrap()), heads);
        assert!(world.nodes[0].replica.document(fresh).is_err());
        assert_eq!(*world.nodes[0].replica.vector(), vector);
    }
    // Everything goes on from there.
    transact(&mut world, 0, &docs.map(|doc| change(doc, vec![put("n", int(9))]))).unwrap();
    assert_eq!(values(&world, 0, &docs), values(&world, 1, &docs));
}

#[test]
fn a_transaction_makes_and_deletes_documents_too() {
    let mut world = World::new(2);
    let docs = two_documents(&mut world);
    let fresh = DocId([77; 16]);
    let edits = [
        DocEdit { doc: fresh, edit: Edit::Create(vec![put("moved", int(1))].into()), message: None },
        change(docs[0], vec![put("n", int(5))]),
        DocEdit { doc: docs[1], edit: Edit::Delete, message: None },
    ];
    transact(&mut world, 0, &edits).unwrap();
    for node in 0..2 {
        assert!(world.nodes[node].replica.document(docs[1]).is_err());
        assert!(
            world.nodes[node].events.iter().any(|e| matches!(e, Event::Deleted { doc } if *doc == docs[1]))
        );
    }
    assert!(world.open(1, fresh));
    assert_eq!(values(&world, 0, &[docs[0], fresh]), values(&world, 1, &[docs[0], fresh]));
    assert_eq!(transact(&mut world, 0, &[]).unwrap().id, None, "nothing is no commit");
}
