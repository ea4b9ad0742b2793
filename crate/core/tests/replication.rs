//! Replicas and a relay, the real machines, in one thread.

#[allow(dead_code)]
mod common;

use std::collections::BTreeMap;

use common::{World, int, put};
use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::id::DocId;
use eyot_core::base::limits::Limits;
use eyot_core::document::value::{Op, Value};
use eyot_core::relay::region::RelayPeer;
use eyot_core::replica::event::{Event, ReplicaError};
use eyot_core::replica::status::State;
use eyot_core::storage::memory::MemoryStore;

fn text(len: usize) -> Value {
    Value::Text("x".repeat(len))
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>())
}

/// Bytes that do not compress.
fn noise(len: usize) -> Value {
    let mut state = 1u64;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    Value::Scalar(ScalarValue::Bytes(bytes.take(len).collect()))
}

#[test]
fn what_one_replica_writes_another_reads() {
    let mut world = World::new(2);
    let made = world.call(0, |r, now| r.create(&[put("title", text(5))], None, now)).unwrap();
    assert!(world.open(1, made.doc));
    let values: Vec<_> = (0..2).map(|node| world.nodes[node].replica.value(made.doc).unwrap()).collect();
    assert_eq!(values[0], values[1]);
    assert_eq!(world.nodes[0].replica.status().state, State::Live);
    assert_eq!(world.nodes[0].replica.status().unsent, 0);
}

#[test]
fn a_commit_larger_than_a_frame_and_a_stored_value_arrives_whole() {
    let mut world = World::new(2);
    let size = 5 * Limits::PROTOCOL.value_bytes_max / 2;
    let made = world.call(0, |r, now| r.create(&[put("blob", noise(size))], None, now)).unwrap();
    assert!(world.open(1, made.doc));
    let value = world.nodes[1].replica.value(made.doc).unwrap();
    assert!(value.len() > size);
    // And again from storage alone.
    let store = world.nodes[1].store.clone();
    world.set_online(1, false);
    let again = world.join(9, store);
    assert!(world.open(again, made.doc));
    assert_eq!(world.nodes[again].replica.value(made.doc).unwrap(), value);
}

#[test]
fn a_change_over_the_limit_is_refused_and_leaves_nothing() {
    let mut world = World::new(1);
    let made = world.call(0, |r, now| r.create(&[put("n", int(1))], None, now)).unwrap();
    let before = world.nodes[0].replica.value(made.doc).unwrap();
    let too_large = [put("blob", noise(Limits::PROTOCOL.commit_bytes_max + 1))];
    let error = world.call(0, |r, now| r.change(made.doc, &too_large, None, now)).unwrap_err();
    assert_eq!(error.code(), "too-large");
    assert_eq!(world.nodes[0].replica.value(made.doc).unwrap(), before);
    let next = world.call(0, |r, now| r.change(made.doc, &[put("n", int(2))], None, now)).unwrap();
    assert_eq!(next.seq, 2);
    assert_eq!(world.nodes[0].replica.status().unsent, 0);
}

#[test]
fn an_edit_that_does_not_fit_is_refused_whole() {
    let mut world = World::new(1);
    let made = world.call(0, |r, now| r.create(&[put("n", int(1))], None, now)).unwrap();
    let ops = [put("m", int(2)), Op::Increment { path: vec![Prop::Map("nothing".into())], by: 1 }];
    let before = world.nodes[0].replica.heads(made.doc).unwrap();
    let error = world.call(0, |r, now| r.change(made.doc, &ops, None, now)).unwrap_err();
    assert_eq!(error.code(), "invalid");
    assert_eq!(world.nodes[0].replica.heads(made.doc).unwrap(), before);
}

#[test]
fn reconnecting_costs_what_is_new_and_not_what_is_held() {
    let mut world = World::new(2);
    let docs: Vec<_> = (0..300)
        .map(|i| {
            world.call(0, |r, now| r.create(&[put("n", int(i)), put("t", text(60))], None, now)).unwrap().doc
        })
        .collect();
    world.set_online(1, false);
    for doc in &docs[..3] {
        world.call(0, |r, now| r.change(*doc, &[put("n", int(-1))], None, now)).unwrap();
    }
    let (frames, bytes) = (world.frames, world.bytes);
    world.set_online(1, true);
    assert_eq!(world.nodes[1].replica.vector(), world.nodes[0].replica.vector());
    assert!(world.frames - frames <= 5, "{} frames", world.frames - frames);
    assert!(world.bytes - bytes < 3 * 600, "{} bytes", world.bytes - bytes);
}

