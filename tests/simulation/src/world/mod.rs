//! The world: what there is, and what happens when.

pub mod happening;
pub mod world;
