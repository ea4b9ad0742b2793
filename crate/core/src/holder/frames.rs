//! What comes in on links that are up.

use crate::base::cbor::to_cbor;
use crate::base::id::{LinkId, LogId};
use crate::base::limits;
use crate::base::position::Position;
use crate::commit::commit::{Commit, CommitError};
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::records;
use crate::holder::records::{Reconciled, RegionRecord};
use crate::holder::work::{Incoming, Named, Notice, Origin};
use crate::link::link::NAMED_BYTES;
use crate::storage::request::WriteBatch;
use crate::wire::bodies::{Ack, Commits, Fresh, Head, Piece, Quiet, Stored};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    pub(super) fn frame(&mut self, id: LinkId, frame: Frame) {
        let Some(link) = self.links.get_mut(&id) else { return };
        match frame {
            Frame::Hello(hello) => return self.hello_came(id, hello),
            Frame::Bye(bye) => {
                self.effects.push_back(Effect::Close(id, 1000, String::new()));
                return self.gone(id, Some((bye.code, bye.reason)));
            }
            Frame::Unknown => return,
            _ if !link.is_up() => {
                return self.close(id, CloseCode::OutOfOrder, "a frame before the greeting");
            }
            _ => {}
        }
        match frame {
            Frame::Commits(commits) => self.commits_came(id, commits),
            Frame::Piece(piece) => self.piece_came(id, piece),
            Frame::Ack(ack) => self.ack_came(id, ack),
            Frame::Credit(bytes) => {
                link.send.grant(bytes);
                self.feed(id);
            }
            Frame::Vector(part) => self.vector_came(id, part),
            Frame::Quiet(quiet) => self.quiet_came(id, quiet),
            Frame::Agree(head) => self.agreed(id, head),
            Frame::Want(want) => self.want_came(id, want),
            Frame::Answer(answer) => self.answer_came(id, answer),
            Frame::Head(Head { nonce, at: None }) => {
                let at = Some(self.stored);
                self.send(id, &Frame::Head(Head { nonce, at }));
            }
            Frame::Head(Head { nonce, at: Some(at) }) => {
                self.notices.push_back(Notice::HeadOf(id, nonce, at));
            }
            Frame::Stored(stored) => self.stored_elsewhere(id, stored),
            Frame::Fresh(Fresh { nonce, answer: None }) => {
                self.notices.push_back(Notice::FreshAsked(id, nonce));
            }
            Frame::Fresh(Fresh { nonce, answer: Some(answer) }) => {
                self.notices.push_back(Notice::FreshAnswer(id, nonce, answer));
            }
            Frame::Token(token) => self.token_came(id, token),
            Frame::Terms(terms) => self.terms_came(id, terms),
            Frame::Hello(_) | Frame::Bye(_) | Frame::Unknown => {}
        }
    }

    pub(super) fn commits_came(&mut self, id: LinkId, frame: Commits) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.moved(self.now);
        // Credit for a commit in pieces was spent piece by piece.
        let whole = core::mem::take(&mut link.receive.whole);
        let in_pieces = whole.iter().map(|record| (record.as_slice(), 0));
        let records = frame.records.iter().map(|record| (record.as_slice(), record.len()));
        let mut commits = Vec::with_capacity(frame.records.len());
        for (record, bytes) in in_pieces.chain(records) {
            match Commit::decode(record) {
                Ok(commit) => commits.push((commit, bytes)),
                Err(error) => return self.close_for(id, &error),
            }
        }
        if !link.is_mesh && !frame.named.is_empty() {
            return self.close(id, CloseCode::OutOfOrder, "only a relay may leave commits to others to send");
        }
        let is_refused = !commits.is_empty() && !link.may_write();
        if is_refused {
            return self.close(id, CloseCode::Denied, "this token does not allow writing");
        }
        let named_bytes = frame.named.len() * NAMED_BYTES;
        let bytes = named_bytes + commits.iter().map(|(_, bytes)| bytes).sum::<usize>();
        if link.receive.spend(bytes).is_err() {
            return self.close(id, CloseCode::Quota, "more was sent than was granted");
        }
        let ids = commits.iter().map(|(commit, _)| commit.id());
        let number = link.receive.frame(frame.to, ids.chain(frame.named.iter().map(|tip| tip.id)));
        self.touched.insert(id);
        let came_at = self.now;
        self.named.extend(frame.named.into_iter().map(|tip| Named { link: id, frame: number, tip, came_at }));
        self.inbox.extend(
            commits
                .into_iter()
                .map(|(commit, bytes)| Incoming { origin: Origin::Stream(id, number, bytes), commit }),
        );
    }

    pub(super) fn piece_came(&mut self, id: LinkId, piece: Piece) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.moved(self.now);
        let receive = &mut link.receive;
        let (partial, whole) = if piece.answer {
            (&mut receive.partial_answer, &mut receive.whole_answer)
        } else {
            (&mut receive.partial, &mut receive.whole)
        };
        partial.extend_from_slice(&piece.bytes);
        if partial.len() > limits::COMMIT_BYTES_MAX + limits::HEADER_BYTES_MAX {
            return self.close(id, CloseCode::TooLarge, "a commit over the limit");
        }
        if piece.last {
            whole.push(core::mem::take(partial));
        }
        if piece.answer {
            self.answer_grows(id, piece.bytes.len());
        } else if receive.spend(piece.bytes.len()).is_err() {
            self.close(id, CloseCode::Quota, "more was sent than was granted");
        } else {
            self.done_with(id, piece.bytes.len());
        }
    }

    /// An answer has credit of its own, and no more than that.
    pub(super) fn answer_grows(&mut self, id: LinkId, bytes: usize) {
        let most = limits::ANSWER_BYTES + (limits::COMMIT_BYTES_MAX + limits::FRAME_BYTES_MAX) as u64;
        let wanted = self.links.get_mut(&id).and_then(|link| link.wanted.as_mut());
        match wanted {
            Some(wanted) if wanted.bytes + bytes as u64 <= most => wanted.bytes += bytes as u64,
            Some(_) => self.close(id, CloseCode::Quota, "an answer over its limit"),
            None => self.close(id, CloseCode::OutOfOrder, "an answer that was not asked for"),
        }
    }

    pub(super) fn close_for(&mut self, id: LinkId, error: &CommitError) {
        let code = match error {
            CommitError::TooLarge(_) => CloseCode::TooLarge,
            _ => CloseCode::Malformed,
        };
        self.close(id, code, error.to_string());
    }

    pub(super) fn ack_came(&mut self, id: LinkId, ack: Ack) {
        let stored = self.stored.seq;
        let Some(link) = self.links.get_mut(&id) else { return };
        if ack.upto > stored {
            return self.close(id, CloseCode::OutOfOrder, "an acknowledgement of what was not sent");
        }
        link.moved(self.now);
        link.send.ack(ack.upto);
        link.send.stored_at(ack.at.seq);
        if ack.at.seq > link.send.seen.seq {
            link.send.seen = ack.at;
        }
        if ack.read && ack.at.seq > link.receive.read.seq && !link.receive.has_frames() {
            link.receive.read = ack.at;
        }
        self.note_peer(id);
        self.note_elsewhere(id);
        self.notices.push_back(Notice::LinkChanged);
    }

    /// Remembers where a link is, to be saved with the next write.
    pub(super) fn note_peer(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let Some(peer) = link.peer.as_ref().and_then(|peer| self.peers.get_mut(&peer.log)) else {
            return;
        };
        let before = (peer.cursor, peer.acked);
        peer.cursor.read = link.receive.read;
        if link.receive.read.seq > link.send.seen.seq {
            peer.cursor.seen = link.receive.read;
        } else {
            peer.cursor.seen = link.send.seen;
        }
        peer.acked = link.send.acked;
        if (peer.cursor, peer.acked) != before {
            self.dirty_peers.insert(peer.cursor.log);
        }
        let (region, log, acked) = (peer.region.clone(), peer.cursor.log, peer.acked);
        if !region.is_empty() && !self.is_relay() {
            self.note_region(region, log, acked);
        }
    }

    /// Remembers how much of this log a region has stored.
    pub(super) fn note_region(&mut self, region: String, log: LogId, acked: u64) {
        let known = self.regions.entry(region.clone()).or_insert(RegionRecord { log, acked: 0 });
        if known.log != log {
            // What its old log had stored is void.
            *known = RegionRecord { log, acked };
        } else if known.acked >= acked && acked > 0 {
            return;
        }
        known.acked = known.acked.max(acked);
        self.dirty_regions.insert(region);
    }

    /// Another region has stored so much of what the relay at the other end holds.
    fn stored_elsewhere(&mut self, id: LinkId, stored: Stored) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if self.regions.contains_key(&stored.region) {
            link.elsewhere.insert(stored.region.clone(), stored);
            self.note_elsewhere(id);
        }
    }

    /// Makes sense of what was said of other regions by where the relay has what it acknowledged.
    fn note_elsewhere(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let said =
            link.elsewhere.values().map(|said| (said.clone(), link.send.acked_by_holder_of(said.upto)));
        for (said, acked) in said.collect::<Vec<_>>() {
            // What is known from a while ago does not stand against what this replica has seen since.
            let known = self.regions.get(&said.region).map(|region| region.log);
            let is_new = known.is_none_or(|log| log == said.log || log == LogId([0; 16]));
            if said.is_linked || is_new {
                self.note_region(said.region, said.log, acked);
                self.notices.push_back(Notice::LinkChanged);
            } else {
                self.have_looked_up(id);
            }
        }
    }

    /// One of the two is mistaken about a region's log. The question makes the relay link to it.
    fn have_looked_up(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if !core::mem::replace(&mut link.has_asked, true) {
            self.ask_fresh(id);
        }
    }

    /// Both sides hold the same, and the other's log ends here.
    fn agreed(&mut self, id: LinkId, head: Position) {
        let is_settled = self.is_settled();
        let Some(link) = self.links.get_mut(&id) else { return };
        link.agreed = link.asked;
        if link.agreed && is_settled && head.seq >= link.receive.read.seq {
            link.receive.read = head;
            self.note_peer(id);
            self.save_peers_later();
            self.notices.push_back(Notice::Agreed(id));
            self.notices.push_back(Notice::LinkChanged);
        }
    }

    pub(super) fn take_peers(&mut self) -> WriteBatch {
        let mut batch = WriteBatch::default();
        for log in core::mem::take(&mut self.dirty_peers) {
            match self.peers.get(&log) {
                Some(peer) => batch.puts.push((records::peer_key(&log), to_cbor(peer))),
                None => batch.deletes.push(records::peer_key(&log)),
            }
        }
        for region in core::mem::take(&mut self.dirty_regions) {
            match self.regions.get(&region) {
                Some(record) => batch.puts.push((records::region_key(&region), to_cbor(record))),
                None => batch.deletes.push(records::region_key(&region)),
            }
        }
        if core::mem::take(&mut self.reconciled_more) {
            let reconciled = Reconciled { log: self.log.id(), with: self.reconciled.clone() };
            batch.puts.push((records::RECONCILED_KEY.to_vec(), to_cbor(&reconciled)));
        }
        batch
    }

    /// Tells those whose commits are in the log now.
    pub(super) fn acknowledge(&mut self) {
        let stored = self.stored;
        for id in core::mem::take(&mut self.touched) {
            let Some(link) = self.links.get_mut(&id) else { continue };
            let Some(to) = link.receive.advance() else { continue };
            if link.receive.read.seq > link.send.seen.seq {
                link.send.seen = link.receive.read;
            }
            let read = link.send.started && link.send.sent.seq == stored.seq;
            link.brought = stored.seq;
            self.bringers.insert(id);
            self.send(id, &Frame::Ack(Ack { upto: to.seq, at: stored, read }));
            self.note_peer(id);
            self.notices.push_back(Notice::LinkChanged);
        }
    }

    pub(super) fn quiet_came(&mut self, id: LinkId, quiet: Quiet) {
        let is_settled = self.is_settled();
        let Some(link) = self.links.get_mut(&id) else { return };
        if quiet.digest == self.log.vector().digest() {
            if is_settled && quiet.head.seq >= link.receive.read.seq && !link.receive.has_frames() {
                link.receive.read = quiet.head;
                self.note_peer(id);
            }
            if let Some(link) = self.links.get_mut(&id) {
                link.agreed = true;
            }
            self.notices.push_back(Notice::Agreed(id));
            let stored = self.stored;
            self.send(id, &Frame::Agree(stored));
            self.notices.push_back(Notice::LinkChanged);
        } else if is_settled && link.is_idle(self.stored) && quiet.read == self.stored.seq {
            // All was sent and read, and still they differ: compare what each holds.
            link.exchanging = true;
            self.send_vector(id, true);
        }
    }
}
