//! What hosts do with receipts: relays' sign them, and replicas' find out whether one did.

use eyot_core::wire::receipt::receipt;

use crate::base::ids::ProcessId;
use crate::world::happening::Happening;
use crate::world::world::World;

/// Every signature in this world.
pub const SIGNATURE: [u8; 64] = [7; 64];
/// What every receipt that is to be signed begins with.
const RECEIPT: &[u8] = b"eyot receipt";
/// How long it takes a host to find out whether a relay has signed something.
const CHECKING: u64 = 20;

impl World {
    /// A relay's host has signed this.
    pub(super) fn note_signed(&mut self, signed: &[u8]) {
        if signed.starts_with(RECEIPT) {
            self.history.receipts.insert(receipt(signed, &SIGNATURE));
        }
    }

    /// A receipt has come: a host believes those alone that a relay has signed.
    pub(super) fn receipt_came(&mut self, id: ProcessId, bytes: Vec<u8>) {
        if !self.history.receipts.contains(&bytes) {
            return self.count("forged receipts");
        }
        self.count("receipts");
        let wait = self.rng.below(CHECKING);
        self.at(wait, Happening::Receipt(id, bytes));
    }

    pub fn take_receipt(&mut self, id: ProcessId, bytes: &[u8]) {
        self.call(id, |replica, now| replica.take_receipt(bytes, now));
    }
}
