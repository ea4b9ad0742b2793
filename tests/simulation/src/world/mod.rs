//! The world: processes, the disks they share, the connections between them, and what goes wrong.

mod access;
mod acts;
mod faults;
mod heal;
mod laws;
mod links;
mod paths;
mod plan;
mod processes;
mod watch;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use eyot_core::base::id::DocId;
use eyot_core::base::id::LinkId;
use eyot_core::base::time::Millis;

use self::access::Tokens;
use self::laws::History;
use self::links::{Connection, ConnectionId};
use self::paths::Paths;
use self::plan::Plan;
use self::processes::Process;
use crate::disk::Disk;
use crate::outcome::Outcome;
use crate::rng::Rng;

pub use self::processes::ProcessId;

/// When a world begins: late enough that no clock shows a time before zero.
const BEGINNING: Millis = 1_000_000_000;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A message arrives at an end of a connection.
    Deliver(ConnectionId, usize),
    Connect(ConnectionId),
    /// Whoever is still there learns that a connection is gone.
    Expire(ConnectionId),
    Disk(usize),
    Timer(ProcessId, u64),
    Start(usize),
    /// A relay that can't go on is stopped and started by its host.
    Restart(ProcessId),
    /// A relay's host looks whether it has done nothing since.
    Doze(ProcessId, u64),
    Probed(ProcessId, String, bool),
    Authorized {
        process: ProcessId,
        life: u64,
        link: LinkId,
        token: Option<String>,
    },
    /// The application gives a replica a fresh token.
    Renew(ProcessId),
    Act,
    Fault,
    Watch,
}

pub struct World {
    rng: Rng,
    now: Millis,
    order: u64,
    queue: BinaryHeap<Reverse<(Millis, u64, Happening)>>,
    plan: Plan,
    paths: Paths,
    /// The relays' disks first, one for each region.
    disks: Vec<Disk>,
    copies: Vec<(usize, Disk)>,
    processes: BTreeMap<ProcessId, Process>,
    connections: BTreeMap<ConnectionId, Connection>,
    tokens: Tokens,
    next_id: u64,
    names: Vec<String>,
    docs: Vec<DocId>,
    deleted: BTreeSet<DocId>,
    history: History,
    healing: bool,
    last_sent: Millis,
    outcome: Outcome,
    failure: Option<String>,
    /// Print what happens.
    is_told: bool,
}

impl World {
    pub fn new(seed: u64, is_told: bool) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::draw(&mut rng);
        let places = plan.places(&mut rng);
        let mut world = Self {
            rng,
            now: BEGINNING,
            order: 0,
            queue: BinaryHeap::new(),
            history: History::new(plan.regions),
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
            last_sent: 0,
            outcome: Outcome::default(),
            failure: None,
            is_told,
        };
        for disk in 0..world.disks.len() {
            world.start(disk);
        }
        world.at(0, Happening::Act);
        world.at(0, Happening::Fault);
        world.at(0, Happening::Watch);
        world
    }

    pub fn run(mut self, steps: u64) -> Result<Outcome, String> {
        while self.outcome.steps < steps {
            self.step()?;
        }
        self.heal()?;
        self.check()?;
        Ok(self.outcome)
    }

    fn at(&mut self, delay: Millis, happening: Happening) {
        self.order += 1;
        self.queue.push(Reverse((self.now + delay, self.order, happening)));
    }

    fn step(&mut self) -> Result<(), String> {
        let Some(Reverse((time, _, happening))) = self.queue.pop() else { return Ok(()) };
        self.now = self.now.max(time);
        // Looking is no step: worlds in which little happens would be short.
        self.outcome.steps += u64::from(happening != Happening::Watch);
        match happening {
            Happening::Deliver(connection, end) => self.deliver(connection, end),
            Happening::Connect(connection) => self.connect(connection),
            Happening::Expire(connection) => self.cut(connection),
            Happening::Disk(disk) => self.disk_answers(disk),
            Happening::Timer(process, timer) => self.timer_rings(process, timer),
            Happening::Start(disk) => {
                if !self.processes.values().any(|process| process.disk == disk) {
                    self.start(disk);
                }
            }
            Happening::Restart(process) => self.restart(process),
            Happening::Doze(process, inputs) => self.doze(process, inputs),
            Happening::Probed(process, url, is_healthy) => self.probed(process, url, is_healthy),
            Happening::Authorized { process, life, link, token } => {
                self.authorized(process, life, link, token);
            }
            Happening::Renew(process) => self.renew_token(process),
            Happening::Act if !self.healing => {
                self.act();
                let wait = self.rng.below(2 * self.plan.act_wait);
                self.at(wait, Happening::Act);
            }
            Happening::Fault if !self.healing => {
                self.fault();
                let wait = self.rng.below(2 * self.plan.fault_wait);
                self.at(wait, Happening::Fault);
            }
            Happening::Act | Happening::Fault => {}
            Happening::Watch => {
                self.watch();
                self.at(watch::EVERY, Happening::Watch);
            }
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    fn is_relay(&self, disk: usize) -> bool {
        disk < self.plan.regions
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:>9} {}", self.now - BEGINNING, what());
        }
    }

    fn fail(&mut self, message: String) {
        self.failure.get_or_insert(message);
    }

    fn count(&mut self, name: &'static str) {
        if name != "frames" {
            self.say(|| format!("+1 {name}"));
        }
        self.outcome.count(name, 1);
    }

    /// All that leaves a machine is part of the trace, with its time.
    fn trace(&mut self, bytes: &[u8]) {
        self.outcome.trace(self.now.to_be_bytes().into_iter().chain(bytes.iter().copied()));
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// Where a disk's processes are dialled.
fn address(disk: usize) -> String {
    format!("disk-{disk}")
}

fn disk_at(url: &str) -> Option<usize> {
    url.strip_prefix("disk-")?.parse().ok()
}