#[test]
fn a_wiped_relay_is_healed_by_a_replica_with_commits_of_any_author() {
    let mut world = World::new(2);
    let made = world.call(0, |r, now| r.create(&[put("n", int(1))], None, now)).unwrap();
    world.set_online(0, false);
    world.relay_store = MemoryStore::default();
    world.restart_relay(2);
    world.pass(60_000);
    let newcomer = world.join(5, MemoryStore::default());
    assert!(world.open(newcomer, made.doc), "the author is away; the other replica supplied it");
}

#[test]
fn a_rolled_back_relay_is_noticed_and_what_it_had_acknowledged_comes_again() {
    let mut world = World::new(1);
    world.call(0, |r, now| r.create(&[put("n", int(1))], None, now)).unwrap();
    let copy = world.relay_store.clone();
    let lost = world.call(0, |r, now| r.create(&[put("n", int(2))], None, now)).unwrap();
    assert_eq!(world.nodes[0].replica.status().unsent, 0);
    world.relay_store = copy;
    world.restart_relay(2);
    world.pass(60_000);
    let newcomer = world.join(5, MemoryStore::default());
    assert!(world.open(newcomer, lost.doc));
}

#[test]
fn replicas_that_make_a_named_document_apart_merge_key_by_key() {
    let mut world = World::new(2);
    world.set_online(0, false);
    world.set_online(1, false);
    let old = map([("title", Value::Text("Note".into())), ("tasks", Value::List(Vec::new()))]);
    let new = map([("title", Value::Text("Note".into())), ("tasks", Value::List(Vec::new())), ("n", int(7))]);
    let doc = world.named(0, "note", &old);
    assert_eq!(world.named(1, "note", &new), doc);
    let at = |key: &str| vec![Prop::Map(key.into())];
    let insert = |text: &str| Op::Splice { path: at("title"), index: 4, remove: 0, insert: text.into() };
    world.call(0, |r, now| r.change(doc, &[insert(" A")], None, now)).unwrap();
    world.call(1, |r, now| r.change(doc, &[insert(" B")], None, now)).unwrap();
    world.set_online(0, true);
    world.set_online(1, true);
    let values: Vec<_> = (0..2).map(|node| world.nodes[node].replica.value(doc).unwrap()).collect();
    assert_eq!(values[0], values[1]);
    let Value::Map(merged) = eyot_core::document::value::decode_value(&values[0]).unwrap() else {
        panic!("a map")
    };
    let Value::Text(title) = &merged["title"] else { panic!("text") };
    assert!(["Note A B", "Note B A"].contains(&title.as_str()), "{title}");
    assert_eq!(merged["n"], int(7));
}

/// The file's edits follow initial values that are in no log yet: the genesis comes with them.
#[test]
fn a_file_that_follows_an_initial_value_is_merged_before_the_first_edit() {
    let mut world = World::new(2);
    let settings = map([("size", int(1)), ("theme", Value::Text("light".into()))]);
    let initial = map([("title", Value::Text("Note".into())), ("settings", settings), ("n", int(7))]);
    let mut apart = World::new(1);
    let doc = apart.named(0, "note", &initial);
    let title = vec![Prop::Map("title".into())];
    let size = vec![Prop::Map("settings".into()), Prop::Map("size".into())];
    let ops = [
        Op::Splice { path: title, index: 4, remove: 0, insert: " A".into() },
        Op::Put { path: size, value: int(2) },
    ];
    apart.call(0, |r, now| r.change(doc, &ops, None, now)).unwrap();
    let file = apart.nodes[0].replica.export(doc).unwrap();
    let edited = apart.nodes[0].replica.value(doc).unwrap();

    assert_eq!(world.named(0, "note", &initial), doc);
    world.call(0, |r, now| r.merge(doc, &file, now)).unwrap();
    assert!(world.open(1, doc));
    for node in 0..2 {
        assert_eq!(world.nodes[node].replica.value(doc).unwrap(), edited, "replica {node}");
    }
}

