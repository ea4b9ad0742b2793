//! What goes wrong.

use eyot_core::base::time::Millis;
use eyot_core::holder::io as holder;

use super::plan::Access;
use super::processes::Machine;
use super::{Happening, ProcessId, World};
use crate::disk::Disk;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    BreakLink,
    StallLink,
    CrashReplica,
    CrashRelay,
    WipeRelay,
    RollBackRelay,
    FillDisk,
    EmptyDisks,
    CloneProcess,
    Withhold,
    SwitchOffline,
    SecondTab,
    /// Between two regions, one way.
    PartRegions,
    /// Between a replica and a relay, one way.
    PartReplica,
    SlowRegion,
    JumpClock,
    ReadOnly,
    EvictRelay,
}

impl Fault {
    pub const ALL: [Fault; 18] = [
        Fault::BreakLink,
        Fault::StallLink,
        Fault::CrashReplica,
        Fault::CrashRelay,
        Fault::WipeRelay,
        Fault::RollBackRelay,
        Fault::FillDisk,
        Fault::EmptyDisks,
        Fault::CloneProcess,
        Fault::Withhold,
        Fault::SwitchOffline,
        Fault::SecondTab,
        Fault::PartRegions,
        Fault::PartReplica,
        Fault::SlowRegion,
        Fault::JumpClock,
        Fault::ReadOnly,
        Fault::EvictRelay,
    ];
}

