//! Writes go to storage, or to memory while storage fails. And what storage answers.

use crate::base::id::RequestId;
use crate::base::time::Millis;
use crate::holder::disk::{Disk, Kept};
use crate::holder::holder::Holder;
use crate::holder::notice::{Notice, OwnerRequest};
use crate::holder::pending::{InFlight, Incoming, Origin, Pending, unexpected};
use crate::log::chain::names_later;
use crate::log::keys::row_seq;
use crate::log::rows::read_rows;
use crate::storage::request::{Corrupt, Entries, StorageAnswer, StorageFault, StorageRequest, WriteBatch};
use crate::wire::close::CloseCode;

/// How long after a failed write storage is tried again.
const RETRY_WAIT: Millis = 5_000;

impl Holder {
    pub fn disk_failed(&self) -> bool {
        matches!(self.disk, Disk::Failing { .. })
    }

    /// How much of the log is in storage.
    pub fn on_disk(&self) -> u64 {
        match &self.disk {
            Disk::Healthy => self.stored.seq,
            Disk::Failing { since, .. } => *since,
        }
    }

    pub(super) fn write(&mut self, pending: Pending, batch: WriteBatch) {
        self.writing += 1;
        match &mut self.disk {
            Disk::Healthy => self.request(pending, StorageRequest::Write(batch.into())),
            Disk::Failing { kept, .. } => {
                let batch = WriteBatch { guard: None, ..batch };
                kept.write(&batch);
                self.done.push_back((pending, StorageRequest::Write(batch.into())));
            }
        }
    }

    pub(super) fn storage_answered(&mut self, id: RequestId, answer: StorageAnswer) {
        let Some((pending, request)) = self.pending.remove(&id) else { return };
        if self.shows_what_others_wrote(&pending, &request, &answer) {
            // Its answer is void, like those of the other reads under way.
            self.pending.insert(id, (pending, request));
            if let Err(error) = self.overtaken() {
                self.fail(StorageFault::Corrupt, error.to_string());
            }
            return;
        }
        let answer = match (&pending, &answer) {
            // Of a document that is in storage only a part is in memory.
            (Pending::Owner(OwnerRequest::Document(_, from)), StorageAnswer::Failed(_))
                if *from <= self.on_disk() =>
            {
                answer
            }
            _ => self.shadowed(&request, answer),
        };
        let fault = StorageFault::of(&answer);
        if let Err(error) = self.answered(pending, &request, answer) {
            self.fail(fault, error.to_string());
        }
    }

    /// While storage refuses writes, another process has appended to the log: the index tells of positions that
    /// are other commits in what is kept in memory (seed 620283).
    fn shows_what_others_wrote(
        &self,
        pending: &Pending,
        request: &StorageRequest,
        answer: &StorageAnswer,
    ) -> bool {
        let Disk::Failing { since, .. } = &self.disk else { return false };
        if !matches!(pending, Pending::Lookup | Pending::FindFor(_)) {
            return false;
        }
        match (request, answer) {
            (StorageRequest::Get(keys), StorageAnswer::Values(values)) => {
                let there = keys.iter().zip(values).filter_map(|(key, value)| Some((key, value.as_ref()?)));
                there.into_iter().any(|(key, value)| names_later(key, value, *since))
            }
            (_, StorageAnswer::Scanned { entries, .. }) => {
                entries.iter().any(|(key, value)| names_later(key, value, *since))
            }
            _ => false,
        }
    }

    /// What storage would have said, had the writes it refused been made.
    fn shadowed(&self, request: &StorageRequest, answer: StorageAnswer) -> StorageAnswer {
        let Disk::Failing { kept, since, .. } = &self.disk else { return answer };
        match (request, answer) {
            (StorageRequest::Get(keys), answer) => {
                let stored = match answer {
                    StorageAnswer::Values(values) => values,
                    _ => vec![None; keys.len()],
                };
                let values = keys.iter().zip(stored).map(|(key, stored)| kept.value(key, stored));
                StorageAnswer::Values(values.collect())
            }
            (StorageRequest::Scan { from, to, .. }, answer) => {
                let (mut stored, mut more) = match answer {
                    StorageAnswer::Scanned { entries, more } => (entries, more),
                    _ => (Vec::new(), false),
                };
                // What other processes have appended since is taken in once storage works again. Rows come
                // in order and last: after the first of those there is nothing more to read.
                let is_unknown = |key: &[u8]| row_seq(key).is_some_and(|seq| seq > *since);
                if stored.iter().any(|(key, _)| is_unknown(key)) {
                    more &= to.as_slice() > b"c".as_slice();
                    stored.retain(|(key, _)| !is_unknown(key));
                }
                let end = match stored.last() {
                    Some((last, _)) if more => [last.as_slice(), &[0]].concat(),
                    _ => to.clone(),
                };
                StorageAnswer::Scanned { entries: kept.entries(from, &end, stored), more }
            }
            (StorageRequest::Write(_), answer) => answer,
        }
    }

