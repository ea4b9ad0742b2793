//! Laws of what is sent: acknowledgements are true, and nothing is sent on before it is durable.

use eyot_core::base::id::{CommitId, LinkId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::log::meta::Meta;
use eyot_core::wire::access::Right;
use eyot_core::wire::bodies::{Ack, Stored};
use eyot_core::wire::frame::Frame;

use crate::base::ids::{ConnectionId, ProcessId};
use crate::parts::connection::{Connection, commits_of};
use crate::plan::plan::{Access, REGIONS};
use crate::world::world::World;

/// What is said of commits.
#[derive(Clone, Copy)]
enum Bytes {
    /// They are there, perhaps without bytes.
    Any,
    /// They are there with all bytes.
    All,
}

impl World {
    /// Notes what is brought to a relay, and whether it may be.
    pub fn note_brought(&mut self, id: ProcessId, link: LinkId, frame: &Frame) {
        let process = &self.processes[&id];
        if !self.is_relay(process.disk) {
            return;
        }
        let is_dialled = link.0 >= 1 << 32;
        let may_write = is_dialled || process.rights.get(&link) == Some(&Right::Write);
        let disk = process.disk;
        let mut ids = commits_in(frame);
        if let Frame::Piece(piece) = frame {
            let begun = self.history.pieces.entry((id, link, piece.answer)).or_default();
            begun.extend_from_slice(&piece.bytes);
            if piece.last {
                let record = std::mem::take(begun);
                let commit = Commit::decode(&record, &Limits::PROTOCOL).ok();
                ids.extend(commit.map(|commit| commit.id()));
            }
        }
        if may_write {
            self.history.brought[disk].extend(ids);
        }
    }

    /// Notes the log that an end of a connection greets with, and the cursors that it shows.
    pub fn note_greeting(&mut self, id: ConnectionId, end: usize, frame: &Frame) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if let (None, Frame::Hello(hello)) = (&connection.greeted[end], frame) {
            connection.greeted[end] = Some((hello.log, hello.cursors.clone()));
            let disk = connection.disks[end];
            // Law: what a greeting tells of the log is durable, once the log is.
            let marker = self.disks[disk].marker().filter(|marker| marker.log != hello.log);
            // Of two processes that begin a log at once one takes the other's when it writes next.
            let is_alone = !self.plan.has_tabs();
            if let Some(marker) = marker.filter(|_| is_alone && !self.disks[disk].has_failed) {
                self.fail(format!(
                    "disk {disk} greets as {:?} and has {:?} in storage",
                    hello.log, marker.log
                ));
            }
            self.disks[disk].note_greeting(hello.log);
        }
    }

    /// Notes where a relay is shown that its log was put back.
    pub fn note_shown(&mut self, id: ProcessId, connection: ConnectionId, frame: &Frame) {
        let number = self.processes[&id].disk;
        let is_up_to_date = self.is_relay(number) && self.disks[number].is_idle();
        let Some(marker) = self.disks[number].marker().filter(|_| is_up_to_date) else { return };
        let Frame::Hello(hello) = frame else { return };
        let cursor = hello.cursors.iter().find(|cursor| cursor.log == marker.log);
        let lost = cursor.filter(|cursor| self.disks[number].has_lost(&marker, &cursor.seen));
        if let (Some(cursor), Some(connection)) = (lost, self.connections.get_mut(&connection)) {
            connection.shown = Some((marker, cursor.seen));
        }
    }

    /// Law: a log that was put back, and is shown a mark of what it lost, takes another id before it
    /// greets.
    fn check_log_id(&self, id: ProcessId, link: LinkId, log: LogId) -> Option<String> {
        let connection = self.connection_of(id, link).and_then(|id| self.connections.get(&id))?;
        let (marker, mark) = connection.shown.filter(|(marker, _)| marker.log == log)?;
        let disk = self.processes[&id].disk;
        let is_lost = self.disks[disk].has_lost(&marker, &mark);
        is_lost.then(|| format!("the log of disk {disk} was put back and keeps its id"))
    }

    /// Law: whoever keeps to the protocol is not cut off for what others do: between honest processes
    /// no link ends for a broken rule.
    pub fn note_close(&mut self, id: ProcessId, link: LinkId, code: u16, reason: &str) {
        if self.is_with_actor(id, link) {
            return self.count("links of actors that were closed");
        }
        let connection = self.connection_of(id, link).and_then(|id| self.connections.get(&id));
        let Some(connection) = connection else { return };
        let may_happen = match code {
            // Two clones have one log. A token that was good when commits left may not be any more.
            4002 => reason.contains("the same log"),
            4004 => self.plan.access != Access::Open && connection.rights.is_none(),
            4007 => connection.withholds,
            4003 => self.plan.has_rivals,
            4005 => self.plan.caps.is_some(),
            4000 | 4001 | 4011 | 4012 => false,
            _ => return,
        };
        if may_happen {
            self.count("honest links closed for a reason");
        } else {
            self.fail(format!("{id:?} closed an honest link: {code} {reason}"));
        }
    }

    /// Law: an acknowledgement is the truth, and a relay sends nothing on that is not durable.
    pub fn check_frame(&mut self, id: ProcessId, link: LinkId, frame: &Frame) {
        let process = &self.processes[&id];
        if !self.is_relay(process.disk) {
            return;
        }
        let disk = &self.disks[process.disk];
        let early = commits_in(frame).into_iter().find(|id| !disk.durable.contains_key(id));
        let failure = match (early, frame) {
            (Some(id), _) => Some(format!("{id:?} was sent on before it was durable")),
            (_, &Frame::Ack(Ack { at, whole, read, .. })) => {
                let meta = disk.store.get(b"m").and_then(|meta| Meta::decode(meta).ok());
                let head = meta.map_or(0, |meta| meta.head.seq);
                let early =
                    (at.seq > head).then(|| format!("acknowledged at {} with {head} on disk", at.seq));
                // Of what was not read nothing is believed.
                let whole = whole.map_or(read, |whole| whole.min(read));
                early
                    .or_else(|| self.check_ack(id, link, read, Bytes::Any))
                    .or_else(|| self.check_ack(id, link, whole, Bytes::All).map(|broken| broken + " whole"))
            }
            (_, Frame::Hello(hello)) if link.0 < 1 << 32 && hello.token.is_some() => {
                Some("a relay told its own token to whoever came in".into())
            }
            (_, Frame::Hello(hello)) if link.0 < 1 << 32 => self.check_log_id(id, link, hello.log),
            (_, Frame::Stored(stored)) => self.check_stored(process.disk, stored),
            (_, Frame::Commits(commits)) => {
                self.outcome.count("commits left to others to send", commits.named.len() as u64);
                None
            }
            _ => None,
        };
        if let Some(failure) = failure {
            self.fail(failure);
        }
    }

    /// What a relay says another region has stored, it has, or had.
    fn check_stored(&mut self, disk: usize, stored: &Stored) -> Option<String> {
        self.outcome.count("words of what other regions have stored", 1);
        let region = REGIONS.iter().position(|region| *region == stored.region)?;
        let missing = self.first_missing(disk, region, stored.upto, Bytes::All)?;
        Some(format!("disk {disk} says that {} has {missing:?}, which it never had", stored.region))
    }

    /// What of the last commits of a disk's log up to there a region never had. A commit whose bytes
    /// came late to that disk says nothing of them before the place in the log at which it was whole.
    fn first_missing(&self, disk: usize, region: usize, upto: u64, bytes: Bytes) -> Option<CommitId> {
        let log = &self.disks[disk];
        let mut recent = log.log.range(upto.saturating_sub(64)..=upto).map(|(_, id)| *id);
        recent.find(|id| match bytes {
            Bytes::Any => !self.history.ever[region].contains(id),
            Bytes::All => log.is_whole_by(id, upto) && !self.history.ever_whole[region].contains(id),
        })
    }

    /// All of the other's log up to there is on this relay's disk, or was.
    fn check_ack(&self, id: ProcessId, link: LinkId, upto: u64, bytes: Bytes) -> Option<String> {
        let process = &self.processes[&id];
        let connection = self.connections.get(process.links.get(&link)?)?;
        let other = connection.disks.into_iter().find(|disk| *disk != process.disk)?;
        // What was in memory in place of a disk is not there to be looked at.
        if self.disks[other].is_outside || self.disks[other].has_failed {
            return None;
        }
        let end = usize::from(connection.ends[1] == (id, link));
        if self.is_void(connection, end, other) {
            return None;
        }
        let missing = self.first_missing(other, process.disk, upto, bytes)?;
        Some(format!("disk {} acknowledged {missing:?} of disk {other} and never had it", process.disk))
    }

    /// Whether what this end acknowledges means nothing at the other: its log has taken another id since it
    /// greeted, or does so once it is shown, before the acknowledgement, a mark of what it has lost.
    fn is_void(&self, connection: &Connection, end: usize, other: usize) -> bool {
        let Some(marker) = self.disks[other].marker() else { return false };
        let is_renewed = connection.greeted[1 - end].as_ref().is_some_and(|(log, _)| *log != marker.log);
        let shown = connection.greeted[end].iter().flat_map(|(_, cursors)| cursors);
        let mut lost = shown.filter(|cursor| self.disks[other].has_lost(&marker, &cursor.seen));
        is_renewed || lost.any(|cursor| cursor.log == marker.log)
    }
}

/// The commits that a frame brings.
fn commits_in(frame: &Frame) -> Vec<CommitId> {
    let records = match frame {
        Frame::Commits(commits) => &commits.records,
        Frame::Answer(answer) => &answer.records,
        _ => return Vec::new(),
    };
    commits_of(records).map(|commit| commit.id()).collect()
}
