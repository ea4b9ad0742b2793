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

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::id::{AuthorId, DocId};
use crate::base::id_map::IdSet;
use crate::base::position::Position;
use crate::holder::notice::OwnerRequest;
use crate::replica::indexed::{Indexed, Pages, decode_page};
use crate::replica::own_tips::{OwnTips, StoredTips};
use crate::replica::replica::Replica;
use crate::storage::request::{Corrupt, Entries, StorageAnswer, StorageRequest, WriteBatch};

/// Of how all this lies in storage. Another number is no checkpoint.
const VERSION: u32 = 1;

const HEAD_KEY: &[u8] = b"i";
const END_KEY: &[u8] = b"k";

/// For so many pages that are to be written, as many commits more are followed before that as for none.
const PAGES_PER_LAG: u64 = 16;

/// What is known of the checkpoint in storage.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoint {
    reading: Reading,
    /// What is at [`HEAD_KEY`].
    head: Option<Vec<u8>>,
    /// Up to which log seq it is.
    at: u64,
    /// Up to which log seq it was when it was last tried to write it.
    tried: u64,
    writing: Option<Writing>,
    /// Another process has written it: nothing but what was read of it since is known to be there.
    is_others: bool,
}

#[derive(Clone, Debug, Default)]
enum Reading {
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
struct Writing {
    head: Vec<u8>,
    at: u64,
    pages: Pages,
    authors: IdSet<AuthorId>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Head {
    #[n(0)]
    version: u32,
    #[n(1)]
    at: Position,
    /// How many full chunks of own commits there are, and what follows after them.
    #[n(2)]
    chunks: u32,
    #[n(3)]
    rest: Vec<u64>,
    /// The last own commits, as receipts name them.
    #[n(4)]
    tips: StoredTips,
}

/// Own commits in a chunk.
const CHUNK: usize = 4096;

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

    fn scan(from: Vec<u8>, bytes_max: usize) -> StorageRequest {
        StorageRequest::Scan { from, to: END_KEY.to_vec(), bytes_max }
    }
}

impl Replica {
    /// Begins to read it. Whether it has been read.
    pub(super) fn has_checkpoint(&mut self) -> bool {
        if matches!(self.checkpoint.reading, Reading::Not) {
            self.checkpoint.reading = Reading::Partly(Vec::new());
            let scan = Checkpoint::scan(HEAD_KEY.to_vec(), self.holder.limits().read_bytes);
            self.holder.ask_storage(OwnerRequest::Checkpoint, scan);
        }
        self.checkpoint.is_read()
    }

    /// Storage has answered to a read of it.
    pub(super) fn checkpoint_read(&mut self, answer: StorageAnswer) {
        match (core::mem::take(&mut self.checkpoint.reading), answer) {
            (Reading::Partly(mut read), StorageAnswer::Scanned { entries, more }) => {
                let is_first = read.is_empty();
                read.extend(entries);
                let last = read.last().filter(|_| more).map(|(last, _)| [last.as_slice(), &[0]].concat());
                let (next, ask) = match last {
                    Some(from) => {
                        let scan = Checkpoint::scan(from, self.holder.limits().read_bytes);
                        (Reading::Partly(read), scan)
                    }
                    None if is_first => return self.begin_at(read),
                    None => (Reading::Again(read), StorageRequest::Get(vec![HEAD_KEY.to_vec()])),
                };
                self.checkpoint.reading = next;
                self.holder.ask_storage(OwnerRequest::Checkpoint, ask);
            }
            (Reading::Again(read), StorageAnswer::Values(values)) => {
                let head = values.into_iter().next().flatten();
                let is_same =
                    read.first().is_some_and(|(key, value)| key == HEAD_KEY && Some(value) == head.as_ref());
                if is_same {
                    return self.begin_at(read);
                }
                // Another process has written it: it is read from the start again.
                self.has_checkpoint();
            }
            (Reading::Done, StorageAnswer::Values(values)) => {
                self.checkpoint.reading = Reading::Done;
                self.others_checkpoint(values.into_iter().next().flatten());
            }
            // The log was followed from its start again meanwhile.
            (Reading::Done, _) => self.checkpoint.reading = Reading::Done,
            _ => self.begin_at(Vec::new()),
        }
    }

    /// Goes on from there.
    fn begin_at(&mut self, entries: Entries) {
        self.checkpoint.reading = Reading::Done;
        let head = entries.first().filter(|(key, _)| key == HEAD_KEY).map(|(_, value)| value.clone());
        let read = decode(&entries);
        if head.is_some() && !matches!(read, Ok(Some(_))) {
            self.documents.changed = Pages::ALL;
        }
        self.checkpoint.head = head;
        if let Ok(Some(Read { at, documents, authors, own, tips })) = read {
            self.checkpoint.at = at.seq;
            self.documents.begin_with(documents);
            self.own.begin_with(authors, own, tips);
            self.follow.indexed = at.seq;
            // What the holder has yet to hear of is read for it.
            let stored = self.holder.stored();
            let from = if at.seq > stored.seq { stored } else { at };
            (self.follow.seq, self.follow.at) = (from.seq, from);
            self.follow.is_due |= at.seq > stored.seq;
        }
    }

