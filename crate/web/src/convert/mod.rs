//! Between Rust and JavaScript: one file for each kind of thing that crosses.

pub mod batches;
#[cfg(feature = "relay")]
pub mod claims;
#[cfg(feature = "replica")]
pub mod documents;
#[cfg(feature = "replica")]
pub mod options;
#[cfg(feature = "replica")]
pub mod status;
#[cfg(feature = "replica")]
pub mod values;

use wasm_bindgen::prelude::*;

#[cfg(feature = "replica")]
#[wasm_bindgen(typescript_custom_section)]
const ENGINE_TYPES: &str = include_str!("engine.d.ts");

#[cfg(feature = "relay")]
#[wasm_bindgen(typescript_custom_section)]
const RELAY_TYPES: &str = include_str!("relay.d.ts");

#[wasm_bindgen(typescript_custom_section)]
const STORE_TYPES: &str = include_str!("store.d.ts");
