//! What comes in is admitted in causal order, staged into one write, and settled once that is
//! durable.

use std::collections::{BTreeSet, VecDeque};

use crate::base::id::CommitId;
use crate::base::limits;
use crate::commit::commit::Commit;
use crate::holder::holder::Holder;
use crate::holder::quota::Charge;
use crate::holder::work::{InFlight, LogState, Named, Notice, Origin, Pending};
use crate::link::link::NAMED_BYTES;
use crate::log::log::{Admission, Holding};
use crate::storage::request::{StorageAnswer, StorageRequest, WriteBatch};

impl Holder {
    /// Admits what has come in, as far as it goes without waiting for storage.
    pub(super) fn pump(&mut self) {
        loop {
            self.step();
            let Some((pending, request)) = self.done.pop_front() else {
                break;
            };
            if let Err(error) = self.answered(pending, request, StorageAnswer::Written) {
                self.fails(&error);
            }
        }
        self.tell_saved();
        self.schedule();
    }

    pub(super) fn step(&mut self) {
        if self.state != LogState::Open || self.writing > 0 || self.lookups > 0 {
            return;
        }
        if self.lagging {
            return self.reload();
        }
        if !self.disk_failed() && core::mem::take(&mut self.moved) {
            self.notices.push_back(Notice::LogMoved);
        }
        let mut origins = Vec::new();
        let mut reads = BTreeSet::new();
        self.look_up_named(&mut reads);
        while let Some(incoming) = self.inbox.pop_front() {
            match self.log.admit(&incoming.commit) {
                Admission::Held => self.settle(&incoming.origin, &incoming.commit),
                Admission::Waits(missing) => self.wait(incoming, missing),
                Admission::Reads(more) => {
                    reads.extend(more.into_iter().map(ReadKey));
                    self.inbox.push_front(incoming);
                    break;
                }
                Admission::Ready => {
                    match self.charge(&incoming.origin, &incoming.commit) {
                        Charge::Fits => {}
                        Charge::Drops => continue,
                        Charge::Reads(read) => {
                            reads.insert(ReadKey(read));
                            self.inbox.push_front(incoming);
                            break;
                        }
                        Charge::Exceeds(reason) => {
                            self.exceeded(&incoming.origin, reason);
                            continue;
                        }
                    }
                    let header = incoming.commit.header();
                    let (author, seq) = (header.author, header.seq);
                    let own = self.is_own(&incoming.origin);
                    let branches = self.log.vector().of(&author).len();
                    self.log.stage(incoming.commit, own);
                    let is_fork = branches > 0 && self.log.vector().of(&author).len() > branches;
                    self.counters.forks += u64::from(is_fork);
                    origins.push(incoming.origin);
                    self.release(author, seq);
                    if self.log.staged_bytes() >= limits::WRITE_BYTES_MAX {
                        break;
                    }
                }
            }
        }
        if let Some(staged) = self.log.take_staged() {
            let peers = self.take_peers();
            let puts = staged.puts.into_iter().chain(peers.puts).collect();
            let mut batch = WriteBatch { guard: Some(staged.guard), puts, deletes: peers.deletes };
            self.take_usage(&mut batch);
            let kept = InFlight { batch: batch.clone(), entries: staged.entries, origins };
            self.appending = true;
            self.write(Pending::Append(kept), batch);
        } else if !reads.is_empty() {
            for ReadKey(read) in self.more_reads(reads) {
                self.lookups += 1;
                self.request(Pending::Lookup, read);
            }
        } else {
            self.forget_departed();
            self.acknowledge();
            self.ask_for_missing();
            self.greet_all();
            self.scrub();
        }
        self.start_passes();
    }

    /// Settles what other relays have named and is in the log; the rest waits for its own way.
    fn look_up_named(&mut self, reads: &mut BTreeSet<ReadKey>) {
        let mut unread = VecDeque::new();
        while let Some(named) = self.named.pop_front() {
            match self.log.holds(&named.tip) {
                Holding::Held => self.settle_name(&named),
                Holding::Missing(range) => self.waiting.wait_for(named, range),
                Holding::Reads(read) => {
                    reads.insert(ReadKey(read));
                    unread.push_back(named);
                }
            }
        }
        self.named = unread;
    }

