//! The Wasm file of the client: the class `Engine`.

pub use eyot_web::Engine;