impl World {
    pub(super) fn fault(&mut self) {
        let total: u64 = self.plan.faults.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.rng.below(total);
        let fault = self.plan.faults.iter().find(|(weight, _)| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        if let Some((_, fault)) = fault.copied() {
            self.happens(fault);
        }
    }

    fn happens(&mut self, fault: Fault) {
        let region = self.rng.below(self.plan.regions as u64) as usize;
        let replicas: Vec<_> = self
            .processes
            .iter()
            .filter(|(_, process)| !self.is_relay(process.disk))
            .map(|(id, _)| *id)
            .collect();
        let replica = self.rng.pick(&replicas).copied();
        let most = *self.rng.pick(&[1_000, 1_000, 20_000, 20_000, 20_000, 300_000]).expect("not empty");
        let away = self.rng.below(most);
        match fault {
            Fault::BreakLink | Fault::StallLink | Fault::Withhold => self.harm_link(fault, away),
            Fault::CrashRelay => {
                self.relay_goes(region, away);
                self.count("relay crashes");
            }
            Fault::WipeRelay => {
                self.relay_goes(region, away);
                self.put_back(region, Disk::default(), true);
                self.count("wiped relays");
            }
            Fault::RollBackRelay => self.roll_back(region, away),
            Fault::FillDisk => {
                let disk = self.rng.below(self.disks.len() as u64) as usize;
                self.disks[disk].is_full = true;
                self.count("full disks");
            }
            Fault::EmptyDisks => self.disks.iter_mut().for_each(|disk| disk.is_full = false),
            Fault::PartRegions => self.part_regions(region, away),
            Fault::SlowRegion => {
                self.paths.slow_until[region] = self.now + away;
                self.count("slow regions");
            }
            Fault::EvictRelay => {
                if let Some(relay) = self.relay(region) {
                    self.evict(relay);
                }
            }
            Fault::JumpClock => self.jump_clock(),
            Fault::CrashReplica
            | Fault::CloneProcess
            | Fault::SwitchOffline
            | Fault::SecondTab
            | Fault::PartReplica
            | Fault::ReadOnly => {
                if let Some(replica) = replica {
                    self.harm_replica(fault, replica, region, away);
                }
            }
        }
    }

    fn harm_link(&mut self, fault: Fault, away: Millis) {
        let connections: Vec<_> = self.connections.keys().copied().collect();
        let Some(id) = self.rng.pick(&connections).copied() else { return };
        let until = self.now + away;
        let regions = self.plan.regions;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let ends = connection.ends;
        match fault {
            Fault::StallLink => connection.stalled_until = until,
            // A relay trusts another to have sent what it says it has sent.
            Fault::Withhold if connection.disks[0] >= regions => {
                connection.withholds = true;
                self.history.deceived.insert(connection.disks[0]);
                self.count("withholding peers");
            }
            Fault::BreakLink => {
                self.cut(id);
                self.count("broken links");
            }
            _ => {}
        }
        for (process, _) in ends {
            self.disturbed(process);
        }
    }

    fn harm_replica(&mut self, fault: Fault, replica: ProcessId, region: usize, away: Millis) {
        let disk = self.processes[&replica].disk;
        match fault {
            Fault::CrashReplica => {
                self.stop(replica);
                self.at(away, Happening::Start(disk));
                self.count("replica crashes");
            }
            Fault::CloneProcess => self.clone_process(replica),
            Fault::SwitchOffline => {
                let online = self.rng.chance(500);
                if self.is_leader(replica) {
                    self.set_online(replica, online);
                }
            }
            Fault::SecondTab
                if self.processes.values().filter(|process| process.disk == disk).count() < 3 =>
            {
                self.start(disk);
                self.count("more tabs");
            }
            Fault::PartReplica => {
                let (from, to) = if self.rng.chance(500) { (disk, region) } else { (region, disk) };
                self.part(from, to, self.now + away);
                self.count("partitions of replicas");
            }
            Fault::ReadOnly if self.plan.access != Access::Open => {
                if let Some(until) = self.tokens.read_only_until.get_mut(disk) {
                    *until = self.now + away;
                    self.renew_token(replica);
                    self.count("replicas made read-only");
                }
            }
            _ => {}
        }
    }

    // Regions.

    fn relay(&self, region: usize) -> Option<ProcessId> {
        self.processes.iter().find(|(_, process)| process.disk == region).map(|(id, _)| *id)
    }

    fn relay_goes(&mut self, region: usize, away: Millis) {
        if let Some(relay) = self.relay(region) {
            self.stop(relay);
        }
        self.at(away, Happening::Start(region));
    }

    fn roll_back(&mut self, region: usize, away: Millis) {
        let copy = self.copies.iter().rposition(|(of, _)| *of == region);
        match copy {
            Some(copy) => {
                let (_, copy) = self.copies.remove(copy);
                self.relay_goes(region, away);
                self.put_back(region, copy, false);
                self.count("rolled-back relays");
            }
            None => self.copies.push((region, self.disks[region].clone())),
        }
    }

    fn put_back(&mut self, region: usize, copy: Disk, is_wiped: bool) {
        self.disks[region].restore(copy);
        self.forget_promises(region, is_wiped);
    }

    /// Nothing gets from one region to another for a while; the way back stays open, or not.
    fn part_regions(&mut self, from: usize, away: Millis) {
        let to = self.rng.below(self.plan.regions as u64) as usize;
        if from == to {
            return;
        }
        let until = self.now + away;
        let is_both_ways = self.rng.chance(300);
        let places: Vec<_> = self.paths.places.iter().map(|place| place.region).collect();
        for (one, region) in places.iter().enumerate() {
            for (other, _) in places.iter().enumerate().filter(|(_, other)| *region == from && **other == to)
            {
                self.part(one, other, until);
                if is_both_ways {
                    self.part(other, one, until);
                }
            }
        }
        self.count("partitions of regions");
    }

    /// What is under way stalls, and what of it goes over some connections is lost for good.
    fn part(&mut self, from: usize, to: usize, until: Millis) {
        self.paths.block(from, to, until);
        for connection in self.connections.values_mut() {
            for end in 0..2 {
                let is_it = (connection.disks[1 - end], connection.disks[end]) == (from, to);
                connection.lost[end] |= is_it && self.rng.chance(300);
            }
        }
    }

    fn jump_clock(&mut self) {
        let ids: Vec<_> = self.processes.keys().copied().collect();
        let Some(id) = self.rng.pick(&ids).copied() else { return };
        if let Some(process) = self.processes.get_mut(&id) {
            process.clock.jump(&mut self.rng);
        }
        self.disturbed(id);
        self.count("clocks set");
    }

    /// A machine image is restored while the original lives on: the same process, twice.
    fn clone_process(&mut self, id: ProcessId) {
        if self.disks.len() > 8 || !self.disks[self.processes[&id].disk].is_idle() {
            return;
        }
        let process = &self.processes[&id];
        let Machine::Replica(machine) = &process.machine else { return };
        let machine = machine.clone();
        let (clock, token) = (process.clock, process.token.clone());
        let links: Vec<_> = process.links.keys().copied().collect();
        let open = process.open.clone();
        let copy = self.disks[process.disk].clone();
        self.paths.places.push(self.paths.places[process.disk]);
        self.disks.push(copy);
        let clone = ProcessId::new(self.id());
        self.add(clone, Machine::Replica(machine), self.disks.len() - 1, clock, token);
        if let Some(process) = self.processes.get_mut(&clone) {
            process.open = open;
            process.is_ready = true;
            process.is_clone = true;
        }
        for link in links {
            self.input(clone, holder::Input::LinkClosed(link));
        }
        self.set_online(clone, true);
        // The timer that was running is not the clone's: it looks at once what is due.
        self.input(clone, holder::Input::Timer);
        self.count("cloned processes");
    }
}
