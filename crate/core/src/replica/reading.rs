//! Documents follow the log: entries come from the holder as they are appended, or are read from
//! storage where this process is behind.

use crate::base::id::AuthorId;
use crate::base::position::Position;
use crate::holder::notice::OwnerRequest;
use crate::holder::pending::rows_of;
use crate::log::keys::rows_after;
use crate::log::rows::Entry;
use crate::replica::event::Event;
use crate::replica::own_commits::Ownership;
use crate::replica::replica::Replica;
use crate::storage::request::{StorageAnswer, StorageFault};

impl Replica {
    /// Reads on where the log has more than was followed.
    pub(super) fn read_log(&mut self) {
        if !self.has_checkpoint() {
            return;
        }
        let is_behind = self.follow.seq < self.holder.stored().seq;
        if !self.follow.is_reading && (is_behind || self.follow.is_due) {
            self.follow.is_due = false;
            self.ask_for_log(self.holder.limits().read_bytes);
        }
        let is_read = !is_behind && !self.follow.is_reading;
        if is_read && self.holder.is_open() && self.holder.is_settled() {
            self.own.log_is_read();
        }
        if is_read && !self.follow.is_ready {
            self.follow.is_ready = true;
            self.tell(Event::Ready);
        }
    }

    fn ask_for_log(&mut self, bytes: usize) {
        self.follow.is_reading = true;
        self.holder.ask_storage(OwnerRequest::Follow, rows_after(self.follow.seq, bytes));
    }

    /// Storage has answered.
    pub(super) fn log_read(&mut self, answer: StorageAnswer) {
        self.follow.is_reading = false;
        if !self.holder.is_open() {
            // The holder reads again what is deleted.
            self.follow.is_due = true;
            return;
        }
        let fault = StorageFault::of(&answer);
        let rows = match rows_of(answer) {
            Ok(rows) => rows,
            Err(error) => return self.tell(Event::Failed { fault, message: error.to_string() }),
        };
        if let Some(bytes) = rows.bytes_needed {
            return self.ask_for_log(bytes);
        }
        let seq = self.follow.seq;
        let entries: Vec<_> = rows.entries.into_iter().filter(|entry| entry.at.seq > seq).collect();
        if entries.first().is_some_and(|first| first.at.seq != seq + 1) {
            // Asked before the log was followed from its start again.
            self.follow.is_due = true;
            return;
        }
        self.follow.is_due |= rows.more && !entries.is_empty();
        self.holder.follow(&entries);
        self.follow_entries(&entries);
    }

    /// The holder has appended these.
    pub(super) fn appended(&mut self, entries: Vec<Entry>) {
        let first = entries.first().map_or(0, |first| first.at.seq);
        if self.holder.disk_failed() && first <= self.follow.indexed {
            // In memory the log goes on from where it was before another process wrote what was indexed.
            return self.log_restarts();
        }
        let is_next = first == self.follow.seq + 1;
        if is_next && self.checkpoint.is_read() {
            self.follow_entries(&entries);
        } else {
            self.follow.is_due = true;
        }
    }

    fn follow_entries(&mut self, entries: &[Entry]) {
        if let Some(last) = entries.last() {
            (self.follow.seq, self.follow.at) = (last.at.seq, last.at);
        }
        let entries = &entries[entries.partition_point(|entry| entry.at.seq <= self.follow.indexed)..];
        self.documents.views.is_stuck = false;
        let mut is_all_logged = false;
        for entry in entries {
            match self.own.logged(entry, self.holder.disk_failed()) {
                Ownership::LastPending => is_all_logged = true,
                Ownership::Impostor => self.change_author(),
                Ownership::Other => {}
            }
        }
        self.documents.follow(entries, self.holder.log(), self.follow.is_ready);
        if is_all_logged && !self.own.has_pending() {
            self.note_closing_views();
            self.documents.all_logged();
        }
        self.tell_of_documents();
        self.tell(Event::Status);
    }

    /// Somebody else writes under this process's id: it was cloned while it ran. This one takes
    /// another, so that they part.
    fn change_author(&mut self) {
        let author = AuthorId(self.holder.rng().bytes16());
        self.own.set_author(author);
        self.documents.set_author(author);
    }

    /// Entries that were in this process's memory only have other log seqs now: the log is followed
    /// from its start again.
    pub(super) fn log_restarts(&mut self) {
        self.own.log_restarts();
        self.documents.log_restarts();
        (self.follow.seq, self.follow.at, self.follow.indexed) = (0, Position::START, 0);
        self.checkpoint.log_restarts();
        self.waits.log_is_new();
        self.follow.is_due = true;
        self.documents.load_again(&mut self.holder);
        self.tell_of_documents();
    }
}
