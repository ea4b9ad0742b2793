//! Hosts take relays out of memory, and bring them back.

use std::collections::BTreeMap;

use eyot_core::base::id::LinkId;
use eyot_core::wire::close::CloseCode;

use crate::base::ids::ProcessId;
use crate::parts::process::Machine;
use crate::world::world::World;

impl World {
    /// Its host takes a relay out of memory once it has nothing to do.
    pub fn doze(&mut self, id: ProcessId, inputs: u64) {
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

    /// A relay's memory is lost at any moment and its connections are not: what was dialled goes, what
    /// was accepted stays, with what the host kept of it when something last happened there.
    pub fn evict(&mut self, id: ProcessId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        if !matches!(process.machine, Machine::Relay(_)) || process.is_failing {
            return;
        }
        let mut kept = process.kept.clone();
        kept.retain(|link, _| process.links.contains_key(link));
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

    pub fn wake(&mut self, id: ProcessId) {
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
        process.kept = kept;
        for link in dropped {
            let code = CloseCode::GoingAway as u16;
            self.say(|| format!("the host of {id:?} closes {link:?}: {code}"));
            let connection = self.connection_of(id, link).and_then(|id| self.connections.get(&id));
            for (other, _) in connection.map(|connection| connection.ends).into_iter().flatten() {
                self.disturbed(other);
            }
            self.close(id, link);
        }
        self.drain(id);
    }
}
