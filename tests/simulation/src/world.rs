//! The world: processes, the disks they share, the connections between them, and what goes wrong.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::fmt;

use eyot_core::access::Claims;
use eyot_core::automerge::{Prop, ROOT, ReadDoc, ScalarValue};
use eyot_core::frame::{Ack, Answer, Commits, Frame};
use eyot_core::id::{AuthorId, CommitId, DocId};
use eyot_core::log::read_meta;
use eyot_core::value::{Op, Value};
use eyot_core::vector::Vector;
use eyot_core::{
    Caps, Effect, Event, Input, LinkId, Millis, Relay, RelayConfig, Replica, ReplicaConfig, RequestId,
    StorageRequest, WaitId,
};

use crate::checks::log_is_causal;
use crate::disk::Disk;
use crate::rng::Rng;

/// How long a healed world may take to go quiet.
const HEAL_MAX: Millis = 600_000;
/// How long nothing may be sent for a world to be quiet.
const QUIET: Millis = 30_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ConnectionId(u64);

/// What came of a seed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub steps: u64,
    pub trace: u64,
    pub counts: BTreeMap<&'static str, u64>,
}

impl Outcome {
    pub fn add(&mut self, other: &Outcome) {
        self.steps += other.steps;
        for (name, count) in &other.counts {
            *self.counts.entry(name).or_default() += count;
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<_> = self.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        write!(f, "{} steps: {}", self.steps, counts.join(", "))
    }
}

enum Machine {
    Replica(Box<Replica>),
    Relay(Box<Relay>),
}

struct Process {
    machine: Machine,
    disk: usize,
    timer: u64,
    links: BTreeMap<LinkId, ConnectionId>,
    next_accepted: u64,
    /// Documents the application has open.
    open: BTreeSet<DocId>,
    is_ready: bool,
    /// Commits that it waits for to be durable.
    durable: BTreeMap<WaitId, CommitId>,
    /// Waits that were over at once.
    over: BTreeSet<WaitId>,
    is_clone: bool,
}

struct Connection {
    /// Who dialled, who accepted.
    ends: [(ProcessId, LinkId); 2],
    is_open: bool,
    /// Frames under way, to each end.
    queues: [VecDeque<Vec<u8>>; 2],
    stalled_until: Millis,
    /// A commit is left out of the stream now and then.
    withholds: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Deliver(ConnectionId, usize),
    Connect(ConnectionId),
    Disk(usize),
    Timer(ProcessId, u64),
    Act,
    Fault,
    Start(usize),
}

/// How often what goes wrong, drawn for each seed.
struct Rates {
    act_wait: Millis,
    fault_wait: Millis,
    link_delay: Millis,
    disk_delay: Millis,
    weights: Vec<(u64, Fault)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    BreakLink,
    StallLink,
    CrashReplica,
    CrashRelay,
    WipeRelay,
    RollBackRelay,
    FillDisk,
    EmptyDisk,
    CloneProcess,
    Withhold,
    SwitchOffline,
    SecondTab,
}

pub struct World {
    rng: Rng,
    now: Millis,
    order: u64,
    queue: BinaryHeap<Reverse<(Millis, u64, Happening)>>,
    rates: Rates,
    disks: Vec<Disk>,
    copies: Vec<Disk>,
    processes: BTreeMap<ProcessId, Process>,
    connections: BTreeMap<ConnectionId, Connection>,
    next_id: u64,
    names: Vec<String>,
    docs: Vec<DocId>,
    deleted: BTreeSet<DocId>,
    healing: bool,
    last_sent: Millis,
    outcome: Outcome,
    failure: Option<String>,
    /// All that was ever durable at the relay.
    relayed: BTreeSet<CommitId>,
    /// Print what happens.
    is_told: bool,
}

/// Disk 0 is the relay's; direct links go to replicas' disks by address.
const RELAY: usize = 0;

impl World {
    pub fn new(seed: u64, is_told: bool) -> Self {
        let mut rng = Rng::new(seed);
        let replicas = rng.between(2, 5) as usize;
        let rates = Rates {
            act_wait: *rng.pick(&[20, 100, 400]).expect("not empty"),
            fault_wait: *rng.pick(&[300, 2_000, 10_000]).expect("not empty"),
            link_delay: *rng.pick(&[2, 30, 300]).expect("not empty"),
            disk_delay: *rng.pick(&[0, 3, 60]).expect("not empty"),
            weights: Fault::ALL.iter().map(|fault| (rng.below(10), *fault)).collect(),
        };
        let mut world = Self {
            rng,
            now: 1_000_000,
            order: 0,
            queue: BinaryHeap::new(),
            rates,
            disks: vec![Disk::default(); replicas + 1],
            copies: Vec::new(),
            processes: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_id: 0,
            names: (0..3).map(|i| format!("name {i}")).collect(),
            docs: Vec::new(),
            deleted: BTreeSet::new(),
            healing: false,
            last_sent: 0,
            outcome: Outcome { trace: 0xcbf2_9ce4_8422_2325, ..Outcome::default() },
            failure: None,
            relayed: BTreeSet::new(),
            is_told,
        };
        for disk in 0..world.disks.len() {
            world.start(disk);
        }
        world.at(0, Happening::Act);
        world.at(0, Happening::Fault);
        world
    }

