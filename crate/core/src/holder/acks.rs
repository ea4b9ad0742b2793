//! Acknowledgements: what is stored here of others' logs, and elsewhere of this one.

use crate::base::id::LinkId;
use crate::base::mutation::Mutation;
use crate::base::position::Mark;
use crate::commit::commit::{Commit, ItemBytes};
use crate::holder::holder::Holder;
use crate::holder::notice::Notice;
use crate::holder::pending::Pending;
use crate::link::session::{Session, Stillness};
use crate::storage::request::WriteBatch;
use crate::wire::bodies::{Ack, Quiet};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    /// Tells those whose commits are in the log now, or have all their bytes now.
    ///
    /// This is the seam at which a promise is made: every commit of every frame up to `read` is in the
    /// log and durable, and up to `whole` every byte is there or a delete in the log explains its
    /// absence. What limits `whole` is durable first.
    pub(super) fn acknowledge(&mut self) {
        if self.log.has_unwritten_holes() {
            return;
        }
        let at = self.log.mark(self.stored);
        for id in core::mem::take(&mut self.touched) {
            let Some(session) = self.links.session_mut(id) else { continue };
            let has_moved = session.receive.advance().is_some() || session.send.later.is_ack_owed();
            let whole = self.log.holes().whole_of(&session.peer.log, &session.receive.lacking);
            let whole = whole.filter(|_| !self.limits.is_mutated(Mutation::WholeIsRead));
            if !has_moved && whole == session.receive.whole_told {
                continue;
            }
            if session.receive.read.seq > session.send.seen.seq {
                session.send.seen = session.receive.read;
            }
            if session.is_peer() && !session.send.later.owes_ack(self.now) {
                self.note_peer(id);
                self.check_deletes_owed(id);
                continue;
            }
            session.send.later.acknowledged();
            session.receive.whole_told = whole;
            let read = session.receive.read.seq;
            let is_told = session.send.started && !session.send.later.has_names();
            let complete = is_told && session.send.sent.seq == self.stored.seq;
            if let Some(accepted) = session.accepted() {
                accepted.brought = self.stored.seq;
            }
            self.bringers.insert(id);
            // What this log knows of theirs from before may be more than was read on this link.
            let whole = whole.map(|whole| whole.min(read));
            self.send(id, &Frame::Ack(Ack { read, whole, at, complete }));
            self.check_deletes_owed(id);
            self.note_peer(id);
            self.notices.push_back(Notice::LinkChanged);
        }
    }

    /// Bytes that were missing are here, or known to be deleted: those who brought the commits hear of
    /// it.
    pub(super) fn holes_have_closed(&mut self) {
        let waiting = self.links.sessions().filter(|(_, session)| session.receive.whole_told.is_some());
        let waiting: Vec<_> = waiting.map(|(id, _)| id).collect();
        self.touched.extend(waiting);
    }

    pub(super) fn ack_came(&mut self, id: LinkId, ack: Ack) {
        let Some(session) = self.links.session_mut(id) else { return };
        // What limits `whole` may be of a longer copy of this log.
        if ack.read > self.stored.seq {
            return self.close(id, CloseCode::OutOfOrder, "an acknowledgement of what was not sent");
        }
        session.moved(self.now);
        session.send.ack(ack.read, ack.whole);
        session.send.stored_at(ack.at.seq, &self.limits);
        session.their_head = session.their_head.max(ack.at.seq);
        for due in session.owed_deletes.values_mut() {
            due.get_or_insert(ack.at.seq);
        }
        if ack.at.seq > session.send.seen.seq {
            session.send.seen = ack.at;
        }
        if ack.complete && ack.at.seq > session.receive.read.seq {
            if session.receive.has_frames() {
                // True once all that came before it is in the log.
                session.receive.frame(Some(ack.at), []);
                self.touched.insert(id);
            } else {
                session.receive.read = ack.at;
            }
        }
        self.note_peer(id);
        self.notices.push_back(Notice::Acked(id));
        self.notices.push_back(Notice::LinkChanged);
    }

    // What is compared when a link is still.

    pub(super) fn ask_whether_equal(&mut self, id: LinkId) {
        let now = self.now;
        let (head, digest) = (self.log.mark(self.stored), self.log.vector().digest());
        let Some(session) = self.links.session_mut(id) else { return };
        session.moved_at = now;
        session.compared_at = now;
        session.is_comparison_due = false;
        session.stillness = Stillness::Asked;
        session.may_be_told = true;
        let read = session.receive.read.seq;
        self.send(id, &Frame::Quiet(Quiet { head, read, digest }));
    }

    /// Where both sides have just said what they hold, they compare it as soon as each has what the other
    /// had.
    pub(super) fn compare_after_passes(&mut self) {
        let stored = self.stored;
        let is_due = |session: &Session| {
            session.is_comparison_due && session.compares() && session.is_caught_up(stored)
        };
        let due: Vec<_> =
            self.links.dialed().filter(|(_, session)| is_due(session)).map(|(id, _)| id).collect();
        for id in due {
            self.ask_whether_equal(id);
        }
    }

    /// The link has not been still for long: both sides are compared all the same, at a moment when
    /// neither has anything to send.
    pub(super) fn compare_although_moving(&mut self, id: LinkId) {
        let (stored, is_settled, now) = (self.stored, self.is_settled(), self.now);
        let Some(session) = self.links.session_mut(id) else { return };
        if is_settled && session.is_idle(stored) && session.is_caught_up(stored) {
            self.ask_whether_equal(id);
        } else {
            session.compare_later(now);
        }
    }

    pub(super) fn quiet_came(&mut self, id: LinkId, quiet: Quiet) {
        let is_settled = self.is_settled();
        let (stored, digest) = (self.stored, self.log.vector().digest());
        let Some(session) = self.links.session_mut(id) else { return };
        session.their_head = session.their_head.max(quiet.head.seq);
        if quiet.digest == digest {
            session.stillness = Stillness::Agreed;
            self.agreed_at(id, quiet.head, is_settled);
            let head = self.log.mark(stored);
            self.send(id, &Frame::Agree(head));
        } else if is_settled && session.is_idle(stored) && quiet.read == stored.seq {
            // All was sent and read, and still they differ: compare what each holds.
            self.send_vector(id, true);
        }
    }

    /// Both sides hold the same commits, and the other's log ends here.
    pub(super) fn agree_came(&mut self, id: LinkId, head: Mark) {
        let is_settled = self.is_settled();
        let Some(session) = self.links.session_mut(id) else { return };
        if session.stillness == Stillness::Asked && is_settled {
            session.stillness = Stillness::Agreed;
            self.agreed_at(id, head, true);
            self.save_peers_due = true;
        }
    }

    fn agreed_at(&mut self, id: LinkId, head: Mark, is_settled: bool) {
        let Some(session) = self.links.session_mut(id) else { return };
        // Where bytes are missing here, the other may have them: equal digests do not say that all of its
        // log was read.
        let has_all = is_settled && self.log.holes().is_empty() && !session.receive.has_frames();
        if has_all {
            self.deep_forks.forget(&session.peer.log);
        }
        if has_all && head.seq >= session.receive.read.seq {
            session.receive.read = head;
        }
        self.note_peer(id);
        self.notices.push_back(Notice::Agreed(id));
        self.notices.push_back(Notice::LinkChanged);
    }

    // Deletes that a peer has spoken of.

    /// Who says that a document is deleted has the delete in its log, and it follows.
    /// It is noted as the commit comes: once it waits it may be another one's copy.
    pub(super) fn note_deletes_owed(&mut self, id: LinkId, commit: &Commit) {
        if !commit.lacks_bytes() {
            return;
        }
        let Some(session) = self.links.session_mut(id) else { return };
        let deleted = commit.items().filter(|(_, bytes)| matches!(bytes, ItemBytes::Deleted(_)));
        for doc in deleted.filter_map(|(item, _)| item.doc) {
            if !self.log.is_deleted(&doc) && session.owed_deletes.len() < self.limits.holes_max {
                session.owed_deletes.get_or_insert_with(doc, || None);
            }
        }
    }

    /// All of the peer's log up to its end at that time was read, and the delete was not in it.
    fn check_deletes_owed(&mut self, id: LinkId) {
        let Some(session) = self.links.session_mut(id) else { return };
        session.owed_deletes.retain(|doc, _| !self.log.is_deleted(doc));
        let read = session.receive.read.seq;
        if session.owed_deletes.values().any(|due| due.is_some_and(|due| due <= read)) {
            self.withheld += 1;
            self.close(id, CloseCode::Withheld, "a document was said to be deleted, and no delete came");
        }
    }

    // What is kept of peers.

    /// Remembers where a link is, to be saved with the next write.
    pub(super) fn note_peer(&mut self, id: LinkId) {
        let Some(session) = self.links.session(id) else { return };
        let Some(record) = self.peers.note(session) else { return };
        let (region, log, acked) = (record.region.clone(), record.cursor.log, record.whole_acked);
        if let Some(regions) = self.role.regions_mut().filter(|_| !region.is_empty()) {
            regions.stored(region, log, acked);
        }
    }

    /// The relay at the other end holds the same as this one, as of now.
    pub fn agrees_with(&mut self, link: LinkId, host_now: crate::base::time::Millis) {
        let Some(session) = self.links.session(link).filter(|session| session.is_mesh) else { return };
        self.peers.agreed(&session.peer.log, host_now);
    }

    pub(super) fn has_unsaved_records(&self) -> bool {
        self.peers.is_dirty() || self.role.is_dirty() || self.log.has_unwritten_holes()
    }

    /// Writes what has changed of peers and regions along with a batch, or a part of it.
    pub(super) fn take_records(&mut self, batch: &mut WriteBatch) {
        self.peers.take(self.limits.peers_written_max, batch);
        self.save_peers_due &= self.peers.is_dirty();
        self.role.take(self.log.marker(), batch);
    }

    /// Writes what is known of peers, so that the next start resumes where this one stopped.
    pub fn save_peers(&mut self) {
        self.save_peers_due = true;
        self.pump();
    }

    /// As above, where nothing moves between relays that would make it old at once.
    pub fn save_peers_where_quiet(&mut self) {
        let is_quiet = self.links.mesh().all(|(_, session)| session.stillness == Stillness::Agreed);
        if is_quiet && self.has_unsaved_records() && self.is_settled() {
            self.save_peers();
        }
    }

    pub(super) fn save_records(&mut self) {
        if self.writing > 0 {
            return;
        }
        if !self.has_unsaved_records() {
            self.save_peers_due = false;
            return;
        }
        let mut batch = WriteBatch::default();
        self.take_records(&mut batch);
        let (puts, deletes) = self.log.take_holes();
        batch.puts.extend(puts);
        batch.deletes.extend(deletes);
        if self.is_relay() && self.log.is_unwritten() {
            // What was compared was compared with this log, although it is empty.
            let (guard, put) = self.log.write_meta();
            batch.guard = Some(guard);
            batch.puts.push(put);
        }
        self.write(Pending::Records, batch);
    }
}
