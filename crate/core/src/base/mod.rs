//! What every floor stands on: identifiers, time, chance, positions, limits.

pub mod backoff;
pub mod cbor;
pub mod hash;
pub mod id;
pub mod id_map;
pub(crate) mod leb128;
pub mod limits;
pub mod mutation;
pub mod pace;
pub mod position;
pub mod rng;
pub mod time;