    /// Writes it where it is time to. `is_last`: there is no later time.
    pub(super) fn write_checkpoint(&mut self, is_last: bool) {
        let Checkpoint { at, tried, is_others, .. } = self.checkpoint;
        let followed = self.follow.seq;
        let lag = followed.saturating_sub(at.max(tried));
        let lag_max =
            self.holder.limits().checkpoint_commits * (1 + self.documents.changed.len() / PAGES_PER_LAG);
        let is_time = lag > 0 && (is_last || lag >= lag_max);
        self.documents.views.is_due |= is_time;
        if !is_time || self.checkpoint.writing.is_some() || !self.may_write_checkpoint() {
            return;
        }
        self.checkpoint.tried = followed;
        let value_bytes_max = self.holder.limits().value_bytes_max;
        let mut batch = WriteBatch {
            guard: Some((HEAD_KEY.to_vec(), self.checkpoint.head.clone())),
            ..WriteBatch::default()
        };
        for first in self.documents.changed.iter() {
            let page = self.documents.page(first);
            let pieces = page.len().div_ceil(value_bytes_max);
            if pieces > usize::from(u8::MAX) {
                // Of so many documents the log is followed from its start.
                return;
            }
            for (number, piece) in (0..).zip(page.chunks(value_bytes_max)) {
                batch.puts.push((vec![HEAD_KEY[0], first, number], piece.to_vec()));
            }
            // A page that was longer has no more pieces than these.
            batch.deletes.push(vec![HEAD_KEY[0], first, pieces as u8]);
        }
        let own = self.own.seqs();
        let chunks = own.chunks_exact(CHUNK);
        let rest = pack(chunks.remainder());
        for (number, chunk) in (0u32..).zip(chunks) {
            let is_written = chunk.last().is_some_and(|last| *last <= at) && !is_others;
            if !is_written {
                batch.puts.push(([b"jc".as_slice(), &number.to_be_bytes()].concat(), to_cbor(&pack(chunk))));
            }
        }
        let chunks = (own.len() / CHUNK) as u32;
        let authors = self.own.take_unwritten_authors();
        for author in authors.iter() {
            batch.puts.push(([b"ja".as_slice(), &author.0].concat(), Vec::new()));
        }
        let head = to_cbor(&Head {
            version: VERSION,
            at: self.follow.at,
            chunks,
            rest,
            tips: self.own.tips().to_stored(),
        });
        batch.puts.push((HEAD_KEY.to_vec(), head.clone()));
        let pages = core::mem::take(&mut self.documents.changed);
        self.checkpoint.writing = Some(Writing { head, at: followed, pages, authors });
        self.holder.ask_storage(OwnerRequest::CheckpointWrite, StorageRequest::Write(batch.into()));
    }

    /// What is in this process's memory only is in no log, and another process may have written one that is further.
    fn may_write_checkpoint(&self) -> bool {
        let followed = self.follow.seq;
        let is_stored = !self.holder.disk_failed() && followed <= self.holder.on_disk();
        let is_followed = self.follow.is_ready && followed >= self.follow.indexed;
        // Storage would not know any more that they are to be removed.
        let has_removals = self.documents.views.has_removals();
        !has_removals && self.holder.is_open() && self.checkpoint.is_read() && is_followed && is_stored
    }

    /// Storage has answered to the write.
    pub(super) fn checkpoint_written(&mut self, answer: &StorageAnswer) {
        let Some(Writing { head, at, pages, authors }) = self.checkpoint.writing.take() else { return };
        if *answer == StorageAnswer::Written {
            self.checkpoint.head = Some(head);
            self.checkpoint.at = at;
            self.checkpoint.is_others = false;
            return;
        }
        self.documents.changed.add_all(&pages);
        self.own.put_back_unwritten_authors(authors);
        if *answer == StorageAnswer::GuardFailed {
            self.checkpoint.is_others = true;
            self.holder.ask_storage(OwnerRequest::Checkpoint, StorageRequest::Get(vec![HEAD_KEY.to_vec()]));
        }
    }

    /// Another process has written this. What this one has is written over it once it has followed the log as far.
    fn others_checkpoint(&mut self, head: Option<Vec<u8>>) {
        let decoded = head.as_deref().and_then(|head| from_cbor::<Head>(head).ok());
        self.checkpoint.at = decoded.filter(|head| head.version == VERSION).map_or(0, |head| head.at.seq);
        self.checkpoint.head = head;
    }
}

/// What storage has of it; none where there is none, or another version has written it.
fn decode(entries: &Entries) -> Result<Option<Read>, Corrupt> {
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
struct Read {
    at: Position,
    documents: Vec<(DocId, Indexed)>,
    authors: IdSet<AuthorId>,
    own: Vec<u64>,
    tips: OwnTips,
}

/// Log seqs in rising order as steps from one to the next, each with how often in a row it is made.
fn pack(seqs: &[u64]) -> Vec<u64> {
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
