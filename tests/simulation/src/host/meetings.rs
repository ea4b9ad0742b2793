//! Replicas that are introduced to one another, and link directly.

use eyot_core::base::id::LinkId;
use eyot_core::holder::io as holder;
use eyot_core::wire::access::{Right, Side};

use crate::base::ids::{ConnectionId, ProcessId};
use crate::parts::connection::Connection;
use crate::parts::process::{Machine, Process};
use crate::plan::meeting::Meeting;
use crate::world::happening::Happening;
use crate::world::world::World;

/// How long until those of a healed world that are not linked are introduced again.
const AGAIN: u64 = 5_000;
/// How many links a liar has at most.
const LIAR_LINKS_MAX: usize = 8;

impl World {
    /// Two replicas meet or part; in a healed world all meet who are not linked.
    pub fn meet(&mut self) {
        let Some(meeting) = self.plan.meeting.clone() else { return };
        if self.healing || self.is_resting {
            if self.plan.is_mesh {
                self.introduce_some(meeting.links_max);
            } else {
                self.introduce_all();
            }
            return self.at(AGAIN, Happening::Meet);
        }
        if self.rng.chance(meeting.parting) {
            self.part_two();
        } else if !meeting.liars.is_empty() && self.rng.chance(400) {
            self.meet_liar(&meeting);
        } else {
            let replicas = self.replicas();
            let one = self.rng.pick(&replicas).copied();
            let other = self.rng.pick(&replicas).copied();
            let has_room = |world: &Self, id| world.peers_of(id).count() < meeting.links_max;
            if let (Some(one), Some(other)) = (one, other)
                && has_room(self, one)
                && has_room(self, other)
            {
                let rights = [meeting.right(&mut self.rng), meeting.right(&mut self.rng)];
                self.introduce(one, other, rights);
            }
        }
        let wait = self.rng.below(2 * meeting.wait);
        self.at(wait, Happening::Meet);
    }

    /// A replica links to one that lies, and either greets.
    fn meet_liar(&mut self, meeting: &Meeting) {
        let is_liar = |process: &Process| match &process.machine {
            Machine::Actor(actor) => meeting.liars.iter().any(|(role, _)| *role == actor.role),
            _ => false,
        };
        let liars: Vec<_> =
            self.processes.iter().filter(|(_, process)| is_liar(process)).map(|(id, _)| *id).collect();
        let Some(liar) = self.rng.pick(&liars).copied() else { return };
        let Some(other) = self.rng.pick(&self.replicas()).copied() else { return };
        if self.peers_of(other).count() >= meeting.links_max || self.peers_of(liar).count() >= LIAR_LINKS_MAX
        {
            return;
        }
        let right = meeting.right(&mut self.rng);
        let greets = self.rng.chance(500);
        let side = if greets { Side::Accepter } else { Side::Dialer };
        let disk = self.processes[&other].disk;
        let Some(link) = self.open_peer(other, side, right) else { return };
        let Some(Machine::Actor(actor)) = self.processes.get_mut(&liar).map(|process| &mut process.machine)
        else {
            return;
        };
        let end = (liar, actor.begins(disk));
        let ends = if greets { [end, (other, link)] } else { [(other, link), end] };
        // The liar says nothing of what it takes.
        let rights = if greets { [right, Right::Write] } else { [Right::Write, right] };
        self.connect_peers(ends, rights);
        self.count("links between replicas and liars");
        if greets {
            self.input(liar, holder::Input::LinkOpened(end.1));
        }
        self.drain(other);
    }

    fn replicas(&self) -> Vec<ProcessId> {
        let replicas = self
            .processes
            .iter()
            .filter(|(_, process)| matches!(process.machine, Machine::Replica(_)) && process.is_ready);
        replicas.map(|(id, _)| *id).collect()
    }

