//! What comes in on links that are up.

use crate::base::id::LinkId;
use crate::base::limits::{COMMIT_COST_BYTES, NAMED_COST_BYTES};
use crate::base::mutation::Mutation;
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::error::CommitError;
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::notice::Notice;
use crate::holder::pending::{Brought, Incoming, Named, Origin};
use crate::wire::bodies::{Commits, Fresh, Head, Piece};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    pub(super) fn frame(&mut self, id: LinkId, frame: Frame) {
        match frame {
            Frame::Hello(hello) => return self.hello_came(id, hello),
            Frame::Bye(bye) => {
                if bye.code == CloseCode::Incompatible as u16 {
                    self.notices.push_back(Notice::Incompatible(bye.descriptor));
                }
                self.effects.push_back(Effect::Close(id, 1000, String::new()));
                return self.gone(id, Some((bye.code, bye.reason)));
            }
            Frame::Unknown => return,
            _ => {}
        }
        let Some(session) = self.links.session_mut(id) else {
            return self.close(id, CloseCode::OutOfOrder, "a frame before the greeting");
        };
        match frame {
            Frame::Commits(commits) => self.commits_came(id, commits),
            Frame::Piece(piece) => self.piece_came(id, &piece),
            Frame::Ack(ack) => self.ack_came(id, ack),
            Frame::Credit(bytes) => {
                session.send.grant(bytes, &self.limits);
                self.feed(id);
            }
            Frame::Vector(part) => self.vector_came(id, part),
            Frame::Quiet(quiet) => self.quiet_came(id, quiet),
            Frame::Agree(head) => self.agree_came(id, head),
            Frame::Want(want) => self.want_came(id, want),
            Frame::Answer(answer) => self.answer_came(id, answer),
            Frame::Head(Head { nonce, at: None }) => {
                let at = Some(self.log.mark(self.stored));
                self.send(id, &Frame::Head(Head { nonce, at }));
            }
            Frame::Head(Head { nonce, at: Some(at) }) => {
                session.their_head = session.their_head.max(at.seq);
                self.notices.push_back(Notice::HeadOf(id, nonce, at.seq));
            }
            Frame::Stored(stored) => self.notices.push_back(Notice::StoredElsewhere(id, stored)),
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

    fn commits_came(&mut self, id: LinkId, frame: Commits) {
        let Some(session) = self.links.session_mut(id) else { return };
        session.moved(self.now);
        if !session.is_mesh && !frame.named.is_empty() {
            return self.close(id, CloseCode::OutOfOrder, "only a relay may leave commits to others to send");
        }
        // Credit for the bytes of a commit in pieces was spent piece by piece.
        let whole = session.receive.stream.take();
        let brings_commits = !frame.records.is_empty() || !whole.is_empty();
        let may_write = session.may_write() || self.limits.is_mutated(Mutation::ReadersWrite);
        if brings_commits && !may_write {
            return self.close(id, CloseCode::Denied, "this token does not allow writing");
        }
        let records = frame.records.iter().map(|record| record.as_slice());
        let spent = (whole.len() + frame.records.len()) * COMMIT_COST_BYTES
            + frame.named.len() * NAMED_COST_BYTES
            + frame.records.iter().map(|record| record.len()).sum::<usize>();
        if session.receive.spend(spent, &self.limits).is_err() {
            return self.close(id, CloseCode::Flow, "more was sent than was granted");
        }
        let mut commits = Vec::with_capacity(whole.len() + frame.records.len());
        for record in whole.iter().map(Vec::as_slice).chain(records) {
            match Commit::decode(record, &self.limits) {
                Ok(commit) => commits.push((commit, record.len() + COMMIT_COST_BYTES)),
                Err(error) => return self.close_for(id, &error),
            }
        }
        if self.role.is_relay()
            && self.limits.is_mutated(Mutation::JudgeBytes)
            && !commits.iter().all(|(commit, _)| is_readable(commit))
        {
            return self.close(id, CloseCode::Malformed, "an item that is no change");
        }
        let ids = commits.iter().map(|(commit, _)| commit.id());
        let number = session.receive.frame(frame.to, ids.chain(frame.named.iter().map(|tip| tip.id)));
        if let Some(to) = frame.to {
            session.their_head = session.their_head.max(to.seq);
        }
        self.touched.insert(id);
        let came_at = self.now;
        let named = frame.named.into_iter().map(|tip| Named { link: id, frame: number, tip, came_at });
        self.intake.named.extend(named);
        let incoming = commits
            .into_iter()
            .map(|(commit, bytes)| (Origin::Stream(id, number, bytes, Brought::of(&commit)), commit))
            .map(|(origin, commit)| Incoming { origins: vec![origin], commit });
        self.intake.inbox.extend(incoming);
    }

    fn piece_came(&mut self, id: LinkId, piece: &Piece) {
        let now = self.now;
        let Some(session) = self.links.session_mut(id) else { return };
        session.moved(now);
        if !session.may_write() && !self.limits.is_mutated(Mutation::ReadersWrite) {
            return self.close(id, CloseCode::Denied, "this token does not allow writing");
        }
        let receive = &mut session.receive;
        let pieces = if piece.answer { &mut receive.answer } else { &mut receive.stream };
        if pieces.push(&piece.bytes, piece.last, now, &self.limits).is_err() {
            return self.close(id, CloseCode::TooLarge, "a commit over the limit");
        }
        if piece.answer {
            self.answer_grows(id, piece.bytes.len());
        } else if receive.spend(piece.bytes.len(), &self.limits).is_err() {
            self.close(id, CloseCode::Flow, "more was sent than was granted");
        }
    }

    pub(super) fn close_for(&mut self, id: LinkId, error: &CommitError) {
        let code = match error {
            CommitError::TooLarge(_) => CloseCode::TooLarge,
            CommitError::LaterFormat(_) => CloseCode::Incompatible,
            CommitError::Malformed(_) | CommitError::ItemMismatch => CloseCode::Malformed,
        };
        self.close(id, code, error.to_string());
    }
}

/// See [`Mutation::JudgeBytes`].
fn is_readable(commit: &Commit) -> bool {
    let is_change = |bytes: &Vec<u8>| bytes.is_empty() || bytes.starts_with(&[0x85, 0x6f, 0x4a, 0x83]);
    commit.items().all(|(_, bytes)| !matches!(bytes, ItemBytes::Present(bytes) if !is_change(bytes)))
}
