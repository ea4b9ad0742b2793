//! Changes that are made once more as their authors' transactions: nothing shows that they were not applied.

#[path = "../stripped/edits.rs"]
mod edits;
mod recorded;
#[path = "../stripped/rng.rs"]
mod rng;
mod view;

use std::collections::BTreeMap;

use eyot_core::automerge::legacy::{ElementId, Key, OpId, OpType};
use eyot_core::automerge::marks::{ExpandMark, Mark};
use eyot_core::automerge::transaction::{CommitOptions, Transactable, Transaction};
use eyot_core::automerge::{
    ActorId, AutoCommit, Automerge, Change, ExpandedChange, ObjType, PatchLog, ROOT, ScalarValue,
    TextEncoding,
};
use eyot_core::base::id::AuthorId;
use eyot_core::document::budget::Budget;
use eyot_core::document::document::{Applied, Document};
use eyot_core::document::patch::{Patch, encode_patches};
use eyot_core::document::source::Source;
use eyot_core::document::value::{Value, decode_value};

use rng::Rng;

const READER: AuthorId = AuthorId([9; 16]);
const ENCODING: TextEncoding = TextEncoding::Utf16CodeUnit;

fn actor(number: usize) -> ActorId {
    ActorId::from([number as u8 + 1; 16])
}

fn new(actor: ActorId) -> Automerge {
    Automerge::new_with_encoding(ENCODING).with_actor(actor)
}

/// A document, and Automerge alone, which applies each change.
struct Readers {
    document: Document,
    plain: Automerge,
    /// The value, as somebody has it who is told of what is different.
    shown: Value,
}

impl Readers {
    fn new() -> Self {
        let document = Document::new(READER, Budget::default());
        Self { document, plain: new(ActorId::from(READER.0)), shown: Value::Map(BTreeMap::new()) }
    }

    /// Gives these to both at once, and compares what both tell of it.
    fn take(&mut self, changes: &[Change], what: &str) {
        let Applied { patches: told, rebuilt } = apply(&mut self.document, changes);
        assert!(!rebuilt, "{what}");
        let mut log = PatchLog::active();
        self.plain.apply_changes_log_patches(changes.to_vec(), &mut log).unwrap();
        let plain: Vec<_> = self.plain.make_patches(&mut log).into_iter().map(Patch::from).collect();
        let value = decode_value(&self.document.value()).unwrap();
        let makes = |patches: &[Patch]| view::patched(self.shown.clone(), &encode_patches(patches));
        // Automerge's own patches miss the value now and then, where counters are in conflict.
        if makes(&plain).as_ref() == Some(&value) {
            assert_eq!(makes(&told).as_ref(), Some(&value), "{what}: {told:?}");
        }
        self.shown = value;
    }

    /// Whoever loads what was saved checks each hash against the operations.
    fn compare(&self, what: &str) {
        let saved = Automerge::load(&self.document.save()).unwrap();
        assert_eq!(saved.get_heads(), self.plain.get_heads(), "{what}");
        let mut applied = Document::new(READER, Budget::default());
        // As many at once are applied.
        apply(&mut applied, &self.plain.get_changes(&[]));
        assert_eq!(self.document.value(), applied.value(), "{what}");
        assert_eq!(self.document.heads(), applied.heads(), "{what}");
    }
}

fn apply(document: &mut Document, changes: &[Change]) -> Applied {
    let source = |change: &Change| Source::Commit(AuthorId(change.actor_id().to_bytes().try_into().unwrap()));
    document.apply(changes.iter().map(|change| (source(change), change.raw_bytes())))
}

/// A change whose values the application can read.
fn edited(doc: &mut AutoCommit, rng: &mut Rng) -> Change {
    loop {
        let mut copy = doc.clone();
        edits::edit(&mut copy, rng);
        let message = rng.chance(10).then(|| "what was done 🙂".to_owned());
        let options = CommitOptions { message, time: Some(rng.below(1 << 40) as i64) };
        if copy.commit_with(options).is_none() {
            continue;
        }
        let change = copy.get_last_local_change().expect("it was just made");
        let is_read = |value: &ScalarValue| match value {
            ScalarValue::Uint(number) => i64::try_from(*number).is_ok(),
            value => !matches!(value, ScalarValue::Unknown { .. }),
        };
        let operations = ExpandedChange::from(&change).operations;
        if operations.iter().filter_map(|operation| operation.primitive_value()).all(|value| is_read(&value))
        {
            *doc = copy;
            return change;
        }
    }
}

/// Law: hash, value, patches and saved bytes are those of a change that is applied, whatever it does.
#[test]
fn a_replayed_change_is_as_if_it_were_applied() {
    let (mut made, mut all) = (0, 0);
    for seed in 0..if cfg!(debug_assertions) { 20 } else { 100 } {
        let mut rng = Rng::new(seed);
        let writer = |number| AutoCommit::new_with_encoding(ENCODING).with_actor(actor(number));
        let mut writers: Vec<_> = (0..3).map(writer).collect();
        let mut readers = Readers::new();
        let mut given = Vec::new();
        for number in 0..40 {
            let at = rng.below(writers.len());
            if rng.chance(80) {
                for other in 0..writers.len() {
                    let mut other = writers[other].clone();
                    writers[at].merge(&mut other).unwrap();
                }
            }
            given.push(edited(&mut writers[at], &mut rng));
            // What comes at once may be kept in another order, and is otherwise the same to the byte.
            let at_once = seed % 2 == 1;
            if !at_once || rng.chance(80) {
                readers.take(&core::mem::take(&mut given), &format!("seed {seed}, change {number}"));
            }
            assert!(
                at_once || readers.document.save() == readers.plain.save(),
                "seed {seed}, change {number}"
            );
            all += 1;
        }
        readers.take(&given, &format!("seed {seed}, the end"));
        readers.compare(&format!("seed {seed}"));
        let (replayed, misplayed) = readers.document.replayed();
        assert_eq!(misplayed, 0, "seed {seed}");
        made += replayed;
    }
    assert!(made * 2 > all, "{made} of {all}");
}

