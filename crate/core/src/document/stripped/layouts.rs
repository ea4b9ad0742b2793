//! The columns of a change in few bytes: a table of the usual layouts, and a form for all others.
//!
//! A layout names the columns and says of each how its contents are written. Most changes make one
//! operation, and of one operation most columns hold a single number, or always the same bytes.
//!
//! The table is part of the format: rows may be added at its end, and none may ever change. The first
//! row that fits is the one that is written; another one is refused.

use super::chunk::{Columns, Contents};
use crate::base::leb128::{Bad, Reader, write_number};
use Part::{Any, Is, Number, Text};

/// How the contents of a column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Not at all: they are these bytes.
    Is(&'static [u8]),
    /// They are [`super::chunk::ONE`] and a number, which alone is written.
    Number,
    /// They are [`super::chunk::ONE`], a length and so many bytes, of which the first is left out.
    Text,
    /// A length and the bytes; of the last such column only the bytes, at the end of the item.
    Any,
}

type Row = &'static [(u32, Part)];

// Automerge's column specifications: four bits of type below the number of the column.
const OBJECT_ACTOR: u32 = 0x01;
const OBJECT: u32 = 0x02;
const KEY_ACTOR: u32 = 0x11;
const KEY: u32 = 0x13;
const KEY_TEXT: u32 = 0x15;
const INSERT: u32 = 0x34;
const ACTION: u32 = 0x42;
const VALUE_KIND: u32 = 0x56;
const VALUE: u32 = 0x57;
const PREDS: u32 = 0x70;
const PRED_ACTOR: u32 = 0x71;
const PRED: u32 = 0x73;
const EXPAND: u32 = 0x94;
const MARK: u32 = 0xa5;

const YES: Part = Is(&[0, 1]);
const NO: Part = Is(&[1]);
const ZERO: Part = Is(&[0x7f, 0]);
const ONCE: Part = Is(&[0x7f, 1]);
const SET: Part = Is(&[0x7f, 1]);
const DELETE: Part = Is(&[0x7f, 3]);

/// The usual layouts. The number of a row is one more than its place here.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    // One operation in a text or list.
    // 1: insert a value, as a typed character, after an element
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY_ACTOR, Number), (KEY, Number), (INSERT, YES), (ACTION, SET), (VALUE_KIND, Number), (VALUE, Any), (PREDS, ZERO)],
    // 2: delete an element
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY_ACTOR, Number), (KEY, Number), (INSERT, NO), (ACTION, DELETE), (VALUE_KIND, ZERO), (PREDS, ONCE), (PRED_ACTOR, Number), (PRED, Number)],
    // 3: insert a value at the beginning
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY, Number), (INSERT, YES), (ACTION, SET), (VALUE_KIND, Number), (VALUE, Any), (PREDS, ZERO)],
    // 4: insert an object, a block, or a value without bytes
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY_ACTOR, Number), (KEY, Number), (INSERT, YES), (ACTION, Number), (VALUE_KIND, Number), (PREDS, ZERO)],
    // 5: the same at the beginning
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY, Number), (INSERT, YES), (ACTION, Number), (VALUE_KIND, Number), (PREDS, ZERO)],
    // 6: replace an element by a value, or increment it
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY_ACTOR, Number), (KEY, Number), (INSERT, NO), (ACTION, Number), (VALUE_KIND, Number), (VALUE, Any), (PREDS, ONCE), (PRED_ACTOR, Number), (PRED, Number)],
    // 7: replace an element by an object or a value without bytes
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY_ACTOR, Number), (KEY, Number), (INSERT, NO), (ACTION, Number), (VALUE_KIND, Number), (PREDS, ONCE), (PRED_ACTOR, Number), (PRED, Number)],

    // One operation on a key of a map.
    // 8: put a value in place of another, or increment it
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY_TEXT, Text), (INSERT, NO), (ACTION, Number), (VALUE_KIND, Number), (VALUE, Any), (PREDS, ONCE), (PRED_ACTOR, Number), (PRED, Number)],
    // 9: put a value where there was none
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY_TEXT, Text), (INSERT, NO), (ACTION, Number), (VALUE_KIND, Number), (VALUE, Any), (PREDS, ZERO)],
    // 10: delete, or put an object or a value without bytes in place of another
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY_TEXT, Text), (INSERT, NO), (ACTION, Number), (VALUE_KIND, Number), (PREDS, ONCE), (PRED_ACTOR, Number), (PRED, Number)],
    // 11: the same where there was none
    &[(OBJECT_ACTOR, Number), (OBJECT, Number), (KEY_TEXT, Text), (INSERT, NO), (ACTION, Number), (VALUE_KIND, Number), (PREDS, ZERO)],
    // 12 to 15: the same four in the map at the root
    &[(KEY_TEXT, Text), (INSERT, NO), (ACTION, Number), (VALUE_KIND, Number), (VALUE, Any), (PREDS, ONCE), (PRED_ACTOR, Number), (PRED, Number)],
    &[(KEY_TEXT, Text), (INSERT, NO), (ACTION, Number), (VALUE_KIND, Number), (VALUE, Any), (PREDS, ZERO)],
    &[(KEY_TEXT, Text), (INSERT, NO), (ACTION, Number), (VALUE_KIND, Number), (PREDS, ONCE), (PRED_ACTOR, Number), (PRED, Number)],
    &[(KEY_TEXT, Text), (INSERT, NO), (ACTION, Number), (VALUE_KIND, Number), (PREDS, ZERO)],

    // Any number of operations.
    // 16: none, as in a change that only merges
    &[],
    // 17: insert values, as a word that is pasted
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_ACTOR, Any), (KEY, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any)],
    // 18: delete elements
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_ACTOR, Any), (KEY, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (PREDS, Any), (PRED_ACTOR, Any), (PRED, Any)],
    // 19: delete elements and insert values
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_ACTOR, Any), (KEY, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any), (PRED_ACTOR, Any), (PRED, Any)],
    // 20: insert objects, or values without bytes
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_ACTOR, Any), (KEY, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (PREDS, Any)],
    // 21: put values under new keys
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any)],
    // 22: put values in place of others
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any), (PRED_ACTOR, Any), (PRED, Any)],
    // 23: put objects, or values without bytes, under new keys
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (PREDS, Any)],
    // 24: put them in place of others, or delete keys
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (PREDS, Any), (PRED_ACTOR, Any), (PRED, Any)],
    // 25, 26: put values into the map at the root, under new keys or in place of others
    &[(KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any)],
    &[(KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any), (PRED_ACTOR, Any), (PRED, Any)],
    // 27, 28: make objects with what is in them, or edit maps and lists together; 28 also replaces
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_ACTOR, Any), (KEY, Any), (KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any)],
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_ACTOR, Any), (KEY, Any), (KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any), (PRED_ACTOR, Any), (PRED, Any)],
    // 29 to 32: marks, whose value has bytes or not, that expand or not
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_ACTOR, Any), (KEY, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (PREDS, Any), (EXPAND, Any), (MARK, Any)],
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_ACTOR, Any), (KEY, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (PREDS, Any), (MARK, Any)],
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_ACTOR, Any), (KEY, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any), (EXPAND, Any), (MARK, Any)],
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY_ACTOR, Any), (KEY, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any), (MARK, Any)],
    // 33: insert an object with what is in it at the beginning of a list
    &[(OBJECT_ACTOR, Any), (OBJECT, Any), (KEY, Any), (KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (VALUE, Any), (PREDS, Any)],
    // 34, 35: put objects, or values without bytes, into the map at the root; 35 also replaces and deletes
    &[(KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (PREDS, Any)],
    &[(KEY_TEXT, Any), (INSERT, Any), (ACTION, Any), (VALUE_KIND, Any), (PREDS, Any), (PRED_ACTOR, Any), (PRED, Any)],
];

/// In place of a row's number: the columns' specifications follow.
const EXPLICIT: u64 = 0;

/// Why columns can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnsError {
    Bad,
    /// A row that is not in this version's table.
    UnknownRow,
}

