//! The frame that says who is there, and what each shows of itself. Nothing of it is stored.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::base::cbor::decode_map;
use crate::base::id::PresenceId;
use crate::base::time::Millis;

/// Whoever is there. Without any: the receiver is to say again who it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Present {
    /// In no order.
    #[n(0)]
    pub all: Vec<Presence>,
}

decode_map!(Present { all: 0 });

/// What one replica has said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Presence {
    /// Which replica.
    #[n(0)]
    pub id: PresenceId,
    /// Rises each time that the replica says something.
    #[n(1)]
    pub number: u64,
    /// How long ago it said this, as far as the sender knows, in milliseconds.
    #[n(2)]
    pub age: Millis,
    /// What it shows. Empty: nothing. Absent: it is not there any more.
    #[n(3)]
    pub state: Option<ByteVec>,
}