    /// This commit is in the log, at that number: so say relays that have named it.
    pub(super) fn settle_named(&mut self, id: &CommitId, at: Option<u64>) {
        for named in self.waiting.take_named(id) {
            if let (Some(at), Some(link)) = (at, self.links.get_mut(&named.link)) {
                link.send.came_from_peer(at);
            }
            self.settle_name(&named);
        }
    }

    fn settle_name(&mut self, named: &Named) {
        if let Some(link) = self.links.get_mut(&named.link) {
            link.receive.settle(named.frame, &named.tip.id);
            self.touched.insert(named.link);
            self.done_with(named.link, NAMED_BYTES);
        }
    }

    /// Whether this holder made it; for a relay, whether it came first-hand.
    fn is_own(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Own(_) => true,
            Origin::Again { own } => *own,
            Origin::Stream(link, ..) | Origin::Answer(link) => {
                self.is_relay() && self.links.get(link).is_none_or(|link| !link.is_mesh)
            }
        }
    }

    /// What the commits behind the first in the inbox will ask for is read along with it.
    fn more_reads(&self, mut reads: BTreeSet<ReadKey>) -> BTreeSet<ReadKey> {
        for incoming in self.inbox.iter().take(1000) {
            if let Admission::Reads(more) = self.log.admit(&incoming.commit) {
                reads.extend(more.into_iter().map(ReadKey));
            }
        }
        reads
    }

    pub(super) fn appended(&mut self, flight: InFlight) {
        self.writing -= 1;
        self.appending = false;
        let before = self.stored;
        self.stored = flight.entries.last().map_or(before, |last| last.at);
        self.counters.commits_in += flight.entries.len() as u64;
        for (entry, origin) in flight.entries.iter().zip(&flight.origins) {
            self.settle(origin, &entry.commit);
            let from = match origin {
                Origin::Stream(link, ..) | Origin::Answer(link) => Some(*link),
                _ => None,
            };
            if let Some(link) = from.and_then(|link| self.links.get_mut(&link)) {
                link.send.came_from_peer(entry.at.seq);
            }
            self.settle_named(&entry.commit.id(), Some(entry.at.seq));
        }
        self.push_live(before, &flight.entries);
        self.acknowledge();
        self.notices.push_back(Notice::Appended(flight.entries));
    }

    /// The commit is in the log: whoever sent it need not send it again.
    pub(super) fn settle(&mut self, origin: &Origin, commit: &Commit) {
        match origin {
            Origin::Stream(id, frame, bytes) => {
                if let Some(link) = self.links.get_mut(id) {
                    link.receive.settle(*frame, &commit.id());
                    self.touched.insert(*id);
                    self.done_with(*id, *bytes);
                }
            }
            Origin::Answer(id) => {
                self.touched.insert(*id);
            }
            Origin::Own(number) => {
                self.saved = self.saved.max(*number);
                self.saved_more = true;
            }
            Origin::Again { .. } => {
                self.again -= 1;
                self.saved_more = true;
            }
        }
    }

    /// Own commits have come into the log; they are saved once all that storage refused are there.
    pub(super) fn tell_saved(&mut self) {
        if self.saved_more && self.again == 0 && !self.disk_failed() {
            self.saved_more = false;
            self.notices.push_back(Notice::Saved(self.saved));
        }
    }
}

/// A read that is needed before commits can be admitted; ordered, so that each is made once.
#[derive(PartialEq, Eq)]
pub(super) struct ReadKey(StorageRequest);

impl ReadKey {
    fn key(&self) -> (u8, &[u8]) {
        match &self.0 {
            StorageRequest::Get(keys) => (0, keys.first().map_or(&[], Vec::as_slice)),
            StorageRequest::Scan { from, .. } => (1, from),
            StorageRequest::Write(_) => (2, &[]),
        }
    }
}

impl Ord for ReadKey {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for ReadKey {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
