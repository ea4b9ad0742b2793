//! What storage says of a log as a whole.

use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::position::{Marker, Position};
use crate::commit::descriptor::Descriptor;
use crate::storage::request::Corrupt;

/// The layout of storage that this version writes and reads.
pub const LAYOUT: u32 = 2;

/// The `m` entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Meta {
    /// [`LAYOUT`] of the writer.
    #[n(0)]
    pub layout: u32,
    /// The log's id, and the key of its marks.
    #[n(1)]
    pub marker: Marker,
    /// Its end.
    #[n(2)]
    pub head: Position,
    /// What the space is. Absent at a relay that has not been told yet; its log is empty then.
    #[n(3)]
    pub descriptor: Option<Descriptor>,
}

impl Meta {
    /// Of an empty log.
    pub fn new(marker: Marker, descriptor: Option<Descriptor>) -> Self {
        Self { layout: LAYOUT, marker, head: Position::START, descriptor }
    }

    /// From storage.
    ///
    /// # Errors
    /// Storage holds what this code did not write, or what a later version wrote.
    pub fn decode(value: &[u8]) -> Result<Self, Corrupt> {
        let meta: Self = from_cbor(value)?;
        if meta.layout == LAYOUT {
            Ok(meta)
        } else {
            Err(Corrupt(format!("storage has layout {}, this version reads layout {LAYOUT}", meta.layout)))
        }
    }

    /// As it is stored.
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::LogId;

    #[test]
    fn storage_of_another_layout_is_not_opened() {
        let meta = Meta::new(Marker::new(LogId([1; 16]), [2; 32], 0), Some(Descriptor::plain("team")));
        assert_eq!(Meta::decode(&meta.encode()), Ok(meta.clone()));
        let later = Meta { layout: LAYOUT + 1, ..meta };
        assert!(Meta::decode(&later.encode()).is_err());
    }
}
