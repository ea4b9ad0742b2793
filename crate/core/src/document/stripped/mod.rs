//! Changes stripped by their author. See `docs/changes.md` for the format and why it is so.
//!
//! An item of kind 1 holds one Automerge change whose actor is the commit's author. What the commit's
//! header and the document's earlier commits already say is left out of it: [`strip::strip`], and put
//! back by every replica, to the byte: [`strip::rebuild`].
//!
//! A keystroke takes about 10 bytes instead of 110. Natively stripping takes 1.9 µs, rebuilding 0.5 µs;
//! Automerge takes 3.2 µs to decode and encode a change, and loses columns that it does not know.

pub mod changes;
mod chunk;
mod item;
mod layouts;
pub mod limits;
pub mod strip;
