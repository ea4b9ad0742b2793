//! SHA-256 of several parts in a row.

use sha2::{Digest, Sha256};

/// The first 16 bytes of the SHA-256 of these parts in a row.
pub(crate) fn hash16(parts: &[&[u8]]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&hash32(parts)[..16]);
    short
}

/// The SHA-256 of these parts in a row.
pub(crate) fn hash32(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
