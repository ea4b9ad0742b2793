//! What a space is. Holders with different descriptors of one name never mix.

use minicbor::Encode;
use minicbor::bytes::ByteArray;

use crate::base::cbor::{decode_map, to_cbor};
use crate::base::hash::hash32;
use crate::base::id::CommitId;

/// What a space is, fixed when it is made. Its hash is the space's id.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Descriptor {
    /// The name that tokens, addresses and storage go by.
    #[n(0)]
    pub name: String,
    /// In how many partitions its documents are.
    #[n(1)]
    pub partitions: u32,
    /// Derived from the first key of an encrypted space, so that holders of different keys never
    /// mix; absent where items are in the clear.
    #[n(2)]
    pub key_check: Option<ByteArray<32>>,
    /// Whether only what its author has signed is applied.
    #[n(3)]
    pub signed: bool,
}

decode_map!(Descriptor { name: 0, partitions: 1, key_check: 2, signed: 3 });

impl Descriptor {
    /// A space of that name, in one partition, neither encrypted nor signed.
    pub fn plain(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: 1, key_check: None, signed: false }
    }

    /// SHA-256("eyot space" ‖ its CBOR).
    fn id(&self) -> [u8; 32] {
        hash32(&[b"eyot space", &to_cbor(self)])
    }

    /// What the first commit of every chain in a partition names as the commit before it, so that a
    /// chain can't be replayed in another space or partition:
    /// SHA-256("eyot chain" ‖ space id ‖ partition, most significant byte first).
    pub fn chain_start(&self, partition: u32) -> CommitId {
        CommitId(hash32(&[b"eyot chain", &self.id(), &partition.to_be_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_spaces_that_differ_in_anything_start_apart() {
        let plain = Descriptor::plain("team");
        let others = [
            Descriptor::plain("other"),
            Descriptor { partitions: 2, ..plain.clone() },
            Descriptor { key_check: Some([1; 32].into()), ..plain.clone() },
            Descriptor { signed: true, ..plain.clone() },
        ];
        for other in others {
            assert_ne!(plain.chain_start(0), other.chain_start(0));
        }
        assert_ne!(plain.chain_start(0), plain.chain_start(1));
    }
}
