//! What is known of a document that is held, without what is in it. And how that lies in storage: documents whose
//! ids begin with the same byte are together in a page, so that ten thousand small documents are a few hundred
//! entries.

use minicbor::{Decode, Encode};

use crate::base::id::DocId;
use crate::storage::request::Corrupt;

/// The log is taken in blocks of so many commits where it is looked up which of them a document is in.
const BLOCK: u64 = 32;

/// A document that is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexed {
    pub name: Option<String>,
    /// Bytes of the commits' items for it.
    pub bytes: u64,
    /// How many commits have items for it.
    pub commits: u64,
    /// The log seq of the last entry that has items for it, or brings bytes of it again.
    pub last: u64,
    /// Which commits of the log to look at for it.
    blocks: Blocks,
}

/// Blocks of the log, as ranges: from, and how many. In rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Blocks(Vec<(u64, u64)>);

impl Indexed {
    /// A commit that is in the log there has an item of so many bytes for it.
    pub fn add(&mut self, log_seq: u64, bytes: u64) {
        self.bytes += bytes;
        self.commits += u64::from(self.last != log_seq || self.commits == 0);
        self.last = self.last.max(log_seq);
        self.blocks.add(log_seq / BLOCK);
    }

    /// An entry there brings bytes again that a commit lacked.
    pub fn again(&mut self, log_seq: u64) {
        self.last = self.last.max(log_seq);
    }

    /// Whether all entries that have something for it are between these log seqs, for sure.
    pub fn is_between(&self, first: u64, last: u64) -> bool {
        self.last <= last && self.next(1).is_some_and(|(from, _)| from >= first)
    }

    /// From this log seq on, where the next commits are to be looked for; and whether most that follow there are
    /// likely to be this document's.
    pub fn next(&self, from: u64) -> Option<(u64, bool)> {
        if from > self.last {
            return None;
        }
        let (first, count) = self.blocks.from(from / BLOCK)?;
        Some((from.max(first * BLOCK), count > 1))
    }
}

impl Blocks {
    fn add(&mut self, block: u64) {
        match self.0.last_mut() {
            Some((first, count)) if block < *first + *count => {}
            Some((first, count)) if block == *first + *count => *count += 1,
            _ => self.0.push((block, 1)),
        }
    }

    /// The first blocks in a row from this one on.
    fn from(&self, block: u64) -> Option<(u64, u64)> {
        let at = self.0.partition_point(|(first, count)| first + count <= block);
        self.0.get(at).map(|(first, count)| {
            let begins = block.max(*first);
            (begins, first + count - begins)
        })
    }
}

/// Pages, by the first byte of the documents' ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages([u64; 4]);

impl Pages {
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// The page that this document is in.
    pub fn add(&mut self, doc: &DocId) {
        let first = usize::from(doc.0[0]);
        self.0[first / 64] |= 1 << (first % 64);
    }

    pub fn add_all(&mut self, others: &Self) {
        for (bits, others) in self.0.iter_mut().zip(others.0) {
            *bits |= others;
        }
    }

    pub fn len(&self) -> u64 {
        self.0.iter().map(|bits| u64::from(bits.count_ones())).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|first| self.0[usize::from(*first) / 64] >> (first % 64) & 1 == 1)
    }
}

/// A document in a page.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Stored {
    #[n(0)]
    id: DocId,
    #[n(1)]
    name: Option<String>,
    #[n(2)]
    bytes: u64,
    #[n(3)]
    commits: u64,
    #[n(4)]
    last: u64,
    /// Of each range of blocks how many lie between it and the range before, and how many are in it.
    #[n(5)]
    blocks: Vec<u64>,
}

/// A page, as it is stored.
pub(super) fn encode_page<'a>(docs: impl Iterator<Item = (&'a DocId, &'a Indexed)>) -> Vec<u8> {
    let stored: Vec<Stored> = docs
        .map(|(id, doc)| {
            let mut end = 0;
            let mut blocks = Vec::with_capacity(doc.blocks.0.len() * 2);
            for (first, count) in &doc.blocks.0 {
                blocks.extend([first - end, *count]);
                end = first + count;
            }
            let Indexed { name, bytes, commits, last, .. } = doc.clone();
            Stored { id: *id, name, bytes, commits, last, blocks }
        })
        .collect();
    crate::base::cbor::to_cbor(&stored)
}

/// Reads a page.
///
/// # Errors
/// Storage holds what this code did not write.
pub(super) fn decode_page(page: &[u8]) -> Result<Vec<(DocId, Indexed)>, Corrupt> {
    let stored: Vec<Stored> = crate::base::cbor::from_cbor(page)?;
    let of = |stored: Stored| {
        let mut blocks = Blocks::default();
        let mut end = 0u64;
        for range in stored.blocks.chunks(2) {
            let &[gap, count] = range else { return None };
            let first = end.checked_add(gap)?;
            end = first.checked_add(count)?;
            blocks.0.push((first, count));
        }
        let Stored { id, name, bytes, commits, last, .. } = stored;
        Some((id, Indexed { name, bytes, commits, last, blocks }))
    };
    let docs: Option<_> = stored.into_iter().map(of).collect();
    docs.ok_or_else(|| Corrupt("a page of the index that can't be".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_commit_of_a_document_is_in_the_blocks_to_be_looked_at_and_few_others_are() {
        let mut doc = Indexed::default();
        let seqs = [1, 2, 31, 32, 40, 64, 200, 1000, 1001];
        for seq in seqs {
            doc.add(seq, 10);
        }
        let (mut from, mut looked_at) = (1, Vec::new());
        while let Some((seq, _)) = doc.next(from) {
            let end = (seq / BLOCK + 1) * BLOCK;
            looked_at.extend(seq..end);
            from = end;
        }
        assert!(seqs.iter().all(|seq| looked_at.contains(seq)));
        assert!(looked_at.len() < 6 * BLOCK as usize);
        assert_eq!((doc.bytes, doc.commits, doc.last), (90, 9, 1001));
    }

    #[test]
    fn a_page_is_read_as_it_was_written() {
        let mut doc = Indexed { name: Some("board".into()), ..Indexed::default() };
        for seq in [3, 100, 101, 5000] {
            doc.add(seq, 7);
        }
        doc.again(6000);
        let id = DocId([4; 16]);
        let page = encode_page([(&id, &doc), (&DocId([5; 16]), &Indexed::default())].into_iter());
        let read = decode_page(&page).expect("it was just written");
        assert_eq!(read, [(id, doc), (DocId([5; 16]), Indexed::default())]);
        assert!(decode_page(&page[1..]).is_err());
    }
}
