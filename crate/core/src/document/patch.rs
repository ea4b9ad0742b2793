//! What is different in a document's value, as it crosses to the application: see `docs/values.md`.

use std::sync::Arc;

use automerge::iter::Span;
use automerge::marks::MarkSet;
use automerge::{Automerge, ChangeHash, ObjType, PatchAction, Prop, ReadDoc};
use minicbor::Encoder;

use crate::document::value::{Written, write_scalar};

/// A change to a document, to be applied to a copy of its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch(automerge::Patch);

impl From<automerge::Patch> for Patch {
    fn from(patch: automerge::Patch) -> Self {
        Self(patch)
    }
}

/// Writes patches as an array of maps, as the TypeScript API defines them. A new container comes
/// empty, followed by the patches for what is in it.
pub fn encode_patches(patches: &[Patch]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_patches(&mut Encoder::new(&mut bytes), patches).expect("memory takes all");
    bytes
}

pub(super) fn write_patches(e: &mut Encoder<&mut Vec<u8>>, patches: &[Patch]) -> Written {
    write_told(e, &patches.iter().map(Told::whole).collect::<Vec<_>>())
}

/// Writes patches that lead to these heads, text that comes in with the marks that it has there: Automerge's own
/// patches tell those of its first character.
pub(super) fn write_patches_to(
    e: &mut Encoder<&mut Vec<u8>>,
    doc: &Automerge,
    patches: &[Patch],
    heads: &[ChangeHash],
) -> Written {
    write_told(e, &patches.iter().flat_map(|patch| parts(doc, patch, heads)).collect::<Vec<_>>())
}

fn write_told(e: &mut Encoder<&mut Vec<u8>>, told: &[Told<'_>]) -> Written {
    let told: Vec<_> = told.iter().filter(|told| told.patch.is_told()).collect();
    e.array(told.len() as u64)?;
    told.into_iter().try_for_each(|told| match &told.text {
        None => write_patch(e, &told.patch.0),
        Some((index, text, marks)) => write_splice(e, path_of(&told.patch.0), *index, text, marks.as_deref()),
    })
}

/// A patch, or a part of the text that one inserts: where, what, and with which marks.
struct Told<'a> {
    patch: &'a Patch,
    text: Option<(usize, String, Option<Arc<MarkSet>>)>,
}

impl<'a> Told<'a> {
    fn whole(patch: &'a Patch) -> Self {
        Self { patch, text: None }
    }
}

/// The parts of a patch by the marks that its text has at these heads. What comes after a patch is to its right, so the
/// text is at its place there.
fn parts<'a>(doc: &Automerge, patch: &'a Patch, heads: &[ChangeHash]) -> Vec<Told<'a>> {
    let PatchAction::SpliceText { index, value, .. } = &patch.0.action else {
        return vec![Told::whole(patch)];
    };
    let Ok(spans) = doc.spans_at(&patch.0.obj, heads) else { return vec![Told::whole(patch)] };
    let units: Vec<u16> = value.make_string().encode_utf16().collect();
    let (mut parts, mut start) = (Vec::new(), 0);
    for span in spans {
        let end = start + span.as_str().encode_utf16().count();
        let from = start.clamp(*index, index + units.len());
        let to = end.clamp(*index, index + units.len());
        if from < to {
            let text = String::from_utf16_lossy(&units[from - index..to - index]);
            let marks = if let Span::Text { marks, .. } = span { marks } else { None };
            parts.push(Told { patch, text: Some((from, text, marks)) });
        }
        start = end;
    }
    parts
}

impl Patch {
    /// Whether the application is told: a conflict at a value that stays is none of its changes.
    fn is_told(&self) -> bool {
        !matches!(self.0.action, PatchAction::Conflict { .. })
    }
}

