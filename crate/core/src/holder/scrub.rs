//! The bytes of deleted documents are taken out of the log's rows, a few rows at a time, when
//! nothing else is to be done.

use crate::base::id::DocId;
use crate::base::id_map::IdSet;
use crate::holder::holder::Holder;
use crate::holder::pending::Pending;
use crate::log::keys::rows_after;
use crate::log::rows::{edit_rows, read_rows};
use crate::storage::request::{Corrupt, StorageAnswer, WriteBatch};

impl Holder {
    /// Begins where documents were deleted since the last time.
    pub(super) fn scrub(&mut self) {
        if !self.scrubbing && !self.log.unscrubbed().is_empty() && !self.disk_failed() {
            self.scrub_from(0, self.log.unscrubbed().clone());
        }
    }

    fn scrub_from(&mut self, from: u64, docs: IdSet<DocId>) {
        self.scrubbing = true;
        self.request(Pending::Scrub { docs, from }, rows_after(from, self.limits.read_bytes));
    }

    pub(super) fn scrub_read(
        &mut self,
        docs: IdSet<DocId>,
        from: u64,
        answer: StorageAnswer,
    ) -> Result<(), Corrupt> {
        self.scrubbing = false;
        // Where storage fails or another process writes, it is begun again later.
        let StorageAnswer::Scanned { entries, more } = answer else { return Ok(()) };
        if self.disk_failed() || !self.is_open() {
            return Ok(());
        }
        if self.writing > 0 {
            // A row may be being filled: what was read lacks the bytes.
            self.scrub_from(from, docs);
            return Ok(());
        }
        let rows = read_rows(&entries, more)?;
        if let Some(bytes) = rows.bytes_needed {
            self.scrubbing = true;
            self.request(Pending::Scrub { docs, from }, rows_after(from, bytes));
            return Ok(());
        }
        let edits = edit_rows(&entries, &self.limits, |entry| self.log.justify(&mut entry.commit))?;
        let last = rows.entries.last().map_or(from, |entry| entry.at.seq);
        let is_end = !more || rows.entries.is_empty();
        let mut puts = edits.puts;
        if is_end {
            puts.extend(self.log.scrubbed(&docs));
        }
        if !puts.is_empty() {
            let batch = WriteBatch { guard: None, puts, deletes: edits.deletes };
            self.write(Pending::Scrubbed { docs: docs.clone() }, batch);
        }
        if !is_end {
            self.scrub_from(last, docs);
        }
        Ok(())
    }
}
