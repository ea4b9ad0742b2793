//! The world: processes, the disks they share, the connections between them, and what goes wrong.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use eyot_core::base::id::DocId;
use eyot_core::base::time::Millis;

use crate::base::ids::{ConnectionId, ProcessId};
use crate::base::outcome::Outcome;
use crate::base::rng::Rng;
use crate::parts::connection::Connection;
use crate::parts::disk::Disk;
use crate::parts::history::History;
use crate::parts::paths::Paths;
use crate::parts::process::Process;
use crate::parts::shown::Shown;
use crate::parts::tokens::Tokens;
use crate::plan::broken::Broken;
use crate::plan::meeting::Relays;
use crate::plan::plan::Plan;
use crate::world::happening::Happening;

/// When a world begins: late enough that no clock shows a time before zero.
pub const BEGINNING: Millis = 1_000_000_000;

pub struct World {
    pub rng: Rng,
    pub now: Millis,
    /// How much has happened at this moment.
    pub at_once: u64,
    pub order: u64,
    pub queue: BinaryHeap<Reverse<(Millis, u64, Happening)>>,
    pub plan: Plan,
    pub paths: Paths,
    /// The relays' disks first, one for each region.
    pub disks: Vec<Disk>,
    pub copies: Vec<(usize, Disk)>,
    pub processes: BTreeMap<ProcessId, Process>,
    pub connections: BTreeMap<ConnectionId, Connection>,
    pub tokens: Tokens,
    pub next_id: u64,
    pub names: Vec<String>,
    pub docs: Vec<DocId>,
    pub deleted: BTreeSet<DocId>,
    pub history: History,
    pub shown: Shown,
    pub healing: bool,
    /// Nothing is done and nothing goes wrong for a while.
    pub is_resting: bool,
    /// No relay runs.
    pub relays_are_away: bool,
    pub last_sent: Millis,
    pub outcome: Outcome,
    pub failure: Option<String>,
    /// Print what happens.
    pub is_told: bool,
}

impl World {
    /// The world of a seed: one of many replicas, if so many are asked for.
    pub fn new(seed: u64, mesh: Option<usize>, is_told: bool, broken: Broken) -> Self {
        let mut rng = Rng::new(seed);
        let mut plan = match mesh {
            Some(replicas) => Plan::draw_mesh(seed, replicas, &mut rng),
            None => Plan::draw(seed, &mut rng),
        };
        broken.apply(&mut plan.limits);
        let places = plan.places(&mut rng);
        let relays_are_away = plan.meeting.as_ref().is_some_and(|meeting| meeting.relays != Relays::There);
        Self {
            rng,
            now: BEGINNING,
            at_once: 0,
            order: 0,
            queue: BinaryHeap::new(),
            history: History::new(plan.regions),
            shown: Shown::default(),
            tokens: Tokens::new(places.len()),
            disks: vec![Disk::default(); places.len()],
            paths: Paths::new(places, plan.regions),
            plan,
            copies: Vec::new(),
            processes: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_id: 0,
            names: (0..3).map(|i| format!("name {i}")).collect(),
            docs: Vec::new(),
            deleted: BTreeSet::new(),
            healing: false,
            is_resting: false,
            relays_are_away,
            last_sent: 0,
            outcome: Outcome::default(),
            failure: None,
            is_told,
        }
    }

    pub fn at(&mut self, delay: Millis, happening: Happening) {
        self.order += 1;
        self.queue.push(Reverse((self.now + delay, self.order, happening)));
    }

    pub fn is_relay(&self, disk: usize) -> bool {
        disk < self.plan.regions
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:>9} {}", self.now - BEGINNING, what());
        }
    }

    pub fn fail(&mut self, message: String) {
        self.failure.get_or_insert(message);
    }

    pub fn count(&mut self, name: &'static str) {
        if name != "frames" {
            self.say(|| format!("+1 {name}"));
        }
        self.outcome.count(name, 1);
    }

    /// All that leaves a machine is part of the trace, with its time.
    pub fn trace(&mut self, bytes: &[u8]) {
        self.outcome.trace(self.now.to_be_bytes().into_iter().chain(bytes.iter().copied()));
    }

    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