fn write_patch(e: &mut Encoder<&mut Vec<u8>>, patch: &automerge::Patch) -> Written {
    let mut path = path_of(patch);
    match &patch.action {
        PatchAction::PutMap { key, value, conflict } => {
            path.push(Prop::Map(key.clone()));
            write_put(e, &path, &value.0, *conflict)?;
        }
        PatchAction::PutSeq { index, value, conflict } => {
            path.push(Prop::Seq(*index));
            write_put(e, &path, &value.0, *conflict)?;
        }
        PatchAction::Insert { index, values } => {
            path.push(Prop::Seq(*index));
            begin(e, "insert", &path, 3)?;
            e.str("values")?.array(values.len() as u64)?;
            values.iter().try_for_each(|(value, _, _)| write_empty(e, value))?;
        }
        PatchAction::SpliceText { index, value, marks } => {
            write_splice(e, path, *index, &value.make_string(), marks.as_ref())?;
        }
        PatchAction::Increment { prop, value } => {
            path.push(prop.clone());
            begin(e, "inc", &path, 3)?;
            e.str("value")?.i64(*value)?;
        }
        PatchAction::DeleteMap { key } => {
            path.push(Prop::Map(key.clone()));
            begin(e, "del", &path, 2)?;
        }
        PatchAction::DeleteSeq { index, length } => {
            path.push(Prop::Seq(*index));
            begin(e, "del", &path, 3)?;
            e.str("length")?.u64(*length as u64)?;
        }
        PatchAction::Mark { marks } => {
            begin(e, "mark", &path, 3)?;
            e.str("marks")?.array(marks.len() as u64)?;
            for mark in marks {
                e.map(4)?.str("name")?.str(&mark.name)?.str("value")?;
                write_mark(e, &mark.value)?;
                e.str("start")?.u64(mark.start as u64)?.str("end")?.u64(mark.end as u64)?;
            }
        }
        PatchAction::Conflict { .. } => {}
    }
    Ok(())
}

/// The path to the object of a patch.
fn path_of(patch: &automerge::Patch) -> Vec<Prop> {
    patch.path.iter().map(|(_, prop)| prop.clone()).collect()
}

fn write_splice(
    e: &mut Encoder<&mut Vec<u8>>,
    mut path: Vec<Prop>,
    index: usize,
    text: &str,
    marks: Option<&MarkSet>,
) -> Written {
    path.push(Prop::Seq(index));
    let marks = marks.filter(|marks| marks.iter().any(|(_, value)| !value.is_null()));
    begin(e, "splice", &path, if marks.is_some() { 4 } else { 3 })?;
    e.str("value")?.str(text)?;
    if let Some(marks) = marks {
        e.str("marks")?;
        write_marks(e, marks)?;
    }
    Ok(())
}

/// Writes marks as a map of their values by their names, without those that are taken away.
pub(super) fn write_marks(e: &mut Encoder<&mut Vec<u8>>, marks: &MarkSet) -> Written {
    let there: Vec<_> = marks.iter().filter(|(_, value)| !value.is_null()).collect();
    e.map(there.len() as u64)?;
    for (name, value) in there {
        e.str(name)?;
        write_mark(e, value)?;
    }
    Ok(())
}

/// The value of a mark. Text in one is never merged, so it needs no tag.
fn write_mark(e: &mut Encoder<&mut Vec<u8>>, value: &automerge::ScalarValue) -> Written {
    match value {
        automerge::ScalarValue::Str(text) => e.str(text)?.ok(),
        value => write_scalar(e, value),
    }
}

fn begin(e: &mut Encoder<&mut Vec<u8>>, action: &str, path: &[Prop], len: u64) -> Written {
    e.map(len)?.str("action")?.str(action)?.str("path")?.array(path.len() as u64)?;
    path.iter().try_for_each(|prop| match prop {
        Prop::Map(key) => e.str(key)?.ok(),
        Prop::Seq(index) => e.u64(*index as u64)?.ok(),
    })
}

fn write_put(
    e: &mut Encoder<&mut Vec<u8>>,
    path: &[Prop],
    value: &automerge::Value<'_>,
    conflict: bool,
) -> Written {
    begin(e, "put", path, if conflict { 4 } else { 3 })?;
    e.str("value")?;
    write_empty(e, value)?;
    if conflict {
        e.str("conflict")?.bool(true)?;
    }
    Ok(())
}

fn write_empty(e: &mut Encoder<&mut Vec<u8>>, value: &automerge::Value<'_>) -> Written {
    match value {
        automerge::Value::Object(ObjType::Map | ObjType::Table) => e.map(0)?.ok(),
        automerge::Value::Object(ObjType::List) => e.array(0)?.ok(),
        automerge::Value::Object(ObjType::Text) => e.str("")?.ok(),
        automerge::Value::Scalar(scalar) => write_scalar(e, scalar),
    }
}
