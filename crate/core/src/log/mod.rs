//! The log of commits that a holder keeps.

pub(crate) mod chain;
pub mod deleted;
pub mod holes;
pub mod keys;
pub mod log;
pub mod lookup;
pub mod meta;
pub mod rows;
