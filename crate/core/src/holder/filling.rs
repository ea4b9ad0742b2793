//! Bytes that were missing, and have come.

use crate::base::id::{CommitId, LinkId};
use crate::base::id_map::IdMap;
use crate::holder::holder::Holder;
use crate::holder::pending::{InFlight, Incoming, Pending};
use crate::link::session::{Purpose, Wanted};
use crate::log::keys::rows_after;
use crate::log::rows::{edit_rows, read_rows};
use crate::storage::request::{Corrupt, StorageAnswer, WriteBatch};
use crate::wire::bodies::{ChainRange, Want};
use crate::wire::frame::Frame;

impl Holder {
    /// The commit at that position lacks bytes that have come: its row is to be written anew.
    pub(super) fn read_to_fill(&mut self, seq: u64, incoming: Incoming) {
        self.intake.lookups += 1;
        self.request(Pending::FillRead { seq, incoming }, rows_after(seq - 1, 0));
    }

    pub(super) fn fill_read(
        &mut self,
        seq: u64,
        incoming: Incoming,
        answer: StorageAnswer,
    ) -> Result<(), Corrupt> {
        let StorageAnswer::Scanned { entries: scanned, more } = answer else {
            return Err(crate::holder::pending::unexpected(&answer));
        };
        if let Some(bytes) = read_rows(&scanned, more)?.bytes_needed {
            self.request(Pending::FillRead { seq, incoming }, rows_after(seq - 1, bytes));
            return Ok(());
        }
        self.intake.lookups -= 1;
        if self.writing > 0 {
            // What was kept while storage failed is being written, and would not have this (seed 1100986).
            self.intake.put_before([incoming]);
            return Ok(());
        }
        let mut filled = None;
        let edits = edit_rows(&scanned, &self.limits, |entry| {
            if entry.at.seq != seq {
                // The row may have been read before bytes of deleted documents were taken out of it.
                return self.log.justify(&mut entry.commit);
            }
            let is_filled = entry.commit.fill(&incoming.commit);
            self.log.justify(&mut entry.commit);
            filled = Some(entry.commit.clone());
            is_filled
        })?;
        let Some(commit) = filled.filter(|_| !edits.puts.is_empty()) else {
            // It was filled meanwhile, by another process that shares the log.
            self.log.filled(seq, &incoming.commit);
            self.arrived(&incoming.origins, &incoming.commit);
            return Ok(());
        };
        self.log.stage_again(seq, commit);
        // A row that was read before is not what it was.
        self.scrub_pace.is_stale = true;
        let Some(staged) = self.log.take_staged() else { return Ok(()) };
        let puts = edits.puts.into_iter().chain(staged.puts).collect();
        let deletes = edits.deletes.into_iter().chain(staged.deletes).collect();
        let mut batch = WriteBatch { guard: Some(staged.guard), puts, deletes };
        self.take_records(&mut batch);
        let origins = vec![incoming.origins];
        let flight = InFlight { entries: staged.entries, origins };
        self.appending = true;
        self.write(Pending::Append(flight), batch);
        Ok(())
    }

    /// Asks every link for bytes that are missing, each link once for each commit.
    pub(super) fn ask_for_bytes(&mut self) {
        if self.log.holes().is_empty() {
            return;
        }
        let free =
            self.links.sessions().filter(|(_, session)| session.wanted.is_none() && session.send.started);
        let mut questions: IdMap<LinkId, Vec<(CommitId, ChainRange)>> = IdMap::new();
        for (id, session) in free {
            let unasked = self.log.holes().tips().filter(|tip| !session.asked_holes.contains(&tip.id));
            let ranges = unasked.map(|tip| {
                let (author, seq, branch) = (tip.author, tip.seq, Some(tip.id.short()));
                (tip.id, ChainRange { author, from: seq, to: seq, branch })
            });
            let ranges: Vec<_> = ranges.take(self.limits.want_ranges_max).collect();
            if !ranges.is_empty() && session.may_write() {
                questions.insert(id, ranges);
            }
        }
        for (id, asked) in questions {
            let nonce = self.nonce();
            let now = self.now;
            let Some(session) = self.links.session_mut(id) else { continue };
            let wanted = Wanted {
                nonce,
                asked_at: now,
                bytes: 0,
                answered: false,
                ranges: Vec::new(),
                purpose: Purpose::Bytes,
                has_come: false,
                is_cut: false,
            };
            session.wanted = Some(wanted);
            session.asked_holes.retain(|hole| self.log.holes().seq_of(hole).is_some());
            session.asked_holes.extend(asked.iter().map(|(id, _)| *id));
            let ranges = asked.into_iter().map(|(_, range)| range).collect();
            self.send(id, &Frame::Want(Want { nonce, ranges }));
        }
    }
}
