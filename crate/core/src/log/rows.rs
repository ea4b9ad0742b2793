//! Rows: commits that follow one another in the log, as they lie in storage.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::limits::Limits;
use crate::base::position::Position;
use crate::commit::commit::Commit;
use crate::log::keys::{row_key, row_seq};
use crate::storage::request::{Corrupt, Entries};

/// A commit in the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The position after it.
    pub at: Position,
    /// The commit.
    pub commit: Commit,
    /// Whether it was made by this holder: this process, another that shares the log, or one that
    /// did. For a relay, whether it came from a client.
    pub own: bool,
    /// Whether it is in the log before, without bytes that this entry has.
    pub again: bool,
}

/// Commits that follow one another in the log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Row {
    /// The position before the first.
    #[n(0)]
    before: Position,
    #[n(1)]
    records: Vec<RowRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct RowRecord {
    #[n(0)]
    record: ByteVec,
    /// [`OTHERS`], [`OWN`] or [`AGAIN`].
    #[n(1)]
    origin: u8,
}

const OTHERS: u8 = 0;
/// See [`Entry::own`].
const OWN: u8 = 1;
/// See [`Entry::again`].
const AGAIN: u8 = 2;

/// What a scan of rows gave.
#[derive(Debug)]
pub struct RowsRead {
    /// The position before the first; none where there are none.
    pub before: Option<Position>,
    /// The commits, in order, of every row that was read whole.
    pub entries: Vec<Entry>,
    /// The first row was not read whole: scan again for at least this many bytes.
    pub bytes_needed: Option<usize>,
    /// There may be more rows.
    pub more: bool,
}

/// Changes to rows.
#[derive(Debug, Default)]
pub struct RowEdits {
    /// The number of the last commit that was read; none where no row was read whole.
    pub last: Option<u64>,
    /// Rows that change.
    pub puts: Entries,
    /// Pieces that are not needed any more.
    pub deletes: Vec<Vec<u8>>,
}

/// Reads what a scan of rows gave.
///
/// # Errors
/// Storage holds what this code did not write.
pub fn read_rows(scanned: &[(Vec<u8>, Vec<u8>)], more: bool) -> Result<RowsRead, Corrupt> {
    let mut entries = Vec::new();
    let mut before = None;
    for pieces in pieces_of_rows(scanned) {
        let Some(row) = read_row(pieces)? else {
            // Only the last row may be cut, by the scan's end.
            let bytes_needed = entries.is_empty().then_some(row_bytes_needed(pieces)?);
            return if more {
                Ok(RowsRead { before, entries, bytes_needed, more })
            } else {
                Err(incomplete())
            };
        };
        before.get_or_insert(row.before);
        entries.extend(row.entries()?);
    }
    Ok(RowsRead { before, entries, bytes_needed: None, more })
}

/// So many bytes must be scanned for the first row of these pieces to be whole.
fn row_bytes_needed(pieces: &[(Vec<u8>, Vec<u8>)]) -> Result<usize, Corrupt> {
    Ok(pieces_in(pieces)? * Limits::PROTOCOL.value_bytes_max)
}

/// Scanned for so many bytes, the first row would be whole, which it was not.
///
/// # Errors
/// Storage holds what this code did not write.
pub fn bytes_needed(scanned: &[(Vec<u8>, Vec<u8>)]) -> Result<Option<usize>, Corrupt> {
    let first = pieces_of_rows(scanned).next();
    first.map(row_bytes_needed).transpose()
}

/// Edits the commits of the rows that a scan gave, as far as they were read whole. `edit` says whether
/// it has changed the commit.
///
/// # Errors
/// Storage holds what this code did not write.
pub fn edit_rows(
    scanned: &[(Vec<u8>, Vec<u8>)],
    limits: &Limits,
    mut edit: impl FnMut(&mut Entry) -> bool,
) -> Result<RowEdits, Corrupt> {
    let mut edits = RowEdits::default();
    for pieces in pieces_of_rows(scanned) {
        let Some(row) = read_row(pieces)? else { continue };
        edits.last = pieces.first().and_then(|(key, _)| row_seq(key)).or(edits.last);
        let mut is_changed = false;
        let mut entries = row.entries()?;
        for entry in &mut entries {
            is_changed |= edit(entry);
        }
        if let Some(last) = entries.last().filter(|_| is_changed) {
            let records = entries.iter().map(RowRecord::of).collect();
            let first = edits.puts.len();
            put_row(last.at, &Row { before: row.before, records }, limits, &mut edits.puts);
            let kept = edits.puts.len() - first;
            edits.deletes.extend(pieces.iter().skip(kept).map(|(key, _)| key.clone()));
        }
    }
    Ok(edits)
}

