//! Faults of replicas.

use eyot_core::base::time::Millis;
use eyot_core::holder::io as holder;

use crate::base::ids::ProcessId;
use crate::parts::process::Machine;
use crate::plan::fault::Fault;
use crate::plan::plan::Access;
use crate::world::happening::Happening;
use crate::world::world::World;

impl World {
    pub fn harm_replica(&mut self, fault: Fault, replica: ProcessId, region: usize, away: Millis) {
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
                let other = match self.plan.meeting {
                    // Replicas that were introduced may lose one another, too.
                    Some(_) if self.rng.chance(500) => {
                        self.rng.between(0, self.disks.len() as u64 - 1) as usize
                    }
                    _ => region,
                };
                let (from, to) = if self.rng.chance(500) { (disk, other) } else { (other, disk) };
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

    /// A machine image is restored while the original lives on: the same process, twice.
    pub fn clone_process(&mut self, id: ProcessId) {
        if self.plan.has_rivals || self.disks.len() > 10 || !self.disks[self.processes[&id].disk].is_idle() {
            return;
        }
        let process = &self.processes[&id];
        let Machine::Replica(machine) = &process.machine else { return };
        let machine = machine.clone();
        let (clock, token) = (process.clock, process.token.clone());
        let links: Vec<_> = process.links.keys().copied().collect();
        let (open, is_watching, peeked) = (process.open.clone(), process.is_watching, process.peeked.clone());
        let disk = process.disk;
        let copy = self.disks[disk].clone();
        self.paths.places.push(self.paths.places[disk]);
        self.disks.push(copy);
        let clone = ProcessId(self.id());
        self.shown.cloned(id, clone);
        self.add(clone, Machine::Replica(machine), self.disks.len() - 1, clock, token);
        if let Some(process) = self.processes.get_mut(&clone) {
            (process.open, process.is_watching, process.peeked) = (open, is_watching, peeked);
            process.is_ready = true;
            process.is_clone = true;
        }
        for link in links {
            self.input(clone, holder::Input::LinkClosed(link));
        }
        self.set_online(clone, true);
        // The timer that was running is not the clone's: it looks at once what is due.
        self.input(clone, holder::Input::Timer);
        if self.rng.chance(300) {
            let acts = self.rng.between(10, 100);
            self.at(0, Happening::Burst(acts));
        }
        self.count("cloned processes");
    }
}