    pub(super) fn answered(
        &mut self,
        pending: Pending,
        request: &StorageRequest,
        answer: StorageAnswer,
    ) -> Result<(), Corrupt> {
        match pending {
            Pending::Meta => self.meta_read(answer),
            Pending::MetaAgain => self.meta_read_again(answer),
            Pending::Load { range } => self.range_read(range, scanned(answer)?),
            Pending::Peers => self.peers_read(scanned(answer)?),
            Pending::Lookup => {
                self.intake.lookups -= 1;
                self.learn(request, answer)
            }
            Pending::FindFor(link) => self.found_for(link, request, answer),
            Pending::CheckCursor { link, cursor, which } => self.cursor_read(link, cursor, which, answer),
            Pending::Scrub(pass) => self.scrub_read(pass, answer),
            Pending::Feed(link, seq) => self.feed_read(link, seq, answer),
            Pending::AnswerRead(link, seq) => self.answer_read(link, seq, answer),
            Pending::FillRead { seq, incoming } => self.fill_read(seq, incoming, answer),
            Pending::Owner(what) => {
                self.notices.push_back(Notice::Storage(what, answer));
                Ok(())
            }
            write => self.written(write, request, answer),
        }
    }

    fn written(
        &mut self,
        pending: Pending,
        request: &StorageRequest,
        answer: StorageAnswer,
    ) -> Result<(), Corrupt> {
        match (pending, answer) {
            (Pending::Append(flight), StorageAnswer::Written) => {
                if let Disk::Failing { reason, .. } = &self.disk {
                    let reason = reason.clone();
                    self.not_saved(&flight, reason);
                }
                self.appended(flight);
            }
            (Pending::Append(flight), StorageAnswer::GuardFailed) => {
                let commits = flight.entries.into_iter().map(|entry| entry.commit);
                let incoming =
                    commits.zip(flight.origins).map(|(commit, origins)| Incoming::new(origins, commit));
                self.intake.put_before(incoming.rev());
                self.writing -= 1;
                self.reload();
            }
            // A relay acknowledges nothing from memory: it stops.
            (Pending::Append(_) | Pending::Records | Pending::Marker, StorageAnswer::Failed(reason))
                if self.is_relay() =>
            {
                self.fail(StorageFault::Failed, reason);
            }
            (Pending::Marker, answer) => {
                if let StorageRequest::Write(batch) = request {
                    self.marker_written(batch, answer);
                }
            }
            (Pending::Append(flight), StorageAnswer::Failed(reason)) => {
                if let StorageRequest::Write(batch) = request {
                    self.disk_fails(WriteBatch::clone(batch), reason.clone());
                }
                self.not_saved(&flight, reason);
                self.appended(flight);
            }
            (Pending::Flush, StorageAnswer::Written) => {
                self.disk = Disk::Healthy;
                self.writing -= 1;
                self.notices.push_back(Notice::DiskRecovered);
            }
            (Pending::Flush, StorageAnswer::GuardFailed) => {
                self.writing -= 1;
                self.overtaken()?;
            }
            (Pending::Flush, _) => {
                self.writing -= 1;
                self.retry_later();
            }
            (Pending::Scrubbed(pass), answer) => {
                self.writing -= 1;
                if answer != StorageAnswer::Written {
                    // The step is made again.
                    self.log.deleted_mut().set_scrubbing(pass);
                }
                if answer == StorageAnswer::GuardFailed {
                    self.reload();
                }
            }
            (Pending::Records, answer) => {
                self.writing -= 1;
                if let (StorageAnswer::Failed(reason), StorageRequest::Write(batch)) = (answer, request) {
                    self.disk_fails(WriteBatch::clone(batch), reason);
                }
            }
            (_, answer) => return Err(unexpected(&answer)),
        }
        Ok(())
    }

