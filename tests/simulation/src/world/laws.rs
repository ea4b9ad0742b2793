//! Laws that hold at every moment, and what has to be remembered of a world to check them.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::id::LinkId;
use eyot_core::base::id::{AuthorId, CommitId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::log::meta::Meta;
use eyot_core::replica::replica::Replica;
use eyot_core::wire::access::Right;
use eyot_core::wire::bodies::{Ack, Stored};
use eyot_core::wire::frame::Frame;

use super::plan::{Access, REGIONS};
use super::processes::Machine;
use super::{ProcessId, World};

/// What an application waits for.
#[derive(Debug)]
pub(super) enum Waiting {
    Durable {
        regions: u32,
        commit: CommitId,
    },
    /// A barrier of so many regions, and how many promises had been made when it was asked for.
    Fresh {
        regions: u32,
        promises: usize,
    },
}

/// A commit was said to be durable.
pub(super) struct Promise {
    pub commit: CommitId,
    place: (AuthorId, u64),
    /// The disk of who was told.
    pub disk: usize,
    /// The regions that have it since, without an older copy having been put back.
    held_by: BTreeSet<usize>,
    /// Those of them that were not wiped either.
    pub kept_by: BTreeSet<usize>,
    /// At some moment no region had it.
    is_lost: bool,
}

pub(super) struct History {
    /// By region: all that was ever durable there.
    ever: Vec<BTreeSet<CommitId>>,
    /// By region: all that somebody brought who may write.
    brought: Vec<BTreeSet<CommitId>>,
    pub promises: Vec<Promise>,
    /// The disks of replicas that somebody kept commits from, and said that that was all.
    pub deceived: BTreeSet<usize>,
    /// The beginnings of commits that are brought to relays in pieces, of the stream or of an answer.
    pieces: BTreeMap<(ProcessId, LinkId, bool), Vec<u8>>,
}

impl History {
    pub fn new(regions: usize) -> Self {
        Self {
            ever: vec![BTreeSet::new(); regions],
            brought: vec![BTreeSet::new(); regions],
            promises: Vec::new(),
            deceived: BTreeSet::new(),
            pieces: BTreeMap::new(),
        }
    }
}

impl World {
    /// Law: what a relay stores came by a link that may write.
    pub(super) fn look_at(&mut self, disk: usize) {
        let unseen = std::mem::take(&mut self.disks[disk].unseen);
        if !self.is_relay(disk) {
            return;
        }
        if self.plan.access != Access::Open
            && let Some(id) = unseen.iter().find(|id| !self.history.brought[disk].contains(id))
        {
            self.fail(format!("{id:?} is on disk {disk} and nobody who may write brought it"));
        }
        self.history.ever[disk].extend(unseen);
    }

    /// Notes what is brought to a relay, and whether it may be.
    pub(super) fn note_brought(&mut self, id: ProcessId, link: LinkId, frame: &[u8]) {
        let process = &self.processes[&id];
        if self.plan.access == Access::Open || !self.is_relay(process.disk) {
            return;
        }
        let is_dialled = link.0 >= 1 << 32;
        if !is_dialled && process.rights.get(&link) != Some(&Right::Write) {
            return;
        }
        let Ok(frame) = Frame::decode(frame, &Limits::PROTOCOL) else { return };
        let disk = process.disk;
        if let Frame::Piece(piece) = &frame {
            let begun = self.history.pieces.entry((id, link, piece.answer)).or_default();
            begun.extend_from_slice(&piece.bytes);
            if piece.last {
                let record = std::mem::take(begun);
                let commit = Commit::decode(&record, &Limits::PROTOCOL).ok();
                self.history.brought[disk].extend(commit.map(|commit| commit.id()));
            }
        }
        self.history.brought[disk].extend(commits_in(&frame));
    }

    /// The disk of a region's relay holds something older now.
    pub(super) fn forget_promises(&mut self, region: usize, is_wiped: bool) {
        let relays = &self.disks[..self.plan.regions];
        for promise in &mut self.history.promises {
            if relays[region].durable.contains_key(&promise.commit) {
                continue;
            }
            promise.kept_by.remove(&region);
            if !is_wiped {
                promise.held_by.remove(&region);
            }
            promise.is_lost |= !relays.iter().any(|disk| disk.durable.contains_key(&promise.commit));
        }
    }

    pub(super) fn waited(&mut self, id: ProcessId, waiting: &Waiting) {
        match *waiting {
            Waiting::Durable { regions, commit } => self.is_durable(id, regions, commit),
            Waiting::Fresh { regions, promises } => self.is_fresh(id, regions, promises),
        }
    }

    /// Law: a `durable` that resolves is true: so many regions had the commit on disk.
    fn is_durable(&mut self, id: ProcessId, regions: u32, commit: CommitId) {
        self.say(|| format!("{id:?} is told {commit:?} is durable in {regions}"));
        self.count(["", "durable in 1", "durable in 2", "durable in 3"][regions as usize]);
        let had = self.history.ever.iter().filter(|ever| ever.contains(&commit)).count();
        if had < regions as usize {
            return self
                .fail(format!("{commit:?} was said to be durable in {regions} regions, {had} had it"));
        }
        let relays = &self.disks[..self.plan.regions];
        let holders = relays.iter().enumerate().filter_map(|(region, disk)| {
            let place = disk.durable.get(&commit)?;
            Some((region, *place))
        });
        let (held_by, places): (BTreeSet<_>, Vec<_>) = holders.unzip();
        // Where every region was wiped meanwhile, nothing more is promised.
        if let Some(place) = places.first() {
            let (disk, kept_by) = (self.processes[&id].disk, held_by.clone());
            let promise = Promise { commit, place: *place, disk, held_by, kept_by, is_lost: false };
            self.history.promises.push(promise);
        }
    }

    /// Law: who has waited for `fresh` holds all that was durable in enough regions, before it
    /// asked, for one of them to be among those that answered. Nobody can know of an older copy put
    /// back, nobody can answer for what no region has, and who is lied to has to find out first.
    fn is_fresh(&mut self, id: ProcessId, regions: u32, promises: usize) {
        self.count("fresh");
        let Some(Machine::Replica(replica)) = self.processes.get(&id).map(|process| &process.machine) else {
            return;
        };
        if self.history.deceived.contains(&self.processes[&id].disk) {
            return;
        }
        let missing = self.history.promises[..promises].iter().find(|promise| {
            !promise.is_lost
                && promise.held_by.len() + regions as usize > self.plan.regions
                && !holds(replica, promise.place)
        });
        if let Some(commit) = missing.map(|promise| promise.commit) {
            self.fail(format!("{id:?} is fresh as of {regions} regions without {commit:?}"));
        }
    }

    /// Law: no region is said to have stored what it never had.
    pub(super) fn check_behind(&mut self, id: ProcessId, behind: &BTreeMap<String, u64>) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let mut failure = None;
        for (name, behind) in behind {
            let Some(region) = REGIONS.iter().position(|region| region == name) else { continue };
            // What is not stored are the last ones, of this process or others that share the disk.
            let stored = process.made.len().saturating_sub(*behind as usize);
            let checked = &mut process.watched.stored[region];
            let claimed = process.made.get(*checked..stored).unwrap_or_default();
            let had = &self.history.ever[region];
            failure = failure.or(claimed.iter().find(|commit| !had.contains(commit)).copied());
            *checked = stored.max(*checked);
        }
        if let Some(commit) = failure {
            self.fail(format!("{id:?} says that a region has {commit:?}, which it never had: {behind:?}"));
        }
    }

    /// Law: an acknowledgement is the truth, and a relay sends nothing on that is not durable.
    pub(super) fn check_frame(&mut self, id: ProcessId, link: LinkId, frame: &[u8]) {
        let process = &self.processes[&id];
        if !self.is_relay(process.disk) {
            return;
        }
        let disk = &self.disks[process.disk];
        let Ok(frame) = Frame::decode(frame, &Limits::PROTOCOL) else { return };
        let early = commits_in(&frame).into_iter().find(|id| !disk.durable.contains_key(id));
        let failure = match (early, frame) {
            (Some(id), _) => Some(format!("{id:?} was sent on before it was durable")),
            (_, Frame::Ack(Ack { at, whole, read, .. })) => {
                let meta = disk.store.get(b"m").and_then(|meta| Meta::decode(meta).ok());
                let head = meta.map_or(0, |meta| meta.head.seq);
                let early =
                    (at.seq > head).then(|| format!("acknowledged at {} with {head} on disk", at.seq));
                early.or_else(|| self.check_ack(id, link, whole.unwrap_or(read)))
            }
            (_, Frame::Stored(stored)) => self.check_stored(process.disk, &stored),
            (_, Frame::Commits(commits)) => {
                self.outcome.count("commits left to others to send", commits.named.len() as u64);
                None
            }
            _ => None,
        };
        if let Some(failure) = failure {
            self.fail(failure);
        }
    }

    /// What a relay says another region has stored, it has, or had.
    fn check_stored(&mut self, disk: usize, stored: &Stored) -> Option<String> {
        self.outcome.count("words of what other regions have stored", 1);
        let region = REGIONS.iter().position(|region| *region == stored.region)?;
        let missing = self.first_missing(disk, region, stored.upto)?;
        Some(format!("disk {disk} says that {} has {missing:?}, which it never had", stored.region))
    }

    /// What of the last commits of a relay's log up to there a region never had.
    fn first_missing(&self, disk: usize, region: usize, upto: u64) -> Option<CommitId> {
        let had = &self.history.ever[region];
        let recent = self.disks[disk].log.range(upto.saturating_sub(64)..=upto);
        recent.map(|(_, id)| *id).find(|id| !had.contains(id))
    }

    /// Between relays, all of the other's log up to there is on this one's disk, or was.
    fn check_ack(&self, id: ProcessId, link: LinkId, upto: u64) -> Option<String> {
        let process = &self.processes[&id];
        let connection = self.connections.get(process.links.get(&link)?)?;
        let other = connection.disks.into_iter().find(|disk| *disk != process.disk)?;
        if !self.is_relay(other) {
            return None;
        }
        let missing = self.first_missing(other, process.disk, upto)?;
        Some(format!("disk {} acknowledged {missing:?} of disk {other} and never had it", process.disk))
    }

    /// Whether somebody who had what was promised has kept it all the time.
    pub(super) fn is_kept(&self, promise: &Promise) -> bool {
        !promise.kept_by.is_empty() || self.disks[promise.disk].durable.contains_key(&promise.commit)
    }
}

/// The commits that a frame brings.
fn commits_in(frame: &Frame) -> Vec<CommitId> {
    let records = match frame {
        Frame::Commits(commits) => &commits.records,
        Frame::Answer(answer) => &answer.records,
        _ => return Vec::new(),
    };
    records
        .iter()
        .filter_map(|record| Commit::decode(record, &Limits::PROTOCOL).ok())
        .map(|commit| commit.id())
        .collect()
}

fn holds(replica: &Replica, (author, seq): (AuthorId, u64)) -> bool {
    replica.vector().of(&author).iter().any(|tip| tip.seq >= seq)
}
