//! Between Rust and JavaScript: one file for each kind of thing that crosses.
//!
//! Objects are read and written by serde, and their TypeScript types are made from the Rust types.
//! Edits, values and patches cross as CBOR, which is faster. Stores are called directly: their types
//! are in `stores.d.ts`. So are connections to other replicas: `connections.d.ts`.

pub mod batches;
#[cfg(feature = "relay")]
pub mod claims;
#[cfg(feature = "replica")]
pub mod documents;
#[cfg(feature = "replica")]
pub mod events;
#[cfg(feature = "replica")]
pub mod links;
#[cfg(feature = "replica")]
pub mod options;
#[cfg(feature = "relay")]
pub mod outputs;
pub mod read;
#[cfg(feature = "replica")]
pub mod status;
#[cfg(feature = "replica")]
pub mod values;
pub mod write;

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const STORE_TYPES: &str = include_str!("stores.d.ts");

#[cfg(feature = "replica")]
#[wasm_bindgen(typescript_custom_section)]
const CONNECTION_TYPES: &str = include_str!("connections.d.ts");
