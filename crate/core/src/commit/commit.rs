//! The commit: the atomic unit of change, one author's changes to one or more documents.
//!
//! A commit is a header and items. Its id is the header's hash, and the header holds the hash of
//! each item's bytes, so the header can be checked, chained and ordered while bytes are absent.
//! Nothing here opens the bytes.

use minicbor::bytes::ByteVec;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::hash::hash32;
use crate::base::id::{AuthorId, CommitId, DocId};
use crate::base::limits::Limits;
use crate::commit::error::CommitError;
use crate::commit::header::{After, HEADER_FORMAT, Header, ItemHeader};
use crate::commit::kind::Kind;
use crate::commit::vector::Tip;

/// An item's bytes, or why they are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemBytes {
    /// They are here.
    Present(Vec<u8>),
    /// Its document was deleted by this commit, which whoever says so has in its log.
    Deleted(After),
    /// Somebody said that this commit deletes its document, and nobody here has seen it.
    Hole(After),
}

/// A header, its id and the items: checked, so that what is held is what was hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    id: CommitId,
    header: Header,
    header_bytes: Vec<u8>,
    items: Vec<ItemBytes>,
}

/// A commit as it travels and is stored.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Record {
    #[n(0)]
    header: ByteVec,
    #[n(1)]
    items: Vec<ItemBytes>,
}

/// The marks of items whose bytes are absent: `[mark, author, seq, short id]` of the delete.
const DELETED: u8 = 1;
const HOLE: u8 = 2;

impl<C> Encode<C> for ItemBytes {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>> {
        let (mark, delete) = match self {
            ItemBytes::Present(bytes) => return e.bytes(bytes)?.ok(),
            ItemBytes::Deleted(delete) => (DELETED, delete),
            ItemBytes::Hole(delete) => (HOLE, delete),
        };
        e.array(2)?.u8(mark)?.encode_with(delete, ctx)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for ItemBytes {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        if d.datatype()? == minicbor::data::Type::Bytes {
            return Ok(ItemBytes::Present(d.bytes()?.to_vec()));
        }
        if d.array()? != Some(2) {
            return Err(DecodeError::message("neither bytes nor why they are absent"));
        }
        match d.u8()? {
            DELETED => Ok(ItemBytes::Deleted(d.decode_with(ctx)?)),
            HOLE => Ok(ItemBytes::Hole(d.decode_with(ctx)?)),
            _ => Err(DecodeError::message("no reason for absent bytes that is known")),
        }
    }
}

impl Commit {
    /// A new commit of these items, the `seq`-th of its author; `prev` is the one before it, or the
    /// start of the space's chains.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`] where it would break a limit that every holder checks.
    pub fn new(
        (author, seq, prev): (AuthorId, u64, CommitId),
        after: Vec<After>,
        time: u64,
        items: Vec<(DocId, Kind, Vec<u8>)>,
        limits: &Limits,
    ) -> Result<Self, CommitError> {
        let of =
            |(doc, kind, bytes): &(DocId, Kind, Vec<u8>)| ItemHeader::new(Some(*doc), kind.number(), bytes);
        let headers = items.iter().map(of).collect();
        let header = Header { format: HEADER_FORMAT, author, seq, prev, after, time, items: headers };
        header.check(limits)?;
        let header_bytes = header.encode();
        if header_bytes.len() > limits.header_bytes_max {
            return Err(CommitError::TooLarge("header"));
        }
        let items = items.into_iter().map(|(_, _, bytes)| ItemBytes::Present(bytes)).collect();
        Ok(Self { id: CommitId(hash32(&[&header_bytes])), header, header_bytes, items })
    }

    /// Reads a record and checks all that can be checked of it alone.
    ///
    /// # Errors
    /// [`CommitError`]: the bytes are not a commit.
    pub fn decode(record: &[u8], limits: &Limits) -> Result<Self, CommitError> {
        if record.len() > limits.commit_bytes_max + 2 * limits.header_bytes_max {
            return Err(CommitError::TooLarge("record"));
        }
        let Record { header: header_bytes, items } = from_cbor(record)?;
        let header = Header::decode(&header_bytes, limits)?;
        if header.items.len() != items.len() {
            return Err(CommitError::malformed("another number of items than the header has"));
        }
        let mut all = header.items.iter().zip(&items);
        if !all.all(|(item, bytes)| !matches!(bytes, ItemBytes::Present(bytes) if !item.is_of(bytes))) {
            return Err(CommitError::ItemMismatch);
        }
        check_absent(&header, &items)?;
        let id = CommitId(hash32(&[&header_bytes]));
        Ok(Self { id, header, header_bytes: header_bytes.into(), items })
    }

