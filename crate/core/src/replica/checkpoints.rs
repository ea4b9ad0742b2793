//! A replica begins with its checkpoint, and writes it now and then.

use crate::base::cbor::{from_cbor, to_cbor};
use crate::holder::notice::OwnerRequest;
use crate::replica::checkpoint::{
    CHUNK, Checkpoint, HEAD_KEY, Head, PAGES_PER_LAG, Read, Reading, VERSION, Writing, decode, pack,
};
use crate::replica::indexed::Pages;
use crate::replica::replica::Replica;
use crate::storage::request::{Entries, StorageAnswer, StorageRequest, WriteBatch};

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
        // Where the disk has failed, memory may have other commits at the positions that another process has written.
        let is_usable = |read: &Read| !self.holder.disk_failed() || read.at.seq <= self.holder.on_disk();
        let read = decode(&entries).ok().flatten().filter(is_usable);
        if head.is_some() && read.is_none() {
            self.documents.changed = Pages::ALL;
        }
        self.checkpoint.head = head;
        if let Some(Read { at, documents, authors, own, tips }) = read {
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
