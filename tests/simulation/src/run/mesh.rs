//! The life of a world of many replicas: they come and go, fall apart into two halves, and are without a relay
//! for a day.

use eyot_core::base::time::Millis;

use crate::base::ids::ProcessId;
use crate::parts::process::Machine;
use crate::world::world::World;

/// How long replicas come and go, before and after they fall apart.
const CHURN: Millis = 40_000;
/// How long nothing gets from one half to the other.
const SPLIT: Millis = 60_000;
/// How long all have, once nothing is written, to come to hold the same: a link may have died with no word.
const REST: Millis = 60_000;
/// Who comes back after a crash in the last part of that has not had the time.
const LATE: Millis = 30_000;
/// How long no relay runs, and how many replicas do.
const DAY: Millis = 86_400_000;
const AWAKE: usize = 6;

impl World {
    pub fn live_as_mesh(&mut self) -> Result<(), String> {
        self.live_for(CHURN)?;
        self.split_mesh();
        self.live_for(SPLIT)?;
        self.paths.heal();
        self.live_for(CHURN)?;
        self.is_resting = true;
        self.paths.heal();
        self.live_for(REST - LATE)?;
        let rested = self.replica_processes();
        self.live_for(LATE)?;
        self.check_linked_replicas_hold_the_same(&rested)?;
        self.is_resting = false;
        self.day_without_relays()
    }

    fn live_for(&mut self, time: Millis) -> Result<(), String> {
        let until = self.now + time;
        while self.now < until {
            self.step()?;
        }
        Ok(())
    }

    /// Nothing gets from the replicas of even disks to those of odd ones, and back. All reach the relays.
    fn split_mesh(&mut self) {
        let until = self.now + SPLIT;
        let (regions, all) = (self.plan.regions, self.disks.len());
        for one in regions..all {
            for other in (regions..all).filter(|other| other % 2 != one % 2) {
                self.part(one, other, until);
            }
        }
        self.count("meshes that fell apart");
    }

    /// Relays stop, and all but a few replicas. A day later the others are there again.
    fn day_without_relays(&mut self) -> Result<(), String> {
        self.relays_are_away = true;
        self.stop_relays();
        let awake: Vec<ProcessId> = self.replica_processes();
        for id in awake.into_iter().skip(AWAKE) {
            self.stop(id);
        }
        let waits = (self.plan.act_wait, self.plan.fault_wait, self.plan.meeting.clone());
        (self.plan.act_wait, self.plan.fault_wait) = (600_000, 3_600_000);
        if let Some(meeting) = &mut self.plan.meeting {
            meeting.wait = 30_000;
        }
        self.dismiss_actors();
        self.live_for(DAY)?;
        (self.plan.act_wait, self.plan.fault_wait, self.plan.meeting) = waits;
        self.count("days without a relay");
        self.live_for(CHURN / 4)
    }

    fn replica_processes(&self) -> Vec<ProcessId> {
        let is_replica = |machine: &Machine| matches!(machine, Machine::Replica(_));
        self.processes.iter().filter(|(_, p)| is_replica(&p.machine)).map(|(id, _)| *id).collect()
    }
}
