//! What can be read of a document beside its value: rich text, positions, conflicts, the past. What crosses to the
//! application is CBOR, see `docs/values.md`.

use automerge::iter::Span;
use automerge::{
    ActorId, Automerge, ChangeHash, Cursor, ObjId, ObjType, PatchAction, Prop, ROOT, ReadDoc, Value, hydrate,
};
use minicbor::Encoder;

use crate::document::document::Document;
use crate::document::patch::{Patch, encode_patches, write_marks, write_patches, write_patches_to};
use crate::document::value::{Written, write_object, write_scalar};

/// What a change that undoes others says of itself: this and how many it undoes.
const UNDO: &str = "undo ";

/// The cursor at the end of a text or list.
const END: &str = "e";

/// Why something can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The path leads nowhere, or to another type.
    #[error("there is no {what} at {path:?}")]
    Path {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: Vec<Prop>,
    },
    /// The index is past the end.
    #[error("{0} is past the end")]
    Index(usize),
    /// The heads are those of another document, or of a state that is not here.
    #[error("the document has no change {0}")]
    Heads(String),
    /// It comes from another document, or from a state that is not here.
    #[error("this cursor is of no text or list of this document")]
    Cursor,
}

impl Document {
    /// The value as of these heads, in hexadecimal.
    ///
    /// # Errors
    /// [`ReadError::Heads`]
    pub fn value_at(&self, heads: &[String]) -> Result<Vec<u8>, ReadError> {
        let known = |head: &String| {
            let hash = head.parse::<ChangeHash>().ok().filter(|hash| self.contains(hash));
            hash.ok_or_else(|| ReadError::Heads(head.clone()))
        };
        let heads = heads.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        Ok(written(|e| write_object(e, self.automerge(), &ROOT, ObjType::Map, Some(&heads))))
    }

    /// Every change that is applied, causes before effects: `{hash, actor, time, message, operations}`, the time in
    /// milliseconds since 1970.
    pub fn changes(&self) -> Vec<u8> {
        let metas = self.automerge().get_changes_meta(&[]);
        written(|e| {
            e.array(metas.len() as u64)?;
            for meta in &metas {
                e.map(if meta.message.is_some() { 5 } else { 4 })?;
                e.str("hash")?.str(&meta.hash.to_string())?;
                e.str("actor")?.str(&meta.actor.to_string())?;
                e.str("time")?.i64(meta.timestamp.saturating_mul(1_000))?;
                if let Some(message) = &meta.message {
                    e.str("message")?.str(message)?;
                }
                e.str("operations")?.u64((meta.max_op + 1).saturating_sub(meta.start_op))?;
            }
            Ok(())
        })
    }

    /// All values that were set at a path at the same time, by the operation that set each. None where there is no
    /// more than one.
    ///
    /// # Errors
    /// [`ReadError::Path`]
    pub fn conflicts(&self, path: &[Prop]) -> Result<Option<Vec<u8>>, ReadError> {
        let doc = self.automerge();
        let nothing = || ReadError::Path { what: "value", path: path.to_vec() };
        let (last, before) = path.split_last().ok_or_else(nothing)?;
        let (object, kind) = walk(doc, before).ok_or_else(nothing)?;
        let fits = match last {
            Prop::Map(_) => matches!(kind, ObjType::Map | ObjType::Table),
            Prop::Seq(_) => kind == ObjType::List,
        };
        let values = doc.get_all(&object, last.clone()).ok().filter(|_| fits).ok_or_else(nothing)?;
        if values.len() < 2 {
            return Ok(None);
        }
        Ok(Some(written(|e| {
            e.map(values.len() as u64)?;
            for (value, id) in &values {
                e.str(&id.to_string())?;
                match value {
                    Value::Scalar(scalar) => write_scalar(e, scalar)?,
                    Value::Object(kind) => write_object(e, doc, id, *kind, None)?,
                }
            }
            Ok(())
        })))
    }

