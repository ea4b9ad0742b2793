//! Processes: machines with a clock, a timer, links and a place on a disk, as hosts run them.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::id::{AuthorId, CommitId, DocId};
use eyot_core::base::id::{LinkId, RequestId};
use eyot_core::base::time::Millis;
use eyot_core::holder::caps::Caps;
use eyot_core::holder::io as holder;
use eyot_core::relay::region::RelayPeer;
use eyot_core::relay::relay::{Relay, RelayConfig};
use eyot_core::replica::event::Event;
use eyot_core::replica::io::{Effect, Input};
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::replica::waits::WaitId;
use eyot_core::storage::request::StorageRequest;
use eyot_core::wire::access::Right;
use eyot_core::wire::close::CloseCode;

use super::acts::initial;
use super::laws::Waiting;
use super::links::{ConnectionId, summary};
use super::plan::REGIONS;
use super::watch::Watched;
use super::{Happening, World, address};
use crate::clock::Clock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(u64);

impl ProcessId {
    pub(super) fn new(id: u64) -> Self {
        Self(id)
    }
}

pub(super) enum Machine {
    Replica(Box<Replica>),
    Relay(Box<Relay>),
    /// Taken out of memory; its links are kept open by what it said of them.
    Asleep(BTreeMap<LinkId, Vec<u8>>),
}

pub(super) struct Process {
    pub machine: Machine,
    pub disk: usize,
    /// How many machines there were before this one.
    pub life: u64,
    pub clock: Clock,
    timer: u64,
    /// How many inputs it was given.
    inputs: u64,
    pub links: BTreeMap<LinkId, ConnectionId>,
    pub next_accepted: u64,
    /// What the bearers of its links' tokens may do, as far as its host was asked.
    pub rights: BTreeMap<LinkId, Right>,
    pub token: Option<String>,
    pub online: bool,
    /// Documents the application has open.
    pub open: BTreeSet<DocId>,
    pub is_ready: bool,
    /// The commits it made.
    pub made: Vec<CommitId>,
    /// What its application waits for.
    pub waits: BTreeMap<WaitId, Waiting>,
    /// Waits that were over at once.
    pub over: BTreeSet<WaitId>,
    pub is_clone: bool,
    is_failing: bool,
    pub watched: Watched,
}

impl World {
    pub(super) fn start(&mut self, disk: usize) -> ProcessId {
        let id = ProcessId::new(self.id());
        let clock = Clock::new(&mut self.rng);
        let now = clock.read(self.now);
        let is_first = !self.processes.values().any(|process| process.disk == disk);
        let token = self.mint(disk);
        let machine = if self.is_relay(disk) {
            Machine::Relay(Box::new(self.new_relay(disk, token.clone(), now)))
        } else {
            let config = ReplicaConfig {
                space: "space".into(),
                author: AuthorId(self.rng.bytes()),
                seed: self.rng.bytes(),
                relays: self.relays_for(disk),
                token: token.clone(),
                descriptor: None,
                limits: self.plan.limits,
            };
            Machine::Replica(Box::new(Replica::new(config, now)))
        };
        self.add(id, machine, disk, clock, token);
        if !is_first {
            self.set_online(id, false);
        }
        self.open_names(id);
        id
    }

    fn new_relay(&mut self, disk: usize, token: Option<String>, now: Millis) -> Relay {
        let others = (0..self.plan.regions).filter(|region| *region != disk);
        let config = RelayConfig {
            space: "space".into(),
            region: REGIONS[disk].into(),
            peers: others
                .map(|region| RelayPeer { region: REGIONS[region].into(), url: address(region) })
                .collect(),
            token,
            caps: Caps::default(),
            limits: self.plan.limits,
            seed: self.rng.bytes(),
        };
        Relay::new(config, now)
    }

    /// All relays, in any order, and for some another replica to link to directly.
    pub(super) fn relays_for(&mut self, disk: usize) -> Vec<String> {
        let mut disks: Vec<_> = (0..self.plan.regions).collect();
        if disk.is_multiple_of(2) {
            disks.push(self.plan.regions + (disk + 1) % self.plan.replicas);
        }
        for i in (1..disks.len()).rev() {
            disks.swap(i, self.rng.below(i as u64 + 1) as usize);
        }
        disks.into_iter().map(address).collect()
    }

    pub(super) fn add(
        &mut self,
        id: ProcessId,
        machine: Machine,
        disk: usize,
        clock: Clock,
        token: Option<String>,
    ) {
        let process = Process {
            machine,
            disk,
            life: 0,
            clock,
            timer: 0,
            inputs: 0,
            links: BTreeMap::new(),
            next_accepted: 1,
            rights: BTreeMap::new(),
            token,
            online: true,
            open: BTreeSet::new(),
            is_ready: false,
            made: Vec::new(),
            waits: BTreeMap::new(),
            over: BTreeSet::new(),
            is_clone: false,
            is_failing: false,
            watched: Watched::new(self.plan.regions, self.now),
        };
        self.say(|| format!("{id:?} on disk {disk}"));
        self.processes.insert(id, process);
        self.drain(id);
    }

