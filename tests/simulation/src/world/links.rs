//! Connections between processes, and what hosts ask of one another beside them.

use std::collections::VecDeque;
use std::sync::Arc;

use eyot_core::base::id::LinkId;
use eyot_core::base::limits::Limits;
use eyot_core::base::time::Millis;
use eyot_core::commit::commit::Commit;
use eyot_core::holder::io as holder;
use eyot_core::replica::io::Input;
use eyot_core::wire::bodies::Answer;
use eyot_core::wire::frame::Frame;

use super::processes::Machine;
use super::{Happening, ProcessId, World, disk_at};
use crate::rng::Rng;

/// How long a host that sends nothing takes to find out that a connection is dead, at least and at
/// most.
const KEEPALIVE: (Millis, Millis) = (60_000, 300_000);
/// How long a connection to nobody takes to fail, at least and at most.
const NOBODY: (Millis, Millis) = (3_000, 15_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(u64);

pub(super) struct Connection {
    /// Who dialled, who accepted.
    pub ends: [(ProcessId, LinkId); 2],
    pub disks: [usize; 2],
    is_open: bool,
    /// What is under way, to each end.
    queues: [VecDeque<Message>; 2],
    /// Whether what is sent to that end vanishes.
    pub lost: [bool; 2],
    pub stalled_until: Millis,
    /// A commit is left out of the stream now and then.
    pub withholds: bool,
}

enum Message {
    Frame(Arc<[u8]>),
    Ping,
    Pong,
    Close,
}

impl World {
    pub(super) fn dial(&mut self, from: ProcessId, link: LinkId, url: &str) {
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
        let mut connection = Connection {
            ends: [(from, link); 2],
            disks: [from_disk, disk],
            is_open: false,
            queues: Default::default(),
            lost: [false; 2],
            stalled_until: 0,
            withholds: false,
        };
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

    pub(super) fn connect(&mut self, id: ConnectionId) {
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

    fn connection_of(&self, id: ProcessId, link: LinkId) -> Option<ConnectionId> {
        self.processes.get(&id)?.links.get(&link).copied()
    }

    pub(super) fn send(&mut self, id: ProcessId, link: LinkId, frame: Arc<[u8]>) {
        self.check_frame(id, link, &frame);
        let Some(connection_id) = self.connection_of(id, link) else { return };
        let Some(connection) = self.connections.get(&connection_id) else { return };
        let end = usize::from(connection.ends[0] == (id, link));
        let frame = if connection.withholds && end == 0 { withhold(&frame, &mut self.rng) } else { frame };
        self.last_sent = self.now;
        self.count("frames");
        self.post(connection_id, end, Message::Frame(frame));
    }

    /// Puts something on its way to an end.
    fn post(&mut self, id: ConnectionId, end: usize, message: Message) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.queues[end].push_back(message);
        let (from, to) = (connection.disks[1 - end], connection.disks[end]);
        let delay = self.delay(from, to);
        self.at(delay, Happening::Deliver(id, end));
    }

    pub(super) fn deliver(&mut self, id: ConnectionId, end: usize) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (from, to) = (connection.disks[1 - end], connection.disks[end]);
        let blocked_until = self.paths.blocked_until(from, to, now).unwrap_or(0);
        let waits_until = connection.stalled_until.max(blocked_until);
        if waits_until > now && !connection.lost[end] {
            return self.at(waits_until - now, Happening::Deliver(id, end));
        }
        let (process, link) = connection.ends[end];
        let Some(message) = connection.queues[end].pop_front() else { return };
        if connection.lost[end] {
            if matches!(message, Message::Close) {
                let wait = self.rng.between(KEEPALIVE.0, KEEPALIVE.1);
                self.at(wait, Happening::Expire(id));
            }
            return;
        }
        if matches!(message, Message::Close) {
            return self.cut(id);
        }
        if self.connection_of(process, link) != Some(id) {
            return;
        }
        match message {
            Message::Frame(frame) => {
                self.note_brought(process, link, &frame);
                self.input(process, holder::Input::Received(link, frame.to_vec()));
            }
            // The hosts see to these.
            Message::Ping => self.post(id, 1 - end, Message::Pong),
            Message::Pong => self.input(process, Input::Pong(link)),
            Message::Close => {}
        }
    }

    /// One side closes: what it sent before still arrives, then the other side sees it.
    pub(super) fn close(&mut self, by: ProcessId, link: LinkId) {
        let Some(process) = self.processes.get_mut(&by) else { return };
        let Some(id) = process.links.remove(&link) else { return };
        let Some(connection) = self.connections.get(&id) else { return };
        let end = usize::from(connection.ends[0] == (by, link));
        let (other, other_link) = connection.ends[end];
        if !connection.is_open || self.connection_of(other, other_link) != Some(id) {
            self.connections.remove(&id);
            return;
        }
        self.post(id, end, Message::Close);
    }

    /// The connection is gone and what was under way is lost.
    pub(super) fn cut(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        for (process, link) in connection.ends {
            if self.connection_of(process, link) != Some(id) {
                continue;
            }
            let Some(held) = self.processes.get_mut(&process) else { continue };
            held.links.remove(&link);
            if let Machine::Asleep(kept) = &mut held.machine {
                // Nothing is known of links in memory, so there is nothing to forget.
                kept.remove(&link);
            } else {
                self.input(process, holder::Input::LinkClosed(link));
            }
        }
    }

    /// A process of that connection is gone: the other learns it at once, when the way is free
    /// again, or, where the whole machine is off, when nothing has come for long.
    pub(super) fn hang_up(&mut self, id: ConnectionId, is_silent: bool) {
        let Some(connection) = self.connections.get(&id) else { return };
        let [one, other] = connection.disks;
        let is_reached = self.paths.is_open(one, other, self.now) && connection.lost == [false; 2];
        if is_reached && !is_silent {
            return self.cut(id);
        }
        let wait = self.rng.between(KEEPALIVE.0, KEEPALIVE.1);
        self.at(wait, Happening::Expire(id));
    }

    fn round_trip(&mut self, from: usize, to: usize) -> Millis {
        self.delay(from, to) + self.delay(to, from)
    }

    pub(super) fn probe(&mut self, id: ProcessId, url: String) {
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

    pub(super) fn probed(&mut self, id: ProcessId, url: String, is_healthy: bool) {
        self.input(id, Input::Probed(url, is_healthy));
    }

    pub(super) fn ping(&mut self, id: ProcessId, link: LinkId) {
        self.count("pings");
        let Some(connection_id) = self.connection_of(id, link) else { return };
        let Some(connection) = self.connections.get(&connection_id) else { return };
        let end = usize::from(connection.ends[0] == (id, link));
        self.post(connection_id, end, Message::Ping);
    }
}

/// Leaves out a commit here and there, and never says more when asked.
fn withhold(bytes: &Arc<[u8]>, rng: &mut Rng) -> Arc<[u8]> {
    match Frame::decode(bytes, &Limits::PROTOCOL) {
        Ok(Frame::Commits(mut commits)) if !commits.records.is_empty() && rng.chance(300) => {
            let left_out = rng.below(commits.records.len() as u64) as usize;
            commits.records.remove(left_out);
            Frame::Commits(commits).encode().into()
        }
        Ok(Frame::Answer(answer)) => Frame::Answer(Answer { records: Vec::new(), ..answer }).encode().into(),
        _ => bytes.clone(),
    }
}

pub(super) fn summary(frame: &[u8]) -> String {
    match Frame::decode(frame, &Limits::PROTOCOL) {
        Ok(Frame::Commits(commits)) => {
            let ids: Vec<_> = commits
                .records
                .iter()
                .filter_map(|record| Commit::decode(record, &Limits::PROTOCOL).ok())
                .map(|commit| format!("{:?}", commit.id()))
                .collect();
            format!("Commits to {:?}: {}", commits.to.map(|to| to.seq), ids.join(" "))
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
