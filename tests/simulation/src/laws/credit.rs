//! Laws of flow control, by what is sent on a connection.

use eyot_core::base::limits::{COMMIT_COST_BYTES, Limits};
use eyot_core::commit::vector::Tip;
use eyot_core::wire::frame::Frame;

use crate::base::ids::ConnectionId;
use crate::parts::process::Machine;
use crate::world::world::World;

impl World {
    /// Law: credit comes back when a commit is in the log, and not while it waits: a waiting room is bounded
    /// by what was granted.
    pub fn check_refunds(&mut self, id: ConnectionId, from: usize, frame: &Frame) {
        let regions = self.plan.regions;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let [client, relay] = connection.disks;
        // Of a host that loses a relay's memory an older attachment may grant the same twice.
        if client < regions || relay >= regions || self.plan.evicts() {
            return;
        }
        let spent = &mut connection.spent;
        match frame {
            Frame::Commits(commits) if from == 0 => {
                for record in &commits.records {
                    let Ok(commit) = record.clone().open(&Limits::PROTOCOL) else { continue };
                    spent.unstored.push((commit.tip(), (record.encoded_len() + COMMIT_COST_BYTES) as i64));
                }
            }
            // Of a commit in pieces nobody looks when it is stored.
            Frame::Piece(piece) if from == 0 && !piece.answer => {
                let whole = if piece.last { COMMIT_COST_BYTES } else { 0 };
                spent.refundable += (piece.bytes.len() + whole) as i64;
            }
            Frame::Credit(bytes) if from == 1 => {
                // A second copy counts as soon as the first is being written.
                let (relay, _) = connection.ends[1];
                let Some(Machine::Relay(relay)) = self.processes.get(&relay).map(|p| &p.machine) else {
                    return;
                };
                let is_stored = |(tip, _): &(Tip, i64)| relay.vector().seq(&tip.author) >= tip.seq;
                let stored = spent.unstored.extract_if(.., |spent| is_stored(spent));
                spent.refundable += stored.map(|(_, cost)| cost).sum::<i64>();
                spent.refundable = spent.refundable.saturating_sub_unsigned(*bytes);
                if spent.refundable < 0 {
                    let early = -spent.refundable;
                    self.fail(format!("{early} bytes of credit were given back for what is not stored"));
                }
            }
            _ => {}
        }
    }

    /// Law: credit is never lost. Once all that a client has sent is acknowledged, it has been granted
    /// again all but what is not worth a frame, however often the relay was taken out of memory.
    pub fn check_credit(&mut self, id: ConnectionId, from: usize, frame: &Frame) {
        if !self.plan.evicts() && self.plan.doze_after.is_none() {
            return;
        }
        let regions = self.plan.regions;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        // A client and its relay.
        if connection.disks[0] < regions || connection.disks[1] >= regions {
            return;
        }
        let to = 1 - from;
        match frame {
            Frame::Hello(hello) => connection.credit[to] = hello.credit as i64,
            Frame::Credit(bytes) => {
                connection.credit[to] = connection.credit[to].saturating_add_unsigned(*bytes)
            }
            Frame::Piece(piece) if !piece.answer => connection.credit[from] -= piece.bytes.len() as i64,
            Frame::Commits(commits) => {
                let bytes: usize =
                    commits.records.iter().map(|record| record.encoded_len() + COMMIT_COST_BYTES).sum();
                connection.credit[from] -= bytes as i64;
                // Of two frames that tell the same, an acknowledgement may speak of the first alone.
                let most = &mut connection.most_told[from];
                connection.told[from] = commits.to.map(|to| to.seq).filter(|to| to > most);
                *most = connection.told[from].unwrap_or(*most);
            }
            Frame::Ack(ack) if from == 1 => {
                let is_all = connection.told[to] == Some(ack.read) && connection.queues[from].is_empty();
                // Commits in pieces cost a little more than was counted here.
                let least = self.plan.limits.credit_bytes as i64 * 3 / 4;
                let credit = connection.credit[to];
                if is_all && credit < least && !self.disks[connection.disks[0]].is_outside {
                    self.fail(format!("all is acknowledged and only {credit} bytes of credit are left"));
                }
            }
            _ => {}
        }
    }
}
