//! Maps that are written often, in turn and at once.

use std::time::Instant;

use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::document::value::{Op, Value};

use crate::author::{Author, DOC};
use crate::say;

fn put(key: String, value: i64) -> Op {
    Op::Put { path: vec![Prop::Map(key)], value: Value::Scalar(ScalarValue::Int(value)) }
}

/// Two write the same twenty keys in turn, 200 changes a second for 100 seconds.
pub fn in_turn() {
    let mut author = Author::new(1);
    let mut reader = Author::new(3).document;
    let mut spent = Vec::new();
    for number in 0..20_000usize {
        author.write_as(1 + (number % 2) as u8);
        let commit = author.commit(&[put(format!("key {}", number % 20), number as i64)]);
        let start = Instant::now();
        reader.apply_commits(DOC, [&commit]);
        spent.push(start.elapsed());
    }
    say("map of 20 keys, written in turn: the first 1,000", &spent[..1000]);
    say("map of 20 keys, written in turn: the last 1,000", &spent[19_000..]);
}

/// Fifty write a hundred keys each, every change concurrent with the others of its round.
pub fn at_once() {
    let mut authors: Vec<_> = (1..=50).map(Author::new).collect();
    let mut commits = Vec::new();
    for round in 0..100 {
        let write = |(number, author): (usize, &mut Author)| {
            author.commit(&[put(format!("{number} {round}"), round)])
        };
        let made: Vec<_> = authors.iter_mut().enumerate().map(write).collect();
        for (number, author) in authors.iter_mut().enumerate() {
            author.take(made.iter().enumerate().filter(|(by, _)| *by != number).map(|(_, commit)| commit));
        }
        commits.extend(made);
    }
    for gathered in [1, 4, 12, 50] {
        let mut reader = Author::new(99).document;
        let (before, last) = commits.split_at(commits.len() - 200);
        reader.apply_commits(DOC, before);
        let spent: Vec<_> = last
            .chunks(gathered)
            .flat_map(|some| {
                let start = Instant::now();
                reader.apply_commits(DOC, some);
                vec![start.elapsed() / some.len() as u32; some.len()]
            })
            .collect();
        say(&format!("50 writers at once, {gathered} changes gathered: each"), &spent);
    }
}
