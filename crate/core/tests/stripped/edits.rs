//! Random edits of every kind that Automerge has.

use eyot_core::automerge::marks::{ExpandMark, Mark};
use eyot_core::automerge::transaction::Transactable;
use eyot_core::automerge::{AutoCommit, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};

use crate::rng::Rng;

/// Makes a few edits in random places.
pub fn edit(doc: &mut AutoCommit, rng: &mut Rng) {
    let count = match rng.below(10) {
        0..=5 => 1,
        6..=8 => 1 + rng.below(5),
        _ => 20 + rng.below(20),
    };
    for _ in 0..count {
        let objects = objects(doc);
        let (object, kind) = &objects[rng.below(objects.len())];
        let may_nest = objects.len() < 12;
        match kind {
            ObjType::Map | ObjType::Table => map(doc, object, may_nest, rng),
            ObjType::List => list(doc, object, may_nest, rng),
            ObjType::Text => text(doc, object, rng),
        }
    }
}

fn objects(doc: &AutoCommit) -> Vec<(ObjId, ObjType)> {
    let mut found = vec![(ROOT, ObjType::Map)];
    let mut next = 0;
    while let Some((object, kind)) = found.get(next).cloned() {
        next += 1;
        let mut inside = Vec::new();
        let mut add = |value: Value<'_>, id: ObjId| {
            if let Value::Object(kind) = value {
                inside.push((id, kind));
            }
        };
        match kind {
            ObjType::Map | ObjType::Table => {
                for key in doc.keys(&object).collect::<Vec<_>>() {
                    if let Ok(Some((value, id))) = doc.get(&object, key) {
                        add(value.into_owned(), id);
                    }
                }
            }
            ObjType::List | ObjType::Text => {
                for index in 0..doc.length(&object) {
                    if let Ok(Some((value, id))) = doc.get(&object, index) {
                        add(value.into_owned(), id);
                    }
                }
            }
        }
        found.extend(inside);
    }
    found
}

fn scalar(rng: &mut Rng) -> ScalarValue {
    match rng.below(11) {
        0 => ScalarValue::Null,
        1 => ScalarValue::Boolean(rng.chance(50)),
        2 => ScalarValue::Int(rng.next() as i64 >> rng.below(64)),
        3 => ScalarValue::Uint(rng.next() >> rng.below(64)),
        4 => ScalarValue::F64(rng.next() as f64 / 1e9),
        5 => {
            let len = rng.below(300);
            ScalarValue::Bytes(rng.bytes(len))
        }
        6 => ScalarValue::Str("é🙂".repeat(rng.below(4)).into()),
        7 => ScalarValue::Timestamp(rng.next() as i64 >> 20),
        8 | 9 => ScalarValue::counter(rng.below(100) as i64),
        _ => ScalarValue::Unknown { type_code: 12, bytes: rng.bytes(3) },
    }
}

const KINDS: [ObjType; 3] = [ObjType::Map, ObjType::List, ObjType::Text];

fn map(doc: &mut AutoCommit, object: &ObjId, may_nest: bool, rng: &mut Rng) {
    let key = ["a", "b", "c", "a longer key", "ключ", ""][rng.below(6)];
    // What does not fit what is there is refused, and makes no operation.
    let _ = match rng.below(6) {
        0 if may_nest => doc.put_object(object, key, KINDS[rng.below(3)]).map(|_| ()),
        1 => doc.delete(object, key),
        2 | 3 => doc.increment(object, key, rng.below(5) as i64 - 2),
        _ => doc.put(object, key, scalar(rng)),
    };
}

fn list(doc: &mut AutoCommit, object: &ObjId, may_nest: bool, rng: &mut Rng) {
    let len = doc.length(object);
    let _ = match rng.below(8) {
        0 if may_nest => doc.insert_object(object, rng.below(len + 1), KINDS[rng.below(3)]).map(|_| ()),
        1 if may_nest && len > 0 => doc.put_object(object, rng.below(len), KINDS[rng.below(3)]).map(|_| ()),
        2 if len > 0 => doc.delete(object, rng.below(len)),
        3 if len > 0 => doc.put(object, rng.below(len), scalar(rng)),
        4 if len > 0 => doc.increment(object, rng.below(len), 1),
        _ => doc.insert(object, rng.below(len + 1), scalar(rng)),
    };
}

fn text(doc: &mut AutoCommit, object: &ObjId, rng: &mut Rng) {
    let len = doc.length(object);
    let at = rng.below(len + 1);
    let range = (at, at + rng.below(len - at + 1));
    let expand = [ExpandMark::Before, ExpandMark::After, ExpandMark::Both, ExpandMark::None][rng.below(4)];
    let name = ["bold", "link"][rng.below(2)];
    let _ = match rng.below(12) {
        0 => doc.mark(object, Mark::new(name.to_owned(), scalar(rng), range.0, range.1), expand),
        1 => doc.unmark(object, name, range.0, range.1, expand),
        2 => doc.split_block(object, at).and_then(|block| doc.put(block, "type", "paragraph")),
        3 => doc.join_block(object, at),
        4 => doc.replace_block(object, at).map(|_| ()),
        5 => {
            let words = ["one", "two", "three", "four"];
            doc.update_text(object, format!("{} {}", words[rng.below(4)], words[rng.below(4)]))
        }
        6 | 7 => doc.splice_text(object, range.0, (range.1 - range.0).min(3) as isize, ""),
        8 => doc.splice_text(object, range.0, (range.1 - range.0).min(3) as isize, "añ🙂"),
        9 => doc.splice_text(object, at, 0, "a word or two"),
        10 => {
            let mut spans: Vec<_> = doc.spans(object).map(Iterator::collect).unwrap_or_default();
            spans.reverse();
            doc.update_spans(object, Default::default(), spans)
        }
        _ => doc.splice_text(object, at, 0, "x"),
    };
}