    fn peers_of(&self, id: ProcessId) -> impl Iterator<Item = (ConnectionId, LinkId)> {
        let links = self.processes.get(&id).into_iter().flat_map(|process| &process.links);
        links.filter_map(|(link, connection)| {
            let is_peer = self.connections.get(connection).is_some_and(|held| held.rights.is_some());
            is_peer.then_some((*connection, *link))
        })
    }

    fn introduce_all(&mut self) {
        // One process of each disk is enough: the others share what it gets.
        let replicas: Vec<_> = self.replicas().into_iter().filter(|id| self.is_leader(*id)).collect();
        for (at, one) in replicas.iter().enumerate() {
            for other in &replicas[at + 1..] {
                self.introduce(*one, *other, [Right::Write; 2]);
            }
        }
    }

    /// Each of many is introduced to the next, and to others until it has so many links.
    fn introduce_some(&mut self, links_max: usize) {
        let replicas: Vec<_> = self.replicas().into_iter().filter(|id| self.is_leader(*id)).collect();
        for (at, one) in replicas.iter().enumerate() {
            self.introduce(*one, replicas[(at + 1) % replicas.len()], [Right::Write; 2]);
        }
        for one in &replicas {
            let Some(other) = self.rng.pick(&replicas).copied() else { return };
            if self.peers_of(*one).count() < links_max && self.peers_of(other).count() < links_max {
                self.introduce(*one, other, [Right::Write; 2]);
            }
        }
    }

    /// Opens a connection between two that have none; the first greets. What each may do at the other is
    /// given.
    fn introduce(&mut self, one: ProcessId, other: ProcessId, rights: [Right; 2]) {
        let disks = [self.processes[&one].disk, self.processes[&other].disk];
        let are_linked = self.peers_of(one).any(|(connection, _)| {
            self.connections[&connection].ends.iter().any(|(process, _)| *process == other)
        });
        // Clones that have the same log refuse one another, until one of them takes another id.
        let log = |disk: usize| self.disks[disk].log_id();
        let have_one_log = self.healing && log(disks[0]).is_some() && log(disks[0]) == log(disks[1]);
        let is_open = self.paths.is_open(disks[0], disks[1], self.now);
        if disks[0] == disks[1] || are_linked || have_one_log || !is_open {
            return;
        }
        let dialled = self.open_peer(one, Side::Dialer, rights[1]);
        let accepted = self.open_peer(other, Side::Accepter, rights[0]);
        let (Some(dialled), Some(accepted)) = (dialled, accepted) else { return };
        self.connect_peers([(one, dialled), (other, accepted)], rights);
        self.say(|| format!("{one:?} {dialled:?} meets {other:?} {accepted:?}: {rights:?}"));
        self.count("links between replicas");
        self.drain(one);
        self.drain(other);
    }

    fn connect_peers(&mut self, ends: [(ProcessId, LinkId); 2], rights: [Right; 2]) {
        let id = ConnectionId(self.id());
        let disks = ends.map(|(process, _)| self.processes[&process].disk);
        let connection = Connection { is_open: true, rights: Some(rights), ..Connection::new(ends, disks) };
        self.connections.insert(id, connection);
        for (process, link) in ends {
            if let Some(process) = self.processes.get_mut(&process) {
                process.links.insert(link, id);
            }
        }
    }

    fn open_peer(&mut self, id: ProcessId, side: Side, right: Right) -> Option<LinkId> {
        let now = self.now;
        let process = self.processes.get_mut(&id)?;
        let Machine::Replica(replica) = &mut process.machine else { return None };
        Some(replica.open_peer(side, right, process.clock.read(now)))
    }

    /// An application ends one of its links.
    fn part_two(&mut self) {
        let replicas = self.replicas();
        let Some(id) = self.rng.pick(&replicas).copied() else { return };
        let links: Vec<_> = self.peers_of(id).map(|(_, link)| link).collect();
        if let Some(link) = self.rng.pick(&links).copied() {
            self.call(id, |replica, now| replica.close_peer(link, now));
            self.count("links between replicas that were ended");
        }
    }
}
