//! Documents: what of a set of changes belongs to one, and values.

use std::collections::BTreeMap;

use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::id::{AuthorId, CommitId, DocId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::kind::Kind;
use eyot_core::document::budget::Budget;
use eyot_core::document::document::Document;
use eyot_core::document::source::Source;
use eyot_core::document::stripped::strip::Context;
use eyot_core::document::value::{Op, Value, decode_ops, decode_value, encode_value};

const A: AuthorId = AuthorId([1; 16]);
const B: AuthorId = AuthorId([2; 16]);

fn put(key: &str, value: i64) -> Op {
    Op::Put { path: vec![Prop::Map(key.into())], value: Value::Scalar(ScalarValue::Int(value)) }
}

fn change(document: &mut Document, key: &str, value: i64) -> Vec<u8> {
    document.change(&[put(key, value)], None, 0).unwrap().unwrap().raw_bytes().to_vec()
}

/// Every order of these.
fn orders<T: Clone>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    (0..of.len())
        .flat_map(|first| {
            let mut rest = of.to_vec();
            let first = rest.remove(first);
            orders(&rest).into_iter().map(move |order| [vec![first.clone()], order].concat())
        })
        .collect()
}

/// Law: the document is a function of the set of changes, whatever their order. Its heads, and how
/// many changes are quarantined.
fn agreed(changes: &[(AuthorId, Vec<u8>)]) -> (Vec<String>, u64) {
    let mut outcomes: Vec<_> = orders(changes)
        .into_iter()
        .map(|order| {
            let mut document = Document::new(AuthorId([9; 16]), Budget::default());
            for (author, bytes) in &order {
                document.apply([(Source::Commit(*author), bytes.as_slice())]);
            }
            (document.heads(), document.quarantined().count())
        })
        .collect();
    outcomes.dedup();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes.remove(0)
}

#[test]
fn replicas_agree_on_a_fork_whatever_the_order() {
    let mut original = Document::new(A, Budget::default());
    let first = change(&mut original, "k", 1);
    let mut clone = original.clone();
    let ours = [change(&mut original, "k", 2), change(&mut original, "k", 3)];
    let theirs = [change(&mut clone, "k", 4), change(&mut clone, "k", 5)];
    let mut third = Document::new(B, Budget::default());
    third.apply([(Source::Commit(A), first.as_slice()), (Source::Commit(A), ours[0].as_slice())]);
    let on_ours = change(&mut third, "l", 6);

    let all = [
        (A, first),
        (A, ours[0].clone()),
        (A, ours[1].clone()),
        (A, theirs[0].clone()),
        (A, theirs[1].clone()),
        (B, on_ours),
    ];
    assert!(agreed(&all).1 > 0);
}

#[test]
fn forks_that_depend_on_one_another_are_decided_alike() {
    // A and B are both cloned; each clone builds on one branch of the other's fork.
    let mut a = Document::new(A, Budget::default());
    let a1 = change(&mut a, "a", 1);
    let mut a_clone = Document::new(A, Budget::default());
    let a1_other = change(&mut a_clone, "a", 2);
    let mut b = Document::new(B, Budget::default());
    b.apply([(Source::Commit(A), a1.as_slice())]);
    let b1 = change(&mut b, "b", 1);
    let mut b_clone = Document::new(B, Budget::default());
    b_clone.apply([(Source::Commit(A), a1_other.as_slice())]);
    let b1_other = change(&mut b_clone, "b", 2);

    let all = [(A, a1), (A, a1_other), (B, b1), (B, b1_other)];
    agreed(&all);
}

#[test]
fn a_commit_of_the_actor_itself_wins_over_an_import() {
    let mut original = Document::new(A, Budget::default());
    let mut forger = Document::new(A, Budget::default());
    let (own, forged) = (change(&mut original, "k", 1), change(&mut forger, "k", 2));
    for (first, second) in [((A, &own), (B, &forged)), ((B, &forged), (A, &own))] {
        let mut document = Document::new(B, Budget::default());
        document.apply([
            (Source::Commit(first.0), first.1.as_slice()),
            (Source::Commit(second.0), second.1.as_slice()),
        ]);
        assert_eq!(document.heads(), original.heads());
    }
}

