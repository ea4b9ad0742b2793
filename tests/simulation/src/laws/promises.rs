//! Laws of what applications are told: what is durable is, what is fresh is, and who is behind.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::id::{AuthorId, CommitId};
use eyot_core::replica::replica::Replica;

use crate::base::ids::ProcessId;
use crate::parts::history::{Promise, Waiting};
use crate::parts::process::Machine;
use crate::plan::plan::{Access, REGIONS};
use crate::world::world::World;

impl World {
    /// Law: what a relay stores came by a link that may write.
    pub fn look_at(&mut self, disk: usize) {
        let unseen = std::mem::take(&mut self.disks[disk].unseen);
        let unseen_whole = std::mem::take(&mut self.disks[disk].unseen_whole);
        if let Some(broken) = self.disks[disk].broken.take() {
            self.fail(format!("disk {disk}: {broken}"));
        }
        self.check_renewal(disk);
        if !self.is_relay(disk) {
            return;
        }
        if self.plan.access != Access::Open
            && let Some(id) = unseen.iter().find(|id| !self.history.brought[disk].contains(id))
        {
            self.fail(format!("{id:?} is on disk {disk} and nobody who may write brought it"));
        }
        self.history.ever[disk].extend(unseen);
        self.history.ever_whole[disk].extend(unseen_whole);
    }

    /// Law: a log takes another id only after an older copy was put back, or where another log has had the
    /// same, or where marks were given of what was in memory in place of the disk. A mark that somebody
    /// invents is no reason.
    fn check_renewal(&mut self, disk: usize) {
        let Some(log) = self.disks[disk].take_given_up() else { return };
        let others = self.disks.iter().enumerate().filter(|(other, _)| *other != disk);
        let is_shared = others.into_iter().any(|(_, other)| other.has_had(log));
        if !is_shared && !self.disks[disk].has_failed {
            self.fail(format!("disk {disk}: the log {log:?} took another id without need"));
        }
    }

    /// The disk of a region's relay holds something older now.
    pub fn forget_promises(&mut self, region: usize, is_wiped: bool) {
        let relays = &self.disks[..self.plan.regions];
        for promise in &mut self.history.promises {
            if relays[region].is_whole(&promise.commit) {
                continue;
            }
            promise.kept_by.remove(&region);
            if !is_wiped {
                promise.held_by.remove(&region);
            }
            promise.is_lost |= !relays.iter().any(|disk| disk.is_whole(&promise.commit));
        }
    }

    pub fn waited(&mut self, id: ProcessId, waiting: &Waiting) {
        match *waiting {
            Waiting::Durable { regions, commit } => self.is_durable(id, regions, commit),
            Waiting::Fresh { regions, promises } => self.is_fresh(id, regions, promises),
        }
    }

    /// Law: a `durable` that resolves is true: so many regions had the commit on disk, with its bytes
    /// or with a delete of its document.
    fn is_durable(&mut self, id: ProcessId, regions: u32, commit: CommitId) {
        self.say(|| format!("{id:?} is told {commit:?} is durable in {regions}"));
        self.count(["", "durable in 1", "durable in 2", "durable in 3"][regions as usize]);
        let had = self.history.ever_whole.iter().filter(|ever| ever.contains(&commit)).count();
        if had < regions as usize {
            return self
                .fail(format!("{commit:?} was said to be durable in {regions} regions, {had} had it"));
        }
        let relays = &self.disks[..self.plan.regions];
        let holders = relays.iter().enumerate().filter_map(|(region, disk)| {
            let place = disk.durable.get(&commit).filter(|_| disk.is_whole(&commit))?;
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
    pub fn check_behind(&mut self, id: ProcessId, behind: &BTreeMap<String, u64>) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let mut failure = None;
        for (name, behind) in behind {
            let Some(region) = REGIONS.iter().position(|region| region == name) else { continue };
            // What is not stored are the last ones, of this process or others that share the disk.
            let stored = process.made.len().saturating_sub(*behind as usize);
            let checked = &mut process.watched.stored[region];
            let claimed = process.made.get(*checked..stored).unwrap_or_default();
            let had = &self.history.ever_whole[region];
            failure = failure.or(claimed.iter().find(|commit| !had.contains(commit)).copied());
            *checked = stored.max(*checked);
        }
        if let Some(commit) = failure {
            self.fail(format!("{id:?} says that a region has {commit:?}, which it never had: {behind:?}"));
        }
    }

    /// Whether somebody who had what was promised has kept it all the time.
    pub fn is_kept(&self, promise: &Promise) -> bool {
        !promise.kept_by.is_empty() || self.disks[promise.disk].durable.contains_key(&promise.commit)
    }
}

fn holds(replica: &Replica, (author, seq): (AuthorId, u64)) -> bool {
    replica.vector().of(&author).iter().any(|tip| tip.seq >= seq)
}
