//! A change in its parts, and its operations one after the other. What they refer to in the document is
//! not looked up here.

use automerge::ScalarValue;

use crate::base::leb128::{Bad, Reader};
use crate::document::checked::columns::{Deltas, Flags, Runs};

/// A hash, in bytes.
const HASH_BYTES: usize = 32;
/// Magic and checksum.
const BEFORE_TYPE_BYTES: usize = 8;
const CHANGE: u8 = 1;
/// Kinds of values.
const NULL: u64 = 0;
const TEXT: u64 = 6;

/// The columns that a change may have, in their order.
const COLUMNS: [u32; 14] =
    [0x01, 0x02, 0x11, 0x13, 0x15, 0x34, 0x42, 0x56, 0x57, 0x70, 0x71, 0x73, 0x94, 0xa5];

/// The name of an operation within a change: which of the change's actors made it (0 is its own), and
/// its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::document) struct Name {
    pub actor: u32,
    pub number: u32,
}

/// Where in its object an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::document) enum Place<'a> {
    Key(&'a str),
    /// At the start of a list or text.
    Head,
    /// After the element, or at it, that this operation has inserted.
    Element(Name),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::document) enum Action {
    Map,
    List,
    Text,
    Set,
    Delete,
    Increment,
    /// The beginning of a mark (it has a name), or its end.
    Mark {
        begins: bool,
    },
}

#[derive(Clone, Debug)]
pub(in crate::document) struct Operation<'a> {
    /// None for the document itself.
    pub object: Option<Name>,
    pub place: Place<'a>,
    pub inserts: bool,
    pub action: Action,
    pub value: RawValue<'a>,
    /// Whether a mark that begins or ends here takes in what is inserted there.
    pub expands: bool,
    /// The name of a mark that begins.
    pub mark: Option<&'a str>,
    /// The operations whose values it replaces.
    pub replaces: Vec<Name>,
}

/// A value as it is written.
#[derive(Clone, Copy, Debug)]
pub(in crate::document) struct RawValue<'a> {
    kind: u64,
    bytes: &'a [u8],
}

impl<'a> RawValue<'a> {
    /// The text, where it is one.
    pub fn text(&self) -> Option<&'a str> {
        (self.kind == TEXT).then(|| core::str::from_utf8(self.bytes).ok())?
    }

    /// The value; none for one of a later version.
    pub fn scalar(&self) -> Option<ScalarValue> {
        let mut reader = Reader::new(self.bytes);
        Some(match self.kind {
            NULL => ScalarValue::Null,
            1 => ScalarValue::Boolean(false),
            2 => ScalarValue::Boolean(true),
            3 => ScalarValue::Uint(reader.number().ok()?),
            4 => ScalarValue::Int(reader.signed().ok()?),
            5 => ScalarValue::F64(f64::from_le_bytes(reader.array().ok()?)),
            TEXT => ScalarValue::Str(self.text()?.into()),
            7 => ScalarValue::Bytes(self.bytes.to_vec()),
            8 => ScalarValue::counter(reader.signed().ok()?),
            9 => ScalarValue::Timestamp(reader.signed().ok()?),
            _ => return None,
        })
    }

    fn is_null(&self) -> bool {
        self.kind == NULL
    }
}

/// A change in its parts.
pub(in crate::document) struct ChangeParts<'a> {
    pub actor: &'a [u8],
    /// The actors it names besides its own.
    pub other_actors: Vec<&'a [u8]>,
    /// The number of its first operation.
    pub start: u32,
    columns: [&'a [u8]; COLUMNS.len()],
}

