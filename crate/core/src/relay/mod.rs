//! The relay: a holder that never opens a document.

pub mod changes;
mod meetings;
mod mesh;
mod questions;
mod receipts;
pub mod region;
pub mod relay;
mod stored;
