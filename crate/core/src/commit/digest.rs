//! The digest of a vector: equal for equal sets of tips, whatever the order they came in.

use minicbor::{Decode, Encode};

/// The only algorithm there is: a Merkle tree over the tips by author, see
/// [`Vector`](crate::commit::vector::Vector).
const MERKLE_TREE: u8 = 1;

/// Names a set of tips. Digests by another algorithm than this version knows are equal to none of
/// its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Digest {
    #[n(0)]
    algorithm: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    hash: [u8; 32],
}

impl Digest {
    pub(super) fn of_tree(hash: [u8; 32]) -> Self {
        Self { algorithm: MERKLE_TREE, hash }
    }
}
