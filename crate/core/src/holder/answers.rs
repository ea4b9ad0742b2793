//! Answers to questions for missing causes.

use crate::base::id::LinkId;
use crate::base::limits;
use crate::commit::commit::Commit;
use crate::holder::holder::Holder;
use crate::holder::work::{AnswerJob, Incoming, Origin, Pending, rows_of};
use crate::link::link::{fits, pieces};
use crate::log::log;
use crate::log::log::Admission;
use crate::storage::request::Corrupt;
use crate::storage::request::StorageAnswer;
use crate::wire::bodies::{Answer, Want};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    pub(super) fn want_came(&mut self, id: LinkId, want: Want) {
        if want.ranges.len() > limits::WANT_MAX {
            return self.close(id, CloseCode::TooLarge, "too much was asked for at once");
        }
        self.answer_want(id, want);
    }

    pub(super) fn answer_want(&mut self, id: LinkId, want: Want) {
        match self.log.find(&want.ranges) {
            Err(reads) => {
                let read = reads.into_iter().next().expect("an error names what to read");
                self.lookups += 1;
                self.request(Pending::FindFor(id, want), read);
            }
            Ok(left) => {
                let job = AnswerJob { link: id, nonce: want.nonce, left, bytes: 0, read_bytes: 0 };
                self.answer_on(job);
            }
        }
    }

    /// Reads the next commit of an answer, or ends it.
    pub(super) fn answer_on(&mut self, job: AnswerJob) {
        let next = job.left.first().copied().filter(|_| job.bytes < limits::ANSWER_BYTES);
        match next {
            Some(seq) => {
                let request = log::rows_after(seq - 1, job.read_bytes);
                self.request(Pending::AnswerRead(job), request);
            }
            None => {
                let answer =
                    Answer { nonce: job.nonce, records: Vec::new(), more: false, cut: !job.left.is_empty() };
                self.send(job.link, &Frame::Answer(answer));
            }
        }
    }

    pub(super) fn answer_read(&mut self, mut job: AnswerJob, answer: StorageAnswer) -> Result<(), Corrupt> {
        let rows = rows_of(answer)?;
        if let Some(bytes) = rows.bytes_needed {
            job.read_bytes = bytes;
            self.answer_on(job);
            return Ok(());
        }
        job.read_bytes = 0;
        let mut records = Vec::new();
        let mut bytes = 0;
        let last = rows.entries.last().map_or(u64::MAX, |entry| entry.at.seq);
        for entry in rows.entries.iter().filter(|entry| job.left.contains(&entry.at.seq)) {
            let record = entry.commit.encode();
            job.bytes += record.len() as u64;
            if fits(bytes, record.len()) {
                bytes += record.len() + 8;
                records.push(record.into());
            } else {
                self.send_answer(&job, &mut records);
                bytes = 0;
                for piece in pieces(&record, true) {
                    self.send(job.link, &piece);
                }
            }
        }
        job.left.retain(|seq| *seq > last);
        self.send_answer(&job, &mut records);
        self.answer_on(job);
        Ok(())
    }

    pub(super) fn send_answer(&mut self, job: &AnswerJob, records: &mut Vec<minicbor::bytes::ByteVec>) {
        if !records.is_empty() {
            let records = core::mem::take(records);
            let answer = Answer { nonce: job.nonce, records, more: true, cut: false };
            self.send(job.link, &Frame::Answer(answer));
        }
    }

    pub(super) fn answer_came(&mut self, id: LinkId, answer: Answer) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.moved(self.now);
        if !link.may_write() {
            return self.close(id, CloseCode::Denied, "this token does not allow writing");
        }
        let Some(wanted) = link.wanted.as_mut().filter(|wanted| wanted.nonce == answer.nonce) else {
            return self.close(id, CloseCode::OutOfOrder, "an answer that was not asked for");
        };
        wanted.useful |= answer.cut;
        wanted.answered = !answer.more;
        let large = core::mem::take(&mut link.receive.whole_answer);
        let small = answer.records.iter().map(|record| record.as_slice());
        let commits: Result<Vec<_>, _> =
            large.iter().map(Vec::as_slice).chain(small.clone()).map(Commit::decode).collect();
        let commits = match commits {
            Ok(commits) => commits,
            Err(error) => return self.close_for(id, &error),
        };
        wanted.useful |= commits.iter().any(|commit| self.log.admit(commit) != Admission::Held);
        self.answer_grows(id, small.map(<[u8]>::len).sum());
        // Before what waits in the inbox: much of that may be waiting for these.
        for commit in commits.into_iter().rev() {
            self.inbox.push_front(Incoming { origin: Origin::Answer(id), commit });
        }
    }
}