    /// A text as its parts with their marks: `{text, marks}`, and `{text: "", marks: {}, block}` for a block marker.
    ///
    /// # Errors
    /// [`ReadError::Path`]
    pub fn spans(&self, path: &[Prop]) -> Result<Vec<u8>, ReadError> {
        let doc = self.automerge();
        let nothing = || ReadError::Path { what: "text", path: path.to_vec() };
        let (text, _) = walk(doc, path).filter(|(_, kind)| *kind == ObjType::Text).ok_or_else(nothing)?;
        let spans: Vec<Span> = doc.spans(&text).map_err(|_| nothing())?.collect();
        Ok(written(|e| {
            e.array(spans.len() as u64)?;
            spans.iter().try_for_each(|span| match span {
                Span::Text { text, marks } => {
                    e.map(2)?.str("text")?.str(text)?.str("marks")?;
                    match marks {
                        Some(marks) => write_marks(e, marks),
                        None => e.map(0)?.ok(),
                    }
                }
                Span::Block(block) => {
                    e.map(3)?.str("text")?.str("")?.str("marks")?.map(0)?.str("block")?;
                    write_hydrated(e, &hydrate::Value::Map(block.clone()))
                }
            })
        }))
    }

    /// A position in a text or list that stays with what is there now; at the end it stays at the end.
    ///
    /// # Errors
    /// [`ReadError`]
    pub fn cursor(&self, path: &[Prop], index: usize) -> Result<String, ReadError> {
        let doc = self.automerge();
        let nothing = || ReadError::Path { what: "text or list", path: path.to_vec() };
        let (object, _) = walk(doc, path).filter(|(_, kind)| kind.is_sequence()).ok_or_else(nothing)?;
        if index == doc.length(&object) {
            return Ok(format!("{object}/{END}"));
        }
        let cursor = doc.get_cursor(&object, index, None).map_err(|_| ReadError::Index(index))?;
        Ok(format!("{object}/{cursor}"))
    }

    /// Where a cursor is now: where its place was, if what was there is gone.
    ///
    /// # Errors
    /// [`ReadError::Cursor`]
    pub fn position(&self, cursor: &str) -> Result<usize, ReadError> {
        let (object, place) = cursor.split_once('/').ok_or(ReadError::Cursor)?;
        let object = operation(object).ok_or(ReadError::Cursor)?;
        let doc = self.automerge();
        let kind = doc.object_type(&object).map_err(|_| ReadError::Cursor)?;
        if !kind.is_sequence() {
            return Err(ReadError::Cursor);
        }
        if place == END {
            return Ok(doc.length(&object));
        }
        // Automerge takes it that the operation is there, and in that object.
        let item = operation(place).filter(|item| self.is_item(item, &object)).ok_or(ReadError::Cursor)?;
        let place = Cursor::try_from(item.to_string()).map_err(|_| ReadError::Cursor)?;
        doc.get_cursor_position(&object, &place, None).map_err(|_| ReadError::Cursor)
    }

    // What can be undone.

    /// The last changes of these actors, to be undone: `[is_rich, steps]`, a step being `{time, changes, inverse,
    /// since}`. `changes` of them in a row, made in the second `time` (milliseconds since 1970), are undone by
    /// `inverse`, patches of the document as it was after them. What others did then, before the next step or until
    /// now, is `since`. Changes that were undone are left out, and so is the one that made the document, unless it
    /// `is_named`. `is_rich`: there are marks in it.
    pub fn steps(&self, is_own: impl Fn(&[u8]) -> bool, is_named: bool, most: usize) -> Vec<u8> {
        let doc = self.automerge();
        let mut made: Vec<Made> = Vec::new();
        for meta in doc.get_changes_meta(&[]) {
            if !is_own(meta.actor.to_bytes()) || (meta.deps.is_empty() && !is_named) {
                continue;
            }
            let undoes = meta.message.as_ref().and_then(|message| message.strip_prefix(UNDO)?.parse().ok());
            match undoes {
                Some(undoes) => made.truncate(made.len().saturating_sub(undoes)),
                None => made.push(Made { hash: meta.hash, deps: meta.deps, seconds: meta.timestamp }),
            }
        }
        let mut runs: Vec<&[Made]> = made
            .chunk_by(|a, b| a.seconds == b.seconds && b.deps.as_slice() == core::slice::from_ref(&a.hash))
            .collect();
        let runs = runs.split_off(runs.len().saturating_sub(most));
        let heads = doc.get_heads();
        written(|e| {
            e.array(2)?.bool(self.has_marks())?.array(runs.len() as u64)?;
            for (number, run) in runs.iter().enumerate() {
                let (first, last) = (&run[0], &run[run.len() - 1]);
                let next = runs.get(number + 1).map_or(&heads, |next| &next[0].deps);
                e.map(4)?.str("time")?.i64(last.seconds.saturating_mul(1_000))?;
                e.str("changes")?.u64(run.len() as u64)?;
                e.str("inverse")?;
                write_patches_to(e, doc, &self.difference(&[last.hash], &first.deps), &first.deps)?;
                e.str("since")?;
                write_patches(e, &self.difference(&[last.hash], next))?;
            }
            Ok(())
        })
    }