    /// A commit of a header that came in other words than its encoding, and of items of which those that are
    /// present were hashed for it.
    ///
    /// # Errors
    /// [`CommitError`]: it breaks a rule that every holder checks.
    pub(crate) fn rebuild(
        header: Header,
        items: Vec<ItemBytes>,
        limits: &Limits,
    ) -> Result<Self, CommitError> {
        header.check(limits)?;
        let header_bytes = header.encode();
        if header_bytes.len() > limits.header_bytes_max {
            return Err(CommitError::TooLarge("header"));
        }
        check_absent(&header, &items)?;
        Ok(Self { id: CommitId(hash32(&[&header_bytes])), header, header_bytes, items })
    }

    /// The hash of its header.
    pub fn id(&self) -> CommitId {
        self.id
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its place in its author's chain.
    pub fn tip(&self) -> Tip {
        Tip { author: self.header.author, seq: self.header.seq, id: self.id }
    }

    /// As others name it.
    pub fn name(&self) -> After {
        After { author: self.header.author, seq: self.header.seq, short: self.id.short() }
    }

    /// Its items, each with its bytes.
    pub fn items(&self) -> impl Iterator<Item = (&ItemHeader, &ItemBytes)> {
        self.header.items.iter().zip(&self.items)
    }

    /// The documents of its holes, and the deletes that are said to justify them.
    pub fn holes(&self) -> impl Iterator<Item = (DocId, After)> + '_ {
        self.items().filter_map(|(item, bytes)| match bytes {
            ItemBytes::Hole(delete) => Some((item.doc?, *delete)),
            _ => None,
        })
    }

    /// Whether bytes are missing that nothing justifies.
    pub fn has_holes(&self) -> bool {
        self.holes().next().is_some()
    }

    /// Whether bytes are absent, for whatever reason.
    pub fn lacks_bytes(&self) -> bool {
        !self.items.iter().all(|bytes| matches!(bytes, ItemBytes::Present(_)))
    }

    /// Says of each item whose bytes are absent what this holder knows: deleted where its log has a
    /// delete of the document, otherwise a hole. Drops the bytes of deleted documents. Whether
    /// anything is different.
    pub fn justify(&mut self, delete_of: impl Fn(&DocId) -> Option<After>) -> bool {
        let mut is_changed = false;
        for (item, bytes) in self.header.items.iter().zip(&mut self.items) {
            let Some(doc) = item.doc.filter(|_| item.len > 0) else { continue };
            let justified = match (delete_of(&doc), &*bytes) {
                (Some(delete), _) => ItemBytes::Deleted(delete),
                (None, ItemBytes::Deleted(delete)) => ItemBytes::Hole(*delete),
                (None, _) => continue,
            };
            is_changed |= *bytes != justified;
            *bytes = justified;
        }
        is_changed
    }

    /// Takes the bytes that this copy lacks from another copy of the same commit; whether there
    /// were any.
    pub fn fill(&mut self, other: &Commit) -> bool {
        let mut is_filled = false;
        for (bytes, theirs) in self.items.iter_mut().zip(&other.items).filter(|_| self.id == other.id) {
            if matches!((&*bytes, theirs), (ItemBytes::Hole(_), ItemBytes::Present(_))) {
                bytes.clone_from(theirs);
                is_filled = true;
            }
        }
        is_filled
    }

    /// Takes all bytes that this copy lacks, for whatever reason, from another copy of the same commit.
    pub fn complete(&mut self, other: &Commit) {
        for (bytes, theirs) in self.items.iter_mut().zip(&other.items).filter(|_| self.id == other.id) {
            if matches!(theirs, ItemBytes::Present(_)) {
                bytes.clone_from(theirs);
            }
        }
    }

    /// As it travels and is stored.
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(&Record { header: self.header_bytes.clone().into(), items: self.items.clone() })
    }

    /// How many bytes [`Commit::encode`] gives.
    pub fn encoded_len(&self) -> usize {
        let items = self.items.iter().map(|bytes| match bytes {
            ItemBytes::Present(bytes) => head_len(bytes.len() as u64) + bytes.len(),
            // Two arrays, a mark, the author, the number, a short id.
            ItemBytes::Deleted(delete) | ItemBytes::Hole(delete) => 2 + 1 + 17 + head_len(delete.seq) + 17,
        });
        let header = head_len(self.header_bytes.len() as u64) + self.header_bytes.len();
        1 + header + head_len(self.items.len() as u64) + items.sum::<usize>()
    }

    /// About how many bytes [`Commit::encode`] gives.
    pub fn size(&self) -> usize {
        let items = self.items.iter().map(|bytes| match bytes {
            ItemBytes::Present(bytes) => bytes.len() + 8,
            ItemBytes::Deleted(_) | ItemBytes::Hole(_) => 48,
        });
        self.header_bytes.len() + items.sum::<usize>() + 8
    }

