//! Processes begin and end.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::id::AuthorId;
use eyot_core::base::time::Millis;
use eyot_core::relay::region::RelayPeer;
use eyot_core::relay::relay::{Relay, RelayConfig};
use eyot_core::replica::io::Input;
use eyot_core::replica::replica::{Replica, ReplicaConfig};

use crate::base::clock::Clock;
use crate::base::ids::{ProcessId, address};
use crate::parts::process::{Machine, Process, Watched};
use crate::plan::meeting::Relays;
use crate::plan::plan::{REGIONS, initial};
use crate::world::happening::Happening;
use crate::world::world::World;

impl World {
    pub fn start(&mut self, disk: usize) -> ProcessId {
        let id = ProcessId(self.id());
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
                descriptor: self.plan.descriptor(disk),
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

    pub fn new_relay(&mut self, disk: usize, token: Option<String>, now: Millis) -> Relay {
        let others = (0..self.plan.regions).filter(|region| *region != disk);
        let config = RelayConfig {
            space: "space".into(),
            region: REGIONS[disk].into(),
            peers: others
                .map(|region| RelayPeer { region: REGIONS[region].into(), url: address(region) })
                .collect(),
            token,
            caps: self.plan.caps.unwrap_or_default(),
            limits: self.plan.limits,
            seed: self.rng.bytes(),
        };
        Relay::new(config, now)
    }

    /// All relays, in any order, and for some another replica to link to directly.
    pub fn relays_for(&mut self, disk: usize) -> Vec<String> {
        let are_unknown = self.plan.meeting.as_ref().is_some_and(|meeting| meeting.relays == Relays::Unknown);
        if are_unknown && self.relays_are_away {
            return Vec::new();
        }
        let mut disks: Vec<_> = (0..self.plan.regions).collect();
        if disk.is_multiple_of(2) && !self.plan.is_mesh {
            disks.push(self.plan.regions + (disk + 1) % self.plan.replicas);
        }
        for i in (1..disks.len()).rev() {
            disks.swap(i, self.rng.below(i as u64 + 1) as usize);
        }
        disks.into_iter().map(address).collect()
    }

    pub fn add(&mut self, id: ProcessId, machine: Machine, disk: usize, clock: Clock, token: Option<String>) {
        let process = Process {
            machine,
            disk,
            life: 0,
            clock,
            timer: 0,
            inputs: 0,
            links: BTreeMap::new(),
            kept: BTreeMap::new(),
            touched: BTreeSet::new(),
            next_accepted: 1,
            rights: BTreeMap::new(),
            token,
            online: true,
            open: BTreeSet::new(),
            is_watching: false,
            peeked: BTreeMap::new(),
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

    pub fn stop(&mut self, id: ProcessId) {
        let Some(process) = self.processes.remove(&id) else { return };
        self.shown.ends(id, self.now);
        self.shown.seen.remove(&id);
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

    /// Whether it is a relay's disk, and no relay runs.
    pub fn is_away(&self, disk: usize) -> bool {
        self.relays_are_away && self.is_relay(disk)
    }

    pub fn restart(&mut self, id: ProcessId) {
        let Some(disk) = self.processes.get(&id).map(|process| process.disk) else { return };
        self.stop(id);
        let wait = self.rng.below(5_000);
        self.at(wait, Happening::Start(disk));
        self.count("relays restarted after a failure");
    }

    pub fn set_online(&mut self, id: ProcessId, online: bool) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.online = online;
        }
        self.disturbed(id);
        self.input(id, Input::Online(online));
    }

    /// The first of those that share a disk links to relays.
    pub fn is_leader(&self, id: ProcessId) -> bool {
        let disk = self.processes[&id].disk;
        self.processes.iter().find(|(_, process)| process.disk == disk).is_some_and(|(first, _)| *first == id)
    }

    pub fn open_names(&mut self, id: ProcessId) {
        // Replicas have the one version of the application or the other.
        let Some(version) = self.processes.get(&id).map(|process| process.disk % 2) else { return };
        for name in self.names.clone() {
            self.call(id, |replica, _| {
                let _ = replica.named(&name, &initial(version));
            });
        }
    }
}