/// The next version of an application has another initial value: what users have set stays.
#[test]
fn a_device_with_another_initial_value_shows_and_keeps_what_was_set_before() {
    for is_offline in [false, true] {
        for edits in [false, true] {
            let mut world = World::new(2);
            let text = |text: &str| Value::Text(text.into());
            let first = map([("theme", text("light")), ("title", text("Untitled")), ("schema", text("1"))]);
            let second = map([("theme", text("dark")), ("title", text("New board")), ("schema", text("2"))]);
            world.set_online(1, !is_offline);
            let doc = world.named(0, "board", &first);
            if is_offline {
                assert_eq!(world.named(1, "board", &second), doc);
            }
            world.call(0, |r, now| r.change(doc, &[put("theme", text("blue"))], None, now)).unwrap();
            if !is_offline {
                assert_eq!(world.named(1, "board", &second), doc);
            }
            if edits {
                world.call(1, |r, now| r.change(doc, &[put("n", int(1))], None, now)).unwrap();
            }
            world.set_online(1, true);
            let values = [0, 1].map(|node| world.nodes[node].replica.value(doc).unwrap());
            assert_eq!(values[0], values[1]);
            let Value::Map(held) = eyot_core::document::value::decode_value(&values[0]).unwrap() else {
                panic!("a map")
            };
            assert_eq!(held["theme"], text("blue"), "offline {is_offline}, edits {edits}");
            let (Value::Map(first), Value::Map(second)) = (first, second) else { panic!("maps") };
            for key in ["title", "schema"] {
                // Where both are in the log either is shown, and whole.
                let is_either = is_offline && edits && held[key] == second[key];
                assert!(is_either || held[key] == first[key], "{key}: {:?}", held[key]);
            }
            // A device that comes later sees the same, whatever its version.
            let third = world.join(9, MemoryStore::default());
            world.named(third, "board", &map([("theme", text("red")), ("schema", text("3"))]));
            assert_eq!(world.nodes[third].replica.value(doc).unwrap(), values[0]);
        }
    }
}

#[test]
fn a_deleted_document_is_gone_everywhere_and_its_name_begins_anew() {
    let mut world = World::new(2);
    let initial = map([("secret", Value::Text("classified".into()))]);
    let first = world.named(0, "note", &initial);
    let op = put("more", Value::Text("classified".into()));
    world.call(0, |r, now| r.change(first, &[op], None, now)).unwrap();
    assert!(world.open(1, first));
    world.call(0, |r, now| r.delete(first, now)).unwrap();
    assert!(
        world.nodes[1].events.iter().any(|event| matches!(event, Event::Deleted { doc } if *doc == first))
    );
    assert!(!world.open(1, first));
    for store in [&world.relay_store, &world.nodes[0].store, &world.nodes[1].store] {
        let holds = |bytes: &[u8]| bytes.windows(10).any(|window| window == b"classified");
        assert!(!store.iter().any(|(_, value)| holds(value)), "bytes of a deleted document are held");
    }
    assert_ne!(world.named(0, "note", &initial), first);
}

#[test]
fn a_document_closed_before_its_commit_is_stored_is_whole_when_opened_again() {
    let mut world = World::new(1);
    let made = world.call(0, |r, now| {
        let made = r.create(&[put("n", int(1))], None, now).unwrap();
        r.close_document(made.doc);
        made
    });
    assert!(world.open(0, made.doc));
    world.call(0, |r, now| r.change(made.doc, &[put("n", int(2))], None, now)).unwrap();
    assert_eq!(world.nodes[0].replica.status().quarantined, 0);
}

#[test]
fn a_region_whose_log_is_new_is_no_part_of_a_read_quorum_before_it_has_met_all_others() {
    let mut world = World::new(1);
    world.peers = vec![RelayPeer { region: "us".into(), url: "us".into() }];
    world.restart_relay(2);
    world.pass(1_000);
    let asked = world.call(0, |r, _| r.fresh(1)).unwrap();
    let is_over = |world: &World| {
        world.nodes[0].events.iter().any(|event| matches!(event, Event::Waited(wait) if *wait == asked))
    };
    for _ in 0..5 {
        world.pass(3_000);
    }
    assert!(!is_over(&world), "what the other region alone holds may have been acknowledged");
    world.peers.clear();
    world.restart_relay(3);
    world.pass(1_000);
    assert!(is_over(&world), "there is no other region");
}

