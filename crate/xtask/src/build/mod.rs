//! What is made from the sources: the Wasm, the npm package, native programs.

pub mod docs_site;
pub mod native;
pub mod package;
pub mod wasm;
