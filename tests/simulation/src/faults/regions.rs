//! Faults of regions and of the ways between them.

use eyot_core::base::time::Millis;

use crate::base::ids::ProcessId;
use crate::parts::disk::Disk;
use crate::world::happening::Happening;
use crate::world::world::World;

impl World {
    pub fn relay(&self, region: usize) -> Option<ProcessId> {
        self.processes.iter().find(|(_, process)| process.disk == region).map(|(id, _)| *id)
    }

    pub fn relay_goes(&mut self, region: usize, away: Millis) {
        if let Some(relay) = self.relay(region) {
            self.stop(relay);
        }
        self.at(away, Happening::Start(region));
    }

    pub fn roll_back(&mut self, region: usize, away: Millis) {
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

    pub fn put_back(&mut self, region: usize, copy: Disk, is_wiped: bool) {
        self.disks[region].restore(copy);
        self.forget_promises(region, is_wiped);
    }

    /// Nothing gets from one region to another for a while; the way back stays open, or not.
    pub fn part_regions(&mut self, from: usize, away: Millis) {
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

    /// A region's relay reaches no other one for a while, and one of them for much longer. Meanwhile
    /// much is written.
    pub fn cut_off(&mut self, region: usize) {
        let until = self.now + self.rng.between(2_000, 60_000);
        let others: Vec<_> = (0..self.plan.regions).filter(|other| *other != region).collect();
        let longer = self.rng.pick(&others).copied();
        for other in others {
            let is_longer = longer == Some(other) && self.plan.regions > 2;
            let until = if is_longer { until + self.rng.below(300_000) } else { until };
            self.part(region, other, until);
            self.part(other, region, until);
        }
        let acts = self.rng.between(30, 300);
        self.at(0, Happening::Burst(acts));
        self.count("regions cut off");
    }

    /// What is under way stalls, and what of it goes over some connections is lost for good.
    pub fn part(&mut self, from: usize, to: usize, until: Millis) {
        self.paths.block(from, to, until);
        for connection in self.connections.values_mut() {
            for end in 0..2 {
                let is_it = (connection.disks[1 - end], connection.disks[end]) == (from, to);
                connection.lost[end] |= is_it && self.rng.chance(300);
            }
        }
    }
}