    fn learn(&mut self, request: &StorageRequest, answer: StorageAnswer) -> Result<(), Corrupt> {
        match (request, answer) {
            (StorageRequest::Get(keys), StorageAnswer::Values(values)) => {
                for (key, value) in keys.iter().zip(values) {
                    self.log.learn(key, value.as_deref())?;
                    self.gate.learn(key, value.as_deref())?;
                }
                Ok(())
            }
            (StorageRequest::Scan { from, .. }, StorageAnswer::Scanned { entries, .. }) => {
                self.log.learn_branches(from, &entries)
            }
            (_, answer) => Err(unexpected(&answer)),
        }
    }

    /// Own commits are in memory alone.
    fn not_saved(&mut self, flight: &InFlight, reason: String) {
        let own = flight.origins.iter().flatten().filter_map(|origin| match origin {
            Origin::Own(number) => Some(*number),
            _ => None,
        });
        if let Some(last) = own.max() {
            self.notices.push_back(Notice::SaveFailed(last, reason));
        }
    }

    /// Without replicas there is nobody who goes on from memory.
    #[cfg(not(feature = "documents"))]
    pub(super) fn disk_fails(&mut self, _: WriteBatch, reason: String) {
        self.fail(StorageFault::Failed, reason);
    }

    /// A write was refused: from now on all are kept in memory.
    #[cfg(feature = "documents")]
    pub(super) fn disk_fails(&mut self, batch: WriteBatch, reason: String) {
        if let Disk::Failing { kept, .. } = &mut self.disk {
            // It was under way when another one was refused.
            return kept.write(&batch);
        }
        let mut kept = Kept::default();
        kept.write(&batch);
        let retry_at = self.now + RETRY_WAIT;
        let guard = batch.guard.or_else(|| Some(self.log.guard()));
        self.notices.push_back(Notice::DiskFails(reason.clone()));
        self.disk = Disk::Failing { kept, guard, since: self.stored.seq, reason, retry_at };
    }

    fn retry_later(&mut self) {
        let at = self.now + RETRY_WAIT;
        if let Disk::Failing { retry_at, .. } = &mut self.disk {
            *retry_at = at;
        }
    }

    /// It is time to try once more, where storage has failed.
    pub(super) fn hurry_disk(&mut self) {
        if let Disk::Failing { retry_at, .. } = &mut self.disk {
            *retry_at = self.now;
        }
    }

    /// Tries to write what was kept in memory, when it is time to.
    pub(super) fn retry_disk(&mut self) {
        let Disk::Failing { kept, guard, retry_at, .. } = &self.disk else { return };
        if *retry_at > self.now || self.writing > 0 || !self.is_open() {
            return;
        }
        let batch = kept.batch(guard.clone());
        self.retry_later();
        self.writing += 1;
        self.request(Pending::Flush, StorageRequest::Write(batch.into()));
    }

    /// What was kept in memory comes in once more: another process has written in its place.
    pub(super) fn take_again(&mut self, kept: &Kept, since: u64) -> Result<(), Corrupt> {
        for link in self.links.ids() {
            self.close(link, CloseCode::LogReplaced, "this replica's storage was changed meanwhile");
        }
        // Acknowledgements of positions that others have now say nothing.
        self.peers.cut(since);
        if let Some(regions) = self.role.regions_mut() {
            regions.cut(since);
        }
        let mut entries = read_rows(&kept.entries(b"b", b"c", Vec::new()), false)?.entries;
        // A row that was only edited has been in storage before.
        entries.retain(|entry| entry.at.seq > since);
        self.intake.again += entries.len();
        // What was made since comes after them.
        self.intake.put_before(entries.into_iter().rev().map(|entry| {
            let origins = vec![Origin::Again { own: entry.own }];
            Incoming::new(origins, entry.commit)
        }));
        Ok(())
    }
}

fn scanned(answer: StorageAnswer) -> Result<(Entries, bool), Corrupt> {
    match answer {
        StorageAnswer::Scanned { entries, more } => Ok((entries, more)),
        other => Err(unexpected(&other)),
    }
}

#[cfg(all(test, feature = "documents"))]
mod tests {
    use super::*;
    use crate::base::id::{AuthorId, LogId};
    use crate::base::limits::Limits;
    use crate::base::position::Marker;
    use crate::commit::commit::Commit;
    use crate::commit::descriptor::Descriptor;
    use crate::holder::holder::{HolderConfig, LogState};
    use crate::holder::role::Role;
    use crate::log::log::{Keeping, Log};

