//! The logic of eyot, without I/O.
//!
//! Two state machines, [`Replica`] and [`Relay`], replicate a *space* of documents. Both have one
//! way in, `handle(input, now)`, and one way out, `poll_effect()`, which is drained until it is
//! empty before the next input. Sockets, clocks, timers, randomness and storage are the host's: they
//! enter as [`Input`]s and leave as [`Effect`]s, so every run is reproducible from a seed.
//!
//! The words (space, holder, author, commit, chain, tip, vector, log, cursor, link) are those of the
//! design; each module says what its word means. From the bottom up: [`id`] → [`commit`] → [`log`] →
//! ([`document`], [`vector`]) → `link` → [`Replica`] | [`Relay`].

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod access;
mod clock;
pub mod commit;
mod dialer;
pub mod document;
mod fork;
pub mod frame;
pub mod genesis;
mod holder;
pub mod id;
pub mod io;
pub mod limits;
mod link;
pub mod log;
mod mesh;
mod placement;
mod relay;
mod replica;
mod rng;
mod status;
pub mod store;
mod tabs;
mod text;
pub mod value;
pub mod vector;
mod waits;

pub use automerge;
pub use io::{Effect, Input, LinkId, Millis, RequestId, StorageAnswer, StorageRequest, WriteBatch};
pub use relay::{Caps, RegionView, Relay, RelayConfig, RelayCounters, RelayPeer};
pub use replica::{
    DocInfo, Event, Made, RelayStatus, Replica, ReplicaConfig, ReplicaError, State, Status, WaitId,
};
