//! eyot for JavaScript: the core's two state machines as classes, and the adapters that do what the
//! machines ask for with what browsers, edge workers and Node offer.
//!
//! One rule holds everywhere: JavaScript is never called while Rust holds state. Whatever the
//! application must hear is queued, and told once nothing is borrowed any more.

mod base;
mod convert;
mod driver;
mod engine;
mod io;
mod relay;

pub use engine::Engine;
pub use relay::RelayEngine;
