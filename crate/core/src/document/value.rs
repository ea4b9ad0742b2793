//! Values, edits and patches as they cross to the application: CBOR that JavaScript reads and
//! writes, see `docs/values.md`.
//!
//! Text is a collaborative text object; a string that is replaced whole is tagged 40002, a counter
//! 40001, a date 40003 (milliseconds since 1970). Text positions are UTF-16 code units.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use automerge::iter::{ListRange, MapRange};
use automerge::marks::ExpandMark;
use automerge::{ChangeHash, ObjType, Prop, ReadDoc, ScalarValue};
use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

use crate::base::id::DocId;

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
    /// Remove a key, list elements, or code units of a text.
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
    /// Mark a part of a text.
    Mark {
        /// To the text.
        path: Vec<Prop>,
        /// In UTF-16 code units: the first of the part, and the first after it.
        range: Range<usize>,
        /// Which text that is inserted at its ends becomes part of it.
        expand: ExpandMark,
        /// What kind of mark.
        name: String,
        /// Null takes the mark away.
        value: ScalarValue,
    },
    /// Insert text that has these marks and no others, whatever is marked around it.
    Marked {
        /// To the text.
        path: Vec<Prop>,
        /// In UTF-16 code units.
        index: usize,
        /// At the index.
        insert: String,
        /// By their names.
        marks: Vec<(String, ScalarValue)>,
    },
}

/// What is done to one document.
#[derive(Clone, Debug, PartialEq)]
pub struct DocEdit<'a> {
    /// The document.
    pub doc: DocId,
    /// What is done to it.
    pub edit: Edit<'a>,
    /// What its change says of itself.
    pub message: Option<String>,
}

