//! The bytes of deleted documents are taken out of the log's rows when nothing else is to be done.
//!
//! A pass over the log does it for everything that was deleted before the pass began, in steps of one
//! read, with a pause after each. An index from documents to positions would find the rows sooner and
//! cost a row written for each commit, which is what Durable Objects bill; reads cost next to nothing.
//! How far a pass has come is stored with what it edits, so a restart goes on there.

use crate::holder::holder::Holder;
use crate::holder::pending::{Pending, unexpected};
use crate::log::deleted::Scrubbing;
use crate::log::keys::rows_after;
use crate::log::rows::{bytes_needed, edit_rows};
use crate::storage::request::{Corrupt, StorageAnswer, WriteBatch};

/// After so many steps without an edit how far a pass has come is stored all the same.
const STEPS_STORED: u32 = 64;

impl Holder {
    /// Whether there is something to scrub.
    pub(super) fn is_scrub_due(&self) -> bool {
        self.log.deleted().has_unscrubbed() && !self.disk_failed() && self.is_open()
    }

    /// Makes the next step where it is time to.
    pub(super) fn scrub(&mut self) {
        let is_time = self.scrub_pace.due().is_some_and(|at| at <= self.now);
        if !is_time || !self.is_scrub_due() {
            return;
        }
        let mut pass = self.log.deleted().scrubbing();
        if pass.until == 0 {
            pass.until = self.stored.seq;
            self.log.deleted_mut().set_scrubbing(pass);
        }
        self.scrub_pace.begin_step(self.now);
        self.request(Pending::Scrub(pass), rows_after(pass.at, self.limits.read_bytes));
    }

    pub(super) fn scrub_read(&mut self, pass: Scrubbing, answer: StorageAnswer) -> Result<(), Corrupt> {
        // Where storage fails, the log is read anew, or a row is being filled, the step is made again.
        let is_in_the_way = self.scrub_pace.is_stale || self.intake.lookups > 0 || self.writing > 0;
        if matches!(answer, StorageAnswer::Failed(_)) || is_in_the_way || !self.is_scrub_due() {
            self.scrub_pace.end_step(self.now);
            return Ok(());
        }
        let StorageAnswer::Scanned { entries, more } = answer else { return Err(unexpected(&answer)) };
        let edits = edit_rows(&entries, &self.limits, |entry| self.log.justify(&mut entry.commit))?;
        if let (None, Some(bytes)) = (edits.last, bytes_needed(&entries)?) {
            self.request(Pending::Scrub(pass), rows_after(pass.at, bytes));
            return Ok(());
        }
        let at = edits.last.unwrap_or(pass.until);
        let is_end = at >= pass.until || !more;
        let next =
            if is_end { Scrubbing { done: pass.until, until: 0, at: 0 } } else { Scrubbing { at, ..pass } };
        self.scrub_steps += 1;
        let put = self.log.deleted_mut().set_scrubbed(next);
        if is_end || !edits.puts.is_empty() || self.scrub_steps >= STEPS_STORED {
            self.scrub_steps = 0;
            let puts = edits.puts.into_iter().chain([put]).collect();
            // Another process may have filled one of these rows since it was read.
            let batch = WriteBatch { guard: Some(self.log.guard()), puts, deletes: edits.deletes };
            self.write(Pending::Scrubbed(pass), batch);
        }
        self.scrub_pace.end_step(self.now);
        if is_end {
            self.scrub_pace.finish(self.now);
        }
        Ok(())
    }
}
