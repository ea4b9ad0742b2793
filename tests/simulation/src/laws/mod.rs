//! What must hold at every moment and of every healed world. Each law is a checker that looks at the
//! world from outside.

pub mod checkpoints;
pub mod credit;
pub mod frames;
pub mod healed;
pub mod peers;
pub mod present;
pub mod promises;
pub mod watch;
