//! Changes that no Automerge has written. Automerge panics at some of them, and a panic would end all
//! spaces of a page: none may reach it.

mod mutate;
#[path = "../stripped/rng.rs"]
mod rng;

use std::collections::BTreeMap;
use std::io::Write;

use eyot_core::automerge::transaction::Transactable;
use eyot_core::automerge::{ActorId, Automerge, Change, ObjType, Prop, ROOT, ScalarValue, TextEncoding};
use eyot_core::base::id::AuthorId;
use eyot_core::document::budget::Budget;
use eyot_core::document::document::Document;
use eyot_core::document::edit::EditError;
use eyot_core::document::quarantine::Quarantined;
use eyot_core::document::source::Source;
use eyot_core::document::value::{Op, Value};

use mutate::{Parts, history, tampered};
use rng::Rng;

const READER: AuthorId = AuthorId([9; 16]);
const ANYBODY: Source = Source::Commit(AuthorId([8; 16]));

fn put(path: &[&str], value: Value) -> Op {
    Op::Put { path: path.iter().map(|key| Prop::Map((*key).into())).collect(), value }
}

fn new(actor: u8) -> Automerge {
    Automerge::new_with_encoding(TextEncoding::Utf16CodeUnit).with_actor(ActorId::from([actor; 16]))
}

