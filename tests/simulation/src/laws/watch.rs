//! Now and then every replica is looked at: is it linked where it could be, and is what it says of
//! the regions true?

use eyot_core::base::limits::NAMED_COST_BYTES;
use eyot_core::base::time::Millis;
use eyot_core::holder::replicas::KeptForOthers;
use eyot_core::replica::status::{State, Status};

use crate::base::ids::{ProcessId, disk_at};
use crate::parts::process::Machine;
use crate::world::happening::Happening;
use crate::world::world::World;

/// How often replicas are looked at.
pub const EVERY: Millis = 1_000;
/// How long a replica may be without a relay while one is there for it: the core's longest wait
/// after failures (30 s), and a link that it has to find out to be dead (20 s until it asks, 8 s for
/// the answer).
const APART_MAX: Millis = 60_000;
/// How many processes share a disk at most: those that each of them has met come together when it is read again.
const SHARERS_MAX: usize = 4;
/// How long it may be content with another replica: until relays are measured again (60 s), and
/// have been found well three times (15 s), or more often where they keep failing.
const DETOUR_MAX: Millis = 300_000;

impl World {
    /// Something was done to a replica or its links: it has its time once more.
    pub fn disturbed(&mut self, id: ProcessId) {
        let now = self.now;
        if let Some(process) = self.processes.get_mut(&id) {
            process.watched.apart_since = now;
            process.watched.there_since.fill(None);
        }
    }

    pub fn watch(&mut self) {
        if self.plan.showing.is_some() {
            self.check_presences();
        }
        let replicas: Vec<_> = self
            .processes
            .iter()
            .filter(|(_, process)| matches!(process.machine, Machine::Replica(_)) && process.is_ready)
            .map(|(id, _)| *id)
            .collect();
        for id in replicas {
            if self.is_stale(id) && self.rng.chance(300) {
                self.at(0, Happening::Renew(id));
            }
            let Some(Machine::Replica(replica)) = self.processes.get(&id).map(|process| &process.machine)
            else {
                continue;
            };
            let (status, kept) = (replica.status(), replica.kept_for_others());
            self.check_kept(id, kept);
            self.check_behind(id, &status.behind);
            if !self.plan.has_rivals && self.plan.caps.is_none() {
                self.check_failover(id, &status);
            }
        }
    }

    /// Law: whatever others do, no more is kept for them than the limits say.
    fn check_kept(&mut self, id: ProcessId, kept: KeptForOthers) {
        let (limits, process) = (&self.plan.limits, &self.processes[&id]);
        // A sender may begin a commit, and a frame, with what credit it has left.
        let begun = limits.commit_bytes_max + 2 * limits.header_bytes_max + limits.frame_bytes_max;
        let credit = limits.credit_bytes as usize + begun;
        // What was made here has room always.
        let has_room = kept.waiting <= limits.waiting_commits_max + process.made.len()
            && kept.named <= process.links.len() * credit / NAMED_COST_BYTES
            && kept.pieces_bytes <= limits.pieces_bytes_max
            && kept.replicas_met <= SHARERS_MAX * limits.hello_cursors_max;
        if !has_room {
            self.fail(format!("{id:?} keeps too much for others: {kept:?}"));
        }
    }

    /// Law: a replica is not without a relay for long while one is there for it.
    fn check_failover(&mut self, id: ProcessId, status: &Status) {
        let now = self.now;
        let is_wanted = self.processes[&id].online && self.is_welcome(id);
        let there: Vec<_> =
            (0..self.plan.regions).map(|region| is_wanted && self.is_there(region, id)).collect();
        let is_linked = self.relay_of(id, status).is_some();
        let Some(process) = self.processes.get_mut(&id) else { return };
        let watched = &mut process.watched;
        for (since, is_there) in watched.there_since.iter_mut().zip(there) {
            *since = is_there.then(|| since.unwrap_or(now));
        }
        if is_linked || !is_wanted {
            watched.apart_since = now;
        }
        let is_detour = status.relay.as_ref().is_some_and(|relay| relay.region.is_empty());
        let most = if is_detour { DETOUR_MAX } else { APART_MAX };
        let is_long = |since: Millis| since + most < now;
        let long_there = watched.there_since.iter().position(|since| since.is_some_and(is_long));
        if let (Some(region), true) = (long_there, is_long(watched.apart_since)) {
            self.fail(format!("{id:?} has no relay while that on disk {region} is there for it: {status:?}"));
        }
    }

    /// Whether a replica could link to a region's relay and be served.
    fn is_there(&self, region: usize, id: ProcessId) -> bool {
        let disk = self.processes[&id].disk;
        !self.disks[region].is_full
            && !self.paths.is_slow(region, self.now)
            && self.paths.is_open(region, disk, self.now)
            && self.processes.values().any(|process| process.disk == region)
    }

    /// The region whose relay a replica is linked to, as both see it.
    pub fn relay_of(&self, id: ProcessId, status: &Status) -> Option<usize> {
        let process = &self.processes[&id];
        let relay = status.relay.as_ref().filter(|_| matches!(status.state, State::Live | State::Syncing))?;
        let disk = disk_at(&relay.url).filter(|disk| self.is_relay(*disk))?;
        let is_real = process.links.values().any(|connection| {
            self.connections.get(connection).is_some_and(|connection| {
                connection.disks[1] == disk && self.processes.contains_key(&connection.ends[1].0)
            })
        });
        is_real.then_some(disk)
    }
}
