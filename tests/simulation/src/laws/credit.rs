//! Laws of flow control, by what is sent on a connection.

use eyot_core::base::limits::{COMMIT_COST_BYTES, Limits};
use eyot_core::wire::frame::Frame;

use crate::base::ids::ConnectionId;
use crate::world::world::World;

impl World {
    /// Law: credit is never lost. Once all that a client has sent is acknowledged, it has been granted
    /// again all but what is not worth a frame, however often the relay was taken out of memory.
    pub fn check_credit(&mut self, id: ConnectionId, from: usize, frame: &[u8]) {
        if !self.plan.evicts() && self.plan.doze_after.is_none() {
            return;
        }
        let regions = self.plan.regions;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        // A client and its relay.
        if connection.disks[0] < regions || connection.disks[1] >= regions {
            return;
        }
        let Ok(frame) = Frame::decode(frame, &Limits::PROTOCOL) else { return };
        let to = 1 - from;
        match frame {
            Frame::Hello(hello) => connection.credit[to] = hello.credit as i64,
            Frame::Credit(bytes) => {
                connection.credit[to] = connection.credit[to].saturating_add_unsigned(bytes)
            }
            Frame::Piece(piece) if !piece.answer => connection.credit[from] -= piece.bytes.len() as i64,
            Frame::Commits(commits) => {
                let bytes: usize =
                    commits.records.iter().map(|record| record.len() + COMMIT_COST_BYTES).sum();
                connection.credit[from] -= bytes as i64;
                connection.told[from] = commits.to.map(|to| to.seq);
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
