//! Large commits, and many documents: made, and opened elsewhere.

use std::time::{Duration, Instant};

use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::document::budget::Budget;
use eyot_core::document::value::{Op, Value};

use crate::author::{Author, DOC};
use crate::replica::Typist;
use crate::say;

const OBJECTS: usize = 20_000;
const BOARDS: usize = 300;
const CARDS: usize = 50;

/// A commit of as many operations as one may have.
pub fn at_budget() {
    let count = Budget::default().commit_operations - 1;
    let numbers = (0..count).map(|number| Value::Scalar(ScalarValue::Int(number as i64))).collect();
    one_commit(&format!("a list of {count} numbers"), put("list", Value::List(numbers)));
}

/// One commit with many objects, as somebody makes who brings another application's data.
pub fn objects() {
    one_commit(&format!("{OBJECTS} objects"), put("items", cards(OBJECTS)));
}

/// Many boards, each a document that is opened by itself.
pub fn boards() {
    let mut typist = Typist::new();
    let board = [put("cards", cards(CARDS))];
    let (mut made, mut docs) = (Vec::new(), Vec::new());
    for _ in 0..BOARDS {
        let start = Instant::now();
        docs.push(typist.create(&board));
        made.push(start.elapsed());
    }
    say(&format!("{BOARDS} boards of {CARDS} cards: each is made"), &made);
    let start = Instant::now();
    let mut reader = typist.reopened();
    println!("a replica that holds them is opened: {}", seconds(start.elapsed()));
    let mut opened = Vec::new();
    for doc in docs {
        let start = Instant::now();
        reader.open(doc);
        opened.push(start.elapsed());
    }
    say(&format!("{BOARDS} boards of {CARDS} cards: each is opened and read"), &opened);
}

fn one_commit(what: &str, op: Op) {
    let mut author = Author::new(1);
    let start = Instant::now();
    let commit = author.commit(&[op]);
    println!("{what}, {} bytes: made in {}", commit.size(), seconds(start.elapsed()));
    let mut reader = Author::new(2).document;
    let start = Instant::now();
    reader.apply_commits(DOC, [&commit]);
    println!("{what}: taken in {}", seconds(start.elapsed()));
    assert_eq!(reader.heads(), author.document.heads());
    let start = Instant::now();
    std::hint::black_box(reader.value());
    println!("{what}: read in {}", seconds(start.elapsed()));
}

fn put(key: &str, value: Value) -> Op {
    Op::Put { path: vec![Prop::Map(key.into())], value }
}

fn cards(count: usize) -> Value {
    let card = |number: usize| {
        let done = Value::Scalar(ScalarValue::Boolean(number.is_multiple_of(3)));
        let name = Value::Text(format!("card number {number}"));
        (format!("{number}"), Value::Map([("name".into(), name), ("done".into(), done)].into()))
    };
    Value::Map((0..count).map(card).collect())
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
