//! What a replica and a relay have in common. A relay is built without replicas: it hears less of its
//! holder, and has only one of the roles.

mod acks;
mod admission;
mod answers;
pub mod caps;
mod deadlines;
mod deep_forks;
mod disk;
mod entrance;
mod feeding;
mod filling;
mod frames;
mod gate;
mod greeting;
pub(crate) mod holder;
mod intake;
pub mod io;
pub(crate) mod links;
mod loading;
pub(crate) mod meetings;
mod named;
#[cfg_attr(not(feature = "documents"), expect(dead_code))]
pub(crate) mod notice;
#[cfg(feature = "documents")]
pub(crate) mod own_presence;
pub(crate) mod peers;
pub(crate) mod pending;
pub mod presences;
mod present;
mod questions;
pub(crate) mod receipts;
mod reconcile;
pub mod records;
mod redundancy;
#[cfg(feature = "documents")]
pub mod replicas;
#[cfg_attr(not(feature = "documents"), expect(dead_code))]
pub(crate) mod role;
mod scrub;
pub(crate) mod showing;
mod step_pace;
mod turns;
#[cfg(feature = "documents")]
mod unstored;
mod vectors;
mod waiting;
mod work;
mod writes;
