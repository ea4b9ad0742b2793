//! The Wasm file of `eyot/cloudflare`: the class `RelayEngine`.

pub use eyot_web::RelayEngine;
