//! What lets two replicas link, whom a relay has introduced. Each shows it to the other, and the relay's signature
//! says that it is good.

use crate::base::hash::hash32;
use crate::base::id::PeerKey;
use crate::base::time::Millis;
use crate::wire::access::Right;

/// What is signed begins with this: the key signs nothing else that does.
const SIGNED_AS: &[u8] = b"eyot ticket";
const VERSION: u8 = 1;
/// An Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Two replicas of a space, and what each may do at the other until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket<'a> {
    /// The name of the space.
    pub space: &'a str,
    /// Both, in any order.
    pub ends: [(PeerKey, Right); 2],
    /// When it expires, by the clock of the relay's host: milliseconds since 1970.
    pub expires_at: Millis,
}

impl Ticket<'_> {
    /// What the relay signs. Without its beginning, and with the signature behind it, that is the ticket.
    pub fn to_sign(&self) -> Vec<u8> {
        let mut ends = self.ends;
        ends.sort_by_key(|(key, _)| *key);
        let mut bytes = [SIGNED_AS, &[VERSION], &hash32(&[SIGNED_AS, self.space.as_bytes()])].concat();
        for (key, right) in ends {
            bytes.extend(key.0);
            bytes.push(u8::from(right == Right::Write));
        }
        bytes.extend(self.expires_at.to_be_bytes());
        bytes
    }
}

/// The ticket, of what was signed.
pub fn signed(to_sign: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Vec<u8> {
    [&to_sign[SIGNED_AS.len()..], signature].concat()
}