impl From<Bad> for ColumnsError {
    fn from(Bad: Bad) -> Self {
        Self::Bad
    }
}

/// Writes columns to the end of an item.
pub(super) fn write(columns: &Columns<'_>, to: &mut Vec<u8>) {
    let explicit: Vec<(u32, Part)>;
    let row: &[(u32, Part)] = match choose(columns) {
        Some(index) => {
            write_number(index as u64 + 1, to);
            TABLE[index]
        }
        None => {
            write_number(EXPLICIT, to);
            write_number(columns.len() as u64, to);
            for (specification, _) in columns {
                write_number(u64::from(*specification), to);
            }
            explicit = columns.iter().map(|(specification, _)| (*specification, Any)).collect();
            &explicit
        }
    };
    let last = last_any(row);
    for (index, ((_, contents), (_, part))) in columns.iter().zip(row).enumerate() {
        match part {
            Is(_) => {}
            Number | Text => to.extend_from_slice(contents.after_one().expect("the row was chosen for it")),
            Any if Some(index) == last => {}
            Any => {
                write_number(contents.len() as u64, to);
                contents.write(to);
            }
        }
    }
    if let Some(last) = last {
        columns[last].1.write(to);
    }
}

/// Reads columns, up to the end of an item.
pub(super) fn read<'a>(reader: &mut Reader<'a>, columns_max: usize) -> Result<Columns<'a>, ColumnsError> {
    let number = reader.number()?;
    let explicit: Vec<(u32, Part)>;
    let row: &[(u32, Part)] = if number == EXPLICIT {
        let count = reader.count()?;
        if count > columns_max {
            return Err(ColumnsError::Bad);
        }
        explicit = (0..count)
            .map(|_| Ok((u32::try_from(reader.number()?).map_err(|_| Bad)?, Any)))
            .collect::<Result<_, Bad>>()?;
        &explicit
    } else {
        let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
        TABLE.get(index).ok_or(ColumnsError::UnknownRow)?
    };
    let last = last_any(row);
    let mut columns = Columns::with_capacity(row.len());
    for (index, (specification, part)) in row.iter().enumerate() {
        let contents = match part {
            Is(bytes) => Contents::Bytes(bytes),
            Number => Contents::One(reader.number_bytes()?),
            Text => Contents::One(reader.prefixed_with_length()?),
            Any if Some(index) == last => Contents::Bytes(&[]),
            Any => Contents::Bytes(reader.prefixed()?),
        };
        columns.push((*specification, contents));
    }
    if let Some(last) = last {
        columns[last].1 = Contents::Bytes(reader.take_rest());
    }
    let is_chosen = choose(&columns).map_or(EXPLICIT, |index| index as u64 + 1) == number;
    if is_chosen && reader.is_empty() { Ok(columns) } else { Err(ColumnsError::Bad) }
}

