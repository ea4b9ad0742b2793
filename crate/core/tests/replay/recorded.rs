//! Recorded histories, read keystroke by keystroke. See `tests/data/README.md` for whose they are.

use std::io::Read;

use eyot_core::automerge::transaction::Transactable;
use eyot_core::automerge::{Automerge, Change, ObjId, ObjType, ROOT, ReadDoc};
use eyot_core::document::budget::Budget;
use eyot_core::document::document::Document;

use crate::{READER, actor, apply, change, new};

/// Without optimisation Automerge takes minutes for all.
const TRANSACTIONS_MAX: usize = if cfg!(debug_assertions) { 2_000 } else { usize::MAX };

fn history(name: &str) -> (Vec<serde_json::Value>, String) {
    let path = format!("{}/../../tests/data/{name}.json.gz", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(path).unwrap();
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(file.as_slice()).read_to_end(&mut json).unwrap();
    let mut history: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let serde_json::Value::Array(mut all) = history["txns"].take() else {
        panic!("transactions are an array")
    };
    all.truncate(TRANSACTIONS_MAX);
    (all, history["endContent"].as_str().unwrap().to_owned())
}

/// Positions in code points are those in code units: no character is more than one.
fn typed(doc: &mut Automerge, text: &ObjId, transaction: &serde_json::Value) -> Change {
    change(doc, |tx| {
        for patch in transaction["patches"].as_array().unwrap() {
            let (at, removed) = (patch[0].as_u64().unwrap() as usize, patch[1].as_i64().unwrap() as isize);
            tx.splice_text(text, at, removed, patch[2].as_str().unwrap()).unwrap();
        }
    })
}

fn text(doc: &mut Automerge) -> (Change, ObjId) {
    let mut text = ROOT;
    (change(doc, |tx| text = tx.put_object(ROOT, "text", ObjType::Text).unwrap()), text)
}

/// Reads the changes one by one, and compares with all of them applied at once. How many were replayed.
fn read(changes: &[Change], end: Option<&str>, text: &ObjId) -> u64 {
    let mut reader = Document::new(READER, Budget::default());
    for change in changes {
        apply(&mut reader, core::slice::from_ref(change));
    }
    let mut at_once = Document::new(READER, Budget::default());
    apply(&mut at_once, changes);
    assert_eq!(reader.heads(), at_once.heads());
    // Whoever loads what was saved checks each hash against the operations.
    let saved = Automerge::load(&reader.save()).unwrap();
    assert_eq!(saved.get_heads(), at_once.automerge().get_heads());
    if let Some(end) = end {
        assert_eq!(reader.automerge().text(text).unwrap(), end);
    }
    assert_eq!(at_once.replayed(), (0, 0));
    let (replayed, misplayed) = reader.replayed();
    assert_eq!(misplayed, 0);
    replayed
}

#[test]
fn each_keystroke_of_one_person_is_replayed() {
    let (transactions, end) = history("seph-blog1");
    let mut writer = new(actor(0));
    let (first, text) = text(&mut writer);
    let typed = transactions.iter().map(|transaction| typed(&mut writer, &text, transaction));
    let changes: Vec<_> = core::iter::once(first).chain(typed).collect();
    let end = (TRANSACTIONS_MAX == usize::MAX).then_some(end.as_str());
    // Where much is pasted or deleted at once, to apply it is faster.
    let small = changes.iter().filter(|change| change.len() <= 1000).count();
    assert_eq!(read(&changes, end, &text), small as u64);
}

#[test]
fn keystrokes_of_two_people_at_once_are_replayed_or_applied() {
    let (transactions, _) = history("friendsforever");
    // Applying takes as long as a text is long.
    let transactions = &transactions[..transactions.len().min(8_000)];
    let mut writers = [new(actor(0)), new(actor(1))];
    let (first, text) = text(&mut writers[0]);
    writers[1].apply_changes([first.clone()]).unwrap();
    let mut changes = vec![first];
    let mut has = [vec![false; transactions.len()], vec![false; transactions.len()]];
    for (index, transaction) in transactions.iter().enumerate() {
        let agent = transaction["agent"].as_u64().unwrap() as usize;
        let mut ways = vec![index];
        let mut lacks = Vec::new();
        while let Some(index) = ways.pop() {
            for parent in transactions[index]["parents"].as_array().unwrap() {
                let parent = parent.as_u64().unwrap() as usize;
                if !core::mem::replace(&mut has[agent][parent], true) {
                    ways.push(parent);
                    lacks.push(parent);
                }
            }
        }
        lacks.sort_unstable();
        let missing: Vec<_> = lacks.iter().map(|index| changes[index + 1].clone()).collect();
        writers[agent].apply_changes(missing).unwrap();
        has[agent][index] = true;
        changes.push(typed(&mut writers[agent], &text, transaction));
    }
    let replayed = read(&changes, None, &text);
    println!("{replayed} of {} were replayed", changes.len());
}
