//! The logic of eyot, without I/O.
//!
//! Two state machines, `Replica` and `Relay`, replicate a *space* of documents. Both have one
//! way in, `handle(input, now)`, and one way out, `poll_effect()`, which is drained until it is
//! empty before the next input. Sockets, clocks, timers, randomness and storage are the host's: they
//! enter as `Input`s and leave as `Effect`s, so every run is reproducible from a seed.
//!
//! The words (space, holder, author, commit, chain, tip, vector, log, cursor, link) are those of the
//! design. The folders are floors, from the ground up: [`base`], [`commit`], [`storage`], [`wire`],
//! [`log`], [`link`], [`holder`], then [`relay`] and `document`, which do not know each other, and
//! `replica`. A file imports only from floors below its own, or from its own floor.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A floor is named for what stands on it: `log::log`, `relay::relay`.
#![allow(clippy::module_inception)]

pub mod base;
pub mod commit;
#[cfg(feature = "documents")]
pub mod document;
pub mod holder;
pub mod link;
pub mod log;
pub mod relay;
#[cfg(feature = "documents")]
pub mod replica;
pub mod storage;
pub mod wire;

#[cfg(feature = "documents")]
pub use automerge;
