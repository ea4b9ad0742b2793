//! What comes in on links that are up.

use super::{Holder, Incoming, Notice, Origin};
use crate::commit::{Commit, CommitError, to_cbor};
use crate::frame::{Ack, CloseCode, Commits, Frame, Head, Piece, Quiet};
use crate::io::{Effect, LinkId, WriteBatch};
use crate::limits;
use crate::log::{self};

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
            Frame::Agree => link.agreed = link.asked,
            Frame::Want(want) => self.want_came(id, want),
            Frame::Answer(answer) => self.answer_came(id, answer),
            Frame::Head(Head { nonce, at: None }) => {
                let at = Some(self.stored);
                self.send(id, &Frame::Head(Head { nonce, at }));
            }
            Frame::Head(Head { nonce, at: Some(at) }) => {
                self.notices.push_back(Notice::HeadOf(id, nonce, at));
            }
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
        if link.receive.spend(commits.iter().map(|(_, bytes)| bytes).sum()).is_err() {
            return self.close(id, CloseCode::Quota, "more was sent than was granted");
        }
        let number = link.receive.frame(frame.to, commits.iter().map(|(commit, _)| commit.id()));
        self.touched.insert(id);
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
        if ack.at.seq > link.send.seen.seq {
            link.send.seen = ack.at;
        }
        if ack.read && ack.at.seq > link.receive.read.seq && !link.receive.has_frames() {
            link.receive.read = ack.at;
        }
        self.note_peer(id);
        self.notices.push_back(Notice::LinkChanged);
    }

    /// Remembers where a link is, to be saved with the next write.
    pub(super) fn note_peer(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let Some(peer) = link.peer.as_ref().and_then(|peer| self.peers.get_mut(&peer.log)) else {
            return;
        };
        peer.cursor.read = link.receive.read;
        if link.receive.read.seq > link.send.seen.seq {
            peer.cursor.seen = link.receive.read;
        } else {
            peer.cursor.seen = link.send.seen;
        }
        peer.acked = link.send.acked;
        self.dirty_peers.insert(peer.cursor.log);
    }

    pub(super) fn take_peers(&mut self) -> WriteBatch {
        let mut batch = WriteBatch::default();
        for log in core::mem::take(&mut self.dirty_peers) {
            match self.peers.get(&log) {
                Some(peer) => batch.puts.push((log::peer_key(&log), to_cbor(peer))),
                None => batch.deletes.push(log::peer_key(&log)),
            }
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
            self.send(id, &Frame::Ack(Ack { upto: to.seq, at: stored, read }));
            self.note_peer(id);
            self.notices.push_back(Notice::LinkChanged);
        }
    }

    pub(super) fn quiet_came(&mut self, id: LinkId, quiet: Quiet) {
        let is_settled = self.is_settled();
        let Some(link) = self.links.get_mut(&id) else { return };
        if quiet.digest == self.log.vector().digest() {
            self.send(id, &Frame::Agree);
        } else if is_settled && link.is_idle(self.stored) && quiet.read == self.stored.seq {
            // All was sent and read, and still they differ: compare what each holds.
            link.exchanging = true;
            self.send_vector(id, true);
        }
    }
}
