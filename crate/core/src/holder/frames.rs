//! What comes in on links that are up.

use crate::base::id::LinkId;
use crate::base::id_map::IdMap;
use crate::base::limits::{COMMIT_COST_BYTES, Limits, NAMED_COST_BYTES};
use crate::base::mutation::Mutation;
use crate::base::pace::Rate;
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::error::CommitError;
use crate::holder::gate::Account;
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::notice::Notice;
use crate::holder::pending::{Brought, Incoming, Named, Origin};
use crate::link::link::Link;
use crate::link::receiving::PieceFault;
use crate::link::session::Session;
use crate::wire::batch::record::Record;
use crate::wire::bodies::{Commits, Fresh, Head, Piece};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    pub(super) fn frame(&mut self, id: LinkId, frame: Frame) {
        match frame {
            Frame::Hello(hello) => return self.hello_came(id, hello),
            Frame::Bye(bye) => {
                let is_peer = self.links.get(id).is_some_and(Link::is_peer);
                if bye.code == CloseCode::Incompatible as u16 && !is_peer {
                    self.notices.push_back(Notice::Incompatible(bye.descriptor));
                }
                self.effects.push_back(Effect::Close(id, 1000, String::new()));
                return self.gone(id, Some((bye.code, bye.reason)));
            }
            _ => {}
        }
        // The answer to how much was read: there are no more of these than questions.
        if let Frame::Head(Head { nonce, at: Some(_) }) = frame
            && self.links.unread_mut(id).is_some_and(|unread| unread.answered(nonce, &self.limits))
        {
            self.presence_link_has_read(id);
            return self.feed(id);
        }
        if is_paid(&frame) {
            // Whoever sends it may ask whether it was read.
            if let Some(link) = self.links.get_mut(id) {
                link.frames.refund(1, frames_rate(&self.limits));
            }
        } else if !self.pay_for_frame(id) {
            return self.close(id, CloseCode::Flow, "too many frames");
        }
        if frame == Frame::Unknown {
            return;
        }
        let Some(session) = self.links.session_mut(id) else {
            return self.close(id, CloseCode::OutOfOrder, "a frame before the greeting");
        };
        if session.is_peer() && is_of_relays(&frame) {
            return self.close(id, CloseCode::OutOfOrder, "a frame that no replica sends another");
        }
        match frame {
            Frame::Commits(commits) => self.commits_came(id, commits),
            Frame::Piece(piece) => self.piece_came(id, piece),
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
            Frame::Announce(announce) => self.announce_came(id, announce),
            Frame::Introduction(introduction) => self.introduction_came(id, introduction),
            Frame::Signal(signal) => self.signal_came(id, signal),
            Frame::Naming(names) => self.naming_came(id, names),
            Frame::Present(present) => self.present_came(id, present),
            Frame::Inquiry(inquiry) => self.inquiry_came(id, inquiry),
            Frame::Receipt(receipt) => self.receipt_came(id, receipt),
            Frame::Hello(_) | Frame::Bye(_) | Frame::Unknown => {}
        }
    }

    fn commits_came(&mut self, id: LinkId, frame: Commits) {
        let Some(session) = self.links.session_mut(id) else { return };
        session.moved(self.now);
        if !session.is_kept() && !frame.named.is_empty() {
            return self.close(id, CloseCode::OutOfOrder, "a client may not leave commits to others to send");
        }
        // Credit for the bytes of a commit in pieces was spent piece by piece.
        let whole = session.receive.stream.take();
        let brings_commits = !frame.records.is_empty() || !frame.named.is_empty() || !whole.is_empty();
        let may_write = session.may_write() || self.limits.is_mutated(Mutation::ReadersWrite);
        if brings_commits && !may_write {
            return self.close(id, CloseCode::Denied, "this token does not allow writing");
        }
        let spent = (whole.len() + frame.records.len()) * COMMIT_COST_BYTES
            + frame.named.len() * NAMED_COST_BYTES
            + frame.records.iter().map(Record::encoded_len).sum::<usize>();
        if session.receive.spend(spent, &self.limits).is_err() {
            return self.close(id, CloseCode::Flow, "more was sent than was granted");
        }
        let mut commits = Vec::with_capacity(whole.len() + frame.records.len());
        for record in whole.into_iter().map(Record::from).chain(frame.records) {
            let bytes = record.encoded_len() + COMMIT_COST_BYTES;
            match record.open(&self.limits) {
                Ok(commit) => commits.push((commit, bytes)),
                Err(error) => return self.close_for(id, &error),
            }
        }
        if self.role.is_relay()
            && self.limits.is_mutated(Mutation::JudgeBytes)
            && !commits.iter().all(|(commit, _)| is_readable(commit))
        {
            return self.close(id, CloseCode::Malformed, "an item that is no change");
        }
        for (commit, _) in &commits {
            self.note_deletes_owed(id, commit);
        }
        let Some(session) = self.links.session_mut(id) else { return };
        if let Some(wanted) = &mut session.wanted {
            commits.iter().for_each(|(commit, _)| wanted.came(commit));
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
            .map(|(origin, commit)| Incoming::new(vec![origin], commit));
        self.intake.inbox.extend(incoming);
    }

    fn piece_came(&mut self, id: LinkId, piece: Piece) {
        let now = self.now;
        let Some(session) = self.links.session_mut(id) else { return };
        session.moved(now);
        if !session.may_write() && !self.limits.is_mutated(Mutation::ReadersWrite) {
            return self.close(id, CloseCode::Denied, "this token does not allow writing");
        }
        let receive = &mut session.receive;
        let count = piece.bytes.len();
        // It has come, whether it is taken or not.
        let spent = if piece.answer { Ok(()) } else { receive.spend(count, &self.limits) };
        let pieces = if piece.answer { &mut receive.answer } else { &mut receive.stream };
        match pieces.push(piece.bytes.into(), piece.last, now, &self.limits) {
            Ok(()) => {}
            Err(PieceFault::Small) => {
                return self.close(id, CloseCode::Malformed, "a piece smaller than pieces are");
            }
            Err(PieceFault::Large) => {
                return self.close(id, CloseCode::TooLarge, "a commit over the limit");
            }
        }
        if piece.answer {
            self.answer_grows(id, count);
        } else if spent.is_err() {
            self.close(id, CloseCode::Flow, "more was sent than was granted");
        }
        self.bound_pieces();
    }

    /// Commits that have not come whole are bounded over all links: of whoever has begun most, the link
    /// that was silent longest has to begin again.
    fn bound_pieces(&mut self) {
        let pieces = |session: &Session| session.receive.stream.bytes() + session.receive.answer.bytes();
        let mut all = 0;
        for (_, session) in self.links.sessions() {
            all += pieces(session);
        }
        if all <= self.limits.pieces_bytes_max {
            return;
        }
        let account =
            |session: &Session| Account::of(session.grant().map_or("", |grant| grant.subject.as_str()));
        let mut by_account = IdMap::<Account, usize>::new();
        for (_, session) in self.links.sessions().filter(|(_, session)| !session.is_mesh) {
            *by_account.get_or_default(account(session)) += pieces(session);
        }
        let most = by_account.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(account, _)| account);
        let theirs = self
            .links
            .sessions()
            .filter(|(_, session)| !session.is_mesh && pieces(session) > 0 && most == Some(account(session)));
        let oldest = theirs
            .min_by_key(|(_, session)| session.receive.stream.came_at.max(session.receive.answer.came_at));
        if let Some(id) = oldest.map(|(id, _)| id) {
            self.close(id, CloseCode::GoingAway, "too many commits come in pieces; connect again");
        }
    }

    /// Frames that nothing else bounds have a rate, from whoever came in and from other replicas.
    fn pay_for_frame(&mut self, id: LinkId) -> bool {
        let (rate, now) = (frames_rate(&self.limits), self.now);
        let Some(link) = self.links.get_mut(id) else { return true };
        let is_mesh = link.session().is_some_and(|session| session.is_mesh);
        if !link.is_peer() && (link.is_dialer() || is_mesh) {
            return true;
        }
        link.frames.spend(1, rate, now);
        link.frames.free_at(rate) <= now
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

/// How fast frames may come that nothing else bounds.
pub(super) fn frames_rate(limits: &Limits) -> Rate {
    Rate { per_second: limits.frames_per_second, burst: limits.frames_burst }
}

/// Whether only a relay, or a relay's client, has such a thing to say: of regions, of tokens, of meetings.
fn is_of_relays(frame: &Frame) -> bool {
    let is_of_regions = matches!(frame, Frame::Stored(_) | Frame::Fresh(_));
    let is_of_tokens = matches!(frame, Frame::Token(_) | Frame::Terms(_));
    let is_of_meetings = matches!(frame, Frame::Announce(_) | Frame::Introduction(_) | Frame::Signal(_));
    is_of_regions || is_of_tokens || is_of_meetings
}

/// Whether something else bounds such frames: credit, or what was asked for.
fn is_paid(frame: &Frame) -> bool {
    match frame {
        Frame::Commits(commits) => !commits.records.is_empty() || !commits.named.is_empty(),
        Frame::Vector(part) => !part.tips.is_empty() || !part.hole_tips.is_empty(),
        Frame::Answer(answer) => !answer.records.is_empty(),
        Frame::Piece(_) => true,
        _ => false,
    }
}