fn change(doc: &mut Automerge, edit: impl FnOnce(&mut Transaction<'_>)) -> Change {
    let mut tx = doc.transaction();
    edit(&mut tx);
    tx.commit();
    doc.get_last_local_change().unwrap()
}

/// A change as it would be if each operation had another key.
fn rekeyed(change: &Change, key: impl Fn(&Key) -> Key) -> Change {
    let mut expanded = ExpandedChange::from(change);
    expanded.hash = None;
    for operation in &mut expanded.operations {
        operation.key = key(&operation.key);
    }
    Change::from(expanded)
}

/// Who types right after a link writes after the link's end. A change that writes before it comes from no
/// Automerge on these heads, and only the hash tells.
#[test]
fn a_change_that_a_transaction_would_make_otherwise_is_applied_all_the_same() {
    let mut writer = new(actor(0));
    let mut text = ROOT;
    let first = change(&mut writer, |tx| {
        text = tx.put_object(ROOT, "text", ObjType::Text).unwrap();
        tx.splice_text(&text, 0, 0, "ab").unwrap();
        tx.mark(&text, Mark::new("link".into(), "there", 0, 1), ExpandMark::None).unwrap();
    });
    let honest = change(&mut writer, |tx| tx.splice_text(&text, 1, 0, "x").unwrap());
    let letter_a: OpId = format!("{}@{}", first.start_op().get() + 1, actor(0)).parse().unwrap();
    let forged = rekeyed(&honest, |_| Key::Seq(ElementId::Id(letter_a.clone())));
    assert_ne!(forged.hash(), honest.hash());

    let mut readers = Readers::new();
    readers.take(&[first], "the link");
    assert_eq!(readers.document.replayed(), (1, 0));
    let Applied { rebuilt, .. } = apply(&mut readers.document, core::slice::from_ref(&forged));
    assert!(rebuilt, "the application is to read the value again");
    readers.plain.apply_changes([forged]).unwrap();
    readers.compare("what was forged");
    assert_eq!(readers.document.replayed(), (1, 1));

    // From now on this document applies all.
    let mut writer = readers.plain.fork().with_actor(actor(1));
    let next = change(&mut writer, |tx| tx.splice_text(&text, 0, 0, "y").unwrap());
    readers.shown = decode_value(&readers.document.value()).unwrap();
    readers.take(&[next], "what comes after");
    readers.compare("what comes after");
    assert_eq!(readers.document.replayed(), (1, 1));
}

/// Nothing but the hash could tell of these, if they were not seen before.
#[test]
fn what_no_transaction_makes_is_seen_before_it_is_made() {
    let mut writer = new(actor(0));
    let (mut text, mut list) = (ROOT, ROOT);
    let first = change(&mut writer, |tx| {
        text = tx.put_object(ROOT, "text", ObjType::Text).unwrap();
        list = tx.put_object(ROOT, "list", ObjType::List).unwrap();
        tx.put(ROOT, "k", 1).unwrap();
        tx.splice_text(&text, 0, 0, "abc").unwrap();
        tx.insert(&list, 0, 1).unwrap();
        // Automerge's debug assertions are wrong about what was deleted at the end of a list.
        tx.insert(&list, 1, 2).unwrap();
    });
    let deleted = change(&mut writer, |tx| {
        tx.splice_text(&text, 1, 1, "").unwrap();
        tx.delete(&list, 0).unwrap();
    });
    let start = first.start_op().get();
    let after = |number: u64| {
        let element: OpId = format!("{number}@{}", actor(0)).parse().unwrap();
        move |_: &Key| Key::Seq(ElementId::Id(element.clone()))
    };
    let (b, item) = (start + 4, start + 6);
    let mut branch = writer.fork().with_actor(actor(1));
    // What was deleted is followed, in a text and in a list.
    let typed = change(&mut branch, |tx| tx.splice_text(&text, 1, 0, "x").unwrap());
    let mut branch = writer.fork().with_actor(actor(1));
    let inserted = change(&mut branch, |tx| tx.insert(&list, 0, 3).unwrap());
    // The value that is there is put once more.
    let mut branch = writer.fork().with_actor(actor(1));
    let put = change(&mut branch, |tx| tx.put(ROOT, "k", 2).unwrap());
    let mut again = ExpandedChange::from(&put);
    again.hash = None;
    again.operations[0].action = OpType::Put(1.into());
    for forged in [rekeyed(&typed, after(b)), rekeyed(&inserted, after(item)), Change::from(again)] {
        let mut readers = Readers::new();
        readers.take(core::slice::from_ref(&first), "what is there");
        readers.take(core::slice::from_ref(&deleted), "what is there");
        readers.take(&[forged], "what was forged");
        readers.compare("what was forged");
        assert_eq!(readers.document.replayed(), (2, 0));
    }
}
