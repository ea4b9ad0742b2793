//! Documents: Automerge, and what is decided about changes before it sees them.

pub mod beginning;
pub mod budget;
mod checked;
mod commits;
pub mod diff;
pub mod document;
pub mod edit;
pub mod forks;
pub mod genesis;
mod history;
#[cfg(test)]
mod laws;
pub mod patch;
pub mod quarantine;
pub mod reading;
mod replay;
pub mod source;
pub mod stripped;
pub mod value;
