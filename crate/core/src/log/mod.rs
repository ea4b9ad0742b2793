//! The log of commits that a holder keeps.

pub mod log;
