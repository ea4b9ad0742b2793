//! Which fault happens, and to whom; faults of links and of clocks.

use eyot_core::base::time::Millis;

use crate::parts::disk::Disk;
use crate::parts::process::Machine;
use crate::plan::fault::Fault;
use crate::world::world::World;

impl World {
    pub fn fault(&mut self) {
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
            .filter(|(_, process)| matches!(process.machine, Machine::Replica(_)))
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
            Fault::CutOff => self.cut_off(region),
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

    fn jump_clock(&mut self) {
        let ids: Vec<_> = self.processes.keys().copied().collect();
        let Some(id) = self.rng.pick(&ids).copied() else { return };
        if let Some(process) = self.processes.get_mut(&id) {
            process.clock.jump(&mut self.rng);
        }
        self.disturbed(id);
        self.count("clocks set");
    }
}
