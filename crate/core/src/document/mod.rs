//! Documents: Automerge, and what is decided about changes before it sees them.

pub mod diff;
pub mod document;
pub mod genesis;
pub mod place;
pub mod stripped;
pub mod value;
