//! The log of commits that a holder keeps.

pub(crate) mod chain;
pub mod deleted;
pub mod finding;
pub mod holes;
pub mod keys;
#[cfg(test)]
mod late;
pub mod log;
pub mod lookup;
pub mod meta;
pub mod rows;