    pub(super) fn stop(&mut self, id: ProcessId) {
        let Some(process) = self.processes.remove(&id) else { return };
        self.disks[process.disk].crash(id, &mut self.rng);
        self.look_at(process.disk);
        let is_silent = self.rng.chance(300);
        for connection in process.links.values() {
            self.hang_up(*connection, is_silent);
        }
        // Another tab takes over the links, if there is one.
        let heir = self.processes.iter().find(|(_, other)| other.disk == process.disk).map(|(id, _)| *id);
        if let Some(heir) = heir {
            self.set_online(heir, true);
        }
    }

    pub(super) fn restart(&mut self, id: ProcessId) {
        let Some(disk) = self.processes.get(&id).map(|process| process.disk) else { return };
        self.stop(id);
        let wait = self.rng.below(5_000);
        self.at(wait, Happening::Start(disk));
        self.count("relays restarted after a failure");
    }

    pub(super) fn set_online(&mut self, id: ProcessId, online: bool) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.online = online;
        }
        self.disturbed(id);
        self.input(id, Input::Online(online));
    }

    /// The first of those that share a disk links to relays.
    pub(super) fn is_leader(&self, id: ProcessId) -> bool {
        let disk = self.processes[&id].disk;
        self.processes.iter().find(|(_, process)| process.disk == disk).is_some_and(|(first, _)| *first == id)
    }

    pub(super) fn open_names(&mut self, id: ProcessId) {
        // Replicas have the one version of the application or the other.
        let Some(version) = self.processes.get(&id).map(|process| process.disk % 2) else { return };
        for name in self.names.clone() {
            self.call(id, |replica, _| {
                let _ = replica.named(&name, &initial(version));
            });
        }
    }

    // Inputs and effects.

    pub(super) fn input(&mut self, id: ProcessId, input: impl Into<Input>) {
        self.wake(id);
        let now = self.now;
        let Some(process) = self.processes.get_mut(&id) else { return };
        let own_now = process.clock.read(now);
        process.inputs += 1;
        match &mut process.machine {
            Machine::Replica(replica) => replica.handle(input, own_now),
            Machine::Relay(relay) => match input.into() {
                Input::Holder(input) => relay.handle(input, own_now),
                input => unreachable!("a relay's host has no {input:?}"),
            },
            Machine::Asleep(_) => unreachable!("it was woken"),
        }
        self.drain(id);
        self.after_input(id);
    }

    /// What a relay's host looks at when a relay has done something.
    fn after_input(&mut self, id: ProcessId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Machine::Relay(relay) = &process.machine else { return };
        if relay.failure().is_some() && !process.is_failing {
            process.is_failing = true;
            self.at(0, Happening::Restart(id));
        } else if let Some(after) = self.plan.doze_after {
            let inputs = process.inputs;
            self.at(after, Happening::Doze(id, inputs));
        }
    }

    pub(super) fn call(&mut self, id: ProcessId, call: impl FnOnce(&mut Replica, Millis)) {
        let now = self.now;
        if let Some(Process { machine: Machine::Replica(replica), clock, .. }) = self.processes.get_mut(&id) {
            call(replica, clock.read(now));
        }
        self.drain(id);
    }

    fn drain(&mut self, id: ProcessId) {
        loop {
            let Some(process) = self.processes.get_mut(&id) else { return };
            let effect = match &mut process.machine {
                Machine::Replica(replica) => replica.poll_effect(),
                Machine::Relay(relay) => relay.poll_effect().map(Effect::Holder),
                Machine::Asleep(_) => None,
            };
            let Some(effect) = effect else { return };
            self.effect(id, effect);
        }
    }

    fn effect(&mut self, id: ProcessId, effect: Effect) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        match effect {
            Effect::Holder(effect) => self.holder_effect(id, effect),
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
            Effect::Probe(url) => self.probe(id, url),
            Effect::Ping(link) => self.ping(id, link),
        }
    }

    fn holder_effect(&mut self, id: ProcessId, effect: holder::Effect) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&id) else { return };
        match effect {
            holder::Effect::Dial(link, url) => {
                self.trace(url.as_bytes());
                self.dial(id, link, &url);
            }
            holder::Effect::Send(link, frame) => {
                self.trace(&frame);
                self.say(|| format!("{id:?} {link:?} {}", summary(&frame)));
                self.send(id, link, frame);
            }
            holder::Effect::Close(link, code, reason) => {
                self.say(|| format!("{id:?} closes {link:?}: {code} {reason}"));
                self.close(id, link);
            }
            holder::Effect::Storage(request, what) => self.ask_disk(id, request, what),
            holder::Effect::SetTimer(deadline) => {
                process.timer += 1;
                let timer = process.timer;
                if let Some(deadline) = deadline {
                    let wait = process.clock.wait(deadline, now);
                    self.at(wait, Happening::Timer(id, timer));
                }
            }
            holder::Effect::Authorize(link, token) => self.authorize(id, link, token),
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
            Event::Waited(wait) => match process.waits.remove(&wait) {
                Some(waiting) => self.waited(id, &waiting),
                None => {
                    process.over.insert(wait);
                }
            },
            Event::TokenExpiring => {
                // Now and then the application comes too late.
                let wait = self.rng.below(10_000);
                self.at(wait, Happening::Renew(id));
            }
            Event::Held { .. } => self.count("documents heard of"),
            Event::Reset { .. } => self.count("documents rebuilt"),
            Event::SaveFailed { .. } => self.count("failed saves"),
            Event::Opened { .. } | Event::Patches { .. } | Event::Saved { .. } | Event::Status => {}
        }
    }

    pub(super) fn timer_rings(&mut self, id: ProcessId, timer: u64) {
        if self.processes.get(&id).is_some_and(|process| process.timer == timer) {
            self.input(id, holder::Input::Timer);
        }
    }

    // Disks.

    fn ask_disk(&mut self, id: ProcessId, request: RequestId, what: StorageRequest) {
        let process = &self.processes[&id];
        let disk = process.disk;
        self.disks[disk].ask((id, process.life), request, what);
        let delay = self.disk_delay(disk);
        self.at(delay, Happening::Disk(disk));
    }

    pub(super) fn disk_answers(&mut self, disk: usize) {
        let Some(((process, life), request, answer)) = self.disks[disk].answer() else { return };
        self.look_at(disk);
        if self.processes.get(&process).is_some_and(|process| process.life == life) {
            self.input(process, holder::Input::Storage(request, answer));
        }
    }

    // Sleep.

    /// Its host takes a relay out of memory once it has nothing to do.
    pub(super) fn doze(&mut self, id: ProcessId, inputs: u64) {
        let Some(process) = self.processes.get_mut(&id).filter(|process| process.inputs == inputs) else {
            return;
        };
        let own_now = process.clock.read(self.now);
        let Machine::Relay(relay) = &mut process.machine else { return };
        if !relay.is_idle() {
            return;
        }
        let kept = process.links.keys().map(|link| (*link, relay.attachment(*link))).collect();
        relay.suspend(own_now);
        self.drain(id);
        self.count("relays put to sleep");
        self.fall_asleep(id, kept);
    }

    /// A relay's memory is lost and its connections are not: what was dialled goes, what was
    /// accepted stays.
    pub(super) fn evict(&mut self, id: ProcessId) {
        let Some(process) = self.processes.get(&id) else { return };
        let Machine::Relay(relay) = &process.machine else { return };
        if !self.disks[process.disk].is_idle() {
            return;
        }
        let kept = process.links.keys().map(|link| (*link, relay.attachment(*link))).collect();
        let dialled: Vec<_> =
            process.links.iter().filter(|(link, _)| link.0 >= 1 << 32).map(|(_, id)| *id).collect();
        self.count("evicted relays");
        self.fall_asleep(id, kept);
        for connection in dialled {
            self.cut(connection);
        }
    }

    fn fall_asleep(&mut self, id: ProcessId, kept: BTreeMap<LinkId, Vec<u8>>) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.machine = Machine::Asleep(kept);
        }
    }

    pub(super) fn wake(&mut self, id: ProcessId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Machine::Asleep(kept) = &mut process.machine else { return };
        let kept = std::mem::take(kept);
        process.life += 1;
        let (disk, token, own_now) = (process.disk, process.token.clone(), process.clock.read(self.now));
        let mut relay = Box::new(self.new_relay(disk, token, own_now));
        let (mut resumed, mut dropped) = (Vec::new(), Vec::new());
        let Some(process) = self.processes.get_mut(&id) else { return };
        for link in process.links.keys() {
            match kept.get(link) {
                Some(attachment) if !attachment.is_empty() => resumed.push((*link, attachment)),
                _ => dropped.push(*link),
            }
        }
        for (link, attachment) in resumed {
            relay.resume(link, attachment, own_now);
        }
        process.machine = Machine::Relay(relay);
        for link in dropped {
            let code = CloseCode::GoingAway as u16;
            self.say(|| format!("the host of {id:?} closes {link:?}: {code}"));
            self.close(id, link);
        }
        self.drain(id);
    }
}
