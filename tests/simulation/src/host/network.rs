//! How connections come about, and what hosts ask of one another beside them.

use eyot_core::base::id::LinkId;
use eyot_core::base::time::Millis;
use eyot_core::holder::io as holder;
use eyot_core::replica::io::Input;

use crate::base::ids::{ConnectionId, ProcessId, disk_at};
use crate::parts::connection::{Connection, Message};
use crate::parts::paths::SLOW_FACTOR;
use crate::world::happening::Happening;
use crate::world::world::World;

/// How long a connection to nobody takes to fail, at least and at most.
const NOBODY: (Millis, Millis) = (3_000, 15_000);

impl World {
    pub fn dial(&mut self, from: ProcessId, link: LinkId, url: &str) {
        let id = ConnectionId(self.id());
        let Some(process) = self.processes.get_mut(&from) else { return };
        process.links.insert(link, id);
        let from_disk = process.disk;
        let disk = disk_at(url).expect("machines dial the addresses they were given");
        let to = self
            .processes
            .iter()
            .find(|(id, process)| {
                **id != from && process.disk == disk && (self.is_relay(disk) || !self.healing)
            })
            .map(|(id, _)| *id);
        let is_open = self.paths.is_open(from_disk, disk, self.now);
        let mut connection = Connection::new([(from, link); 2], [from_disk, disk]);
        let delay = match to {
            Some(to) if is_open => {
                let process = self.processes.get_mut(&to).expect("it was just found");
                connection.ends[1] = (to, LinkId(process.next_accepted));
                process.next_accepted += 1;
                self.round_trip(from_disk, disk)
            }
            None if is_open && self.rng.chance(700) => self.round_trip(from_disk, disk),
            _ => self.rng.between(NOBODY.0, NOBODY.1),
        };
        self.connections.insert(id, connection);
        self.at(delay, Happening::Connect(id));
    }

    pub fn connect(&mut self, id: ConnectionId) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let [(from, link), (to, accepted)] = connection.ends;
        let [from_disk, to_disk] = connection.disks;
        if from == to || !self.processes.contains_key(&to) {
            return self.cut(id);
        }
        if !self.paths.is_open(from_disk, to_disk, now) {
            let wait = self.rng.between(NOBODY.0, NOBODY.1);
            return self.at(wait, Happening::Expire(id));
        }
        connection.is_open = true;
        self.wake(to);
        if let Some(process) = self.processes.get_mut(&to) {
            process.links.insert(accepted, id);
        }
        if self.is_relay(from_disk) {
            self.count("links between relays");
        } else if let Some(process) = self.processes.get_mut(&from).filter(|_| to_disk < self.plan.regions) {
            let moved = process.watched.linked_to.last().is_some_and(|last| *last != to_disk);
            process.watched.linked_to.push(to_disk);
            self.count("links to relays");
            if moved {
                self.count("moves to another relay");
            }
        }
        self.input(to, holder::Input::LinkOpened(accepted));
        self.input(from, holder::Input::LinkOpened(link));
    }

    fn round_trip(&mut self, from: usize, to: usize) -> Millis {
        self.delay(from, to) + self.delay(to, from)
    }

    pub fn probe(&mut self, id: ProcessId, url: String) {
        self.count("probes");
        let from = self.processes[&id].disk;
        let disk = disk_at(&url).expect("machines ask the addresses they were given");
        let is_up = self.is_relay(disk) && self.processes.values().any(|process| process.disk == disk);
        let is_open = self.paths.is_open(from, disk, self.now);
        if is_open && (is_up || self.rng.chance(700)) {
            let delay = self.round_trip(from, disk);
            self.at(delay, Happening::Probed(id, url, is_up));
        } else if self.rng.chance(500) {
            let delay = self.rng.between(NOBODY.0, NOBODY.1);
            self.at(delay, Happening::Probed(id, url, false));
        }
    }

    pub fn probed(&mut self, id: ProcessId, url: String, is_healthy: bool) {
        self.input(id, Input::Probed(url, is_healthy));
    }

    pub fn ping(&mut self, id: ProcessId, link: LinkId) {
        self.count("pings");
        let Some(connection_id) = self.connection_of(id, link) else { return };
        let Some(connection) = self.connections.get(&connection_id) else { return };
        let end = usize::from(connection.ends[0] == (id, link));
        self.post(connection_id, end, Message::Ping);
    }

    /// How long something takes now, one way.
    pub fn delay(&mut self, from: usize, to: usize) -> Millis {
        if self.disks[from].is_outside || self.disks[to].is_outside {
            return self.rng.below(3);
        }
        let latency = self.plan.latency(self.paths.places[from], self.paths.places[to]);
        let delay = latency + self.rng.below(latency / 4 + 1);
        let is_slow = self.paths.is_slow(from, self.now) || self.paths.is_slow(to, self.now);
        if is_slow { delay * SLOW_FACTOR } else { delay }
    }

    pub fn disk_delay(&mut self, disk: usize) -> Millis {
        let delay = self.rng.below(self.plan.disk_delay + 1);
        if self.paths.is_slow(disk, self.now) { delay * SLOW_FACTOR } else { delay }
    }
}
