//! What is checked of a change before Automerge sees it. See `docs/foreign.md` for what and why.
//!
//! Automerge takes it that the operations of a change were made by Automerge: much of what else a peer
//! can write makes it panic, and a panic ends all spaces of a page. So a change is read here first:
//! [`columns`] are its numbers and texts, [`operations`] its operations, [`references`] what they refer
//! to in the document.

mod columns;
pub(super) mod operations;
pub(super) mod references;
