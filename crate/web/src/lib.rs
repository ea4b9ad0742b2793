//! eyot for JavaScript: the core's two state machines as classes, and the adapters that do what the
//! machines ask for with what browsers, edge workers and Node offer.
//!
//! The rule of the house: JavaScript is never called while Rust holds state. Whatever the application
//! must hear is queued, and told once nothing is borrowed any more.

mod death;
mod documents;
mod driver;
mod engine;
mod error;
mod indexed_db;
mod js;
mod relay;
mod socket;
mod status;
mod storage;
mod store;
mod tabs;

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of this package.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
