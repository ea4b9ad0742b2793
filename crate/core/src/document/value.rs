//! Values, edits and patches as they cross to the application: CBOR that JavaScript reads and
//! writes, see `docs/values.md`.
//!
//! Text is a collaborative text object; a string that is replaced whole is tagged 40002, a counter
//! 40001, a date 40003 (milliseconds since 1970). Text positions are UTF-16 code units.

use std::collections::BTreeMap;

use automerge::iter::{ListRange, MapRange};
use automerge::{ObjType, PatchAction, Prop, ReadDoc, ScalarValue};
use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

const TAG_COUNTER: u64 = 40001;
const TAG_ATOMIC_STRING: u64 = 40002;
const TAG_DATE: u64 = 40003;
/// How deep values may nest.
const DEPTH_MAX: usize = 256;

/// A value as the application gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Replaced whole; text that is replaced whole included.
    Scalar(ScalarValue),
    /// Collaborative text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A map, by key.
    Map(BTreeMap<String, Value>),
}

/// One edit. Paths are resolved against the document as it is when the edit's turn comes.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Set a key or replace a list element.
    Put {
        /// To the key or element.
        path: Vec<Prop>,
        /// Its new value.
        value: Value,
    },
    /// Insert before a list index.
    Insert {
        /// To the element.
        path: Vec<Prop>,
        /// In this order.
        values: Vec<Value>,
    },
    /// Remove a key, or list elements.
    Delete {
        /// To the key or the first element.
        path: Vec<Prop>,
        /// How many elements; 1 for a key.
        count: usize,
    },
    /// Edit text in place.
    Splice {
        /// To the text.
        path: Vec<Prop>,
        /// In UTF-16 code units.
        index: usize,
        /// In UTF-16 code units.
        remove: usize,
        /// At the index.
        insert: String,
    },
    /// Add to a counter.
    Increment {
        /// To the counter.
        path: Vec<Prop>,
        /// May be negative.
        by: i64,
    },
    /// Make text equal to this by a minimal edit.
    UpdateText {
        /// To the text.
        path: Vec<Prop>,
        /// What it becomes.
        text: String,
    },
}

/// A change to a document, to be applied to a copy of its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch(automerge::Patch);

impl From<automerge::Patch> for Patch {
    fn from(patch: automerge::Patch) -> Self {
        Self(patch)
    }
}

/// The bytes are not what the application should have given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed value: {0}")]
pub struct ValueError(String);

impl From<minicbor::decode::Error> for ValueError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self(error.to_string())
    }
}

/// Reads an array of edits: `[0, path, value]` put, `[1, path, values]` insert,
/// `[2, path, count]` delete, `[3, path, index, remove, insert]` splice, `[4, path, by]` increment,
/// `[5, path, text]` update text.
///
/// # Errors
/// [`ValueError`]: it is something else.
pub fn decode_ops(bytes: &[u8]) -> Result<Vec<Op>, ValueError> {
    let mut d = Decoder::new(bytes);
    let mut ops = Vec::new();
    for _ in 0..array(&mut d)? {
        let len = array(&mut d)?;
        let code = d.u8()?;
        let path = path(&mut d)?;
        ops.push(match (code, len) {
            (0, 3) => Op::Put { path, value: value(&mut d, 0)? },
            (1, 3) => Op::Insert { path, values: list(&mut d, 0)? },
            (2, 3) => Op::Delete { path, count: index(&mut d)? },
            (3, 5) => {
                Op::Splice { path, index: index(&mut d)?, remove: index(&mut d)?, insert: d.str()?.into() }
            }
            (4, 3) => Op::Increment { path, by: d.i64()? },
            (5, 3) => Op::UpdateText { path, text: d.str()?.into() },
            _ => return Err(ValueError(format!("edit {code} of {len} parts"))),
        });
    }
    end(&d, bytes)?;
    Ok(ops)
}

/// Reads a value.
///
/// # Errors
/// [`ValueError`]: it is something else.
pub fn decode_value(bytes: &[u8]) -> Result<Value, ValueError> {
    let mut d = Decoder::new(bytes);
    let value = value(&mut d, 0)?;
    end(&d, bytes)?;
    Ok(value)
}

