//! The log of commits that a holder keeps.

pub(crate) mod chain;
pub mod finding;
pub mod holes;
pub mod keys;
#[cfg(test)]
mod late;
pub mod log;
pub mod meta;
pub mod rows;
