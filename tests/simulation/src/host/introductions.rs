//! Replicas announce themselves to relays, are told of others and say something to them.

use eyot_core::base::id::PeerKey;
use eyot_core::holder::io as holder;

use crate::base::ids::ProcessId;
use crate::host::receipts::SIGNATURE;
use crate::world::happening::Happening;
use crate::world::world::World;

/// How long it takes a host to sign something.
const SIGNING: u64 = 20;
/// How long a replica waits before it announces itself, and again.
const ANNOUNCE_WAIT: u64 = 20_000;

impl World {
    /// Some replicas want to meet others.
    pub(super) fn may_announce(&mut self, id: ProcessId) {
        if self.rng.chance(400) {
            let wait = self.rng.below(ANNOUNCE_WAIT);
            self.at(wait, Happening::Announce(id));
        }
    }

    pub fn announce(&mut self, id: ProcessId) {
        // A healed world is to become quiet.
        if self.healing || !self.processes.contains_key(&id) {
            return;
        }
        let key = (!self.rng.chance(100)).then(|| key_of(id));
        self.call(id, |replica, now| replica.announce(key, now));
        self.count("announcements");
        let wait = self.rng.below(ANNOUNCE_WAIT);
        self.at(wait, Happening::Announce(id));
    }

    pub fn sign(&mut self, id: ProcessId, number: u64, bytes: Vec<u8>) {
        let wait = self.rng.below(SIGNING);
        self.at(wait, Happening::Signed(id, number, bytes));
    }

    pub fn signed(&mut self, id: ProcessId, number: u64, bytes: &[u8]) {
        let signature = (!self.rng.chance(100)).then_some(SIGNATURE);
        if signature.is_some() {
            self.note_signed(bytes);
        }
        if self.processes.contains_key(&id) {
            self.input(id, holder::Input::Signed(number, signature));
        }
    }

    /// A replica says to another who it is.
    pub fn signal(&mut self, id: ProcessId, to: PeerKey, region: String) {
        // A clone has the key of whom it is a clone of.
        if self.processes.get(&id).is_none_or(|process| process.is_clone) {
            return;
        }
        let own = key_of(id).0.to_vec();
        self.call(id, |replica, now| {
            replica.signal(to, region, own, now);
        });
    }

    /// Law: what a relay passes on is from whom it says.
    pub fn signal_came(&mut self, from: PeerKey, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.count("signals that came back");
        }
        self.count("signals");
        if from.0 != bytes {
            self.fail("a signal is not from whom the relay says".to_owned());
        }
    }
}

fn key_of(id: ProcessId) -> PeerKey {
    let mut key = [7; 32];
    key[..8].copy_from_slice(&id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    PeerKey(key)
}
