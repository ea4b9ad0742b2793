//! Reading a batch.

use crate::base::id::{AuthorId, CommitId, DocId, ShortId};
use crate::base::leb128::{Bad, Reader};
use crate::base::limits::Limits;
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::error::CommitError;
use crate::commit::header::{After, HEADER_FORMAT, Header, ItemHash, ItemHeader};
use crate::wire::batch::layout::{RECORD_HEAD_BYTES, form, head, state};
use crate::wire::batch::record::Record;
use crate::wire::batch::tables::{Last, Tables};

/// Why bytes are not a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// They are no batch.
    #[error("malformed batch")]
    Malformed,
    /// Written out, its records are over the limit.
    #[error("a batch over the limit")]
    TooLarge,
    /// It goes on from another commit than the last one that the link has brought.
    #[error("a batch that goes on from elsewhere")]
    Elsewhere,
    /// One of its commits is none.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<Bad> for BatchError {
    fn from(_: Bad) -> Self {
        Self::Malformed
    }
}

/// The records of a batch. `last` is the last commit that the same link has brought. No more memory is taken
/// than for a frame and a commit of the largest sizes.
///
/// # Errors
/// [`BatchError`].
pub fn decode(batch: &[u8], limits: &Limits, last: Option<&Last>) -> Result<Vec<Record>, BatchError> {
    let mut reader = Reader::new(batch);
    let form = reader.byte()?;
    if form & !(form::COMPRESSED | form::GOES_ON) != 0 {
        return Err(BatchError::Malformed);
    }
    let last = if form & form::GOES_ON != 0 {
        let check = reader.array()?;
        Some(last.filter(|last| last.check() == check).ok_or(BatchError::Elsewhere)?)
    } else {
        None
    };
    let uncompressed;
    let body = if form & form::COMPRESSED != 0 {
        let len = reader.count()?;
        if len > limits.frame_bytes_max {
            return Err(BatchError::TooLarge);
        }
        uncompressed = uncompress(reader.take_rest(), len)?;
        &uncompressed
    } else {
        reader.take_rest()
    };
    let mut body = Reader::new(body);
    let headers = Reader::new(body.prefixed()?);
    let mut reading = Reading { headers, items: body, tables: Tables::new(last), limits };
    let (mut records, mut bytes) = (Vec::new(), 0);
    while !reading.headers.is_empty() {
        let record = reading.record()?;
        bytes += record.encoded_len() + RECORD_HEAD_BYTES;
        if bytes > limits.frame_bytes_max {
            return Err(BatchError::TooLarge);
        }
        records.push(record);
    }
    if reading.items.is_empty() { Ok(records) } else { Err(BatchError::Malformed) }
}

fn uncompress(bytes: &[u8], len: usize) -> Result<Vec<u8>, BatchError> {
    let mut to = vec![0; len];
    match lz4_flex::block::decompress_into(bytes, &mut to) {
        Ok(written) if written == len => Ok(to),
        _ => Err(BatchError::Malformed),
    }
}

struct Reading<'a> {
    headers: Reader<'a>,
    items: Reader<'a>,
    tables: Tables,
    limits: &'a Limits,
}

impl Reading<'_> {
    fn record(&mut self) -> Result<Record, BatchError> {
        let head = self.headers.byte()?;
        if head == head::ENCODED {
            let len = self.headers.count()?;
            return Ok(Record::Encoded(self.items.take(len)?.to_vec()));
        }
        if head & !head::ALL != 0 || head & head::ENCODED != 0 {
            return Err(BatchError::Malformed);
        }
        let has = |bit| head & bit != 0;
        let place = if has(head::AUTHOR) { self.author()? } else { self.tables.author.ok_or(Bad)? };
        let (seq, prev) = if has(head::CHAIN) {
            (self.headers.number()?, CommitId(self.headers.array()?))
        } else {
            self.tables.follows(place).ok_or(Bad)?
        };
        let folded = self.headers.number()?;
        let later = (folded >> 1) ^ (folded & 1).wrapping_neg();
        let time = self.tables.time.wrapping_add(later);
        let mut after = Vec::new();
        if has(head::AFTER) {
            for _ in 0..self.count(self.limits.after_max)? {
                after.push(self.name()?);
            }
        }
        let count = if has(head::ITEMS) { self.count(self.limits.items_max)? } else { 1 };
        let (mut items, mut all_bytes) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (item, bytes) = self.item()?;
            items.push(item);
            all_bytes.push(bytes);
        }
        let author = self.tables.authors[place];
        let header = Header { format: HEADER_FORMAT, author, seq, prev, after, time, items };
        let commit = Commit::rebuild(header, all_bytes, self.limits)?;
        self.tables.is_here(place, (seq, commit.id()), time);
        Ok(Record::Checked(commit))
    }

    fn item(&mut self) -> Result<(ItemHeader, ItemBytes), BatchError> {
        let doc = match self.headers.count()? {
            0 => None,
            1 => {
                let doc = DocId(self.headers.array()?);
                self.tables.docs.push(doc);
                Some(doc)
            }
            back => Some(*nth_last(&self.tables.docs, back - 2)?),
        };
        let kind_and_state = self.headers.number()?;
        let kind = u8::try_from(kind_and_state >> state::BITS).map_err(|_| Bad)?;
        let state = kind_and_state & ((1 << state::BITS) - 1);
        let len = self.headers.number()?;
        if state == state::PRESENT {
            let bytes = self.items.take(usize::try_from(len).map_err(|_| Bad)?)?;
            return Ok((ItemHeader::new(doc, kind, bytes), ItemBytes::Present(bytes.to_vec())));
        }
        let hash = Some(ItemHash(self.headers.array()?));
        let delete = self.name()?;
        let bytes = match state {
            state::DELETED => ItemBytes::Deleted(delete),
            state::HOLE => ItemBytes::Hole(delete),
            _ => return Err(BatchError::Malformed),
        };
        Ok((ItemHeader { doc, kind, len, hash }, bytes))
    }

    fn name(&mut self) -> Result<After, BatchError> {
        match self.headers.count()? {
            0 => {
                let place = self.author()?;
                let author: AuthorId = self.tables.authors[place];
                let name =
                    After { author, seq: self.headers.number()?, short: ShortId(self.headers.array()?) };
                self.tables.names.push(name);
                Ok(name)
            }
            back => Ok(*nth_last(&self.tables.names, back - 1)?),
        }
    }

    fn author(&mut self) -> Result<usize, BatchError> {
        let (place, known) = (self.headers.count()?, self.tables.authors.len());
        if place == known {
            self.tables.push_author(AuthorId(self.headers.array()?));
        }
        if place > known { Err(BatchError::Malformed) } else { Ok(place) }
    }

    /// A count that has a limit, so that it takes no memory that was not paid for.
    fn count(&mut self, most: usize) -> Result<usize, BatchError> {
        let count = self.headers.count()?;
        if count > most { Err(BatchError::TooLarge) } else { Ok(count) }
    }
}

fn nth_last<T>(of: &[T], back: usize) -> Result<&T, Bad> {
    of.len().checked_sub(1).and_then(|last| of.get(last.checked_sub(back)?)).ok_or(Bad)
}