#[test]
fn a_change_known_by_import_has_the_rank_of_its_authors_commit_when_that_comes() {
    let mut original = Document::new(A, Budget::default());
    let mut clone = Document::new(A, Budget::default());
    let (one, other) = (change(&mut original, "k", 1), change(&mut clone, "k", 2));
    // Whichever of the two has its author's word wins, although the other may have the lower hash.
    agreed(&[(B, one.clone()), (A, one.clone()), (B, other.clone())]);
    agreed(&[(B, other.clone()), (A, other), (B, one)]);
}

#[test]
fn a_change_over_the_budget_waits_and_its_neighbours_do_not() {
    let mut a = Document::new(A, Budget::default());
    let ops: Vec<_> = (0..100).map(|i| put(&format!("key {i}"), i)).collect();
    let large = a.change(&ops, None, 0).unwrap().unwrap();
    let mut b = Document::new(B, Budget::default());
    let small = change(&mut b, "k", 1);
    let budget = Budget { commit_operations: 50, ..Budget::default() };
    let mut document = Document::new(AuthorId([9; 16]), budget);
    document.apply([(Source::Commit(A), large.raw_bytes()), (Source::Commit(B), small.as_slice())]);
    assert_eq!(document.heads(), b.heads());
    assert_eq!(document.quarantined().too_large, 1);
}

#[test]
fn an_item_of_many_changes_is_over_the_budget_as_a_whole() {
    let mut a = Document::new(A, Budget::default());
    let changes: Vec<_> = (0..60).map(|i| change(&mut a, "k", i)).collect();
    let budget = Budget { commit_operations: 50, ..Budget::default() };
    let mut document = Document::new(B, budget);
    document.apply([(Source::Commit(A), changes.concat().as_slice())]);
    assert_eq!((document.heads().len(), document.quarantined().too_large), (0, 60));
    assert!(!document.allows(&changes.concat()));
    // In items that are within it they count.
    for item in changes.chunks(30) {
        document.apply([(Source::Commit(A), item.concat().as_slice())]);
    }
    assert_eq!(document.heads(), a.heads());
    let tight = Budget { commit_bytes: changes.concat().len() as u64 - 1, ..Budget::default() };
    assert!(!Document::new(B, tight).allows(&changes.concat()));
}

#[test]
fn bytes_that_are_no_change_are_counted_and_nothing_else() {
    let mut a = Document::new(A, Budget::default());
    let good = change(&mut a, "k", 1);
    let mut document = Document::new(B, Budget::default());
    document.apply([
        (Source::Commit(A), b"garbage".as_slice()),
        (Source::Commit(A), &good[..good.len() - 1]),
        (Source::Commit(A), good.as_slice()),
    ]);
    assert_eq!(document.heads(), a.heads());
    assert_eq!(document.quarantined().malformed, 2);
}

#[test]
fn a_commit_that_is_known_is_not_read_again() {
    let doc = DocId([7; 16]);
    let mut author = Document::new(A, Budget::default());
    let mut reader = Document::new(B, Budget::default());
    let (mut prev, mut commits) = (None, Vec::new());
    for seq in 1..=3 {
        let mut change = author.change(&[put("k", seq as i64)], None, 0).unwrap().unwrap();
        let context = Context { author: A, seq, prev, after: &[], time: 0 };
        let (kind, item) = author.item(&mut change, &context);
        // What its author has noted before can be left out of the next.
        assert_eq!(kind, Kind::Change);
        let place = (A, seq, prev.unwrap_or(CommitId([0; 32])));
        let commit = Commit::new(place, Vec::new(), 0, vec![(doc, kind, item)], &Limits::PROTOCOL).unwrap();
        author.committed(doc, &commit, &change);
        reader.apply_commits(doc, [&commit]);
        prev = Some(commit.id());
        commits.push(commit);
    }
    for document in [&mut author, &mut reader] {
        let (heads, examined) = (document.heads(), document.examined());
        let applied = document.apply_commits(doc, &commits);
        assert!(applied.patches.is_empty() && !applied.rebuilt);
        assert_eq!((document.heads(), document.examined()), (heads, examined));
    }
    assert_eq!(reader.heads(), author.heads());
}