fn end(d: &Decoder<'_>, bytes: &[u8]) -> Result<(), ValueError> {
    if d.position() == bytes.len() { Ok(()) } else { Err(ValueError("bytes after the end".into())) }
}

fn array(d: &mut Decoder<'_>) -> Result<u64, ValueError> {
    d.array()?.ok_or_else(|| ValueError("an array without its length".into()))
}

fn index(d: &mut Decoder<'_>) -> Result<usize, ValueError> {
    usize::try_from(d.u64()?).map_err(|_| ValueError("an index out of range".into()))
}

fn path(d: &mut Decoder<'_>) -> Result<Vec<Prop>, ValueError> {
    (0..array(d)?)
        .map(|_| match d.datatype()? {
            Type::String => Ok(Prop::Map(d.str()?.into())),
            _ => Ok(Prop::Seq(index(d)?)),
        })
        .collect()
}

fn list(d: &mut Decoder<'_>, depth: usize) -> Result<Vec<Value>, ValueError> {
    (0..array(d)?).map(|_| value(d, depth + 1)).collect()
}

fn value(d: &mut Decoder<'_>, depth: usize) -> Result<Value, ValueError> {
    if depth > DEPTH_MAX {
        return Err(ValueError("nested too deep".into()));
    }
    Ok(match d.datatype()? {
        Type::Null | Type::Undefined => {
            d.skip()?;
            Value::Scalar(ScalarValue::Null)
        }
        Type::Bool => Value::Scalar(ScalarValue::Boolean(d.bool()?)),
        Type::F16 => Value::Scalar(ScalarValue::F64(f64::from(d.f16()?))),
        Type::F32 => Value::Scalar(ScalarValue::F64(f64::from(d.f32()?))),
        Type::F64 => Value::Scalar(ScalarValue::F64(d.f64()?)),
        Type::Bytes => Value::Scalar(ScalarValue::Bytes(d.bytes()?.into())),
        Type::String => Value::Text(d.str()?.into()),
        Type::Array => Value::List(list(d, depth)?),
        Type::Map => {
            let len = d.map()?.ok_or_else(|| ValueError("a map without its length".into()))?;
            let mut map = BTreeMap::new();
            for _ in 0..len {
                map.insert(d.str()?.to_owned(), value(d, depth + 1)?);
            }
            Value::Map(map)
        }
        Type::Tag => match d.tag()?.as_u64() {
            TAG_COUNTER => Value::Scalar(ScalarValue::counter(d.i64()?)),
            TAG_ATOMIC_STRING => Value::Scalar(ScalarValue::Str(d.str()?.into())),
            TAG_DATE => Value::Scalar(ScalarValue::Timestamp(d.i64()?)),
            tag => return Err(ValueError(format!("tag {tag}"))),
        },
        _ => Value::Scalar(ScalarValue::Int(d.i64()?)),
    })
}

/// What a writer into memory can't give.
type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

/// Writes the whole value of an object, keys in order.
pub fn encode_object<D: ReadDoc>(doc: &D, obj: &automerge::ObjId, kind: ObjType) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_object(&mut Encoder::new(&mut bytes), doc, obj, kind).expect("memory takes all");
    bytes
}

/// Writes a value the way [`decode_value`] reads it.
pub fn encode_value(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_value(&mut Encoder::new(&mut bytes), value).expect("memory takes all");
    bytes
}

/// Writes patches as an array of maps, as the TypeScript API defines them. A new container comes
/// empty, followed by the patches for what is in it.
pub fn encode_patches(patches: &[Patch]) -> Vec<u8> {
    let mut bodies = Vec::new();
    let mut count = 0;
    let mut e = Encoder::new(&mut bodies);
    for Patch(patch) in patches {
        if write_patch(&mut e, patch).expect("memory takes all") {
            count += 1;
        }
    }
    let mut bytes = Vec::with_capacity(bodies.len() + 9);
    Encoder::new(&mut bytes).array(count).expect("memory takes all");
    bytes.extend(bodies);
    bytes
}