/// The first row of the table that these columns fit.
fn choose(columns: &Columns<'_>) -> Option<usize> {
    TABLE.iter().position(|row| {
        row.len() == columns.len()
            && row.iter().zip(columns).all(|((specification, part), (own, contents))| {
                specification == own && fits(*part, *contents)
            })
    })
}

fn fits(part: Part, contents: Contents<'_>) -> bool {
    match part {
        Is(bytes) => contents.is(bytes),
        Number => contents.after_one().is_some_and(|rest| {
            let mut reader = Reader::new(rest);
            reader.number_bytes().is_ok() && reader.is_empty()
        }),
        Text => contents.after_one().is_some_and(|rest| {
            let mut reader = Reader::new(rest);
            reader.prefixed().is_ok() && reader.is_empty()
        }),
        Any => true,
    }
}

fn last_any(row: &[(u32, Part)]) -> Option<usize> {
    row.iter().rposition(|(_, part)| *part == Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(columns: &Columns<'_>) -> Vec<(u32, Vec<u8>)> {
        let bytes = |contents: &Contents<'_>| {
            let mut bytes = Vec::new();
            contents.write(&mut bytes);
            bytes
        };
        columns.iter().map(|(specification, contents)| (*specification, bytes(contents))).collect()
    }

    /// Law: every row can be chosen, and the columns that it was chosen for read back.
    #[test]
    fn no_row_hides_behind_another() {
        for (index, row) in TABLE.iter().enumerate() {
            let columns: Columns<'_> = row
                .iter()
                .map(|(specification, part)| {
                    let contents: &[u8] = match part {
                        Is(bytes) => bytes,
                        Number => &[0x7f, 0x85, 0x01],
                        Text => &[0x7f, 2, b'k', b'y'],
                        Any => &[2, 1],
                    };
                    (*specification, Contents::Bytes(contents))
                })
                .collect();
            assert_eq!(choose(&columns), Some(index), "row {}", index + 1);
            let mut bytes = Vec::new();
            write(&columns, &mut bytes);
            let back = read(&mut Reader::new(&bytes), 64).unwrap();
            assert_eq!(plain(&back), plain(&columns), "row {}", index + 1);
        }
    }

    /// Law: of two ways to write the same columns only the chosen one is read.
    #[test]
    fn a_row_that_would_not_have_been_chosen_is_refused() {
        let put: Columns<'_> = TABLE[14]
            .iter()
            .map(|(specification, part)| match part {
                Text => (*specification, Contents::Bytes(&[0x7f, 1, b'k'])),
                Is(bytes) => (*specification, Contents::Bytes(bytes)),
                _ => (*specification, Contents::Bytes(&[0x7f, 0])),
            })
            .collect();
        let mut explicit = vec![0, put.len() as u8];
        for (specification, _) in &put {
            write_number(u64::from(*specification), &mut explicit);
        }
        let (last, before) = put.split_last().unwrap();
        for (_, contents) in before {
            write_number(contents.len() as u64, &mut explicit);
            contents.write(&mut explicit);
        }
        last.1.write(&mut explicit);
        assert_eq!(read(&mut Reader::new(&explicit), 64), Err(ColumnsError::Bad));
        assert_eq!(read(&mut Reader::new(&[100]), 64), Err(ColumnsError::UnknownRow));
    }

    /// Law: rows never change. New ones go to the end, and this count stays.
    #[test]
    fn the_first_35_rows_are_these_for_ever() {
        let mut bytes = Vec::new();
        for row in &TABLE[..35] {
            bytes.push(row.len() as u8);
            for (specification, part) in *row {
                write_number(u64::from(*specification), &mut bytes);
                match part {
                    Is(contents) => bytes.extend([&[0, contents.len() as u8], *contents].concat()),
                    Number => bytes.push(1),
                    Text => bytes.push(2),
                    Any => bytes.push(3),
                }
            }
        }
        let hash = crate::base::hash::hash16(&[&bytes]);
        assert_eq!(hash.map(|byte| format!("{byte:02x}")).concat(), "334dc2ba6c06703d6c41cc8b068639e1");
    }

    #[test]
    fn more_columns_than_the_limit_are_refused() {
        let bytes = [0, 3, 7, 23, 39, 1, b'a', 1, b'b', b'c'];
        assert_eq!(read(&mut Reader::new(&bytes), 3).unwrap().len(), 3);
        assert_eq!(read(&mut Reader::new(&bytes), 2), Err(ColumnsError::Bad));
    }
}