    pub fn run(mut self, steps: u64) -> Result<Outcome, String> {
        for _ in 0..steps {
            self.step();
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
        }
        self.heal()?;
        self.check()?;
        Ok(self.outcome)
    }

    // Time.

    fn at(&mut self, delay: Millis, happening: Happening) {
        self.order += 1;
        self.queue.push(Reverse((self.now + delay, self.order, happening)));
    }

    fn step(&mut self) {
        let Some(Reverse((time, _, happening))) = self.queue.pop() else { return };
        self.now = self.now.max(time);
        self.outcome.steps += 1;
        match happening {
            Happening::Deliver(connection, end) => self.deliver(connection, end),
            Happening::Connect(connection) => self.connect(connection),
            Happening::Disk(disk) => self.disk_answers(disk),
            Happening::Timer(process, timer) => {
                if self.processes.get(&process).is_some_and(|held| held.timer == timer) {
                    self.input(process, Input::Timer);
                }
            }
            Happening::Act => {
                if !self.healing {
                    self.act();
                    let wait = self.rng.below(2 * self.rates.act_wait);
                    self.at(wait, Happening::Act);
                }
            }
            Happening::Fault => {
                if !self.healing {
                    self.fault();
                    let wait = self.rng.below(2 * self.rates.fault_wait);
                    self.at(wait, Happening::Fault);
                }
            }
            Happening::Start(disk) => {
                if !self.processes.values().any(|process| process.disk == disk) {
                    self.start(disk);
                }
            }
        }
    }

    // Processes.

    fn start(&mut self, disk: usize) -> ProcessId {
        let id = ProcessId(self.id());
        let is_first = !self.processes.values().any(|process| process.disk == disk);
        let machine = if disk == RELAY {
            let config = RelayConfig {
                space: "space".into(),
                region: "eu".into(),
                peers: Vec::new(),
                token: None,
                caps: Caps::default(),
                seed: self.rng.bytes(),
            };
            Machine::Relay(Box::new(Relay::new(config, self.now)))
        } else {
            // The relay, and one other replica to link to directly.
            let other = 1 + disk % (self.disks.len() - 1);
            let config = ReplicaConfig {
                space: "space".into(),
                author: AuthorId(self.rng.bytes()),
                seed: self.rng.bytes(),
                relays: vec![address(RELAY), address(RELAY), address(other)],
                token: None,
            };
            Machine::Replica(Box::new(Replica::new(config, self.now)))
        };
        self.add(id, machine, disk, false);
        if !is_first {
            self.input(id, Input::Online(false));
        }
        for name in self.names.clone() {
            self.call(id, |replica, _| {
                let _ = replica.named(&name, &initial());
            });
        }
        id
    }

    fn add(&mut self, id: ProcessId, machine: Machine, disk: usize, is_clone: bool) {
        let process = Process {
            machine,
            disk,
            timer: 0,
            links: BTreeMap::new(),
            next_accepted: 1,
            open: BTreeSet::new(),
            is_ready: false,
            durable: BTreeMap::new(),
            over: BTreeSet::new(),
            is_clone,
        };
        self.say(|| format!("{id:?} on disk {disk}"));
        self.processes.insert(id, process);
        self.drain(id);
    }

    fn stop(&mut self, id: ProcessId) {
        let Some(process) = self.processes.remove(&id) else { return };
        let disk = &mut self.disks[process.disk];
        disk.crash(id, &mut self.rng);
        if process.disk == RELAY {
            self.relayed.append(&mut disk.fresh);
        }
        for connection in process.links.values() {
            self.cut(*connection);
        }
        // Another tab takes over the links, if there is one.
        let heir = self.processes.iter().find(|(_, other)| other.disk == process.disk).map(|(id, _)| *id);
        if let Some(heir) = heir {
            self.input(heir, Input::Online(true));
        }
    }