/// A container that is being written: what is left of it.
enum Inside<'a> {
    Map(MapRange<'a>),
    List(ListRange<'a>),
}

/// Documents may be deep, and the iterators are large: what is left of each container is on the heap.
fn write_object<D: ReadDoc>(
    e: &mut Encoder<&mut Vec<u8>>,
    doc: &D,
    obj: &automerge::ObjId,
    kind: ObjType,
) -> Written {
    let mut containers: Vec<_> = begin_object(e, doc, obj, kind)?.into_iter().collect();
    while let Some(container) = containers.last_mut() {
        let held = match container {
            Inside::Map(items) => match items.next() {
                Some(item) => {
                    e.str(&item.key)?;
                    let value = item.value.clone().into_value();
                    let id = value.is_object().then(|| item.id());
                    (value, id)
                }
                None => {
                    containers.pop();
                    continue;
                }
            },
            Inside::List(items) => match items.next() {
                Some(item) => {
                    let value = item.value.clone().into_value();
                    let id = value.is_object().then(|| item.id());
                    (value, id)
                }
                None => {
                    containers.pop();
                    continue;
                }
            },
        };
        match held {
            (automerge::Value::Scalar(scalar), _) => write_scalar(e, &scalar)?,
            (automerge::Value::Object(kind), id) => {
                let id = id.expect("an object has an id");
                containers.extend(begin_object(e, doc, &id, kind)?);
            }
        }
    }
    Ok(())
}

/// Writes the head of a container, or the whole text.
fn begin_object<'a, D: ReadDoc>(
    e: &mut Encoder<&mut Vec<u8>>,
    doc: &'a D,
    obj: &automerge::ObjId,
    kind: ObjType,
) -> Result<Option<Inside<'a>>, minicbor::encode::Error<core::convert::Infallible>> {
    Ok(match kind {
        ObjType::Map | ObjType::Table => {
            e.map(doc.length(obj) as u64)?;
            Some(Inside::Map(doc.map_range(obj, ..)))
        }
        ObjType::List => {
            e.array(doc.length(obj) as u64)?;
            Some(Inside::List(doc.list_range(obj, ..)))
        }
        ObjType::Text => {
            e.str(&doc.text(obj).unwrap_or_default())?;
            None
        }
    })
}

fn write_value(e: &mut Encoder<&mut Vec<u8>>, value: &Value) -> Written {
    match value {
        Value::Scalar(scalar) => write_scalar(e, scalar),
        Value::Text(text) => e.str(text)?.ok(),
        Value::List(values) => {
            e.array(values.len() as u64)?;
            values.iter().try_for_each(|value| write_value(e, value))
        }
        Value::Map(map) => {
            e.map(map.len() as u64)?;
            map.iter().try_for_each(|(key, value)| {
                e.str(key)?;
                write_value(e, value)
            })
        }
    }
}

fn write_scalar(e: &mut Encoder<&mut Vec<u8>>, scalar: &ScalarValue) -> Written {
    match scalar {
        ScalarValue::Bytes(bytes) => e.bytes(bytes)?,
        ScalarValue::Str(text) => e.tag(Tag::new(TAG_ATOMIC_STRING))?.str(text)?,
        ScalarValue::Int(int) => e.i64(*int)?,
        ScalarValue::Uint(int) => e.u64(*int)?,
        ScalarValue::F64(float) => e.f64(*float)?,
        ScalarValue::Counter(counter) => e.tag(Tag::new(TAG_COUNTER))?.i64(counter.into())?,
        ScalarValue::Timestamp(time) => e.tag(Tag::new(TAG_DATE))?.i64(*time)?,
        ScalarValue::Boolean(bool) => e.bool(*bool)?,
        ScalarValue::Unknown { .. } | ScalarValue::Null => e.null()?,
    }
    .ok()
}

/// Whether there is something to tell.
fn write_patch(
    e: &mut Encoder<&mut Vec<u8>>,
    patch: &automerge::Patch,
) -> Result<bool, minicbor::encode::Error<core::convert::Infallible>> {
    let mut path: Vec<Prop> = patch.path.iter().map(|(_, prop)| prop.clone()).collect();
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
        PatchAction::SpliceText { index, value, .. } => {
            path.push(Prop::Seq(*index));
            begin(e, "splice", &path, 3)?;
            e.str("value")?.str(&value.make_string())?;
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
        PatchAction::Conflict { .. } | PatchAction::Mark { .. } => return Ok(false),
    }
    Ok(true)
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