impl<'a> ChangeParts<'a> {
    /// Takes a chunk apart that holds a change and is not deflated.
    pub fn parse(chunk: &'a [u8]) -> Result<Self, Bad> {
        let mut reader = Reader::new(chunk);
        reader.take(BEFORE_TYPE_BYTES)?;
        if reader.byte()? != CHANGE {
            return Err(Bad);
        }
        let mut data = Reader::new(reader.prefixed()?);
        if !reader.is_empty() {
            return Err(Bad);
        }
        let deps = data.count()?;
        let deps: Vec<[u8; HASH_BYTES]> = read_counted(deps, &mut data, Reader::array)?;
        let actor = data.prefixed()?;
        let seq = data.number()?;
        let start = u32::try_from(data.number()?).map_err(|_| Bad)?;
        let _time = data.signed()?;
        core::str::from_utf8(data.prefixed()?).map_err(|_| Bad)?;
        let count = data.count()?;
        let other_actors: Vec<&[u8]> = read_counted(count, &mut data, Reader::prefixed)?;
        let columns = read_columns(&mut data)?;
        let is_ascending = |before, after| before < after;
        let is_good = start > 0
            && seq > 0
            && deps.is_sorted_by(|a, b| is_ascending(a.as_slice(), b.as_slice()))
            && other_actors.is_sorted_by(|a, b| is_ascending(*a, *b))
            && !other_actors.contains(&actor);
        if !is_good {
            return Err(Bad);
        }
        Ok(Self { actor, other_actors, start, columns })
    }

    /// The id of one of its actors.
    pub fn actor(&self, number: u32) -> Option<&'a [u8]> {
        match number.checked_sub(1) {
            None => Some(self.actor),
            Some(other) => self.other_actors.get(other as usize).copied(),
        }
    }

    /// Its operations, at most so many, which replace at most so many: a few bytes can say that there are
    /// billions.
    pub fn operations(&self, most: usize) -> Operations<'a> {
        let [
            object_actor,
            object,
            key_actor,
            key,
            key_text,
            insert,
            action,
            kind,
            value,
            preds,
            pred_actor,
            pred,
            expand,
            mark,
        ] = self.columns;
        Operations {
            left: most,
            replaced_left: most,
            object_actor: Runs::new(object_actor),
            object: Runs::new(object),
            key_actor: Runs::new(key_actor),
            key: Deltas::new(key),
            key_text: Runs::new(key_text),
            insert: Flags::new(insert),
            action: Runs::new(action),
            kind: Runs::new(kind),
            value: Reader::new(value),
            preds: Runs::new(preds),
            pred_actor: Runs::new(pred_actor),
            pred: Deltas::new(pred),
            expand: Flags::new(expand),
            mark: Runs::new(mark),
        }
    }
}

/// So many things, for which memory is taken as they are read.
fn read_counted<'a, T>(
    count: usize,
    reader: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Bad>,
) -> Result<Vec<T>, Bad> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(read(reader)?);
    }
    Ok(all)
}

fn read_columns<'a>(data: &mut Reader<'a>) -> Result<[&'a [u8]; COLUMNS.len()], Bad> {
    let count = data.count()?;
    if count > COLUMNS.len() {
        return Err(Bad);
    }
    let heads = read_counted(count, data, |data| Ok((data.number()?, data.count()?)))?;
    let mut columns = [&[][..]; COLUMNS.len()];
    let mut from = 0;
    for (specification, len) in heads {
        let known = COLUMNS[from..].iter().position(|known| u64::from(*known) == specification);
        let column = from + known.ok_or(Bad)?;
        from = column + 1;
        columns[column] = data.take(len)?;
        if len == 0 {
            return Err(Bad);
        }
    }
    Ok(columns)
}

/// Why operations are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::document) enum Unfit {
    /// Automerge would not write them like that.
    Malformed,
    TooMany,
}

impl From<Bad> for Unfit {
    fn from(Bad: Bad) -> Self {
        Self::Malformed
    }
}

/// The operations of a change.
pub(in crate::document) struct Operations<'a> {
    left: usize,
    replaced_left: usize,
    object_actor: Runs<'a, u64>,
    object: Runs<'a, u64>,
    key_actor: Runs<'a, u64>,
    key: Deltas<'a>,
    key_text: Runs<'a, &'a str>,
    insert: Flags<'a>,
    action: Runs<'a, u64>,
    kind: Runs<'a, u64>,
    value: Reader<'a>,
    preds: Runs<'a, u64>,
    pred_actor: Runs<'a, u64>,
    pred: Deltas<'a>,
    expand: Flags<'a>,
    mark: Runs<'a, &'a str>,
}

