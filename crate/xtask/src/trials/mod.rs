//! What runs the built programs and measures them or tries to break them.

pub mod bench;
pub mod drill;
pub mod fuzz;
pub mod simulation;