#[test]
fn what_a_process_could_not_store_before_it_ended_is_taken_in_by_the_next_and_once_only() {
    let mut world = World::new(1);
    let doc = world.call(0, |r, now| r.create(&[put("n", int(0))], None, now)).unwrap().doc;
    assert_eq!(world.nodes[0].replica.unstored(), None);
    // Nothing is asked of storage any more: the first is in a write, the others wait for its end.
    let now = world.now;
    let replica = &mut world.nodes[0].replica;
    for n in 1..4 {
        replica.change(doc, &[put("n", int(n))], None, now).unwrap();
    }
    let unstored = replica.unstored().unwrap();
    let value = replica.value(doc).unwrap();
    let store = world.nodes[0].store.clone();

    let mut world = World::new(0);
    let next = world.join(1, store);
    assert!(!world.nodes[next].replica.holds_unstored(&unstored));
    for _ in 0..2 {
        world.call(next, |r, now| r.take_unstored(&unstored, now)).unwrap();
        assert!(world.nodes[next].replica.holds_unstored(&unstored));
        assert!(world.open(next, doc));
        assert_eq!(world.nodes[next].replica.value(doc).unwrap(), value);
        assert_eq!(world.nodes[next].replica.documents()[0].commits, 4);
    }
    assert!(world.call(next, |r, now| r.take_unstored(b"no such bytes", now)).is_err());
}

#[test]
fn whoever_waits_for_a_document_that_is_deleted_meanwhile_is_answered() {
    let mut world = World::new(1);
    let made = world.call(0, |replica, now| replica.create(&[], None, now)).unwrap();
    world.call(0, |replica, _| replica.close_document(made.doc));
    let waits = world.call(0, |replica, now| {
        let waits = [replica.open(made.doc), replica.open(made.doc)];
        replica.delete(made.doc, now).unwrap();
        waits
    });
    for wait in waits {
        assert_eq!(world.opened(0, wait), (made.doc, false));
    }
    // Its name begins anew.
    let initial = map([("title", Value::Text("untitled".into()))]);
    let first = world.named(0, "board", &initial);
    world.call(0, |replica, now| replica.change(first, &[put("k", int(1))], None, now)).unwrap();
    world.call(0, |replica, _| replica.close_document(first));
    let wait = world.call(0, |replica, now| {
        let wait = replica.named("board", &initial).unwrap();
        replica.delete(first, now).unwrap();
        wait
    });
    assert_eq!(world.opened(0, wait), (DocId::named("board", 1), true));
}

#[test]
fn whoever_has_a_document_open_is_told_that_it_was_deleted() {
    let mut world = World::new(3);
    let made = world.call(0, |replica, now| replica.create(&[put("k", int(1))], None, now)).unwrap();
    assert!(world.open(1, made.doc));
    world.call(0, |replica, now| replica.delete(made.doc, now)).unwrap();
    // The one who deletes, one who has it open, and one who only holds it.
    for node in &world.nodes {
        let told = node.events.iter().filter(|e| matches!(e, Event::Deleted { doc } if *doc == made.doc));
        assert_eq!(told.count(), 1);
    }
    assert!(matches!(world.nodes[1].replica.value(made.doc), Err(ReplicaError::Closed)));
}

#[test]
fn a_named_document_comes_to_others_with_its_first_edit_and_not_before() {
    let mut world = World::new(2);
    let initial = map([("title", Value::Text("untitled".into()))]);
    let doc = world.named(0, "board", &initial);
    assert!(!world.open(1, doc));
    assert!(ReplicaError::NotFound.to_string().contains("comes with its first edit"));
    world.call(0, |replica, now| replica.change(doc, &[put("k", int(1))], None, now)).unwrap();
    assert!(world.open(1, doc));
    assert_eq!(world.nodes[1].replica.value(doc).unwrap(), world.nodes[0].replica.value(doc).unwrap());
}