impl<'a> Operations<'a> {
    /// The next operation; none after the last, when all columns have come to their end.
    pub fn next(&mut self) -> Result<Option<Operation<'a>>, Unfit> {
        if self.action.is_empty() {
            return if self.is_at_end() { Ok(None) } else { Err(Unfit::Malformed) };
        }
        self.left = self.left.checked_sub(1).ok_or(Unfit::TooMany)?;
        let count = self.preds.next()?.ok_or(Bad)?;
        let count = usize::try_from(count).map_err(|_| Unfit::TooMany)?;
        self.replaced_left = self.replaced_left.checked_sub(count).ok_or(Unfit::TooMany)?;
        let action = self.action.next()?.ok_or(Bad)?;
        let object = match (self.object_actor.next()?, self.object.next()?) {
            (None, None) => None,
            (Some(actor), Some(number)) => Some(name(actor, u32::try_from(number).map_err(|_| Bad)?)?),
            _ => return Err(Bad.into()),
        };
        let place = match (self.key_actor.next()?, self.key.next()?, self.key_text.next()?) {
            (None, None, Some(key)) => Place::Key(key),
            (None, Some(0), None) => Place::Head,
            (Some(actor), Some(number), None) => Place::Element(name(actor, number)?),
            _ => return Err(Bad.into()),
        };
        let inserts = self.insert.next()?;
        let value = self.value()?;
        let is_null = value.is_null();
        let (expand, mark) = (self.expand.next()?, self.mark.next()?);
        let mut replaces = Vec::new();
        for _ in 0..count {
            let actor = self.pred_actor.next()?.ok_or(Bad)?;
            replaces.push(name(actor, self.pred.next()?.ok_or(Bad)?)?);
        }
        let action = match action {
            0 => Action::Map,
            1 => Action::Set,
            2 => Action::List,
            3 => Action::Delete,
            4 => Action::Text,
            5 => Action::Increment,
            7 => Action::Mark { begins: mark.is_some() },
            // 6 would be a table, which Automerge itself has ceased to read.
            _ => return Err(Bad.into()),
        };
        let is_mark = matches!(action, Action::Mark { .. });
        let is_good = match action {
            // What is deleted is known by what is replaced.
            Action::Delete => is_null && !inserts && !replaces.is_empty(),
            Action::Increment => !inserts && !replaces.is_empty() && !is_null,
            Action::Map | Action::List | Action::Text => is_null,
            Action::Mark { begins } => inserts && (begins || is_null),
            Action::Set => true,
        };
        let has_place = match place {
            Place::Key(_) => !inserts,
            Place::Head => inserts,
            Place::Element(_) => true,
        };
        let is_plain = is_mark || !expand && mark.is_none();
        let replaces_if_inserted = inserts && !replaces.is_empty();
        if !is_good || !has_place || !is_plain || replaces_if_inserted {
            return Err(Bad.into());
        }
        Ok(Some(Operation { object, place, inserts, action, value, expands: expand, mark, replaces }))
    }

    /// Reads a value.
    fn value(&mut self) -> Result<RawValue<'a>, Bad> {
        let head = self.kind.next()?.ok_or(Bad)?;
        let len = usize::try_from(head >> 4).map_err(|_| Bad)?;
        let bytes = self.value.take(len)?;
        let mut reader = Reader::new(bytes);
        let kind = head & 0xf;
        match kind {
            0..=2 => {}
            3 => drop(reader.number()?),
            4 | 8 | 9 => drop(reader.signed()?),
            5 => drop(reader.array::<8>()?),
            TEXT => {
                core::str::from_utf8(reader.take_rest()).map_err(|_| Bad)?;
            }
            7 => drop(reader.take_rest()),
            // Of a later version.
            _ => return Err(Bad),
        }
        if reader.is_empty() { Ok(RawValue { kind, bytes }) } else { Err(Bad) }
    }

    /// How many more there may be.
    pub fn left(&self) -> usize {
        self.left
    }

    fn is_at_end(&self) -> bool {
        let numbers =
            [&self.object_actor, &self.object, &self.key_actor, &self.kind, &self.preds, &self.pred_actor];
        numbers.iter().all(|runs| runs.is_empty())
            && self.key_text.is_empty()
            && self.mark.is_empty()
            && self.key.is_empty()
            && self.pred.is_empty()
            && self.insert.is_empty()
            && self.expand.is_empty()
            && self.value.is_empty()
    }
}

fn name(actor: u64, number: u32) -> Result<Name, Bad> {
    let actor = u32::try_from(actor).map_err(|_| Bad)?;
    if number == 0 { Err(Bad) } else { Ok(Name { actor, number }) }
}
