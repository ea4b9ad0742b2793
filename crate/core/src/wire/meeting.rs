//! The frames by which replicas meet: a relay tells them of each other and passes on what they say until they
//! have a link of their own. Nothing of this is stored.

use minicbor::Encode;
use minicbor::bytes::ByteVec;

use crate::base::cbor::decode_map;
use crate::base::id::PeerKey;
use crate::wire::bodies::Terms;

/// A replica is there for others to link to. From a relay to another: one of its replicas is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Announce {
    /// Its key. Absent: it is not there any more.
    #[n(0)]
    pub key: Option<PeerKey>,
    /// Only between relays: what its token lets it do, and for how long.
    #[n(1)]
    pub terms: Option<Terms>,
}

decode_map!(Announce { key: 0, terms: 1 });

/// A relay tells a replica of another one, and both of them the same.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Introduction {
    /// The other one.
    #[n(0)]
    pub key: PeerKey,
    /// Where it is: the region of the relay that it is linked to.
    #[n(1)]
    pub region: String,
    /// A [`Ticket`](crate::wire::ticket::Ticket) for both, with its signature.
    #[n(2)]
    pub ticket: ByteVec,
    /// Only between relays: the replica that is to be told.
    #[n(3)]
    pub to: Option<PeerKey>,
}

decode_map!(Introduction { key: 0, region: 1, ticket: 2, to: 3 });

/// What a replica says to another by way of relays.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Signal {
    /// On the way to a relay, and from relay to relay, to whom. On the way to a replica, from whom.
    #[n(0)]
    pub key: PeerKey,
    /// The region of that one.
    #[n(1)]
    pub region: String,
    /// No relay looks into it.
    #[n(2)]
    pub bytes: ByteVec,
    /// Only between relays: from whom.
    #[n(3)]
    pub from: Option<PeerKey>,
}

decode_map!(Signal { key: 0, region: 1, bytes: 2, from: 3 });