fn initial(entries: &[(&str, Value)]) -> Value {
    Value::Map(
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect::<BTreeMap<_, _>>(),
    )
}

#[test]
fn values_read_back_as_they_were_written() {
    let scalars = [
        ScalarValue::Null,
        ScalarValue::Boolean(true),
        ScalarValue::Int(-5),
        ScalarValue::F64(1.5),
        ScalarValue::Bytes(vec![1, 2]),
        ScalarValue::Str("atomic".into()),
        ScalarValue::counter(3),
        ScalarValue::Timestamp(1_700_000_000_000),
    ];
    let list = scalars.into_iter().map(Value::Scalar).chain([Value::Text("añ🙂".into())]).collect();
    let value = initial(&[("list", Value::List(list))]);
    assert_eq!(decode_value(&encode_value(&value)).unwrap(), value);
}

/// Law: what is put or inserted is what comes out, here and at whoever reads it.
#[test]
fn a_value_is_made_as_it_was_given() {
    let leaf = |text: &str| Value::Text(text.into());
    let scalar = |scalar: ScalarValue| Value::Scalar(scalar);
    let scalars = [
        ScalarValue::counter(3),
        ScalarValue::Str("whole".into()),
        ScalarValue::Timestamp(-7),
        ScalarValue::Bytes(vec![0, 255]),
    ];
    let item = initial(&[("text", leaf("a😀b")), ("list", Value::List(scalars.map(scalar).into()))]);
    let list = Value::List(vec![item.clone(), leaf(""), Value::List(Vec::new()), leaf("last")]);
    let at = |path: &[Prop]| path.to_vec();
    let key = || Prop::Map("list".into());
    let ops = [
        Op::Put { path: at(&[key()]), value: list },
        Op::Insert { path: at(&[key(), Prop::Seq(1)]), values: vec![item.clone(), leaf("new")] },
        Op::Put { path: at(&[key(), Prop::Seq(5)]), value: item.clone() },
    ];
    let mut document = Document::new(A, Budget::default());
    let change = document.change(&ops, None, 0).unwrap().unwrap();
    let expected = [item.clone(), item.clone(), leaf("new"), leaf(""), Value::List(Vec::new()), item];
    let mut reader = Document::new(B, Budget::default());
    reader.apply([(Source::Commit(A), change.raw_bytes())]);
    for document in [&document, &reader] {
        let value = decode_value(&document.value()).unwrap();
        assert_eq!(value, initial(&[("list", Value::List(expected.clone().into()))]));
    }
    let beyond = Op::Insert { path: at(&[key(), Prop::Seq(7)]), values: vec![leaf("x")] };
    assert!(document.change(&[beyond], None, 0).is_err());
}

/// Law: keys come in the order of their code points, whoever set them and in whatever order.
#[test]
fn the_keys_of_a_map_come_in_the_order_of_their_code_points() {
    // In UTF-16 the last two would be the other way round.
    let sorted = ["", "10", "9", "B", "a", "b", "ä", "\u{ff5a}", "😀"];
    let mut document = Document::new(A, Budget::default());
    for key in sorted.iter().rev().skip(1).chain(["😀"].iter()) {
        change(&mut document, key, 1);
    }
    let mut reader = Document::new(B, Budget::default());
    for change in document.automerge().get_changes(&[]) {
        reader.apply([(Source::Commit(A), change.raw_bytes())]);
    }
    for document in [&document, &reader] {
        let value = document.value();
        let mut decoder = minicbor::Decoder::new(&value);
        assert_eq!(decoder.map().unwrap(), Some(sorted.len() as u64));
        for key in sorted {
            assert_eq!(decoder.str().unwrap(), key);
            decoder.skip().unwrap();
        }
    }
}

#[test]
fn malformed_edits_are_refused() {
    for bytes in
        [&b""[..], b"\x81", b"\x81\x83\x09\x80\x00", b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", b"\x80\x00"]
    {
        assert!(decode_ops(bytes).is_err(), "{bytes:?}");
    }
    // Deeper than values may nest, without being long.
    let deep = [vec![0x81u8; 100_000], vec![0x00]].concat();
    assert!(decode_value(&deep).is_err());
}