    fn input(&mut self, id: ProcessId, input: Input) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&id) else { return };
        match &mut process.machine {
            Machine::Replica(replica) => replica.handle(input, now),
            Machine::Relay(relay) => relay.handle(input, now),
        }
        self.drain(id);
    }

    fn call(&mut self, id: ProcessId, call: impl FnOnce(&mut Replica, Millis)) {
        let now = self.now;
        if let Some(Process { machine: Machine::Replica(replica), .. }) = self.processes.get_mut(&id) {
            call(replica, now);
        }
        self.drain(id);
    }

    fn drain(&mut self, id: ProcessId) {
        loop {
            let Some(process) = self.processes.get_mut(&id) else { return };
            let effect = match &mut process.machine {
                Machine::Replica(replica) => replica.poll_effect(),
                Machine::Relay(relay) => relay.poll_effect(),
            };
            let Some(effect) = effect else { return };
            self.effect(id, effect);
        }
    }

    fn effect(&mut self, id: ProcessId, effect: Effect) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&id) else { return };
        match effect {
            Effect::Dial(link, url) => self.dial(id, link, &url),
            Effect::Send(link, frame) => {
                self.trace(&frame);
                self.say(|| format!("{id:?} {link:?} {}", summary(&frame)));
                self.send(id, link, frame.to_vec());
            }
            Effect::Close(link, code, reason) => {
                if self.is_told {
                    println!("          {id:?} closes {link:?}: {code} {reason}");
                }
                if let Some(connection) = process.links.remove(&link) {
                    self.close(connection, id);
                }
            }
            Effect::Storage(request, what) => self.ask_disk(id, request, what),
            Effect::SetTimer(deadline) => {
                process.timer += 1;
                let timer = process.timer;
                if let Some(deadline) = deadline {
                    self.at(deadline.saturating_sub(now), Happening::Timer(id, timer));
                }
            }
            Effect::Broadcast(message) => {
                let disk = process.disk;
                let others: Vec<_> = self
                    .processes
                    .iter()
                    .filter(|(other, process)| **other != id && process.disk == disk)
                    .map(|(other, _)| *other)
                    .collect();
                for other in others {
                    self.input(other, Input::Broadcast(message.clone()));
                }
            }
            Effect::App(event) => self.event(id, event),
            Effect::Authorize(link, _) => self.input(id, Input::Authorized(link, Ok(Claims::open()))),
            Effect::Probe(_) | Effect::Ping(_) => {}
        }
    }

    fn event(&mut self, id: ProcessId, event: Event) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        match event {
            Event::Ready => process.is_ready = true,
            Event::OpenFailed(reason) => self.fail(format!("a replica could not open: {reason}")),
            Event::Opened { doc, held: true, .. } => {
                process.open.insert(doc);
            }
            Event::Deleted { doc } => {
                process.open.remove(&doc);
            }
            Event::Waited(wait) => match process.durable.remove(&wait) {
                Some(commit) => {
                    self.say(|| format!("{id:?} is told {commit:?} is durable"));
                    self.is_durable(commit);
                }
                None => {
                    process.over.insert(wait);
                }
            },
            Event::Held { .. } => self.count("documents heard of"),
            Event::Reset { .. } => self.count("documents rebuilt"),
            Event::SaveFailed { .. } => self.count("failed saves"),
            Event::Opened { .. }
            | Event::Patches { .. }
            | Event::Saved { .. }
            | Event::Status
            | Event::TokenExpiring => {}
        }
    }

    // Disks.

    fn ask_disk(&mut self, id: ProcessId, request: RequestId, what: StorageRequest) {
        let disk = self.processes[&id].disk;
        self.disks[disk].ask(id, request, what);
        let delay = self.rng.below(self.rates.disk_delay + 1);
        self.at(delay, Happening::Disk(disk));
    }

    fn disk_answers(&mut self, disk: usize) {
        if let Some((process, request, answer)) = self.disks[disk].answer() {
            if disk == RELAY {
                self.relayed.append(&mut self.disks[disk].fresh);
            }
            self.input(process, Input::Storage(request, answer));
        }
    }

    // Connections.

    fn dial(&mut self, from: ProcessId, link: LinkId, url: &str) {
        let to = self
            .processes
            .iter()
            .find(|(id, process)| {
                **id != from && address(process.disk) == url && (process.disk == RELAY || !self.healing)
            })
            .map(|(id, _)| *id);
        let id = ConnectionId(self.id());
        if let Some(process) = self.processes.get_mut(&from) {
            process.links.insert(link, id);
        }
        let Some(to) = to else {
            let connection = Connection::new([(from, link), (from, link)]);
            self.connections.insert(id, connection);
            let delay = self.rng.below(self.rates.link_delay * 4 + 1);
            return self.at(delay, Happening::Connect(id));
        };
        let process = self.processes.get_mut(&to).expect("it was just found");
        let accepted = LinkId(process.next_accepted);
        process.next_accepted += 1;
        self.connections.insert(id, Connection::new([(from, link), (to, accepted)]));
        let delay = self.rng.below(self.rates.link_delay * 2 + 1);
        self.at(delay, Happening::Connect(id));
    }

    fn connect(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let [(from, link), (to, accepted)] = connection.ends;
        if from == to || !self.processes.contains_key(&to) {
            return self.cut(id);
        }
        connection.is_open = true;
        if let Some(process) = self.processes.get_mut(&to) {
            process.links.insert(accepted, id);
        }
        self.input(to, Input::LinkOpened(accepted));
        self.input(from, Input::LinkOpened(link));
    }

    fn send(&mut self, id: ProcessId, link: LinkId, frame: Vec<u8>) {
        self.check_frame(id, &frame);
        let Some(connection_id) =
            self.processes.get(&id).and_then(|process| process.links.get(&link)).copied()
        else {
            return;
        };
        let Some(connection) = self.connections.get_mut(&connection_id) else { return };
        let end = if connection.ends[0] == (id, link) { 1 } else { 0 };
        let frame = if connection.withholds && end == 0 { withhold(frame, &mut self.rng) } else { frame };
        connection.queues[end].push_back(frame);
        let stalled = connection.stalled_until.saturating_sub(self.now);
        let delay = stalled + self.rng.below(self.rates.link_delay + 1);
        self.last_sent = self.now;
        self.count("frames");
        self.at(delay, Happening::Deliver(connection_id, end));
    }

    fn deliver(&mut self, id: ConnectionId, end: usize) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.stalled_until > now {
            let wait = connection.stalled_until - now;
            return self.at(wait, Happening::Deliver(id, end));
        }
        let (process, link) = connection.ends[end];
        if let Some(frame) = connection.queues[end].pop_front() {
            self.input(process, Input::Received(link, frame));
        }
    }

    /// One side closed: what it sent before still arrives, then the other side sees it.
    fn close(&mut self, id: ConnectionId, by: ProcessId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let other = usize::from(connection.ends[0].0 == by);
        let (process, link) = connection.ends[other];
        let frames = std::mem::take(&mut connection.queues[other]);
        let is_open = connection.is_open;
        self.connections.remove(&id);
        if !is_open && other == 1 {
            return;
        }
        for frame in frames {
            self.input(process, Input::Received(link, frame));
        }
        if self.processes.get_mut(&process).is_some_and(|process| process.links.remove(&link).is_some()) {
            self.input(process, Input::LinkClosed(link));
        }
    }

    /// The connection is gone and what was under way is lost.
    fn cut(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        for (process, link) in connection.ends {
            if self.processes.get_mut(&process).is_some_and(|process| process.links.remove(&link).is_some()) {
                self.input(process, Input::LinkClosed(link));
            }
        }
    }

    // What applications do.

    fn act(&mut self) {
        let ready: Vec<_> = self.processes.iter().filter(|(_, p)| p.is_ready).map(|(id, _)| *id).collect();
        let Some(id) = self.rng.pick(&ready).copied() else { return };
        let open: Vec<_> = self.processes[&id].open.iter().copied().collect();
        match self.rng.below(40) {
            0 => {
                let value = Value::Scalar(ScalarValue::Int(self.rng.below(9) as i64));
                let op = Op::Put { path: vec![Prop::Map("k".into())], value };
                let mut made = None;
                self.call(id, |replica, now| made = replica.create(&[op], None, now).ok());
                if let Some(made) = made {
                    self.docs.push(made.doc);
                    if let Some(process) = self.processes.get_mut(&id) {
                        process.open.insert(made.doc);
                    }
                    self.count("documents");
                }
            }
            1 => {
                if let Some(doc) = self.rng.pick(&self.docs).copied() {
                    self.call(id, |replica, _| {
                        replica.open(doc);
                    });
                }
            }
            2 => {
                if let Some(doc) = self.rng.pick(&open).copied() {
                    self.call(id, |replica, _| replica.close_document(doc));
                    if let Some(process) = self.processes.get_mut(&id) {
                        process.open.remove(&doc);
                    }
                    // Named documents are opened again: that is where replicas meet.
                    for name in self.names.clone() {
                        self.call(id, |replica, _| {
                            let _ = replica.named(&name, &initial());
                        });
                    }
                }
            }
            3 if self.rng.chance(200) => {
                if let Some(doc) = self.rng.pick(&open).copied() {
                    let mut is_deleted = false;
                    self.call(id, |replica, now| is_deleted = replica.delete(doc, now).is_ok());
                    if is_deleted {
                        self.deleted.insert(doc);
                        self.count("deletions");
                    }
                }
            }
            _ => {
                let Some(doc) = self.rng.pick(&open).copied() else { return };
                let ops = self.edits(id, doc);
                let wants_durable = self.rng.chance(100);
                let mut made = None;
                let mut wait = None;
                self.call(id, |replica, now| {
                    made = replica.change(doc, &ops, None, now).ok().filter(|made| made.seq > 0);
                    if let (Some(made), true) = (made, wants_durable) {
                        wait = replica.durable(1, Some(made.seq)).ok().zip(made.id);
                    }
                });
                if let Some(made) = made {
                    self.say(|| format!("{id:?} made {:?}", made.id));
                    self.count("changes");
                }
                if let (Some((wait, commit)), Some(process)) = (wait, self.processes.get_mut(&id)) {
                    if process.over.remove(&wait) {
                        self.is_durable(commit);
                    } else {
                        process.durable.insert(wait, commit);
                    }
                }
            }
        }
    }

    /// Law: a `durable` that resolves is true: the relay had the commit on disk.
    fn is_durable(&mut self, commit: CommitId) {
        self.count("durable");
        if !self.relayed.contains(&commit) {
            self.fail(format!("{commit:?} was said to be durable and was never on the relay's disk"));
        }
    }

    fn edits(&mut self, id: ProcessId, doc: DocId) -> Vec<Op> {
        let Some(Process { machine: Machine::Replica(replica), .. }) = self.processes.get(&id) else {
            return Vec::new();
        };
        let Ok(document) = replica.document(doc) else { return Vec::new() };
        let key = |key: &str| Prop::Map(key.to_owned());
        let held = |key: &str| document.automerge().get(ROOT, key).ok().flatten().map(|(_, id)| id);
        let text = held("text").map_or(0, |text| document.automerge().length(&text));
        let list = held("list").map_or(0, |list| document.automerge().length(&list));
        let has_text = held("text").is_some();
        let rng = &mut self.rng;
        let int = Value::Scalar(ScalarValue::Int(rng.below(1000) as i64));
        vec![match rng.below(6) {
            0 if has_text => Op::Splice {
                path: vec![key("text")],
                index: rng.below(text as u64 + 1) as usize,
                remove: 0,
                insert: "añ".into(),
            },
            1 if text > 0 => Op::Splice {
                path: vec![key("text")],
                index: rng.below(text as u64) as usize,
                remove: 1,
                insert: String::new(),
            },
            2 if has_text => Op::Increment { path: vec![key("n")], by: 1 },
            3 if has_text => Op::Insert {
                path: vec![key("list"), Prop::Seq(rng.below(list as u64 + 1) as usize)],
                values: vec![Value::Text("item".into()), int],
            },
            4 if list > 0 => {
                Op::Delete { path: vec![key("list"), Prop::Seq(rng.below(list as u64) as usize)], count: 1 }
            }
            _ => Op::Put { path: vec![key("k")], value: int },
        }]
    }

    // What goes wrong.

    fn fault(&mut self) {
        let total: u64 = self.rates.weights.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.rng.below(total);
        let fault = self.rates.weights.iter().find(|(weight, _)| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        let Some((_, fault)) = fault.copied() else { return };
        let connections: Vec<_> = self.connections.keys().copied().collect();
        let connection = self.rng.pick(&connections).copied();
        let relay = self.processes.iter().find(|(_, process)| process.disk == RELAY).map(|(id, _)| *id);
        let replicas: Vec<_> =
            self.processes.iter().filter(|(_, process)| process.disk != RELAY).map(|(id, _)| *id).collect();
        let replica = self.rng.pick(&replicas).copied();
        let away = self.rng.below(20_000);
        match fault {
            Fault::BreakLink => {
                let Some(connection) = connection else { return };
                self.cut(connection);
                self.count("broken links");
            }
            Fault::StallLink => {
                let until = self.now + away;
                if let Some(connection) = connection.and_then(|id| self.connections.get_mut(&id)) {
                    connection.stalled_until = until;
                }
            }
            Fault::CrashReplica => {
                let Some(replica) = replica else { return };
                let disk = self.processes[&replica].disk;
                self.stop(replica);
                self.at(away, Happening::Start(disk));
                self.count("replica crashes");
            }
            Fault::CrashRelay => self.relay_goes(relay, away, "relay crashes"),
            Fault::WipeRelay => {
                self.relay_goes(relay, away, "wiped relays");
                self.disks[RELAY].restore(Disk::default());
            }
            Fault::RollBackRelay => {
                if let Some(copy) = self.copies.pop() {
                    self.relay_goes(relay, away, "rolled-back relays");
                    self.disks[RELAY].restore(copy);
                } else {
                    let copy = self.disks[RELAY].clone();
                    self.copies.push(copy);
                }
            }
            Fault::FillDisk => {
                let disk = self.rng.between(1, self.disks.len() as u64 - 1) as usize;
                self.disks[disk].is_full = true;
            }
            Fault::EmptyDisk => self.disks.iter_mut().for_each(|disk| disk.is_full = false),
            Fault::CloneProcess => self.clone_process(replica),
            Fault::Withhold => {
                if let Some(connection) = connection.and_then(|id| self.connections.get_mut(&id)) {
                    connection.withholds = true;
                    self.count("withholding peers");
                }
            }
            Fault::SwitchOffline => {
                let Some(replica) = replica else { return };
                let online = self.rng.chance(500);
                if self.is_leader(replica) {
                    self.input(replica, Input::Online(online));
                }
            }
            Fault::SecondTab => {
                let Some(replica) = replica else { return };
                let disk = self.processes[&replica].disk;
                if self.processes.values().filter(|process| process.disk == disk).count() < 3 {
                    self.start(disk);
                    self.count("more tabs");
                }
            }
        }
    }

    fn is_leader(&self, id: ProcessId) -> bool {
        let disk = self.processes[&id].disk;
        self.processes.iter().find(|(_, process)| process.disk == disk).is_some_and(|(first, _)| *first == id)
    }

    fn relay_goes(&mut self, relay: Option<ProcessId>, away: Millis, name: &'static str) {
        if let Some(relay) = relay {
            self.stop(relay);
        }
        self.at(away, Happening::Start(RELAY));
        self.count(name);
    }

    /// A machine image is restored while the original lives on: the same process, twice.
    fn clone_process(&mut self, replica: Option<ProcessId>) {
        let Some(id) = replica else { return };
        if self.disks.len() > 8 || !self.disks[self.processes[&id].disk].is_idle() {
            return;
        }
        let process = &self.processes[&id];
        let Machine::Replica(machine) = &process.machine else { return };
        let machine = machine.clone();
        let links: Vec<_> = process.links.keys().copied().collect();
        let open = process.open.clone();
        let copy = self.disks[process.disk].clone();
        self.disks.push(copy);
        let disk = self.disks.len() - 1;
        let clone = ProcessId(self.id());
        self.add(clone, Machine::Replica(machine), disk, true);
        if let Some(process) = self.processes.get_mut(&clone) {
            process.open = open;
            process.is_ready = true;
        }
        for link in links {
            self.input(clone, Input::LinkClosed(link));
        }
        self.input(clone, Input::Online(true));
        // The timer that was running is not the clone's: it looks at once what is due.
        self.input(clone, Input::Timer);
        self.count("cloned processes");
    }

    // Healing and checking.

    fn heal(&mut self) -> Result<(), String> {
        self.say(|| "healing".into());
        self.healing = true;
        for disk in &mut self.disks {
            disk.is_full = false;
        }
        let connections: Vec<_> = self.connections.keys().copied().collect();
        for connection in connections {
            self.cut(connection);
        }
        for disk in 0..self.disks.len() {
            if !self.processes.values().any(|process| process.disk == disk) {
                self.start(disk);
            }
        }
        let ids: Vec<_> = self.processes.keys().copied().collect();
        for id in ids {
            if self.is_leader(id) {
                self.input(id, Input::Online(true));
            }
            for name in self.names.clone() {
                self.call(id, |replica, _| {
                    let _ = replica.named(&name, &initial());
                });
            }
        }
        let deadline = self.now + HEAL_MAX;
        self.last_sent = self.now;
        while self.now < self.last_sent + QUIET {
            if self.now > deadline {
                self.check()?;
                return Err(format!("the healed world is not quiet after {} s", HEAL_MAX / 1000));
            }
            if self.queue.is_empty() {
                break;
            }
            self.step();
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), String> {
        let mut logs = Vec::new();
        for (number, disk) in self.disks.iter().enumerate() {
            logs.push((
                number,
                log_is_causal(&disk.store).map_err(|error| format!("disk {number}: {error}"))?,
            ));
        }
        // What any surviving disk had, all have.
        let everything: BTreeSet<_> =
            self.disks.iter().flat_map(|disk| disk.durable.iter().copied()).collect();
        for (number, log) in &logs {
            if let Some(lost) = everything.iter().find(|id| !log.commits.contains(id)) {
                let holders: Vec<_> =
                    logs.iter().filter(|(_, log)| log.commits.contains(lost)).map(|(n, _)| *n).collect();
                return Err(format!("disk {number} lacks {lost:?}, which is durable on {holders:?}"));
            }
        }
        let mut seen: BTreeMap<DocId, (ProcessId, Vec<String>, Vec<u8>)> = BTreeMap::new();
        for (id, process) in &self.processes {
            let vector = match &process.machine {
                Machine::Replica(replica) => replica.vector(),
                Machine::Relay(relay) => relay.vector(),
            };
            let count = logs[process.disk].1.commits.len();
            if *vector != logs[process.disk].1.vector {
                let tips = |vector: &Vector| vector.tips().copied().collect::<BTreeSet<_>>();
                let (ours, logs) = (tips(vector), tips(&logs[process.disk].1.vector));
                let differing: Vec<_> = ours.symmetric_difference(&logs).collect();
                return Err(format!("the vector of {id:?} is not that of its log: {differing:?}"));
            }
            if vector.digest() != self.digest() {
                return Err(format!("{id:?} holds another vector, its disk {count} commits"));
            }
            let Machine::Replica(replica) = &process.machine else { continue };
            for doc in &process.open {
                let heads = replica.heads(*doc).map_err(|error| format!("{id:?}: {doc:?}: {error}"))?;
                let value = replica.value(*doc).map_err(|error| error.to_string())?;
                let info = replica.documents().into_iter().find(|info| info.id == *doc);
                // A named document that nobody has edited is not in the log.
                if info.is_some_and(|info| info.commits == 0) {
                    continue;
                }
                match seen.get(doc) {
                    None => {
                        seen.insert(*doc, (*id, heads, value));
                    }
                    Some((other, held, _)) if *held != heads => {
                        let changes = |id: &ProcessId| self.changes(*id, *doc);
                        let (ours, theirs) = (changes(id), changes(other));
                        let differing: Vec<_> = ours.symmetric_difference(&theirs).collect();
                        return Err(format!(
                            "{id:?} and {other:?} have {doc:?} at other heads, {} and {} changes: {differing:?}",
                            ours.len(),
                            theirs.len()
                        ));
                    }
                    Some((other, _, held)) if *held != value => {
                        return Err(format!("{id:?} and {other:?} have other values of {doc:?}"));
                    }
                    Some(_) => {}
                }
            }
            if !process.durable.is_empty() && !process.is_clone {
                let commits: Vec<_> = process.durable.values().collect();
                return Err(format!(
                    "{id:?} still waits for {commits:?} to be durable: {:?}",
                    replica.status()
                ));
            }
            let status = replica.status();
            if status.unsaved > 0 || status.unsent > 0 {
                return Err(format!(
                    "{id:?} is quiet with {} unsaved, {} unsent",
                    status.unsaved, status.unsent
                ));
            }
            *self.outcome.counts.entry("withheld and noticed").or_default() += replica.withheld();
        }
        *self.outcome.counts.entry("commits").or_default() += everything.len() as u64;
        Ok(())
    }

    /// The changes applied to a document in a process: actor, number, hash.
    fn changes(&self, id: ProcessId, doc: DocId) -> BTreeSet<(String, u64, String)> {
        let Machine::Replica(replica) = &self.processes[&id].machine else { return BTreeSet::new() };
        let Ok(document) = replica.document(doc) else { return BTreeSet::new() };
        let changes = document.automerge().get_changes(&[]);
        changes.iter().map(|c| (c.actor_id().to_hex_string(), c.seq(), c.hash().to_string())).collect()
    }

    fn digest(&self) -> eyot_core::vector::Digest {
        let relay = self.processes.values().find_map(|process| match &process.machine {
            Machine::Relay(relay) => Some(relay.vector().digest()),
            Machine::Replica(_) => None,
        });
        relay.expect("a healed world has a relay")
    }

    /// Law: an acknowledgement is the truth, and a relay sends nothing on that is not durable.
    fn check_frame(&mut self, id: ProcessId, frame: &[u8]) {
        let process = &self.processes[&id];
        let Machine::Relay(_) = &process.machine else { return };
        let disk = &self.disks[process.disk];
        let failure = match Frame::decode(frame) {
            Ok(Frame::Ack(Ack { at, .. })) => {
                let meta = disk.store.get(b"m").and_then(|meta| read_meta(meta).ok());
                let head = meta.map_or(0, |meta| meta.head.seq);
                (at.seq > head).then(|| format!("acknowledged at {} with {head} on disk", at.seq))
            }
            Ok(Frame::Commits(Commits { records, .. })) => {
                let ids = records.iter().filter_map(|record| eyot_core::commit::Commit::decode(record).ok());
                let early = ids.map(|commit| commit.id()).find(|id| !disk.durable.contains(id));
                early.map(|id| format!("{id:?} was sent on before it was durable"))
            }
            _ => None,
        };
        if let Some(failure) = failure {
            self.fail(failure);
        }
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:>9} {}", self.now - 1_000_000, what());
        }
    }

    fn fail(&mut self, message: String) {
        self.failure.get_or_insert(message);
    }

    fn count(&mut self, name: &'static str) {
        if name != "frames" {
            self.say(|| format!("+1 {name}"));
        }
        *self.outcome.counts.entry(name).or_default() += 1;
    }

    /// FNV-1a over everything sent, with its time.
    fn trace(&mut self, bytes: &[u8]) {
        for byte in self.now.to_be_bytes().iter().chain(bytes) {
            self.outcome.trace = (self.outcome.trace ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl Fault {
    const ALL: [Fault; 12] = [
        Fault::BreakLink,
        Fault::StallLink,
        Fault::CrashReplica,
        Fault::CrashRelay,
        Fault::WipeRelay,
        Fault::RollBackRelay,
        Fault::FillDisk,
        Fault::EmptyDisk,
        Fault::CloneProcess,
        Fault::Withhold,
        Fault::SwitchOffline,
        Fault::SecondTab,
    ];
}

impl Connection {
    fn new(ends: [(ProcessId, LinkId); 2]) -> Self {
        Self { ends, is_open: false, queues: Default::default(), stalled_until: 0, withholds: false }
    }
}

/// Leaves out a commit here and there, and never says more when asked.
fn withhold(frame: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    match Frame::decode(&frame) {
        Ok(Frame::Commits(mut commits)) if !commits.records.is_empty() && rng.chance(300) => {
            let left_out = rng.below(commits.records.len() as u64) as usize;
            commits.records.remove(left_out);
            Frame::Commits(commits).encode()
        }
        Ok(Frame::Answer(answer)) => Frame::Answer(Answer { records: Vec::new(), ..answer }).encode(),
        _ => frame,
    }
}

fn summary(frame: &[u8]) -> String {
    match Frame::decode(frame) {
        Ok(Frame::Commits(Commits { records, to, .. })) => {
            let ids: Vec<_> = records
                .iter()
                .filter_map(|record| eyot_core::commit::Commit::decode(record).ok())
                .map(|commit| format!("{:?}", commit.id()))
                .collect();
            format!("Commits to {:?}: {}", to.map(|to| to.seq), ids.join(" "))
        }
        Ok(Frame::Hello(hello)) => format!(
            "Hello {:?} resumed {} head {} cursors {:?} tips {:?}",
            hello.log,
            hello.resumed,
            hello.head.seq,
            hello.cursors.iter().map(|c| (c.log, c.read.seq, c.seen.seq)).collect::<Vec<_>>(),
            hello.tips.map(|tips| tips.len()),
        ),
        Ok(frame) => format!("{frame:?}"),
        Err(error) => error.to_string(),
    }
}

fn address(disk: usize) -> String {
    format!("disk-{disk}")
}

fn initial() -> Value {
    let scalar = |scalar| Value::Scalar(scalar);
    Value::Map(BTreeMap::from([
        ("text".to_owned(), Value::Text(String::new())),
        ("list".to_owned(), Value::List(Vec::new())),
        ("n".to_owned(), scalar(ScalarValue::counter(0))),
    ]))
}