fn change(
    doc: &mut Automerge,
    edit: impl FnOnce(&mut eyot_core::automerge::transaction::Transaction<'_>),
) -> Change {
    let mut tx = doc.transaction();
    edit(&mut tx);
    tx.commit();
    doc.get_last_local_change().unwrap()
}

fn apply(document: &mut Document, changes: &[impl AsRef<[u8]>]) {
    for change in changes {
        document.apply([(ANYBODY, change.as_ref())]);
    }
}

/// Law: what Automerge has written is applied, whatever it is.
#[test]
fn what_automerge_has_written_is_applied() {
    for seed in 0..100 {
        let changes = history(&mut Rng::new(seed));
        let mut document = Document::new(READER, Budget::default());
        for change in &changes {
            document.apply([(ANYBODY, change.raw_bytes())]);
        }
        assert_eq!(document.quarantined().count(), 0, "seed {seed}");
        assert_eq!(document.automerge().get_changes(&[]).len(), changes.len(), "seed {seed}");
    }
}

/// Law: whatever others write, a document stays one that can be read, edited, saved and loaded.
#[test]
fn a_tampered_change_is_applied_or_set_aside_and_breaks_nothing() {
    let (mut applied, mut aside) = (0, 0);
    for seed in 0..300 {
        tamper(seed, &mut applied, &mut aside);
    }
    assert!(applied > 10 && aside > 1_000, "{applied} applied, {aside} set aside");
}

fn tamper(seed: u64, applied: &mut usize, aside: &mut u64) {
    let mut rng = Rng::new(1_000 + seed);
    let changes = history(&mut rng);
    let mut document = Document::new(READER, Budget::default());
    for change in &changes {
        document.apply([(ANYBODY, change.raw_bytes())]);
        for _ in 0..2 {
            document.apply([(ANYBODY, tampered(&changes, &mut rng).as_slice())]);
        }
    }
    let all = document.automerge().get_changes(&[]);
    // What Automerge gives back is what it was given, to the byte.
    for change in &all {
        assert!(document.contains(&change.hash()), "seed {seed}");
    }
    document.value();
    document.change(&[put(&["k"], Value::Text("mine".into()))], None, 0).unwrap();
    let saved = document.save();
    let copy = Document::new(READER, Budget::default());
    let missing = copy.missing_of_file(&saved).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let mut copy = copy;
    copy.apply([(ANYBODY, missing.as_slice())]);
    assert_eq!(copy.heads(), document.heads(), "seed {seed}");
    assert_eq!(copy.value(), document.value(), "seed {seed}");
    *applied += all.len() - changes.len().min(all.len());
    *aside += document.quarantined().count();
}

#[test]
fn a_document_that_grows_in_steps_nests_256_levels_and_no_deeper() {
    let mut document = Document::new(READER, Budget::default());
    let mut path = Vec::new();
    let map = || Value::Map(BTreeMap::new());
    for level in 1..=256 {
        path.push("m");
        document.change(&[put(&path, map())], None, level).unwrap();
    }
    let before = document.value();
    path.push("m");
    for op in [
        put(&path, map()),
        put(&["a"], (0..256).fold(map(), |inner, _| Value::List(vec![inner]))),
        put(&path, Value::Text("a text is a level too".into())),
    ] {
        let error = document.change(&[op], None, 0).unwrap_err();
        assert!(matches!(error, EditError::TooDeep), "{error}");
        assert_eq!(error.to_string(), "a document may nest at most 256 levels deep");
    }
    assert_eq!(document.value(), before);
    document.change(&[put(&path, Value::Scalar(ScalarValue::Int(1)))], None, 0).unwrap();
}

#[test]
fn what_others_nest_deeper_is_set_aside_and_their_other_changes_are_not() {
    let mut deep = new(1);
    let mut object = ROOT;
    let mut changes = Vec::new();
    for _ in 0..700 {
        changes.push(change(&mut deep, |tx| object = tx.put_object(&object, "m", ObjType::Map).unwrap()));
    }
    let mut other = new(2);
    let shallow = change(&mut other, |tx| tx.put(&ROOT, "k", 1).unwrap());
    let mut document = Document::new(READER, Budget::default());
    for change in changes.iter().chain([&shallow]) {
        document.apply([(ANYBODY, change.raw_bytes())]);
    }
    let expected = Quarantined { malformed: 1, waiting: 443, ..Quarantined::default() };
    assert_eq!(document.quarantined(), expected);
    assert!(document.contains(&shallow.hash()) && document.contains(&changes[255].hash()));
    // In a small stack too, as pages have.
    let value = std::thread::Builder::new().stack_size(256 * 1024);
    let value = value.spawn(move || document.value()).unwrap().join().unwrap();
    assert!(value.len() > 256);
}

/// A change as it would be if its author had not said what it depends on.
fn without_dependencies(change: &Change) -> Vec<u8> {
    let mut parts = Parts::of(change);
    parts.head.splice(..1 + 32 * change.deps().len(), [0]);
    parts.build()
}

#[test]
fn what_refers_to_an_operation_that_comes_later_waits_for_it() {
    let mut first = new(1);
    let mut list = ROOT;
    let make = change(&mut first, |tx| list = tx.put_object(&ROOT, "list", ObjType::List).unwrap());
    let insert = change(&mut first, |tx| tx.insert(&list, 0, 1).unwrap());
    let mut second = first.clone().with_actor(ActorId::from([2; 16]));
    let after = change(&mut second, |tx| tx.insert(&list, 1, 2).unwrap());
    let sent = [make.raw_bytes().to_vec(), insert.raw_bytes().to_vec(), without_dependencies(&after)];
    for order in [[0, 1, 2], [0, 2, 1], [2, 0, 1], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
        let mut document = Document::new(READER, Budget::default());
        apply(&mut document, &order.map(|at| &sent[at]));
        assert_eq!(document.quarantined().count(), 0, "{order:?}");
        assert_eq!(document.value(), value_of(&second), "{order:?}");
    }
}

fn value_of(doc: &Automerge) -> Vec<u8> {
    eyot_core::document::value::encode_object(doc, &ROOT, ObjType::Map)
}

#[test]
fn a_document_takes_no_more_than_its_budget_and_says_so() {
    let blob =
        |number: u8| change(&mut new(number), |tx| tx.put(&ROOT, "blob", vec![number; 10_000]).unwrap());
    let blobs: Vec<_> = (1..=40).map(blob).collect();
    let deflated: Vec<Vec<u8>> = blobs.iter().map(|blob| blob.clone().bytes().into_owned()).collect();
    assert!(deflated.concat().len() < 10_000);
    let budget = Budget { document_bytes: 35_000, ..Budget::default() };
    let mut document = Document::new(READER, budget);
    apply(&mut document, &deflated);
    assert_eq!(document.heads().len(), 3);
    assert_eq!(document.quarantined(), Quarantined { too_large: 37, ..Quarantined::default() });
    // Whoever edits here is told, and nothing is half done.
    let blob = Value::Scalar(ScalarValue::Bytes(vec![1; 10_000]));
    let error = document.change(&[put(&["mine"], blob)], None, 0).unwrap_err();
    assert!(matches!(error, EditError::TooLarge), "{error}");
    assert_eq!(document.heads().len(), 3);
    document.change(&[put(&["small"], Value::Text("is fine".into()))], None, 0).unwrap().unwrap();
    // With a larger budget it is whole.
    let mut document = Document::new(READER, Budget::default());
    apply(&mut document, &deflated);
    assert_eq!((document.heads().len(), document.quarantined().count()), (40, 0));

    let budget = Budget { document_operations: 5, ..Budget::default() };
    let mut document = Document::new(READER, budget);
    apply(&mut document, &deflated);
    assert_eq!((document.heads().len(), document.quarantined().too_large), (5, 35));
}

#[test]
fn what_inflates_to_more_than_a_commit_may_hold_is_not_inflated_to_its_end() {
    let mut deflater = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..100 {
        deflater.write_all(&[0; 1024 * 1024]).unwrap();
    }
    let mut bomb = mutate::chunk(&deflater.finish().unwrap());
    bomb[8] = 2;
    let good = change(&mut new(1), |tx| tx.put(&ROOT, "k", 1).unwrap());
    let mut document = Document::new(READER, Budget::default());
    apply(&mut document, &[bomb.as_slice(), good.raw_bytes()]);
    assert_eq!(document.quarantined(), Quarantined { too_large: 1, ..Quarantined::default() });
    assert!(document.contains(&good.hash()));
}

#[test]
fn a_few_bytes_that_say_they_are_billions_of_operations_are_not_counted_to_their_end() {
    let good = change(&mut new(1), |tx| tx.put(&ROOT, "k", ScalarValue::Null).unwrap());
    let mut parts = Parts::of(&good);
    let billions = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    for (specification, contents) in &mut parts.columns {
        *contents = match *specification {
            0x15 => [&billions[..], &[1, b'k']].concat(),
            0x34 => billions.to_vec(),
            0x42 => [&billions[..], &[1]].concat(),
            _ => [&billions[..], &[0]].concat(),
        };
    }
    let mut document = Document::new(READER, Budget::default());
    apply(&mut document, &[parts.build()]);
    assert_eq!(document.quarantined(), Quarantined { too_large: 1, ..Quarantined::default() });
}

#[test]
fn a_document_has_no_more_heads_than_a_change_can_follow() {
    let budget = Budget { heads: 10, dependencies: 10, ..Budget::default() };
    let mut document = Document::new(READER, budget);
    let writers: Vec<_> =
        (1..=30).map(|n| change(&mut new(n), |tx| tx.put(&ROOT, format!("k{n}"), 1).unwrap())).collect();
    for change in &writers {
        document.apply([(ANYBODY, change.raw_bytes())]);
    }
    assert_eq!((document.heads().len(), document.quarantined().too_large), (10, 20));
    // Each edit follows them and makes room for others.
    for number in 0..4 {
        let change = document.change(&[put(&["k"], Value::Scalar(ScalarValue::Int(number)))], None, 0);
        let change = change.unwrap().unwrap();
        document.apply([(Source::Commit(READER), change.raw_bytes())]);
    }
    assert_eq!(document.quarantined().count(), 0);
}

#[test]
fn an_edit_of_more_operations_than_others_take_is_refused_before_it_is_made() {
    let budget = Budget { commit_operations: 1_000, ..Budget::default() };
    let mut document = Document::new(READER, budget);
    let long = "a".repeat(1_001);
    document.change(&[put(&["t"], Value::Text("a".repeat(900)))], None, 0).unwrap();
    let at = || vec![Prop::Map("t".into())];
    for op in [
        put(&["u"], Value::Text(long.clone())),
        Op::Splice { path: at(), index: 0, remove: 900, insert: "b".repeat(200) },
        Op::UpdateText { path: at(), text: "b".repeat(900) },
        Op::Delete { path: at(), count: usize::MAX },
    ] {
        let error = document.change(std::slice::from_ref(&op), None, 0).unwrap_err();
        assert!(matches!(error, EditError::TooLarge), "{op:?}: {error}");
    }
    assert_eq!(document.heads().len(), 1);
    assert_eq!(document.automerge().get_changes(&[]).len(), 1);
}
