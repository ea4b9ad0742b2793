//! The log of commits that a holder keeps.

pub(crate) mod chain;
pub(crate) mod finding;
pub mod holes;
pub mod keys;
pub mod log;
pub mod meta;
pub mod rows;
