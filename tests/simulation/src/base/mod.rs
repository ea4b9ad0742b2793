//! What every part of a world stands on: names, chance, clocks, counts.

pub mod clock;
pub mod ids;
pub mod outcome;
pub mod rng;
