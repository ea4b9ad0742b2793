//! Changes as Automerge makes them, and changes made of these by tampering, each with a good checksum.

use eyot_core::automerge::marks::{ExpandMark, Mark};
use eyot_core::automerge::transaction::{CommitOptions, Transactable};
use eyot_core::automerge::{ActorId, Automerge, Change, ObjType, ROOT, ReadDoc, ScalarValue, TextEncoding};
use sha2::{Digest, Sha256};

use crate::rng::Rng;

/// Changes of three actors that read one another: every kind of value, object and edit.
pub fn history(rng: &mut Rng) -> Vec<Change> {
    let new = |actor: u8| {
        Automerge::new_with_encoding(TextEncoding::Utf16CodeUnit).with_actor(ActorId::from([actor; 16]))
    };
    let mut first = new(1);
    let mut tx = first.transaction();
    let list = tx.put_object(&ROOT, "list", ObjType::List).unwrap();
    let text = tx.put_object(&ROOT, "text", ObjType::Text).unwrap();
    let map = tx.put_object(&ROOT, "map", ObjType::Map).unwrap();
    tx.splice_text(&text, 0, 0, "hello wörld 😀").unwrap();
    tx.insert(&list, 0, 1).unwrap();
    tx.insert(&list, 1, "two").unwrap();
    tx.put(&map, "count", ScalarValue::counter(5)).unwrap();
    tx.commit();
    let mut docs = [first.clone(), first.clone().with_actor(ActorId::from([2; 16])), first];
    docs[2].set_actor(ActorId::from([3; 16]));
    for round in 0..4 + rng.below(8) {
        let at = rng.below(3);
        let mut other = docs[rng.below(3)].clone();
        let doc = &mut docs[at];
        if rng.below(3) > 0 {
            doc.merge(&mut other).unwrap();
        }
        let mut tx = doc.transaction();
        for _ in 0..1 + rng.below(4) {
            let at = |len: usize, rng: &mut Rng| rng.below(len.max(1));
            let (list_len, text_len) = (tx.length(&list), tx.length(&text));
            match rng.below(13) {
                0 => tx.put(&map, format!("k{}", rng.below(4)), rng.below(300) as i64 - 150).unwrap(),
                1 => tx.put(&ROOT, "when", ScalarValue::Timestamp(-1_700_000_000)).unwrap(),
                2 => tx.insert(&list, at(list_len, rng), 1.5).unwrap(),
                3 if list_len > 0 => tx.put(&list, at(list_len, rng), rng.bytes(3)).unwrap(),
                4 if list_len > 1 => tx.delete(&list, at(list_len, rng)).unwrap(),
                5 => drop(tx.splice_text(&text, at(text_len, rng), 0, "añ🙂b").is_ok()),
                6 if text_len > 3 => drop(tx.splice_text(&text, at(text_len - 2, rng), 1, "").is_ok()),
                7 => tx.increment(&map, "count", 3 - rng.below(6) as i64).unwrap_or_default(),
                8 => drop(tx.put_object(&map, format!("m{round}"), ObjType::Map).unwrap()),
                9 => drop(tx.insert_object(&list, 0, ObjType::Text).unwrap()),
                10 if text_len > 4 => {
                    let mark = Mark::new("bold".into(), true, 1, 3);
                    tx.mark(&text, mark, ExpandMark::Both).unwrap();
                }
                11 => tx.delete(&map, "k1").unwrap_or_default(),
                12 => tx.put(&map, "count", ScalarValue::counter(1)).unwrap(),
                _ => {}
            }
        }
        let message = rng.chance(33).then(|| "a message".to_owned());
        tx.commit_with(CommitOptions { message, time: Some(rng.below(1 << 40) as i64) });
    }
    let mut all = docs[0].clone();
    for doc in &mut docs[1..] {
        all.merge(doc).unwrap();
    }
    all.get_changes(&[])
}

