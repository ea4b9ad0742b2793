//! Links to other replicas, over connections that JavaScript has opened.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use eyot_core::base::id::LinkId;
use eyot_core::holder::io::Input as HolderInput;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::traffic::Traffic;
use crate::base::inbox::Inbox;
use crate::base::js;

#[wasm_bindgen]
extern "C" {
    /// `PeerConnection` of the type definitions.
    #[wasm_bindgen(typescript_type = "PeerConnection")]
    pub type PeerConnection;

    #[wasm_bindgen(method, catch)]
    fn send(this: &PeerConnection, frame: &Uint8Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn close(this: &PeerConnection, code: u16, reason: &str) -> Result<(), JsValue>;
}

/// The connections of one replica to others.
pub struct Peers {
    inbox: Rc<Inbox>,
    peers: RefCell<BTreeMap<LinkId, Rc<Peer>>>,
}

struct Peer {
    connection: PeerConnection,
    traffic: Traffic,
}

impl Peers {
    pub fn new(inbox: Rc<Inbox>) -> Self {
        Self { inbox, peers: RefCell::default() }
    }

    pub fn add(&self, link: LinkId, connection: PeerConnection) {
        self.peers.borrow_mut().insert(link, Rc::new(Peer { connection, traffic: Traffic::default() }));
    }

    pub fn links(&self) -> Vec<LinkId> {
        self.peers.borrow().keys().copied().collect()
    }

    /// The bytes in and out; none where this is no link to a replica.
    pub fn traffic(&self, link: LinkId) -> Option<(u64, u64)> {
        self.get(link).map(|peer| peer.traffic.bytes())
    }

    /// A frame came in on a link, unless the link has ended.
    pub fn received(&self, link: LinkId, frame: Vec<u8>) {
        if let Some(peer) = self.get(link) {
            peer.traffic.came(&frame);
            self.inbox.push(HolderInput::Received(link, frame));
        }
    }

    /// The connection is gone.
    pub fn closed(&self, link: LinkId) {
        if self.take(link).is_some() {
            self.inbox.push(HolderInput::LinkClosed(link));
        }
    }

    /// Sends a frame. False: this is no link to a replica.
    pub fn send(&self, link: LinkId, frame: &[u8]) -> bool {
        let Some(peer) = self.get(link) else { return false };
        peer.traffic.went(frame);
        if peer.connection.send(&js::bytes(frame)).is_err() {
            self.closed(link);
        }
        true
    }

    /// Closes what the replica has closed. Nothing more is reported of it. False: this is no link to a
    /// replica.
    pub fn close(&self, link: LinkId, code: u16, reason: &str) -> bool {
        let Some(peer) = self.take(link) else { return false };
        let _ = peer.connection.close(code, reason);
        true
    }

    fn get(&self, link: LinkId) -> Option<Rc<Peer>> {
        self.peers.borrow().get(&link).cloned()
    }

    fn take(&self, link: LinkId) -> Option<Rc<Peer>> {
        self.peers.borrow_mut().remove(&link)
    }
}