/// What is done to a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit<'a> {
    /// It is made, under an id that no document has, from these edits of an empty one.
    Create(Cow<'a, [Op]>),
    /// It is edited. It is open.
    Change(Cow<'a, [Op]>),
    /// It is deleted everywhere.
    Delete,
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
/// `[5, path, text]` update text, `[6, path, start, end, expand, name, value]` mark, `[7, path, index, insert, marks]`
/// insert text with these marks.
///
/// # Errors
/// [`ValueError`]: it is something else.
pub fn decode_ops(bytes: &[u8]) -> Result<Vec<Op>, ValueError> {
    let mut d = Decoder::new(bytes);
    let ops = ops(&mut d)?;
    end(&d, bytes)?;
    Ok(ops)
}

/// Reads an array of edits of several documents: `[0, id, edits, message]` create, `[1, id, edits, message]` change,
/// `[2, id]` delete. The message may be null.
///
/// # Errors
/// [`ValueError`]: it is something else.
pub fn decode_edits(bytes: &[u8]) -> Result<Vec<DocEdit<'static>>, ValueError> {
    let mut d = Decoder::new(bytes);
    let mut edits = Vec::new();
    for _ in 0..array(&mut d)? {
        let len = array(&mut d)?;
        let code = d.u8()?;
        let doc =
            DocId::from_slice(d.bytes()?).ok_or_else(|| ValueError("an id of another length".into()))?;
        let edit = match (code, len) {
            (0, 4) => Edit::Create(ops(&mut d)?.into()),
            (1, 4) => Edit::Change(ops(&mut d)?.into()),
            (2, 2) => Edit::Delete,
            _ => return Err(ValueError(format!("a document's edit {code} of {len} parts"))),
        };
        let message = if len == 4 { d.decode()? } else { None };
        edits.push(DocEdit { doc, edit, message });
    }
    end(&d, bytes)?;
    Ok(edits)
}

/// Reads a path: an array of keys and indices.
///
/// # Errors
/// [`ValueError`]: it is something else.
pub fn decode_path(bytes: &[u8]) -> Result<Vec<Prop>, ValueError> {
    let mut d = Decoder::new(bytes);
    let path = path(&mut d)?;
    end(&d, bytes)?;
    Ok(path)
}

fn ops(d: &mut Decoder<'_>) -> Result<Vec<Op>, ValueError> {
    let mut ops = Vec::new();
    for _ in 0..array(d)? {
        let len = array(d)?;
        let code = d.u8()?;
        let path = path(d)?;
        ops.push(match (code, len) {
            (0, 3) => Op::Put { path, value: value(d, 0)? },
            (1, 3) => Op::Insert { path, values: list(d, 0)? },
            (2, 3) => Op::Delete { path, count: index(d)? },
            (3, 5) => Op::Splice { path, index: index(d)?, remove: index(d)?, insert: d.str()?.into() },
            (4, 3) => Op::Increment { path, by: d.i64()? },
            (5, 3) => Op::UpdateText { path, text: d.str()?.into() },
            (6, 7) => {
                let range = index(d)?..index(d)?;
                let expand = expand(d)?;
                let name = d.str()?.to_owned();
                Op::Mark { path, range, expand, name, value: mark(value(d, 0)?)? }
            }
            (7, 5) => {
                let (index, insert) = (index(d)?, d.str()?.into());
                let len = d.map()?.ok_or_else(|| ValueError("a map without its length".into()))?;
                let mut marks = Vec::new();
                for _ in 0..len {
                    marks.push((d.str()?.to_owned(), mark(value(d, 0)?)?));
                }
                Op::Marked { path, index, insert, marks }
            }
            _ => return Err(ValueError(format!("edit {code} of {len} parts"))),
        });
    }
    Ok(ops)
}

/// 0 to none, 1 to what is before, 2 to what is after, 3 to both.
fn expand(d: &mut Decoder<'_>) -> Result<ExpandMark, ValueError> {
    Ok(match d.u8()? {
        0 => ExpandMark::None,
        1 => ExpandMark::Before,
        2 => ExpandMark::After,
        3 => ExpandMark::Both,
        other => return Err(ValueError(format!("a mark that expands like {other}"))),
    })
}

/// The value of a mark: text is a string that is replaced whole there.
fn mark(value: Value) -> Result<ScalarValue, ValueError> {
    match value {
        Value::Scalar(scalar) => Ok(scalar),
        Value::Text(text) => Ok(ScalarValue::Str(text.into())),
        _ => Err(ValueError("a mark with a container for a value".into())),
    }
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
pub(super) type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

/// Writes the whole value of an object, keys in order.
pub fn encode_object<D: ReadDoc>(doc: &D, obj: &automerge::ObjId, kind: ObjType) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_object(&mut Encoder::new(&mut bytes), doc, obj, kind, None).expect("memory takes all");
    bytes
}

/// Writes a value the way [`decode_value`] reads it.
pub fn encode_value(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_value(&mut Encoder::new(&mut bytes), value).expect("memory takes all");
    bytes
}

/// A container that is being written: what is left of it.
enum Inside<'a> {
    Map(MapRange<'a>),
    List(ListRange<'a>),
}

/// Documents may be deep, and the iterators are large: what is left of each container is on the heap.
pub(super) fn write_object<D: ReadDoc>(
    e: &mut Encoder<&mut Vec<u8>>,
    doc: &D,
    obj: &automerge::ObjId,
    kind: ObjType,
    at: Option<&[ChangeHash]>,
) -> Written {
    let mut containers: Vec<_> = begin_object(e, doc, obj, kind, at)?.into_iter().collect();
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
                containers.extend(begin_object(e, doc, &id, kind, at)?);
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
    at: Option<&[ChangeHash]>,
) -> Result<Option<Inside<'a>>, minicbor::encode::Error<core::convert::Infallible>> {
    let length = || at.map_or_else(|| doc.length(obj), |heads| doc.length_at(obj, heads)) as u64;
    Ok(match kind {
        ObjType::Map | ObjType::Table => {
            e.map(length())?;
            Some(Inside::Map(match at {
                None => doc.map_range(obj, ..),
                Some(heads) => doc.map_range_at(obj, .., heads),
            }))
        }
        ObjType::List => {
            e.array(length())?;
            Some(Inside::List(match at {
                None => doc.list_range(obj, ..),
                Some(heads) => doc.list_range_at(obj, .., heads),
            }))
        }
        ObjType::Text => {
            let text = at.map_or_else(|| doc.text(obj), |heads| doc.text_at(obj, heads));
            e.str(&text.unwrap_or_default())?;
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

pub(super) fn write_scalar(e: &mut Encoder<&mut Vec<u8>>, scalar: &ScalarValue) -> Written {
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
