//! Links to other replicas, and what the application is told of all links.

use eyot_core::base::id::{LinkId, PeerKey};
use eyot_core::wire::access::{Right, Side};
use wasm_bindgen::JsValue;

use super::driver::{Driver, Life};
use crate::base::clock;
use crate::convert::links::EngineLink;
use crate::io::peers::PeerConnection;

impl Driver {
    /// Links to the replica at the other end of a connection that is open.
    pub fn open_peer(&self, side: Side, right: Right, connection: PeerConnection) -> Result<LinkId, JsValue> {
        self.check()?;
        let link = self.replica.borrow_mut().open_peer(side, right, clock::now());
        // Before anything is sent on it.
        self.peers.add(link, connection);
        self.after_call();
        Ok(link)
    }

    pub fn peer_received(&self, link: LinkId, frame: Vec<u8>) {
        self.hear(|| self.peers.received(link, frame));
    }

    pub fn peer_closed(&self, link: LinkId) {
        self.hear(|| self.peers.closed(link));
    }

    /// Ends a link to another replica.
    pub fn close_peer(&self, link: LinkId) -> Result<(), JsValue> {
        self.call_unchecked(|replica, now| {
            replica.close_peer(link, now);
            Ok(())
        })
    }

    pub fn links(&self) -> Result<Vec<EngineLink>, JsValue> {
        let links = self.call(|replica, now| Ok(replica.links(now)))?;
        let traffic = |link| self.peers.traffic(link).or_else(|| self.sockets.traffic(link));
        let shown = links.into_iter().map(|status| {
            let bytes = status.link.and_then(traffic).unwrap_or_default();
            EngineLink::new(status, bytes)
        });
        Ok(shown.collect())
    }

    /// Lets relays tell others of this replica, and this one of others; or not any more.
    pub fn announce(&self, key: Option<PeerKey>) -> Result<(), JsValue> {
        self.call(|replica, now| {
            replica.announce(key, now);
            Ok(())
        })
    }

    /// Says something to another replica by way of relays. False: it can't be said now.
    pub fn signal(&self, key: PeerKey, region: String, bytes: Vec<u8>) -> Result<bool, JsValue> {
        self.call(|replica, now| Ok(replica.signal(key, region, bytes, now)))
    }

    /// Takes in a receipt that a relay of this space has signed.
    pub fn take_receipt(&self, receipt: &[u8]) -> Result<(), JsValue> {
        self.call(|replica, now| {
            replica.take_receipt(receipt, now);
            Ok(())
        })
    }

    /// Ends all links to other replicas.
    pub(super) fn close_peers(&self) {
        for link in self.peers.links() {
            // This can't fail.
            let _ = self.close_peer(link);
        }
    }

    /// Takes something in. It is looked at once the present call has returned.
    fn hear(&self, take: impl FnOnce()) {
        if self.life.get() != Life::Closed {
            self.turn.hold(take);
            self.turn_soon();
        }
    }
}
