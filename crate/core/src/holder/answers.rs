//! Answers to peers that ask for commits.

use crate::base::id::LinkId;
use crate::holder::holder::Holder;
use crate::holder::pending::{Pending, rows_of};
use crate::link::sending::{Begun, Framing, Naming};
use crate::link::session::Answering;
use crate::log::finding::Finding;
use crate::log::keys::rows_after;
use crate::storage::request::{Corrupt, StorageAnswer, StorageRequest};
use crate::wire::batch::RECORD_HEAD_BYTES;
use crate::wire::batch::record::Record;
use crate::wire::bodies::{Answer, Want};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

/// An answer takes so many times the bytes that it may have to be read, where what was asked for is
/// scattered over the log; then it is cut.
const READ_FACTOR: u64 = 8;

impl Holder {
    pub(super) fn want_came(&mut self, id: LinkId, want: Want) {
        if want.ranges.len() > self.limits.want_ranges_max {
            return self.close(id, CloseCode::TooLarge, "too much was asked for at once");
        }
        let (vector, most) = (self.log.vector(), self.limits.waiting_commits_max);
        let Some(session) = self.links.session_mut(id) else { return };
        if session.answering.is_some() {
            return self.close(id, CloseCode::Flow, "a question before the last one was answered");
        }
        session.answering = Some(Answering {
            nonce: want.nonce,
            finding: Finding::new(&want.ranges, vector, most),
            ranges: want.ranges,
            left: None,
            bytes: 0,
            read: 0,
            read_bytes: 0,
            begun: None,
        });
        self.feed(id);
    }

    /// Looks up or reads what an answer needs next, or ends it.
    pub(super) fn answer_on(&mut self, id: LinkId) {
        let (stored, limits) = (self.stored.seq, self.limits.clone());
        let Some(answering) = self.links.session_mut(id).and_then(|session| session.answering.as_mut())
        else {
            return;
        };
        let left = match &mut answering.left {
            Some(left) => left,
            None => {
                if let Some(read) = answering.finding.go_on() {
                    return self.read_for(id, Pending::FindFor(id), read);
                }
                let mut found = answering.finding.found();
                found.retain(|seq| *seq <= stored);
                answering.left.insert(found)
            }
        };
        let is_full = answering.bytes >= limits.answer_bytes
            || (answering.bytes > 0 && answering.read >= READ_FACTOR * limits.answer_bytes);
        match left.front().filter(|_| !is_full || answering.begun.is_some()) {
            Some(seq) => {
                // What is asked for mostly follows one another, in rows that may be small.
                let (seq, read_bytes) = (*seq, answering.read_bytes.max(limits.row_bytes));
                self.read_for(id, Pending::AnswerRead(id, seq), rows_after(seq - 1, read_bytes));
            }
            None => {
                let cut = !left.is_empty() || answering.finding.is_cut;
                let answer = Answer { nonce: answering.nonce, records: Vec::new(), more: false, cut };
                if let Some(session) = self.links.session_mut(id) {
                    session.answering = None;
                }
                self.send(id, &Frame::Answer(answer));
            }
        }
    }

    /// The log was read again, and what was found may be elsewhere now.
    pub(super) fn answer_anew(&mut self) {
        let (vector, most) = (self.log.vector(), self.limits.waiting_commits_max);
        let (mut torn, mut answering) = (Vec::new(), Vec::new());
        for (id, session) in self.links.sessions_mut() {
            let Some(job) = &mut session.answering else { continue };
            job.finding = Finding::new(&job.ranges, vector, most);
            job.left = None;
            if job.begun.is_some() { torn.push(id) } else { answering.push(id) }
        }
        for id in torn {
            self.close(id, CloseCode::GoingAway, "a commit may have changed while it was being sent");
        }
        for id in answering {
            self.feed(id);
        }
    }

    /// Where some of what is asked for lies has been read.
    pub(super) fn found_for(
        &mut self,
        id: LinkId,
        request: &StorageRequest,
        answer: StorageAnswer,
    ) -> Result<(), Corrupt> {
        self.charge_read(id, &answer);
        let Some(session) = self.links.session_mut(id) else { return Ok(()) };
        session.send.reading = false;
        if let Some(answering) = &mut session.answering {
            answering.finding.learn(request, answer)?;
        }
        self.feed(id);
        Ok(())
    }

    pub(super) fn answer_read(&mut self, id: LinkId, seq: u64, answer: StorageAnswer) -> Result<(), Corrupt> {
        self.charge_read(id, &answer);
        let Some(session) = self.links.session_mut(id) else { return Ok(()) };
        session.send.reading = false;
        let room = session.unread.room(&self.limits);
        let Some(answering) = &mut session.answering else { return Ok(()) };
        if let StorageAnswer::Scanned { entries, .. } = &answer {
            answering.read += entries.iter().map(|(_, value)| value.len() as u64).sum::<u64>();
        }
        let mut rows = rows_of(answer)?;
        self.turns.spend_commits(rows.entries.len());
        if let Some(bytes) = rows.bytes_needed {
            answering.read_bytes = bytes;
            self.read_for(id, Pending::AnswerRead(id, seq), rows_after(seq - 1, bytes));
            return Ok(());
        }
        if rows.entries.is_empty() {
            return Err(Corrupt("a commit of the index is not in the log".into()));
        }
        answering.read_bytes = 0;
        let Some(left) = &mut answering.left else { return Ok(()) };
        let (limits, marker) = (&self.limits, self.log.marker());
        let framing = Framing { limits, marker, naming: Naming::Nothing, room };
        let (mut frames, mut records): (Vec<Frame>, Vec<Record>) = (Vec::new(), Vec::new());
        let (mut bytes, mut used, mut is_torn) = (0, 0, false);
        let part = |records: Vec<Record>| {
            Frame::Answer(Answer { nonce: answering.nonce, records, more: true, cut: false })
        };
        for entry in &mut rows.entries {
            if left.front() != Some(&entry.at.seq) {
                continue;
            }
            // A row may hold more than an answer may (seed 720370).
            let is_full = answering.bytes + used as u64 >= limits.answer_bytes && answering.begun.is_none();
            if used >= room || is_full {
                break;
            }
            self.log.justify_by(&mut entry.commit, self.stored.seq);
            let len = entry.commit.encoded_len();
            let begun = answering.begun.take();
            is_torn = begun.is_some_and(|begun| begun.of != len);
            if is_torn {
                break;
            }
            let is_large = !framing.fits(0, len);
            if !records.is_empty() && (is_large || !framing.fits(bytes, len)) {
                frames.push(part(core::mem::take(&mut records)));
                bytes = 0;
            }
            if is_large {
                let from = begun.map_or(0, |begun| begun.bytes);
                let left_room = Framing { room: room - used, ..framing };
                let (pieces, end) = left_room.pieces(&entry.commit.encode(), from, true);
                frames.extend(pieces);
                used += end - from;
                if end < len {
                    answering.begun = Some(Begun { seq: entry.at.seq, bytes: end, of: len });
                    break;
                }
                // The frame after its last piece says which answer it is of.
                frames.push(part(Vec::new()));
            } else {
                bytes += len + RECORD_HEAD_BYTES;
                used += len + RECORD_HEAD_BYTES;
                records.push(entry.commit.clone().into());
            }
            left.pop_front();
        }
        if !records.is_empty() {
            frames.push(part(records));
        }
        answering.bytes += used as u64;
        for frame in frames {
            self.send(id, &frame);
        }
        if is_torn {
            self.close(id, CloseCode::GoingAway, "a commit changed while it was being sent");
        }
        self.feed(id);
        Ok(())
    }
}
