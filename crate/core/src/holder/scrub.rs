//! The bytes of deleted documents are taken out of the log's rows, a few rows at a time, when
//! nothing else is to be done.

use std::collections::BTreeSet;

use crate::base::id::DocId;
use crate::base::limits;

use crate::holder::holder::Holder;
use crate::holder::work::Pending;
use crate::log::log;
use crate::storage::request::Corrupt;
use crate::storage::request::{StorageAnswer, WriteBatch};

impl Holder {
    /// Goes on where it stopped, or begins where documents were deleted since.
    pub(super) fn scrub(&mut self) {
        if self.scrubbing.is_some() || self.log.unscrubbed().is_empty() || self.disk_failed() {
            return;
        }
        self.scrub_from(0, self.log.unscrubbed().clone());
    }

    fn scrub_from(&mut self, seq: u64, docs: BTreeSet<DocId>) {
        self.scrubbing = Some(seq);
        self.request(Pending::Scrub { docs }, log::rows_after(seq, limits::READ_BYTES));
    }

    pub(super) fn scrub_read(&mut self, docs: BTreeSet<DocId>, answer: StorageAnswer) -> Result<(), Corrupt> {
        let Some(from) = self.scrubbing.take() else { return Ok(()) };
        // Where storage fails or another process writes, it is begun again later.
        let StorageAnswer::Scanned { entries, more } = answer else { return Ok(()) };
        if self.disk_failed() {
            return Ok(());
        }
        let rows = log::read_rows(&entries, more)?;
        if let Some(bytes) = rows.bytes_needed {
            self.scrubbing = Some(from);
            self.request(Pending::Scrub { docs }, log::rows_after(from, bytes));
            return Ok(());
        }
        let scrubbed = log::scrub_rows(&entries, |doc| docs.contains(doc))?;
        let last = rows.entries.last().map_or(from, |entry| entry.at.seq);
        let is_end = !more || rows.entries.is_empty();
        let mut puts = scrubbed.puts;
        if is_end {
            puts.extend(self.log.scrubbed(&docs));
        }
        if !puts.is_empty() {
            let batch = WriteBatch { guard: None, puts, deletes: scrubbed.deletes };
            self.write(Pending::Scrubbed { docs: docs.clone() }, batch);
        }
        if !is_end {
            self.scrub_from(last, docs);
        }
        Ok(())
    }
}
