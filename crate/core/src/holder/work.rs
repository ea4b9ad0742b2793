//! Whose turn it is: what is done for links is paid for by them, and no link, and not all of them
//! together, holds up what else comes in.
//!
//! One thing is done for a link at a time: an answer, its part of a vector, or what follows in the log.
//! Each read is charged to the link and to its subject when it has come; whoever has used up its share
//! waits for its time. After so many bytes for all links, other inputs have their turn.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::id::LinkId;
use crate::base::pace::Pace;
use crate::base::rng::Rng;
use crate::holder::frames::frames_rate;
use crate::holder::holder::{Holder, LogState};
use crate::holder::io::Effect;
use crate::holder::pending::Pending;
use crate::link::unread::Unread;
use crate::log::keys::rows_after;
use crate::storage::request::{StorageAnswer, StorageRequest};
use crate::wire::bodies::Head;
use crate::wire::frame::Frame;

/// What a read costs at least: it takes its time even where it finds nothing.
pub(super) const READ_BYTES_MIN: u64 = 4096;

/// What is to be done for a link next.
enum Work {
    Answer,
    Vector,
    /// To read the log from this commit on.
    Read(u64),
}

impl Holder {
    /// Does what a link waits for, as far as it may be done now: storage is read, one thing at a time.
    pub(super) fn feed(&mut self, id: LinkId) {
        loop {
            let is_open = self.state == LogState::Open;
            let Some(session) = self.links.session_mut(id) else { return };
            if session.send.reading || session.unread.room(&self.limits) == 0 {
                return;
            }
            let work = if session.answering.is_some() && is_open {
                Work::Answer
            } else if session.telling.is_some() && is_open {
                Work::Vector
            } else if let Some(seq) = session.send.next_read(self.stored.seq) {
                Work::Read(seq)
            } else {
                return;
            };
            if !self.is_turn_of(id) {
                return;
            }
            match work {
                Work::Answer => self.answer_on(id),
                Work::Vector => self.tell_vector(id),
                Work::Read(seq) => {
                    let request = rows_after(seq - 1, self.limits.read_bytes);
                    self.read_for(id, Pending::Feed(id, seq), request);
                }
            }
        }
    }

    /// Reads storage for a link.
    pub(super) fn read_for(&mut self, id: LinkId, pending: Pending, request: StorageRequest) {
        if let Some(session) = self.links.session_mut(id) {
            session.send.reading = true;
            self.request(pending, request);
        }
    }

    fn is_turn_of(&mut self, id: LinkId) -> bool {
        let now = self.now;
        let Some(session) = self.links.session_mut(id) else { return false };
        session.work_at = None;
        if let Some(grant) = session.grant().filter(|_| !session.is_mesh) {
            let at = self.gate.reads_free_at(&grant.subject, &session.work);
            if at > now {
                session.work_at = Some(at);
                return false;
            }
        }
        self.turns.is_free(id, now, &self.limits)
    }

    /// Those that waited for others have their turn.
    pub(super) fn take_turns(&mut self) {
        if self.turns.next().is_some_and(|at| at <= self.now) {
            for id in self.turns.take() {
                self.feed(id);
            }
        }
    }

    /// What storage was made to read for a link.
    pub(super) fn charge_read(&mut self, id: LinkId, answer: &StorageAnswer) {
        self.charge_work(id, bytes_of(answer));
    }

    /// What storage was made to read for a link that has not come up: its subject pays.
    pub(super) fn charge_comer(&mut self, id: LinkId, answer: &StorageAnswer) {
        let bytes = bytes_of(answer).max(READ_BYTES_MIN);
        self.turns.spend(bytes as usize);
        if let Some(grant) = self.links.get(id).and_then(|link| link.grant()) {
            self.gate.charge_reads(&grant.subject, &mut Pace::default(), bytes, self.now);
        }
    }

    /// What was done for a link, in bytes.
    pub(super) fn charge_work(&mut self, id: LinkId, bytes: u64) {
        let bytes = bytes.max(READ_BYTES_MIN);
        self.turns.spend(bytes as usize);
        let now = self.now;
        let Some(session) = self.links.session_mut(id).filter(|session| !session.is_mesh) else { return };
        let Some(subject) = session.grant().map(|grant| grant.subject.clone()) else { return };
        self.gate.charge_reads(&subject, &mut session.work, bytes, now);
    }

    /// Sends a frame, and asks now and then how far the other side has read.
    pub fn send(&mut self, id: LinkId, frame: &Frame) {
        let stream = self.links.session_mut(id).filter(|_| matches!(frame, Frame::Commits(_)));
        let bytes = match stream {
            Some(session) => frame.encode_next(&mut session.send.last),
            None => frame.encode(),
        };
        self.send_encoded(id, bytes.into());
        if matches!(frame, Frame::Commits(_)) {
            self.links.allow_frame(id, frames_rate(&self.limits));
        }
    }

    /// Sends a frame that may have been encoded for several links.
    pub(super) fn send_encoded(&mut self, id: LinkId, frame: Arc<[u8]>) {
        let count = frame.len();
        self.effects.push_back(Effect::Send(id, frame));
        let Some(unread) = self.links.unread_mut(id) else { return };
        if unread.sent(count, &self.limits) {
            ask_what_was_read(id, unread, &mut self.rng, &mut self.effects);
        }
        if unread.is_over(&self.limits) {
            self.overfull.insert(id);
        }
    }
}

fn bytes_of(answer: &StorageAnswer) -> u64 {
    let bytes: usize = match answer {
        StorageAnswer::Scanned { entries, .. } => entries.iter().map(|(_, value)| value.len()).sum(),
        StorageAnswer::Values(values) => values.iter().flatten().map(Vec::len).sum(),
        _ => 0,
    };
    bytes as u64
}

/// Asks the other side how far it has read.
pub(super) fn ask_what_was_read(
    id: LinkId,
    unread: &mut Unread,
    rng: &mut Rng,
    effects: &mut VecDeque<Effect>,
) {
    // Only whoever has read so far knows the number.
    let nonce = rng.below(u64::MAX);
    unread.asked(nonce);
    effects.push_back(Effect::Send(id, Frame::Head(Head { nonce, at: None }).encode().into()));
}
