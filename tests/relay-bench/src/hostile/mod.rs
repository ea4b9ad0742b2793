//! Attacks on a relay beside an honest writer in another space of the same shard: what they cost whom.
//!
//! The relay is one that is started here, for each attack a new one, or any that runs on this machine.

mod asking;
mod attacker;
mod bringing;
mod knocking;
mod pulse;
mod stage;
mod table;
mod target;

pub use table::{Options, measure};
pub use target::{Choice, Running};
