//! eyot for JavaScript: the core's two state machines as classes, and the adapters that do what the
//! machines ask for with what browsers, edge workers and Node offer.
//!
//! Each class is in a Wasm file of its own, chosen by the features `replica` and `relay`: a relay needs
//! no Automerge, and a client needs no relay.
//!
//! One rule holds everywhere: JavaScript is never called while Rust holds state. Whatever the
//! application must hear is queued, and told once nothing is borrowed any more.
//!
//! The classes are for the npm package alone. Whether arguments are of the right kind is checked there
//! (`js/src/base/check.ts`), before they cross. Here only their bytes are: what is of another kind
//! fails in the glue, and the package takes that for the death of the engine.

// `driver/driver.rs` is the driver.
#![allow(clippy::module_inception)]

mod base;
#[cfg(feature = "relay")]
mod changes;
mod convert;
#[cfg(feature = "replica")]
mod driver;
#[cfg(feature = "replica")]
mod engine;
mod io;
#[cfg(feature = "relay")]
mod relay;

pub use base::clock::set_clock;
#[cfg(feature = "relay")]
pub use changes::changes_page;
#[cfg(feature = "replica")]
pub use engine::Engine;
#[cfg(feature = "relay")]
pub use relay::RelayEngine;