/// Puts entries into rows.
pub(super) fn put_rows(
    before: Position,
    entries: &[Entry],
    limits: &Limits,
    puts: &mut Vec<(Vec<u8>, Vec<u8>)>,
) {
    let mut row = Row { before, records: Vec::new() };
    let mut bytes = 0;
    for entry in entries {
        let record = RowRecord::of(entry);
        bytes += record.record.len();
        row.records.push(record);
        if bytes >= limits.row_bytes {
            put_row(entry.at, &row, limits, puts);
            row = Row { before: entry.at, records: Vec::new() };
            bytes = 0;
        }
    }
    if let (false, Some(last)) = (row.records.is_empty(), entries.last()) {
        put_row(last.at, &row, limits, puts);
    }
}

impl RowRecord {
    fn of(entry: &Entry) -> Self {
        let origin = match (entry.again, entry.own) {
            (true, _) => AGAIN,
            (false, true) => OWN,
            (false, false) => OTHERS,
        };
        Self { record: entry.commit.encode().into(), origin }
    }
}

impl Row {
    fn entries(&self) -> Result<Vec<Entry>, Corrupt> {
        let mut at = self.before;
        let entries = self.records.iter().map(|RowRecord { record, origin }| {
            // What is stored was within the limits when it came. It is hashed again although this holder wrote it:
            // an item that storage has damaged is told of here, and not sent to others, who would end the link for it.
            let commit = Commit::decode(record, &Limits::PROTOCOL)?;
            at = at.then(&commit.id());
            Ok(Entry { at, commit, own: *origin == OWN, again: *origin == AGAIN })
        });
        entries.collect()
    }
}

fn pieces_of_rows(scanned: &[(Vec<u8>, Vec<u8>)]) -> impl Iterator<Item = &[(Vec<u8>, Vec<u8>)]> {
    scanned.chunk_by(|(a, _), (b, _)| row_seq(a) == row_seq(b))
}

fn incomplete() -> Corrupt {
    Corrupt("a row's pieces are not all there".into())
}

fn pieces_in(pieces: &[(Vec<u8>, Vec<u8>)]) -> Result<usize, Corrupt> {
    let (_, first) = pieces.first().ok_or_else(incomplete)?;
    let count = first.first_chunk::<2>().ok_or_else(incomplete)?;
    Ok(usize::from(u16::from_be_bytes(*count)))
}

/// The row of these pieces; none where the last are missing.
fn read_row(pieces: &[(Vec<u8>, Vec<u8>)]) -> Result<Option<Row>, Corrupt> {
    if pieces.len() < pieces_in(pieces)? {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    for (number, (_, piece)) in pieces.iter().enumerate() {
        bytes.extend(if number == 0 { &piece[2..] } else { piece.as_slice() });
    }
    Ok(Some(from_cbor(&bytes)?))
}

fn put_row(last: Position, row: &Row, limits: &Limits, puts: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    let piece_bytes = limits.value_bytes_max - 2;
    let bytes = to_cbor(row);
    let count = bytes.len().div_ceil(piece_bytes) as u16;
    for (number, piece) in (0u16..).zip(bytes.chunks(piece_bytes)) {
        let value = if number == 0 { [&count.to_be_bytes(), piece].concat() } else { piece.to_vec() };
        puts.push((row_key(last.seq, number), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{AuthorId, DocId};
    use crate::commit::descriptor::Descriptor;
    use crate::commit::kind::Kind;

    #[test]
    fn what_storage_has_damaged_of_an_item_is_told_of() {
        let limits = Limits::PROTOCOL;
        let start = Descriptor::plain("space").chain_start(0);
        let items = vec![(DocId([2; 16]), Kind::Change, vec![7; 20])];
        let commit =
            Commit::new((AuthorId([1; 16]), 1, start), Vec::new(), 0, items, &limits).expect("small");
        let at = Position::START.then(&commit.id());
        let mut puts = Vec::new();
        let entry = Entry { at, commit, own: true, again: false };
        put_rows(Position::START, std::slice::from_ref(&entry), &limits, &mut puts);
        assert_eq!(read_rows(&puts, false).expect("a row").entries.len(), 1);
        let row = &puts[0].1;
        let item = row.windows(20).position(|bytes| bytes == [7; 20]).expect("the item is in the row");
        for byte in item..item + 20 {
            let mut damaged = puts.clone();
            damaged[0].1[byte] ^= 1;
            assert!(read_rows(&damaged, false).is_err(), "byte {byte}");
        }
    }
}
