//! eyot for JavaScript: the core's two state machines as classes, and the adapters that do what the
//! machines ask for with what browsers, edge workers and Node offer.
//!
//! Each class is in a Wasm file of its own, chosen by the features `replica` and `relay`: a relay needs
//! no Automerge, and a client needs no relay.
//!
//! One rule holds everywhere: JavaScript is never called while Rust holds state. Whatever the
//! application must hear is queued, and told once nothing is borrowed any more.

// `driver/driver.rs` is the driver.
#![allow(clippy::module_inception)]

mod base;
mod convert;
#[cfg(feature = "replica")]
mod driver;
#[cfg(feature = "replica")]
mod engine;
mod io;
#[cfg(feature = "relay")]
mod relay;

#[cfg(feature = "replica")]
pub use engine::Engine;
#[cfg(feature = "relay")]
pub use relay::RelayEngine;
