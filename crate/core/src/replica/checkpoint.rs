//! What following the log from its start has come to, kept in storage, so that opening a space reads that and not
//! the log: the index of documents, and which commits processes of this holder have made.
//!
//! It is a cache, written once in a while, in one write that stands only where nobody else has written it since it
//! was read. What the log has after it is followed as always. It never has more than the log in storage, and where it
//! can't be read the log is followed from its start.
//!
//! | key | value |
//! | --- | --- |
//! | `i` | [`Head`]: up to which position it is |
//! | `i` first-byte(1) piece(1) | the documents whose ids begin with that byte, in pieces of at most 1 MiB |
//! | `ja` author(16) | nothing: a process of this holder has written under that id |
//! | `jc` chunk(4) | the log seqs of 4096 commits of such processes |

use minicbor::{Decode, Encode};

use crate::base::cbor::from_cbor;
use crate::base::id::{AuthorId, DocId};
use crate::base::id_map::IdSet;
use crate::base::position::Position;
use crate::replica::indexed::{Indexed, Pages, decode_page};
use crate::replica::own_tips::{OwnTips, StoredTips};
use crate::storage::request::{Corrupt, Entries, StorageRequest};

/// Of how all this lies in storage. Another number is no checkpoint.
pub(super) const VERSION: u32 = 1;

pub(super) const HEAD_KEY: &[u8] = b"i";
pub(super) const END_KEY: &[u8] = b"k";

/// For so many pages that are to be written, as many commits more are followed before that as for none.
pub(super) const PAGES_PER_LAG: u64 = 16;

/// What is known of the checkpoint in storage.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoint {
    pub reading: Reading,
    /// What is at [`HEAD_KEY`].
    pub head: Option<Vec<u8>>,
    /// Up to which log seq it is.
    pub at: u64,
    /// Up to which log seq it was when it was last tried to write it.
    pub tried: u64,
    pub writing: Option<Writing>,
    /// Another process has written it: nothing but what was read of it since is known to be there.
    pub is_others: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Reading {
    #[default]
    Not,
    /// So much of it has been read.
    Partly(Entries),
    /// It was changed meanwhile, perhaps: this was read.
    Again(Entries),
    Done,
}

/// What is being written.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub head: Vec<u8>,
    pub at: u64,
    pub pages: Pages,
    pub authors: IdSet<AuthorId>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
pub(super) struct Head {
    #[n(0)]
    pub version: u32,
    #[n(1)]
    pub at: Position,
    /// How many full chunks of own commits there are, and what follows after them.
    #[n(2)]
    pub chunks: u32,
    #[n(3)]
    pub rest: Vec<u64>,
    /// The last own commits, as receipts name them.
    #[n(4)]
    pub tips: StoredTips,
}

/// Own commits in a chunk.
pub(super) const CHUNK: usize = 4096;

impl Checkpoint {
    pub fn is_read(&self) -> bool {
        matches!(self.reading, Reading::Done)
    }

    /// The log is followed from its start again, whatever storage has.
    pub fn log_restarts(&mut self) {
        self.reading = Reading::Done;
        self.is_others = true;
        self.tried = 0;
    }

    pub fn scan(from: Vec<u8>, bytes_max: usize) -> StorageRequest {
        StorageRequest::Scan { from, to: END_KEY.to_vec(), bytes_max }
    }
}

/// What storage has of it; none where there is none, or another version has written it.
pub(super) fn decode(entries: &Entries) -> Result<Option<Read>, Corrupt> {
    let Some((key, head)) = entries.first() else { return Ok(None) };
    let head: Head = from_cbor(head)?;
    if key != HEAD_KEY || head.version != VERSION {
        return Ok(None);
    }
    let tips = OwnTips::from_stored(head.tips);
    let (documents, authors, own) = (Vec::new(), IdSet::new(), Vec::new());
    let mut read = Read { at: head.at, documents, authors, own, tips };
    let mut chunks = 0;
    let pages = entries[1..].chunk_by(|(a, _), (b, _)| a[..2] == b[..2]);
    for page in pages {
        match page[0].0.split_first_chunk() {
            Some((b"ja", _)) => {
                for (key, _) in page {
                    read.authors.extend(AuthorId::from_slice(&key[2..]));
                }
            }
            Some((b"jc", _)) => {
                for (_, chunk) in page.iter().take(head.chunks as usize) {
                    unpack(&from_cbor::<Vec<u64>>(chunk)?, &mut read.own)?;
                    chunks += 1;
                }
            }
            _ => {
                let pieces = (0u8..).zip(page).take_while(|(number, (key, _))| key.last() == Some(number));
                let bytes: Vec<u8> = pieces.flat_map(|(_, (_, piece))| piece).copied().collect();
                read.documents.extend(decode_page(&bytes)?);
            }
        }
    }
    unpack(&head.rest, &mut read.own)?;
    let is_whole = chunks == head.chunks;
    if is_whole { Ok(Some(read)) } else { Err(Corrupt("commits of this holder are missing".into())) }
}

/// What was read.
pub(super) struct Read {
    pub at: Position,
    pub documents: Vec<(DocId, Indexed)>,
    pub authors: IdSet<AuthorId>,
    pub own: Vec<u64>,
    pub tips: OwnTips,
}

/// Log seqs in rising order as steps from one to the next, each with how often in a row it is made.
pub(super) fn pack(seqs: &[u64]) -> Vec<u64> {
    let mut packed: Vec<u64> = Vec::new();
    let mut before = 0;
    for seq in seqs {
        let step = seq - before;
        before = *seq;
        match packed.as_mut_slice() {
            [.., last, count] if *last == step => *count += 1,
            _ => packed.extend([step, 1]),
        }
    }
    packed
}

fn unpack(packed: &[u64], seqs: &mut Vec<u64>) -> Result<(), Corrupt> {
    let mut seq = 0u64;
    for pair in packed.chunks(2) {
        let (&[step, count], true) = (pair, seqs.len() < u32::MAX as usize) else { return Err(broken()) };
        for _ in 0..count {
            seq = seq.checked_add(step).ok_or_else(broken)?;
            seqs.push(seq);
        }
    }
    Ok(())
}

fn broken() -> Corrupt {
    Corrupt("log seqs that can't be".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_seqs_are_few_numbers_where_they_follow_one_another() {
        let seqs: Vec<u64> = (5..5000).chain([5003, 5003, 5010]).collect();
        let packed = pack(&seqs);
        assert!(packed.len() <= 10, "{packed:?}");
        let mut read = Vec::new();
        unpack(&packed, &mut read).expect("it was just packed");
        assert_eq!(read, seqs);
        assert!(unpack(&[u64::MAX, 2], &mut read).is_err());
        assert!(unpack(&[1], &mut read).is_err());
    }
}
