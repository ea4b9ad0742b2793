//! Answers to peers that ask for commits.

use minicbor::bytes::ByteVec;

use crate::base::id::LinkId;
use crate::holder::holder::Holder;
use crate::holder::pending::{AnswerJob, Pending, rows_of};
use crate::link::sending::Framing;
use crate::log::keys::rows_after;
use crate::storage::request::{Corrupt, StorageAnswer};
use crate::wire::bodies::{Answer, Want};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    pub(super) fn want_came(&mut self, id: LinkId, want: Want) {
        if want.ranges.len() > self.limits.want_ranges_max {
            return self.close(id, CloseCode::TooLarge, "too much was asked for at once");
        }
        self.answer_want(id, want);
    }

    pub(super) fn answer_want(&mut self, id: LinkId, want: Want) {
        match self.log.find(&want.ranges) {
            Err(reads) => {
                let read = reads.into_iter().next().expect("an error names what to read");
                self.intake.lookups += 1;
                self.request(Pending::FindFor(id, want), read);
            }
            Ok(left) => {
                let Want { nonce, ranges } = want;
                let job = AnswerJob { link: id, nonce, ranges, left: left.into(), bytes: 0, read_bytes: 0 };
                self.answer_on(job);
            }
        }
    }

    /// Reads the next commit of an answer, or ends it.
    fn answer_on(&mut self, job: AnswerJob) {
        let next = job.left.front().copied().filter(|_| job.bytes < self.limits.answer_bytes);
        match next {
            Some(seq) => {
                let request = rows_after(seq - 1, job.read_bytes);
                self.request(Pending::AnswerRead(job), request);
            }
            None => {
                let cut = !job.left.is_empty();
                let answer = Answer { nonce: job.nonce, records: Vec::new(), more: false, cut };
                self.send(job.link, &Frame::Answer(answer));
            }
        }
    }

    pub(super) fn answer_read(&mut self, mut job: AnswerJob, answer: StorageAnswer) -> Result<(), Corrupt> {
        let mut rows = rows_of(answer)?;
        if let Some(bytes) = rows.bytes_needed {
            job.read_bytes = bytes;
            self.answer_on(job);
            return Ok(());
        }
        job.read_bytes = 0;
        let mut frames = Vec::new();
        let mut records: Vec<ByteVec> = Vec::new();
        let mut bytes = 0;
        let framing = Framing { limits: &self.limits, marker: self.log.marker(), is_mesh: false };
        for entry in &mut rows.entries {
            if job.left.front() != Some(&entry.at.seq) {
                continue;
            }
            job.left.pop_front();
            self.log.justify(&mut entry.commit);
            let record = entry.commit.encode();
            job.bytes += record.len() as u64;
            if framing.fits(bytes, record.len()) {
                bytes += record.len() + 8;
                records.push(record.into());
            } else {
                frames.extend(part(&job, &mut records));
                bytes = 0;
                frames.extend(framing.pieces(&record, true));
                // The frame after its last piece says which answer it is of.
                let empty = Answer { nonce: job.nonce, records: Vec::new(), more: true, cut: false };
                frames.push(Frame::Answer(empty));
            }
        }
        if rows.entries.is_empty() {
            return Err(Corrupt("a commit of the index is not in the log".into()));
        }
        frames.extend(part(&job, &mut records));
        for frame in frames {
            self.send(job.link, &frame);
        }
        self.answer_on(job);
        Ok(())
    }
}

/// What was gathered so far of an answer of which more follows.
fn part(job: &AnswerJob, records: &mut Vec<ByteVec>) -> Option<Frame> {
    let records = core::mem::take(records);
    if records.is_empty() {
        return None;
    }
    Some(Frame::Answer(Answer { nonce: job.nonce, records, more: true, cut: false }))
}
