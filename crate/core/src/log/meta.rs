//! What storage says of a log as a whole.

use minicbor::{Decode, Encode};

use crate::base::cbor::{decode_map, from_cbor, to_cbor};
use crate::base::position::{Marker, Position};
use crate::commit::descriptor::Descriptor;
use crate::storage::request::Corrupt;

/// The layout of storage that this version writes and reads.
pub const LAYOUT: u32 = 3;

/// The `m` entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
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

decode_map!(Meta { layout: 0, marker: 1, head: 2, descriptor: 3 });

/// What every version writes.
#[derive(Decode)]
#[cbor(map)]
struct Layout {
    #[n(0)]
    layout: u32,
}

impl Meta {
    /// Of an empty log.
    pub fn new(marker: Marker, descriptor: Option<Descriptor>) -> Self {
        Self { layout: LAYOUT, marker, head: Position::START, descriptor }
    }

    /// From storage.
    ///
    /// # Errors
    /// Storage holds what this code did not write.
    pub fn decode(value: &[u8]) -> Result<Self, Corrupt> {
        Ok(from_cbor(value)?)
    }

    /// The layout of the writer, whatever else it wrote.
    ///
    /// # Errors
    /// Storage holds what no version wrote.
    pub fn layout_of(value: &[u8]) -> Result<u32, Corrupt> {
        Ok(from_cbor::<Layout>(value)?.layout)
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
    fn the_layout_of_any_version_can_be_read() {
        let meta = Meta::new(Marker::new(LogId([1; 16]), [2; 32], 0), Some(Descriptor::plain("team")));
        assert_eq!(Meta::decode(&meta.encode()), Ok(meta.clone()));
        assert_eq!(Meta::layout_of(&meta.encode()), Ok(LAYOUT));
        let later = to_cbor(&std::collections::BTreeMap::from([(0u8, 7u8)]));
        assert_eq!(Meta::layout_of(&later), Ok(7));
        assert!(Meta::decode(&later).is_err());
    }
}
