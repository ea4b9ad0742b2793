//! Links to other replicas, over connections that the host opened.

use crate::base::id::LinkId;
use crate::base::time::Millis;
use crate::replica::replica::Replica;
use crate::wire::access::{Right, Side};
use crate::wire::close::CloseCode;

impl Replica {
    /// A connection to another replica of this space is open. Whoever opened it has found out which side
    /// greets first, and says what the other one may do here: commits of one that may only read are not
    /// taken. Frames go in and out as on any link, by the number given.
    pub fn open_peer(&mut self, side: Side, right: Right, now: Millis) -> LinkId {
        let now = self.observe(now);
        self.holder.catch_up(now);
        let link = self.holder.open_peer(side, right, now);
        self.peers.insert(link);
        if self.holder.is_failed() {
            self.holder.close(link, CloseCode::Storage, "this replica's storage has failed");
        }
        self.advance();
        link
    }

    /// Ends a link to another replica.
    pub fn close_peer(&mut self, link: LinkId, now: Millis) {
        let now = self.observe(now);
        self.holder.catch_up(now);
        if self.peers.contains(&link) {
            self.holder.close(link, CloseCode::GoingAway, "this replica ends the link");
        }
        self.advance();
    }
}
