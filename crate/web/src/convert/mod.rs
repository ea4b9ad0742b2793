//! Between Rust and JavaScript: one file for each kind of thing that crosses.

pub mod batches;
pub mod claims;
pub mod documents;
pub mod options;
pub mod status;
pub mod values;

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");