    fn difference(&self, from: &[ChangeHash], to: &[ChangeHash]) -> Vec<Patch> {
        // Automerge looks at all of the document to tell.
        if from == to {
            return Vec::new();
        }
        let doc = self.automerge();
        let is_mark = |patch: &automerge::Patch| matches!(patch.action, PatchAction::Mark { .. });
        let (marks, mut patches): (Vec<_>, Vec<_>) = doc.diff(from, to).into_iter().partition(is_mark);
        if !marks.is_empty() {
            // It gives marks of one text to another where several have new ones, so each text is looked at alone.
            for text in self.texts() {
                let found = doc.diff_obj(&text, from, to, false).unwrap_or_default();
                let is_there = |patch: &automerge::Patch| is_mark(patch) && leads_there(doc, patch, to);
                patches.extend(found.into_iter().filter(is_there));
            }
        }
        patches.into_iter().map(Patch::from).collect()
    }

    /// Patches that undo the last change made here, of the document as it is right after it.
    pub fn inverse_of_last(&self) -> Vec<u8> {
        let doc = self.automerge();
        let Some(last) = doc.get_last_local_change() else { return encode_patches(&[]) };
        let patches = self.difference(&[last.hash()], last.deps());
        written(|e| write_patches_to(e, doc, &patches, last.deps()))
    }
}

/// A change that was made here.
struct Made {
    hash: ChangeHash,
    deps: Vec<ChangeHash>,
    seconds: i64,
}

/// Whether the path of a patch leads to its object at these heads: that of a deleted one leads nowhere.
fn leads_there(doc: &Automerge, patch: &automerge::Patch, heads: &[ChangeHash]) -> bool {
    let mut object = ROOT;
    for (_, prop) in &patch.path {
        match doc.get_at(&object, prop.clone(), heads) {
            Ok(Some((_, id))) => object = id,
            _ => return false,
        }
    }
    object == patch.obj
}

/// The object that a path leads to.
fn walk(doc: &Automerge, path: &[Prop]) -> Option<(ObjId, ObjType)> {
    path.iter().try_fold((ROOT, ObjType::Map), |(object, _), prop| {
        match doc.get(&object, prop.clone()).ok()?? {
            (Value::Object(kind), id) => Some((id, kind)),
            _ => None,
        }
    })
}

/// Reads the name of an operation: its number, and its actor in hexadecimal.
fn operation(name: &str) -> Option<ObjId> {
    let (number, actor) = name.split_once('@')?;
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    let is_actor = actor.len() % 2 == 0 && actor.bytes().all(|digit| digit.is_ascii_hexdigit());
    let actor = ActorId::try_from(actor).ok().filter(|_| is_actor && is_number)?;
    Some(ObjId::Id(number.parse().ok()?, actor, 0))
}

fn write_hydrated(e: &mut Encoder<&mut Vec<u8>>, value: &hydrate::Value) -> Written {
    match value {
        hydrate::Value::Scalar(scalar) => write_scalar(e, scalar),
        hydrate::Value::Map(map) => {
            e.map(map.len() as u64)?;
            map.iter().try_for_each(|(key, value)| {
                e.str(key)?;
                write_hydrated(e, &value.value)
            })
        }
        hydrate::Value::List(list) => {
            e.array(list.len() as u64)?;
            list.iter().try_for_each(|value| write_hydrated(e, &value.value))
        }
        hydrate::Value::Text(text) => e.str(&text.to_string())?.ok(),
    }
}

fn written(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Written) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes)).expect("memory takes all");
    bytes
}
