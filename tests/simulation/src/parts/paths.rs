//! The network between places: how long things take, and which way nothing gets through.

use std::collections::BTreeMap;

use eyot_core::base::time::Millis;

use crate::plan::plan::{Place, Plan};

/// How much slower everything is in a slow region.
pub const SLOW_FACTOR: Millis = 20;

pub struct Paths {
    pub places: Vec<Place>,
    /// By region: until when its relay's disk and links are slow.
    pub slow_until: Vec<Millis>,
    /// Ways from one disk's place to another's that are shut, and until when.
    blocked: BTreeMap<(usize, usize), Millis>,
}

impl Paths {
    pub fn new(places: Vec<Place>, regions: usize) -> Self {
        Self { places, slow_until: vec![0; regions], blocked: BTreeMap::new() }
    }

    pub fn block(&mut self, from: usize, to: usize, until: Millis) {
        let end = self.blocked.entry((from, to)).or_insert(until);
        *end = until.max(*end);
    }

    pub fn blocked_until(&self, from: usize, to: usize, now: Millis) -> Option<Millis> {
        self.blocked.get(&(from, to)).copied().filter(|until| *until > now)
    }

    /// Whether anything gets through both ways.
    pub fn is_open(&self, one: usize, other: usize, now: Millis) -> bool {
        self.blocked_until(one, other, now).is_none() && self.blocked_until(other, one, now).is_none()
    }

    pub fn is_slow(&self, disk: usize, now: Millis) -> bool {
        self.slow_until.get(disk).is_some_and(|until| *until > now)
    }

    /// There and back, on a good day.
    pub fn round_trip(&self, plan: &Plan, one: usize, other: usize) -> Millis {
        let (one, other) = (self.places[one], self.places[other]);
        plan.latency(one, other) + plan.latency(other, one)
    }

    pub fn heal(&mut self) {
        self.blocked.clear();
        self.slow_until.fill(0);
    }
}
