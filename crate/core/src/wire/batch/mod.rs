//! Commits of one frame, written together: what one of them says, the others leave out. See *Batches* in
//! `docs/protocol.md`.
//!
//! A header is rebuilt to the byte, and its hash is the commit's id: nothing that a batch says is believed that a
//! commit written out would not say.

mod decode;
mod encode;
mod layout;
pub mod record;
mod tables;

pub use decode::{BatchError, decode};
pub use encode::encode;
pub use layout::RECORD_HEAD_BYTES;
pub use tables::Last;

#[cfg(test)]
mod tests;