    /// How many bytes its items have or had, as the header says.
    pub fn item_bytes(&self) -> u64 {
        self.header.items.iter().map(|item| item.len).sum()
    }
}

fn check_absent(header: &Header, items: &[ItemBytes]) -> Result<(), CommitError> {
    let is_absent = |bytes: &ItemBytes| !matches!(bytes, ItemBytes::Present(_));
    let mut all = header.items.iter().zip(items);
    if all.any(|(item, bytes)| is_absent(bytes) && (item.len == 0 || item.doc.is_none())) {
        return Err(CommitError::malformed("this item has no bytes that could be absent"));
    }
    Ok(())
}

/// How many bytes CBOR takes for a number, or for what stands before so many bytes or items.
const fn head_len(number: u64) -> usize {
    match number {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::ShortId;

    const LIMITS: Limits = Limits::PROTOCOL;
    const START: CommitId = CommitId([9; 32]);

    fn cause(number: u8) -> After {
        After { author: AuthorId([number; 16]), seq: 3, short: ShortId([4; 16]) }
    }

    fn commit(after: Vec<After>) -> Commit {
        let items =
            vec![(DocId([7; 16]), Kind::Change, vec![1, 2, 3]), (DocId([8; 16]), Kind::Delete, Vec::new())];
        Commit::new((AuthorId([1; 16]), 1, START), after, 1000, items, &LIMITS).unwrap()
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let commit = commit(vec![cause(2)]);
        let back = Commit::decode(&commit.encode(), &LIMITS).unwrap();
        assert_eq!(back, commit);
        assert_eq!(back.header().deletes().collect::<Vec<_>>(), [DocId([8; 16])]);
    }

    #[test]
    fn other_bytes_than_the_header_names_are_refused() {
        let mut commit = commit(vec![]);
        commit.items[0] = ItemBytes::Present(vec![1, 2, 4]);
        assert_eq!(Commit::decode(&commit.encode(), &LIMITS), Err(CommitError::ItemMismatch));
    }

    #[test]
    fn causes_out_of_order_or_of_the_author_itself_are_refused() {
        for after in [vec![cause(3), cause(2)], vec![cause(2), cause(2)], vec![cause(1)]] {
            let made = Commit::new((AuthorId([1; 16]), 1, START), after, 0, vec![], &LIMITS);
            assert!(matches!(made, Err(CommitError::Malformed(_))));
        }
    }

    /// Law: a header has one encoding.
    #[test]
    fn a_header_in_other_words_is_refused() {
        let commit = commit(vec![]);
        let canonical = commit.header_bytes.clone();
        assert_eq!(canonical[0], 0xa7, "a map of seven entries");
        let with_unknown_key = [&[0xa8], &canonical[1..], &[0x18, 99, 0]].concat();
        let indefinite = [&[0xbf], &canonical[1..], &[0xff]].concat();
        let wide_format = [&canonical[..2], &[0x18, 1], &canonical[3..]].concat();
        for bytes in [with_unknown_key, indefinite, wide_format] {
            assert!(matches!(Header::decode(&bytes, &LIMITS), Err(CommitError::Malformed(_))), "{bytes:?}");
        }
        let later = [&canonical[..2], &[2], &canonical[3..]].concat();
        assert_eq!(Header::decode(&later, &LIMITS), Err(CommitError::LaterFormat(2)));
    }

    #[test]
    fn bytes_are_absent_with_a_delete_that_is_held_and_a_hole_without() {
        let full = commit(vec![]);
        let mut dropped = full.clone();
        assert!(dropped.justify(|doc| (*doc == DocId([7; 16])).then_some(cause(5))));
        assert_eq!(dropped.items().next().unwrap().1, &ItemBytes::Deleted(cause(5)));
        let mut told = Commit::decode(&dropped.encode(), &LIMITS).unwrap();
        assert_eq!(told.id(), full.id());
        told.justify(|_| None);
        assert_eq!(told.holes().collect::<Vec<_>>(), [(DocId([7; 16]), cause(5))]);
        let mut told = Commit::decode(&told.encode(), &LIMITS).unwrap();
        assert!(told.fill(&full));
        assert_eq!(told, full);
    }

    #[test]
    fn more_items_than_the_limit_are_refused() {
        let items = vec![(DocId([0; 16]), Kind::Delete, vec![]); LIMITS.items_max + 1];
        let made = Commit::new((AuthorId([1; 16]), 1, START), vec![], 0, items, &LIMITS);
        assert_eq!(made, Err(CommitError::TooLarge("items")));
    }
}
