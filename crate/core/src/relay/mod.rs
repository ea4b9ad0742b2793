//! The relay: a holder that never opens a document.

pub mod mesh;
pub mod region;
pub mod relay;
