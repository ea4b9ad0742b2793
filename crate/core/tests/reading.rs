//! What can be read of a document beside its value.

use eyot_core::automerge::marks::ExpandMark;
use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::id::AuthorId;
use eyot_core::document::budget::Budget;
use eyot_core::document::document::Document;
use eyot_core::document::source::Source;
use eyot_core::document::value::{Op, Value, decode_value};

const A: AuthorId = AuthorId([1; 16]);
const B: AuthorId = AuthorId([2; 16]);

fn path(key: &str) -> Vec<Prop> {
    vec![Prop::Map(key.into())]
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn put(key: &str, value: Value) -> Op {
    Op::Put { path: path(key), value }
}

fn splice(index: usize, remove: usize, insert: &str) -> Op {
    Op::Splice { path: path("text"), index, remove, insert: insert.into() }
}

fn mark(start: usize, end: usize, name: &str, value: ScalarValue) -> Op {
    Op::Mark { path: path("text"), range: start..end, expand: ExpandMark::After, name: name.into(), value }
}

/// Makes a change, and lets the other have it.
fn edit(
    by: &mut Document,
    author: AuthorId,
    other: Option<&mut Document>,
    ops: &[Op],
    message: Option<&str>,
) {
    let change = by.change(ops, message.map(str::to_owned), 7).unwrap().unwrap();
    if let Some(other) = other {
        other.apply([(Source::Commit(author), change.raw_bytes())]);
    }
}

/// Two replicas of a document with a text.
fn pair() -> (Document, Document) {
    let (mut a, mut b) = (Document::new(A, Budget::default()), Document::new(B, Budget::default()));
    edit(&mut a, A, Some(&mut b), &[put("text", text("hello world"))], None);
    (a, b)
}

/// As text, so that a test can be read.
fn shown(bytes: &[u8]) -> String {
    fn show(value: &Value) -> String {
        match value {
            Value::Text(text) => format!("{text:?}"),
            Value::List(list) => format!("[{}]", list.iter().map(show).collect::<Vec<_>>().join(", ")),
            Value::Map(map) => {
                let entries: Vec<_> =
                    map.iter().map(|(key, value)| format!("{key}: {}", show(value))).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Value::Scalar(scalar) => scalar.to_string(),
        }
    }
    show(&decode_value(bytes).unwrap())
}

#[test]
fn marks_are_read_back_as_spans_and_go_with_the_text() {
    let (mut a, mut b) = pair();
    edit(&mut a, A, Some(&mut b), &[mark(0, 5, "bold", true.into())], None);
    edit(&mut b, B, Some(&mut a), &[splice(5, 0, "!"), mark(6, 12, "link", "x".into())], None);
    let spans = "[{marks: {bold: true}, text: \"hello!\"}, {marks: {link: \"x\"}, text: \" world\"}]";
    assert_eq!(shown(&a.spans(&path("text")).unwrap()), spans);
    assert_eq!(shown(&b.spans(&path("text")).unwrap()), spans);
    assert!(a.has_marks() && b.has_marks());
    edit(&mut a, A, Some(&mut b), &[mark(0, 12, "bold", ScalarValue::Null)], None);
    assert_eq!(
        shown(&b.spans(&path("text")).unwrap()),
        "[{marks: {}, text: \"hello!\"}, {marks: {link: \"x\"}, text: \" world\"}]"
    );
    for bad in [mark(3, 3, "m", true.into()), mark(5, 3, "m", true.into()), mark(0, 13, "m", true.into())] {
        assert!(a.change(&[bad], None, 0).is_err());
    }
    assert!(a.spans(&path("nothing")).is_err());
}

#[test]
fn a_cursor_stays_with_what_is_there() {
    let (mut a, mut b) = pair();
    let cursor = a.cursor(&path("text"), 6).unwrap();
    let end = a.cursor(&path("text"), 11).unwrap();
    edit(&mut a, A, Some(&mut b), &[put("other", text("abc"))], None);
    let other = a.cursor(&path("other"), 1).unwrap();
    let (object, _) = cursor.split_once('/').unwrap();
    let (_, place) = other.split_once('/').unwrap();
    assert!(a.position(&format!("{object}/{place}")).is_err(), "a place of another text");
    edit(&mut b, B, Some(&mut a), &[splice(0, 5, "goodbye")], None);
    assert_eq!((a.position(&cursor).unwrap(), a.position(&end).unwrap()), (8, 13));
    assert_eq!(b.position(&cursor).unwrap(), 8, "it means the same elsewhere");
    edit(&mut b, B, Some(&mut a), &[splice(7, 3, "")], None);
    assert_eq!((a.position(&cursor).unwrap(), a.position(&end).unwrap()), (7, 10), "what was there is gone");
    assert!(a.cursor(&path("text"), 20).is_err());
    assert!(a.cursor(&[], 0).is_err());
    for bad in [
        "",
        "/",
        "e",
        "1@zz/e",
        "1@é/e",
        "9@0101/e",
        "_root/e",
        &format!("{cursor}é"),
        "1@01/ü",
        "1@01/-",
        "1@01/",
    ] {
        assert!(a.position(bad).is_err(), "{bad}");
    }
}

#[test]
fn values_set_at_the_same_time_are_conflicts_until_one_is_set_after_both() {
    let (mut a, mut b) = pair();
    assert_eq!(a.conflicts(&path("text")).unwrap(), None);
    let from_a = a.change(&[put("n", text("of a"))], None, 0).unwrap().unwrap();
    let from_b = b.change(&[put("n", Value::List(vec![text("of b")]))], None, 0).unwrap().unwrap();
    a.apply([(Source::Commit(B), from_b.raw_bytes())]);
    b.apply([(Source::Commit(A), from_a.raw_bytes())]);
    let held = a.conflicts(&path("n")).unwrap().unwrap();
    assert_eq!(b.conflicts(&path("n")).unwrap().as_ref(), Some(&held));
    let (a_id, b_id) = (format!("13@{}", "01".repeat(16)), format!("13@{}", "02".repeat(16)));
    assert_eq!(shown(&held), format!("{{{a_id}: \"of a\", {b_id}: [\"of b\"]}}"));
    edit(&mut a, A, None, &[put("n", text("both"))], None);
    assert_eq!(a.conflicts(&path("n")).unwrap(), None);
    assert!(a.conflicts(&[]).is_err());
    assert!(a.conflicts(&[Prop::Seq(0)]).is_err());
}

#[test]
fn the_past_can_be_read() {
    let (mut a, _) = pair();
    let before = (a.heads(), a.value());
    edit(&mut a, A, None, &[splice(0, 5, "goodbye")], Some("why"));
    assert_eq!(a.value_at(&before.0).unwrap(), before.1);
    assert_eq!(a.value_at(&a.heads()).unwrap(), a.value());
    assert_eq!(shown(&a.value_at(&[]).unwrap()), "{}");
    assert!(a.value_at(&["00".repeat(32)]).is_err() && a.value_at(&["x".into()]).is_err());
    let Value::List(changes) = decode_value(&a.changes()).unwrap() else { panic!() };
    let Value::Map(last) = &changes[1] else { panic!() };
    assert_eq!(last["hash"], text(&a.heads()[0]));
    assert_eq!(last["message"], text("why"));
    assert_eq!(last["time"], Value::Scalar(ScalarValue::Int(7_000)));
    assert_eq!(last["operations"], Value::Scalar(ScalarValue::Int(12)));
}

#[test]
fn what_was_done_last_can_be_undone_after_a_reload() {
    let (mut a, mut b) = pair();
    edit(&mut a, A, Some(&mut b), &[splice(11, 0, "!")], None);
    edit(&mut a, A, Some(&mut b), &[splice(12, 0, "?")], None);
    edit(&mut b, B, Some(&mut a), &[splice(0, 0, "oh ")], None);
    let steps = |document: &Document| shown(&document.steps(|actor| actor == A.0, false, 9));
    assert_eq!(
        steps(&a),
        "[false, [{changes: 2, inverse: [{action: \"del\", length: 2, path: [\"text\", 11]}], since: [{action: \
         \"splice\", path: [\"text\", 0], value: \"oh \"}], time: 7000}]]"
    );
    assert_eq!(steps(&a), steps(&b), "whoever holds the same log");
    edit(&mut a, A, None, &[splice(14, 2, "")], Some("undo 2"));
    assert_eq!(steps(&a), "[false, []]", "what was undone is no step, and neither is how it began");
}

/// Automerge's own patches give the marks of the second text to the first, and text the marks of its first character.
#[test]
fn what_undoes_marks_names_each_text_and_each_part_of_a_text() {
    let (mut a, _) = pair();
    edit(&mut a, A, None, &[put("other", text("abc"))], None);
    let other = mark(1, 2, "bold", true.into());
    let Op::Mark { range, expand, name, value, .. } = other else { unreachable!() };
    let other = Op::Mark { path: path("other"), range, expand, name, value };
    edit(&mut a, A, None, &[other, mark(3, 6, "bold", true.into())], None);
    assert_eq!(
        shown(&a.inverse_of_last()),
        "[{action: \"mark\", marks: [{end: 6, name: \"bold\", start: 3, value: null}], path: [\"text\"]}, {action: \
         \"mark\", marks: [{end: 2, name: \"bold\", start: 1, value: null}], path: [\"other\"]}]"
    );
    let before = shown(&a.spans(&path("text")).unwrap());
    edit(&mut a, A, None, &[splice(2, 3, "")], None);
    assert_eq!(
        shown(&a.inverse_of_last()),
        "[{action: \"splice\", path: [\"text\", 2], value: \"l\"}, {action: \"splice\", marks: {bold: true}, path: \
         [\"text\", 3], value: \"lo\"}]"
    );
    let marked =
        |index, insert: &str, marks| Op::Marked { path: path("text"), index, insert: insert.into(), marks };
    let bold = vec![("bold".to_owned(), true.into())];
    edit(&mut a, A, None, &[marked(2, "l", Vec::new()), marked(3, "lo", bold)], None);
    assert_eq!(shown(&a.spans(&path("text")).unwrap()), before);
}