fn number(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn read_number(bytes: &[u8], at: &mut usize) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

/// The chunk of a change with this data.
pub fn chunk(data: &[u8]) -> Vec<u8> {
    let mut head = vec![1];
    number(data.len() as u64, &mut head);
    let hash = Sha256::new().chain_update(&head).chain_update(data).finalize();
    [&[0x85, 0x6f, 0x4a, 0x83], &hash[..4], &head, data].concat()
}

/// A change's data: what is before its columns, its columns, and what is after them.
pub struct Parts {
    pub head: Vec<u8>,
    pub columns: Vec<(u64, Vec<u8>)>,
    pub rest: Vec<u8>,
}

impl Parts {
    pub fn of(change: &Change) -> Self {
        let raw = change.raw_bytes();
        let mut at = 9;
        read_number(raw, &mut at);
        let data = &raw[at..];
        let mut at = 0;
        at += 32 * read_number(data, &mut at);
        let skip = |at: &mut usize| *at += read_number(data, at);
        skip(&mut at);
        for _ in 0..3 {
            read_number(data, &mut at);
        }
        skip(&mut at);
        for _ in 0..read_number(data, &mut at) {
            skip(&mut at);
        }
        let head = data[..at].to_vec();
        let count = read_number(data, &mut at);
        let heads: Vec<_> =
            (0..count).map(|_| (read_number(data, &mut at), read_number(data, &mut at))).collect();
        let columns = heads.into_iter().map(|(specification, len)| {
            at += len;
            (specification as u64, data[at - len..at].to_vec())
        });
        let columns = columns.collect();
        Self { head, columns, rest: data[at..].to_vec() }
    }

    pub fn build(&self) -> Vec<u8> {
        let mut data = self.head.clone();
        number(self.columns.len() as u64, &mut data);
        for (specification, contents) in &self.columns {
            number(*specification, &mut data);
            number(contents.len() as u64, &mut data);
        }
        for (_, contents) in &self.columns {
            data.extend_from_slice(contents);
        }
        data.extend_from_slice(&self.rest);
        chunk(&data)
    }
}

/// Bytes as they stand in columns: runs, numbers out of range, negative ones.
const TELLING: &[&[u8]] = &[
    &[0],
    &[1],
    &[0x7f],
    &[0x7e],
    &[2, 0],
    &[0, 1],
    &[0x80, 0x80, 0x80, 0x80, 0x10],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
    &[0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f],
];

/// A change made of others by tampering: a few of its bytes, or columns, are others.
pub fn tampered(of: &[Change], rng: &mut Rng) -> Vec<u8> {
    let pick = |rng: &mut Rng| &of[rng.below(of.len())];
    let change = pick(rng);
    let mut parts = Parts::of(change);
    if rng.chance(50) {
        // Of another actor, so that it is no rival of the one that it is made of.
        let actor = 1 + 32 * change.deps().len() + 1;
        parts.head[actor..actor + 16].fill(0x40 + rng.below(20) as u8);
        parts.head[actor + 16] = 1;
    }
    for _ in 0..rng.below(4) {
        let columns = parts.columns.len();
        if columns == 0 {
            parts.head = Parts::of(pick(rng)).head;
            continue;
        }
        let column = rng.below(columns);
        match rng.below(9) {
            0 => {
                let other = Parts::of(pick(rng));
                if let Some(found) = other.columns.iter().find(|(it, _)| *it == parts.columns[column].0) {
                    parts.columns[column] = found.clone();
                }
            }
            1 => drop(parts.columns.remove(column)),
            2 => parts.head = Parts::of(pick(rng)).head,
            3 => {
                let at = rng.below(parts.head.len());
                parts.head[at] = parts.head[at].wrapping_add(1 + rng.below(255) as u8);
            }
            4 => {
                let telling = TELLING[rng.below(TELLING.len())];
                let contents = &mut parts.columns[column].1;
                let at = rng.below(contents.len() + 1);
                contents.splice(at..at, telling.iter().copied());
            }
            5 => {
                let telling = TELLING[rng.below(TELLING.len())];
                parts.columns[column].1 = telling.to_vec();
            }
            _ => {
                let contents = &mut parts.columns[column].1;
                if !contents.is_empty() {
                    let at = rng.below(contents.len());
                    // Mostly a little more or less, so that the encoding stays good.
                    let by = match rng.below(4) {
                        0 => rng.below(256) as u8,
                        1 => 1,
                        2 => 0xff,
                        _ => 2,
                    };
                    contents[at] = contents[at].wrapping_add(by);
                }
            }
        }
    }
    parts.build()
}
