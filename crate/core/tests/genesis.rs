//! How named documents begin.

use std::collections::BTreeMap;

use eyot_core::automerge::transaction::Transactable;
use eyot_core::automerge::{Automerge, Change, Prop, ROOT, ScalarValue};
use eyot_core::base::id::{AuthorId, DocId};
use eyot_core::document::budget::Budget;
use eyot_core::document::document::Document;
use eyot_core::document::genesis::{Genesis, KEYS_MAX};
use eyot_core::document::source::Source;
use eyot_core::document::value::{Op, Value, decode_value};

const A: AuthorId = AuthorId([1; 16]);
const B: AuthorId = AuthorId([2; 16]);

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

fn initial(entries: &[(&str, Value)]) -> Value {
    Value::Map(
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect::<BTreeMap<_, _>>(),
    )
}

fn golden_initial() -> Value {
    let scalar = Value::Scalar;
    initial(&[
        ("title", Value::Text("Note".into())),
        ("tasks", Value::List(vec![initial(&[("done", scalar(ScalarValue::Boolean(false)))])])),
        ("count", scalar(ScalarValue::counter(0))),
        (
            "settings",
            initial(&[("dark", scalar(ScalarValue::Boolean(true))), ("tags", Value::List(Vec::new()))]),
        ),
    ])
}

fn genesis(name: &str, value: &Value) -> Genesis {
    Genesis { name: name.into(), generation: 0, value: value.clone() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares with a file in `tests/golden`, or writes it: see the README there.
fn check_golden(file: &str, actual: &str) {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("EYOT_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{actual}\n")).unwrap();
    }
    assert_eq!(actual, std::fs::read_to_string(&path).unwrap().trim_end(), "{file}");
}

/// Law: the bytes of a genesis never change, or replicas of different versions would not merge.
#[test]
fn the_genesis_of_a_name_is_these_bytes_for_ever() {
    let genesis = genesis("golden", &golden_initial());
    let changes: Vec<_> = genesis.changes().iter().map(|bytes| hex(bytes)).collect();
    check_golden("genesis.hex", &changes.join("\n"));
    check_golden("genesis-item.hex", &hex(&genesis.encode()));
    check_golden("named.hex", &DocId::named("golden", 0).to_hex());
}

#[test]
fn the_genesis_of_a_name_makes_its_initial_value() {
    let mut document = Document::new(A, Budget::default());
    begin(&mut document, &golden_initial());
    assert_eq!(document.quarantined().count(), 0);
    assert_eq!(value(&document), golden_initial());
    let mut other = Document::new(B, Budget::default());
    log(&mut other, &genesis("n", &golden_initial()));
    assert_eq!(other.heads(), document.heads());
}

#[test]
fn a_genesis_reads_back_from_its_item_and_makes_the_same_changes() {
    let genesis = genesis("n", &golden_initial());
    let back = Genesis::decode(&genesis.encode()).unwrap();
    assert_eq!(back.changes(), genesis.changes());
    for len in 0..genesis.encode().len() {
        assert!(Genesis::decode(&genesis.encode()[..len]).is_err());
    }
}

fn begin(document: &mut Document, initial: &Value) {
    document.begin("n", 0, initial).unwrap();
}

/// What a commit of others brings whose author had begun the document so.
fn log(document: &mut Document, genesis: &Genesis) {
    let changes = genesis.changes();
    document.apply(changes.iter().map(|bytes| (Source::Genesis, bytes.as_slice())));
}

