//! Frames on their way, and connections that end.

use std::sync::Arc;

use eyot_core::base::id::LinkId;
use eyot_core::base::limits::Limits;
use eyot_core::base::time::Millis;
use eyot_core::holder::io as holder;
use eyot_core::replica::io::Input;
use eyot_core::wire::frame::Frame;

use crate::base::ids::{ConnectionId, ProcessId};
use crate::base::rng::Rng;
use crate::parts::connection::{Message, summary};
use crate::parts::process::Machine;
use crate::world::happening::Happening;
use crate::world::world::World;

/// How long a host that sends nothing takes to find out that a connection is dead, at least and at
/// most.
const KEEPALIVE: (Millis, Millis) = (60_000, 300_000);
impl World {
    pub fn connection_of(&self, id: ProcessId, link: LinkId) -> Option<ConnectionId> {
        self.processes.get(&id)?.links.get(&link).copied()
    }

    pub fn send(&mut self, id: ProcessId, link: LinkId, bytes: Arc<[u8]>) {
        let Some(connection_id) = self.connection_of(id, link) else { return };
        let Some(connection) = self.connections.get_mut(&connection_id) else { return };
        let end = usize::from(connection.ends[0] == (id, link));
        let from = 1 - end;
        let frame = Frame::decode_next(&bytes, &Limits::PROTOCOL, &mut connection.last_sent[from]).ok();
        let withholds = connection.withholds;
        let is_meddled = withholds || self.plan.permutes;
        let (mut bytes, mut frame) = (bytes, frame.map(Box::new));
        if let Some(frame) = &mut frame {
            if withholds && end == 0 {
                withhold(frame, &mut self.rng);
            }
            if self.plan.permutes {
                permute(frame, &mut self.rng);
            }
            let posted = frame.encode_next(&mut connection.last_posted[from]);
            if is_meddled {
                bytes = posted.into();
            } else if *posted != *bytes && frame.encode() != *bytes && !self.is_with_actor(id, link) {
                // Law: what was understood is written in the same bytes, whether its sender knows the last commit
                // or has lost its memory.
                let frame = summary(Some(frame));
                self.fail(format!("{id:?} has sent a frame in other bytes than it has: {frame}"));
            }
        }
        self.say(|| format!("{id:?} {link:?} {}", summary(frame.as_deref())));
        if let Some(frame) = &frame {
            self.check_frame(id, link, frame);
            self.note_greeting(connection_id, from, frame);
            self.check_credit(connection_id, from, frame);
            self.check_refunds(connection_id, from, frame);
        }
        // Replicas that show themselves say so again and again.
        let moves = |world: &mut Self, frame: &Frame| {
            world.check_peer_frame(connection_id, from, frame) && !matches!(frame, Frame::Present(_))
        };
        if frame.as_ref().is_none_or(|frame| moves(self, frame)) {
            self.last_sent = self.now;
        }
        self.count("frames");
        self.post(connection_id, end, Message::Frame(bytes, frame, self.now));
    }

    /// Puts something on its way to an end.
    pub fn post(&mut self, id: ConnectionId, end: usize, message: Message) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.queues[end].push_back(message);
        let (from, to) = (connection.disks[1 - end], connection.disks[end]);
        let delay = self.delay(from, to);
        self.at(delay, Happening::Deliver(id, end));
    }

    pub fn deliver(&mut self, id: ConnectionId, end: usize) {
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
            Message::Frame(bytes, frame, sent_at) => {
                if let Some(frame) = frame {
                    self.note_late(&frame, sent_at);
                    self.note_brought(process, link, &frame);
                    self.note_shown(process, id, &frame);
                }
                self.input(process, holder::Input::Received(link, bytes.to_vec()));
            }
            // The hosts see to these.
            Message::Ping => self.post(id, 1 - end, Message::Pong),
            Message::Pong => self.input(process, Input::Pong(link)),
            Message::Close => {}
        }
    }

    /// One side closes: what it sent before still arrives, then the other side sees it.
    pub fn close(&mut self, by: ProcessId, link: LinkId) {
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
    pub fn cut(&mut self, id: ConnectionId) {
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
    pub fn hang_up(&mut self, id: ConnectionId, is_silent: bool) {
        let Some(connection) = self.connections.get(&id) else { return };
        let [one, other] = connection.disks;
        let is_reached = self.paths.is_open(one, other, self.now) && connection.lost == [false; 2];
        if is_reached && !is_silent {
            return self.cut(id);
        }
        let wait = self.rng.between(KEEPALIVE.0, KEEPALIVE.1);
        self.at(wait, Happening::Expire(id));
    }
}

/// Puts the commits of a frame into another order.
fn permute(frame: &mut Frame, rng: &mut Rng) {
    let Frame::Commits(commits) = frame else { return };
    let records = &mut commits.records;
    for i in (1..records.len()).rev() {
        records.swap(i, rng.below(i as u64 + 1) as usize);
    }
}

/// Leaves out a commit here and there, and never says more when asked.
fn withhold(frame: &mut Frame, rng: &mut Rng) {
    match frame {
        Frame::Commits(commits) if !commits.records.is_empty() && rng.chance(300) => {
            let left_out = rng.below(commits.records.len() as u64) as usize;
            commits.records.remove(left_out);
        }
        Frame::Answer(answer) => answer.records.clear(),
        _ => {}
    }
}
