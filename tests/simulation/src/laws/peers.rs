//! Laws of links between replicas.

use eyot_core::commit::commit::Commit;
use eyot_core::wire::access::Right;
use eyot_core::wire::frame::Frame;

use crate::base::ids::ConnectionId;
use crate::parts::connection::commits_of;
use crate::parts::process::Machine;
use crate::world::world::World;

impl World {
    /// Laws: no replica shows another what lets it in at relays; who may only read brings nothing; nothing is
    /// sent on before it is durable. Whether the frame moves anything: replicas ask one another for ever
    /// whether they are there, and what regions have stored.
    pub fn check_peer_frame(&mut self, id: ConnectionId, from: usize, frame: &Frame) -> bool {
        let Some(connection) = self.connections.get(&id) else { return true };
        let Some(rights) = connection.rights else { return true };
        let (sender, receiver) = (connection.disks[from], connection.ends[1 - from].0);
        if self.disks[sender].is_outside {
            return true;
        }
        let records = match frame {
            Frame::Commits(commits) => commits.records.as_slice(),
            Frame::Answer(answer) => answer.records.as_slice(),
            _ => &[],
        };
        let brings = !records.is_empty() || matches!(frame, Frame::Piece(_));
        let commits: Vec<_> = commits_of(records).collect();
        let disk = &self.disks[sender];
        let early = commits.iter().find(|commit| !disk.durable.contains_key(&commit.id()));
        if let Some(commit) = early.filter(|_| !disk.has_failed) {
            self.fail(format!("disk {sender} sent {:?} to a replica before it was durable", commit.id()));
        }
        let is_token = match frame {
            Frame::Hello(hello) => hello.token.is_some(),
            Frame::Token(_) => true,
            _ => false,
        };
        if is_token {
            self.fail(format!("disk {sender} has shown its token to another replica"));
        }
        if brings && rights[from] == Right::Read {
            self.fail(format!("disk {sender} brings commits to a replica at which it may only read"));
        }
        if let Some(Machine::Replica(replica)) = self.processes.get(&receiver).map(|held| &held.machine) {
            let vector = replica.vector();
            let is_held = |commit: &&Commit| vector.seq(&commit.header().author) >= commit.header().seq;
            let again = commits.iter().filter(is_held).count() as u64;
            self.outcome.count("commits sent from replica to replica", commits.len() as u64);
            self.outcome.count("of these held already", again);
        }
        !matches!(frame, Frame::Head(_) | Frame::Inquiry(_) | Frame::Receipt(_))
    }
}