fn value(document: &Document) -> Value {
    decode_value(&document.value()).unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn set(document: &mut Document, key: &str, value: Value) -> Vec<u8> {
    document
        .change(&[Op::Put { path: vec![Prop::Map(key.into())], value }], None, 0)
        .unwrap()
        .unwrap()
        .raw_bytes()
        .to_vec()
}

fn delete(document: &mut Document, key: &str) -> Vec<u8> {
    document
        .change(&[Op::Delete { path: vec![Prop::Map(key.into())], count: 1 }], None, 0)
        .unwrap()
        .unwrap()
        .raw_bytes()
        .to_vec()
}

#[test]
fn a_key_that_was_touched_or_deleted_gets_no_initial_value() {
    let mut document = Document::new(A, Budget::default());
    set(&mut document, "a", text("1"));
    delete(&mut document, "a");
    begin(&mut document, &initial(&[("a", text("x")), ("b", text("y"))]));
    assert_eq!(value(&document), initial(&[("b", text("y"))]));
    let genesis = document.take_beginning().unwrap().genesis();
    assert_eq!(genesis.value, initial(&[("b", text("y"))]));
}

#[test]
fn a_newer_initial_value_adds_its_keys_inside_what_an_older_one_made() {
    let scalar = |int| Value::Scalar(ScalarValue::Int(int));
    let old = initial(&[("settings", initial(&[("a", scalar(1))]))]);
    let new = initial(&[("settings", initial(&[("a", scalar(1)), ("b", scalar(2))]))]);
    let mut upgraded = Document::new(A, Budget::default());
    log(&mut upgraded, &genesis("n", &old));
    begin(&mut upgraded, &new);
    let mut fresh = Document::new(B, Budget::default());
    begin(&mut fresh, &new);
    assert_eq!(upgraded.heads(), fresh.heads());
    assert_eq!(value(&fresh), new);
    let added = initial(&[("settings", initial(&[("b", scalar(2))]))]);
    assert_eq!(upgraded.take_beginning().unwrap().genesis().value, added);
}

#[test]
fn nothing_is_made_inside_a_map_that_was_replaced() {
    let inside = initial(&[("deep", initial(&[("size", text("x"))]))]);
    let value_with = |key: &str| initial(&[("settings", inside.clone()), (key, text(key))]);
    let (chunks, writer) =
        first_edit(A, &value_with("a"), |document| set(document, "settings", text("none")));
    let mut early = reader(B, &value_with("b"));
    apply(&mut early, &chunks);
    let mut late = Document::new(B, Budget::default());
    apply(&mut late, &chunks);
    begin(&mut late, &value_with("b"));
    for mut reader in [early, late] {
        assert_eq!(reader.take_beginning().unwrap().genesis().value, initial(&[("b", text("b"))]));
        let Value::Map(mut held) = value(&reader) else { panic!() };
        held.remove("b");
        assert_eq!(Value::Map(held), value(&writer));
    }
}

#[test]
fn a_document_begun_twice_has_the_keys_of_both_and_the_first_value_of_each() {
    let mut document = Document::new(A, Budget::default());
    begin(&mut document, &initial(&[("a", text("x")), ("b", text("y"))]));
    begin(&mut document, &initial(&[("b", text("z")), ("c", text("w"))]));
    let both = initial(&[("a", text("x")), ("b", text("y")), ("c", text("w"))]);
    assert_eq!(value(&document), both);
    assert_eq!(document.take_beginning().unwrap().genesis().value, both);
}

/// What the first version of an application begins with, and what the second one does.
fn versions() -> [Value; 2] {
    let scalar = Value::Scalar;
    let made = |at| scalar(ScalarValue::Timestamp(at));
    let first = [
        ("theme", text("light")),
        ("title", text("Untitled")),
        ("schema", text("1")),
        ("count", scalar(ScalarValue::counter(1))),
        ("made", made(1)),
        ("gone", text("one")),
        (
            "settings",
            initial(&[("font", text("serif")), ("deep", initial(&[("size", scalar(ScalarValue::Int(1)))]))]),
        ),
    ];
    let second = [
        ("theme", text("dark")),
        ("title", text("New board")),
        ("schema", text("2")),
        ("count", scalar(ScalarValue::counter(2))),
        ("made", made(2)),
        ("gone", text("two")),
        (
            "settings",
            initial(&[("font", text("sans")), ("deep", initial(&[("size", scalar(ScalarValue::Int(2)))]))]),
        ),
    ];
    [initial(&first), initial(&second)]
}

/// A log: what commits brought, in order.
type Chunks = Vec<(Source, Vec<u8>)>;

fn first_edit(
    author: AuthorId,
    initial: &Value,
    edit: impl FnOnce(&mut Document) -> Vec<u8>,
) -> (Chunks, Document) {
    let mut document = Document::new(author, Budget::default());
    begin(&mut document, initial);
    let change = edit(&mut document);
    let genesis = document.take_beginning().unwrap().genesis();
    let changes = genesis.changes().into_iter().map(|bytes| (Source::Genesis, bytes));
    (changes.chain([(Source::Commit(author), change)]).collect(), document)
}

fn apply(document: &mut Document, chunks: &Chunks) -> bool {
    document.apply(chunks.iter().map(|(source, bytes)| (*source, bytes.as_slice()))).rebuilt
}

fn reader(author: AuthorId, initial: &Value) -> Document {
    let mut document = Document::new(author, Budget::default());
    begin(&mut document, initial);
    document
}

/// Law: a value that is held wins over an initial one, for readers too.
#[test]
fn who_begins_with_another_initial_value_shows_what_is_held() {
    let [first, second] = versions();
    let (mut chunks, mut writer) = first_edit(A, &first, |document| set(document, "theme", text("blue")));
    chunks.push((Source::Commit(A), delete(&mut writer, "gone")));
    // Read before the document is begun, as a whole, and by and by.
    let mut late = Document::new(B, Budget::default());
    apply(&mut late, &chunks);
    begin(&mut late, &second);
    let mut early = reader(B, &second);
    apply(&mut early, &chunks);
    let mut slow = reader(B, &second);
    for chunk in &chunks {
        apply(&mut slow, &vec![chunk.clone()]);
    }
    let mut old = reader(B, &first);
    apply(&mut old, &chunks);
    for document in [&late, &early, &slow, &old] {
        assert_eq!(value(document), value(&writer));
        assert_eq!(document.heads(), writer.heads());
        assert!(document.beginning().is_none(), "the second version has nothing to add");
    }
    let Value::Map(held) = value(&early) else { panic!() };
    assert_eq!(held["theme"], text("blue"));
    assert!(!held.contains_key("gone"));
    // Neither does an edit of the second version bring its own values.
    let change = set(&mut early, "other", text("x"));
    apply(&mut writer, &vec![(Source::Commit(B), change)]);
    assert_eq!(value(&writer), value(&early));
    let Value::Map(held) = value(&writer) else { panic!() };
    assert_eq!((&held["theme"], &held["title"]), (&text("blue"), &text("Untitled")));
}

#[test]
fn a_fork_that_comes_with_a_genesis_takes_nothing_of_it_away() {
    let [first, second] = versions();
    let (mut one, _) = first_edit(A, &first, |document| set(document, "theme", text("blue")));
    let (other, _) = first_edit(A, &first, |document| set(document, "theme", text("green")));
    one.extend(other);
    let mut late = Document::new(B, Budget::default());
    apply(&mut late, &one);
    for chunks in [one.clone(), one.into_iter().rev().collect()] {
        let mut reader = reader(B, &second);
        apply(&mut reader, &chunks);
        assert_eq!(reader.heads(), late.heads());
        assert_eq!(value(&reader), value(&late));
    }
}

#[test]
fn only_the_keys_that_are_held_are_withdrawn() {
    let [first, second] = versions();
    let Value::Map(mut second) = second else { panic!() };
    second.insert("new".into(), text("new"));
    let (chunks, _) = first_edit(A, &first, |document| set(document, "theme", text("blue")));
    let mut reader = reader(B, &Value::Map(second));
    assert!(apply(&mut reader, &chunks));
    let Value::Map(held) = value(&reader) else { panic!() };
    assert_eq!((&held["theme"], &held["new"]), (&text("blue"), &text("new")));
    assert_eq!(reader.take_beginning().unwrap().genesis().value, initial(&[("new", text("new"))]));
}

/// Law: of two initial values in the log one is shown whole, the same one everywhere.
#[test]
fn replicas_of_two_versions_that_edit_before_they_meet_agree_and_weave_nothing() {
    let [first, second] = versions();
    let (one, mut a) = first_edit(A, &first, |document| set(document, "k", text("a")));
    let (other, mut b) = first_edit(B, &second, |document| set(document, "l", text("b")));
    apply(&mut a, &other);
    apply(&mut b, &one);
    assert_eq!(value(&a), value(&b));
    let Value::Map(held) = value(&a) else { panic!() };
    let (Value::Map(first), Value::Map(second)) = (&first, &second) else { panic!() };
    for key in ["theme", "title", "schema", "count", "made", "gone"] {
        assert!(held[key] == first[key] || held[key] == second[key], "{key}: {:?}", held[key]);
    }
    // Whoever only reads shows the same, whatever came first.
    for initial in versions() {
        for chunks in orders(&[one.clone(), other.clone()]) {
            let mut reader = reader(AuthorId([3; 16]), &initial);
            for chunk in chunks {
                apply(&mut reader, &chunk);
            }
            assert_eq!(value(&reader), value(&a));
            assert_eq!(reader.heads(), a.heads());
        }
    }
}

#[test]
fn every_order_of_the_changes_of_two_versions_gives_the_same_value() {
    let small = |theme| initial(&[("theme", text(theme))]);
    let (mut chunks, _) = first_edit(A, &small("light"), |document| set(document, "k", text("a")));
    let (other, _) = first_edit(B, &small("dark"), |document| delete(document, "theme"));
    chunks.extend(other);
    let mut values = Vec::new();
    for order in orders(&chunks) {
        for initial in [small("light"), small("dark"), small("other")] {
            let mut reader = reader(AuthorId([3; 16]), &initial);
            for chunk in &order {
                apply(&mut reader, &vec![chunk.clone()]);
            }
            values.push((value(&reader), reader.heads()));
        }
    }
    values.dedup();
    assert_eq!(values.len(), 1);
}

#[test]
fn initial_lists_of_two_versions_add_up() {
    let list =
        |items: &[&str]| initial(&[("list", Value::List(items.iter().map(|item| text(item)).collect()))]);
    let (one, mut a) = first_edit(A, &list(&["a", "b"]), |document| set(document, "k", text("a")));
    let (other, mut b) = first_edit(B, &list(&["c"]), |document| set(document, "k", text("b")));
    apply(&mut a, &other);
    apply(&mut b, &one);
    assert_eq!(value(&a), value(&b));
    let Value::Map(held) = value(&a) else { panic!() };
    let both = [["a", "b", "c"], ["c", "a", "b"]].map(|items| Value::List(items.map(text).to_vec()));
    assert!(both.contains(&held["list"]), "{:?}", held["list"]);
}

/// Law: nobody can put other changes in the place of a genesis.
#[test]
fn a_forged_change_under_the_actor_of_a_genesis_loses_to_the_genesis() {
    let value = initial(&[("theme", text("light"))]);
    let changes = genesis("n", &value).changes();
    let actor = Change::from_bytes(changes[0].clone()).unwrap().actor_id().to_bytes().try_into().unwrap();
    let mut forger = Document::new(AuthorId(actor), Budget::default());
    let forged = set(&mut forger, "theme", text("forged"));
    let mut expected = Document::new(B, Budget::default());
    log(&mut expected, &genesis("n", &value));
    // In a commit of an author with the id of that actor, and of somebody else.
    for author in [AuthorId(actor), B] {
        let chunks = vec![(Source::Commit(author), forged.clone()), (Source::Genesis, changes[0].clone())];
        for order in orders(&chunks) {
            let mut reader = reader(AuthorId([3; 16]), &initial(&[("theme", text("dark"))]));
            for chunk in order {
                apply(&mut reader, &vec![chunk]);
            }
            assert_eq!(reader.heads(), expected.heads());
        }
    }
    // Alone it is what the log holds, and wins over initial values that are not in the log.
    for theme in ["light", "dark"] {
        let mut reader = reader(AuthorId([3; 16]), &initial(&[("theme", text(theme))]));
        apply(&mut reader, &vec![(Source::Commit(B), forged.clone())]);
        assert_eq!(reader.heads(), forger.heads());
    }
}

#[test]
fn an_initial_value_may_be_deep_and_not_have_too_many_keys() {
    let deep = (0..60).fold(text("x"), |inside, _| initial(&[("a", inside)]));
    let mut document = Document::new(A, Budget::default());
    begin(&mut document, &deep);
    assert_eq!(value(&document), deep);
    let keys = (0..=KEYS_MAX).map(|number| (number.to_string(), text("x")));
    let wide = initial(&[("inside", Value::Map(keys.collect()))]);
    assert!(document.begin("n", 0, &wide).is_err());
    assert!(genesis("n", &wide).changes().is_empty());
    assert!(document.begin("n", 0, &text("x")).is_err());
}

/// Law: which of two changes under one actor and number of a genesis wins depends on what the log has,
/// not on what a replica has made for itself before.
#[test]
fn an_initial_value_that_others_import_ranks_alike_whoever_had_begun_with_it() {
    let value_of = |value: &str| initial(&[("title", text(value))]);
    let own = genesis("n", &value_of("untitled")).changes().remove(0);
    let actor = Change::from_bytes(own.clone()).unwrap().actor_id().clone();
    let mut winners = BTreeMap::new();
    for forged in 0..20 {
        let mut forger = Automerge::new().with_actor(actor.clone());
        let mut tx = forger.transaction();
        tx.put(ROOT, "title", forged).unwrap();
        tx.commit();
        let forged = forger.get_last_local_change().unwrap().raw_bytes().to_vec();
        let imports = [(Source::Commit(A), own.clone()), (Source::Commit(B), forged)];
        let mut outcomes = Vec::new();
        for order in orders(&imports) {
            let mut plain = Document::new(A, Budget::default());
            let mut begun = reader(A, &value_of("untitled"));
            let mut at_once = reader(A, &value_of("untitled"));
            apply(&mut at_once, &order);
            for chunk in order {
                apply(&mut plain, &vec![chunk.clone()]);
                apply(&mut begun, &vec![chunk]);
            }
            outcomes.extend([plain, begun, at_once].map(|document| document.heads()));
        }
        outcomes.dedup();
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        *winners.entry(outcomes.remove(0)).or_insert(0) += 1;
    }
    assert!(winners.len() > 1, "each wins now and then");
}

#[test]
fn an_initial_value_may_not_be_larger_than_others_would_make_it() {
    let large = initial(&[("t", text(&"x".repeat(300_000)))]);
    let error = Document::new(A, Budget::default()).begin("n", 0, &large).unwrap_err();
    assert_eq!(error.to_string(), "an initial value may not be so large");
    assert!(genesis("n", &large).changes().is_empty());
}