    fn replica() -> Holder {
        let config = HolderConfig {
            space: "space".into(),
            descriptor: None,
            role: Role::Replica(Default::default()),
            token: None,
            caps: None,
            limits: Limits::PROTOCOL,
            seed: [1; 32],
        };
        Holder::new(config, 0)
    }

    fn row(seq: u64) -> Vec<u8> {
        [b"b".as_slice(), &seq.to_be_bytes(), &[0, 0]].concat()
    }

    #[test]
    fn with_a_full_disk_a_scan_is_whole_although_other_processes_have_appended_since() {
        let mut holder = replica();
        let mut kept = Kept::default();
        kept.write(&WriteBatch { puts: vec![(row(3), vec![3])], ..WriteBatch::default() });
        holder.disk = Disk::Failing { kept, guard: None, since: 2, reason: "it is full".into(), retry_at: 0 };
        let request = StorageRequest::Scan { from: row(1), to: b"c".to_vec(), bytes_max: 10 };
        // Another process has appended row 4, and more follow that the scan was too short for.
        let entries = vec![(row(2), vec![2]), (row(4), vec![4])];
        let answer = holder.shadowed(&request, StorageAnswer::Scanned { entries, more: true });
        let entries = vec![(row(2), vec![2]), (row(3), vec![3])];
        assert_eq!(answer, StorageAnswer::Scanned { entries, more: false });
    }

    /// The timer rang again and again until the write was over (seed 408827).
    #[test]
    fn a_write_under_way_is_not_retried_and_no_timer_is_set_for_that() {
        let mut holder = replica();
        holder.state = LogState::Open;
        let kept = Kept::default();
        holder.disk = Disk::Failing { kept, guard: None, since: 0, reason: "it is full".into(), retry_at: 0 };
        holder.writing = 1;
        holder.schedule();
        assert!(holder.deadline.is_none_or(|at| at > 0));
        holder.writing = 0;
        holder.schedule();
        assert_eq!(holder.deadline, Some(0));
    }

    /// A row that was filled has fewer pieces than before (seed 6649).
    #[test]
    fn what_is_removed_while_the_disk_is_full_is_gone_at_once_and_once_it_works() {
        let mut kept = Kept::default();
        kept.write(&WriteBatch { deletes: vec![row(2)], puts: vec![(row(1), vec![1])], guard: None });
        let stored = vec![(row(1), vec![0]), (row(2), vec![2]), (row(3), vec![3])];
        let entries = kept.entries(&row(1), b"c", stored);
        assert_eq!(entries, [(row(1), vec![1]), (row(3), vec![3])]);
        assert_eq!(kept.value(&row(2), Some(vec![2])), None);
        let batch = kept.batch(None);
        assert_eq!((batch.puts, batch.deletes), (vec![(row(1), vec![1])], vec![row(2)]));
    }

    /// What was made while the disk failed waited for it in the room for what links bring, which may be full
    /// (seed 202590).
    #[test]
    fn what_was_in_memory_comes_in_again_before_what_was_made_since() {
        let limits = Limits::PROTOCOL;
        let space = Descriptor::plain("space");
        let mut holder = replica();
        let commit = |seq, prev| {
            let place = (AuthorId([1; 16]), seq, prev);
            Commit::new(place, Vec::new(), 0, Vec::new(), &limits).expect("small")
        };
        let first = commit(1, space.chain_start(0));
        let second = commit(2, first.id());
        let third = commit(3, second.id());
        let marker = Marker::new(LogId([9; 16]), [9; 32], 0);
        let mut log = Log::new(marker, Some(space), Keeping::Uncovered, limits.into());
        for commit in [&first, &second] {
            log.stage(commit.clone(), true, None);
        }
        let puts = log.take_staged().expect("two commits").puts;
        let mut kept = Kept::default();
        kept.write(&WriteBatch { puts, ..WriteBatch::default() });
        holder.intake.inbox.push_back(Incoming::new(vec![Origin::Own(3)], third.clone()));
        holder.take_again(&kept, 0).expect("rows");
        let inbox: Vec<_> = holder.intake.inbox.iter().map(|incoming| incoming.commit.id()).collect();
        assert_eq!(inbox, [first.id(), second.id(), third.id()]);
    }
}
