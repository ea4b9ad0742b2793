//! The application's edits, made in an Automerge transaction.

use std::ops::Range;

use automerge::iter::Span;
use automerge::marks::{ExpandMark, Mark};
use automerge::transaction::{Transactable, Transaction};
use automerge::{AutomergeError, ObjId, ObjType, Prop, ROOT, ReadDoc, ScalarValue, TextEncoding, hydrate};

use crate::document::checked::references::DEPTH_MAX;
use crate::document::diff;
use crate::document::value::{Op, Value};

/// Where an edit removes more code units of a text or items of a list than this, it may put a new text or list in
/// the place of the old one: Automerge takes several times as long to delete one as to insert one, some 10 µs in a
/// browser. What others do to the old one at the same time is lost then.
const REMOVE_MAX: usize = 20_000;
/// How many insertions cost as much as one deletion.
const REMOVE_COST: usize = 5;

/// Why an edit was not made. Nothing of it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The path leads nowhere, or to another type.
    #[error("there is nothing at {0:?} that this edit could be made to")]
    Path(Vec<Prop>),
    /// A named document can't begin with this value.
    #[error("an initial value may not {0}")]
    Initial(&'static str),
    /// It nests deeper than documents may.
    #[error("a document may nest at most {DEPTH_MAX} levels deep")]
    TooDeep,
    /// A mark is not inside its text.
    #[error("a mark covers at least one character of its text, and nothing past its end")]
    Range,
    /// A commit, or the document, would hold more than replicas take.
    #[error("the change, or the document with it, would be larger than a replica takes")]
    TooLarge,
    /// Automerge refused.
    #[error(transparent)]
    Automerge(#[from] AutomergeError),
}

/// About how many operations an edit makes, and rather more.
pub(super) fn operations(op: &Op) -> u64 {
    match op {
        Op::Put { value, .. } => size(value),
        Op::Insert { values, .. } => values.iter().map(size).sum(),
        Op::Delete { count, .. } => *count as u64,
        Op::Splice { remove, insert, .. } => *remove as u64 + insert.chars().count() as u64,
        Op::Increment { .. } => 1,
        Op::Mark { .. } => 2,
        Op::Marked { insert, marks, .. } => (insert.chars().count() + 2 * marks.len()) as u64,
        // How much of the text stays is found out when its turn comes.
        Op::UpdateText { .. } => 0,
    }
}

/// How many operations make a value.
pub(super) fn size(value: &Value) -> u64 {
    1 + match value {
        Value::Scalar(_) => 0,
        Value::Text(text) => text.chars().count() as u64,
        Value::List(values) => values.iter().map(size).sum(),
        Value::Map(map) => map.values().map(size).sum(),
    }
}

/// How many containers a value nests.
fn depth(value: &Value) -> usize {
    match value {
        Value::Scalar(_) => 0,
        Value::Text(_) => 1,
        Value::List(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Map(map) => 1 + map.values().map(depth).max().unwrap_or(0),
    }
}

/// Whether what a path leads to may be this deep value.
fn check_depth(path: &[Prop], value: &Value) -> Result<(), EditError> {
    // A path has a step for each object on the way, and one more.
    let above = path.len().saturating_sub(1);
    if above + depth(value) > DEPTH_MAX { Err(EditError::TooDeep) } else { Ok(()) }
}

/// Makes one edit.
pub(super) fn edit(tx: &mut Transaction<'_>, op: &Op) -> Result<(), EditError> {
    match op {
        Op::Put { path, value } => {
            check_depth(path, value)?;
            let (parent, prop) = parent(tx, path)?;
            match value {
                Value::Scalar(scalar) => tx.put(&parent, prop, scalar.clone())?,
                container => {
                    tx.batch_create_object(&parent, prop, &hydrated(container), false)?;
                }
            }
            Ok(())
        }
        Op::Insert { path, values } => match parent(tx, path)? {
            (parent, Prop::Seq(index)) => {
                values.iter().try_for_each(|value| check_depth(path, value))?;
                Ok(tx.splice(&parent, index, 0, values.iter().map(hydrated))?)
            }
            _ => Err(EditError::Path(path.clone())),
        },
        Op::Delete { path, count } => {
            if let Some((Prop::Seq(index), text)) = path.split_last()
                && let Ok(text) = object(tx, text, ObjType::Text)
            {
                let edit = diff::Edit { index: *index, remove: *count, insert: String::new() };
                return edit_text(tx, &path[..path.len() - 1], &text, &[edit]);
            }
            let (list, prop) = parent(tx, path)?;
            if *count > REMOVE_MAX && prop == Prop::Seq(0) && *count == tx.length(&list) {
                let (parent, prop) = parent(tx, &path[..path.len() - 1])?;
                tx.put_object(&parent, prop, ObjType::List)?;
                return Ok(());
            }
            for _ in 0..*count {
                tx.delete(&list, prop.clone())?;
            }
            Ok(())
        }
        Op::Splice { path, index, remove, insert } => {
            let text = object(tx, path, ObjType::Text)?;
            let edit = diff::Edit { index: *index, remove: *remove, insert: insert.clone() };
            edit_text(tx, path, &text, &[edit])
        }
        Op::Increment { path, by } => {
            let (parent, prop) = parent(tx, path)?;
            Ok(tx.increment(&parent, prop, *by)?)
        }
        Op::Mark { path, range, expand, name, value } => {
            let text = object(tx, path, ObjType::Text)?;
            if range.start >= range.end || range.end > tx.length(&text) {
                return Err(EditError::Range);
            }
            let mark = Mark::new(name.clone(), value.clone(), range.start, range.end);
            Ok(tx.mark(&text, mark, *expand)?)
        }
        Op::Marked { path, index, insert, marks } => {
            let text = object(tx, path, ObjType::Text)?;
            tx.splice_text(&text, *index, 0, insert)?;
            insert_marks(tx, &text, *index..index + insert.encode_utf16().count(), marks)
        }
        Op::UpdateText { path, text } => {
            let object = object(tx, path, ObjType::Text)?;
            // Automerge's own search takes seconds where two long texts have little in common.
            let edits = diff::edits(&tx.text(&object)?, text);
            edit_text(tx, path, &object, &edits)
        }
    }
}

/// Makes these the marks of a text that was just inserted there.
fn insert_marks(
    tx: &mut Transaction<'_>,
    text: &ObjId,
    range: Range<usize>,
    marks: &[(String, ScalarValue)],
) -> Result<(), EditError> {
    let mut wanted = marks.to_vec();
    let mut end = 0;
    for span in tx.spans(text)? {
        end += span.as_str().encode_utf16().count();
        if end <= range.start {
            continue;
        }
        // All of what was inserted has the marks of its first character.
        if let Span::Text { marks: Some(there), .. } = span {
            for (name, value) in there.iter() {
                match wanted.iter().position(|(other, _)| other == name) {
                    Some(at) if wanted[at].1 == *value => drop(wanted.swap_remove(at)),
                    Some(_) => {}
                    None => wanted.push((name.to_owned(), ScalarValue::Null)),
                }
            }
        }
        break;
    }
    for (name, value) in wanted.into_iter().filter(|_| !range.is_empty()) {
        tx.mark(text, Mark::new(name, value, range.start, range.end), ExpandMark::After)?;
    }
    Ok(())
}

/// Makes edits of a text, which come from its end to its start.
fn edit_text(
    tx: &mut Transaction<'_>,
    path: &[Prop],
    text: &ObjId,
    edits: &[diff::Edit],
) -> Result<(), EditError> {
    let removed = edits.iter().map(|edit| edit.remove).fold(0usize, usize::saturating_add);
    if removed > REMOVE_MAX && is_replaced(tx.length(text), removed, edits) {
        let mut units: Vec<u16> = tx.text(text)?.encode_utf16().collect();
        for edit in edits {
            let range = edit.index..edit.index.saturating_add(edit.remove);
            if range.end > units.len() {
                return Err(EditError::Path(path.to_vec()));
            }
            units.splice(range, edit.insert.encode_utf16());
        }
        let (parent, prop) = parent(tx, path)?;
        let text = tx.put_object(&parent, prop, ObjType::Text)?;
        return Ok(tx.splice_text(&text, 0, 0, &String::from_utf16_lossy(&units))?);
    }
    for edit in edits {
        let remove = isize::try_from(edit.remove).map_err(|_| EditError::Path(path.to_vec()))?;
        tx.splice_text(text, edit.index, remove, &edit.insert)?;
    }
    Ok(())
}

/// Whether it costs less to make the text anew. An edit past its end is left to Automerge.
fn is_replaced(len: usize, removed: usize, edits: &[diff::Edit]) -> bool {
    let inserted: usize = edits.iter().map(|edit| edit.insert.len()).sum();
    len.checked_sub(removed).is_some_and(|stays| removed.saturating_mul(REMOVE_COST) > stays + inserted)
}

/// A value as Automerge makes it in one go, some eight times as fast as one by one. It sorts the keys.
fn hydrated(value: &Value) -> hydrate::Value {
    match value {
        Value::Scalar(scalar) => hydrate::Value::Scalar(scalar.clone()),
        Value::Text(text) => hydrate::Text::new(TextEncoding::Utf16CodeUnit, text).into(),
        Value::List(values) => values.iter().map(hydrated).collect::<Vec<_>>().into(),
        Value::Map(map) => {
            let mut made = hydrate::Map::default();
            for (key, value) in map {
                made.insert(key.clone(), hydrate::MapValue { value: hydrated(value), conflict: false });
            }
            made.into()
        }
    }
}

fn put(tx: &mut Transaction<'_>, parent: &ObjId, prop: Prop, value: &Value) -> Result<(), EditError> {
    match value {
        Value::Scalar(scalar) => Ok(tx.put(parent, prop, scalar.clone())?),
        container => {
            let object = tx.put_object(parent, prop, kind(container))?;
            fill(tx, &object, container)
        }
    }
}

fn insert(tx: &mut Transaction<'_>, list: &ObjId, index: usize, value: &Value) -> Result<(), EditError> {
    match value {
        Value::Scalar(scalar) => Ok(tx.insert(list, index, scalar.clone())?),
        container => {
            let object = tx.insert_object(list, index, kind(container))?;
            fill(tx, &object, container)
        }
    }
}

fn kind(value: &Value) -> ObjType {
    match value {
        Value::Text(_) => ObjType::Text,
        Value::List(_) => ObjType::List,
        Value::Map(_) | Value::Scalar(_) => ObjType::Map,
    }
}

/// Puts the contents of a value into the empty container made for it, one after the other. What a genesis
/// makes like that may never change.
pub(crate) fn fill(tx: &mut Transaction<'_>, object: &ObjId, value: &Value) -> Result<(), EditError> {
    match value {
        Value::Scalar(_) => Ok(()),
        Value::Text(text) => Ok(tx.splice_text(object, 0, 0, text)?),
        Value::List(values) => {
            values.iter().enumerate().try_for_each(|(i, value)| insert(tx, object, i, value))
        }
        Value::Map(map) => {
            map.iter().try_for_each(|(key, value)| put(tx, object, Prop::Map(key.clone()), value))
        }
    }
}

/// The container that a path's last step is in, and that step.
fn parent(tx: &Transaction<'_>, path: &[Prop]) -> Result<(ObjId, Prop), EditError> {
    let nothing = || EditError::Path(path.to_vec());
    let (last, before) = path.split_last().ok_or_else(nothing)?;
    let object = walk(tx, before).ok_or_else(nothing)?;
    let kind = tx.object_type(&object)?;
    let fits = match last {
        Prop::Map(_) => kind == ObjType::Map || kind == ObjType::Table,
        Prop::Seq(_) => kind == ObjType::List,
    };
    if fits { Ok((object, last.clone())) } else { Err(nothing()) }
}

fn object(tx: &Transaction<'_>, path: &[Prop], kind: ObjType) -> Result<ObjId, EditError> {
    walk(tx, path)
        .filter(|object| tx.object_type(object).is_ok_and(|held| held == kind))
        .ok_or_else(|| EditError::Path(path.to_vec()))
}

fn walk(tx: &Transaction<'_>, path: &[Prop]) -> Option<ObjId> {
    path.iter().try_fold(ROOT, |object, prop| match tx.get(&object, prop.clone()).ok()?? {
        (automerge::Value::Object(_), id) => Some(id),
        _ => None,
    })
}
