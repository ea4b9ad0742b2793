//! Commits and what is held of them.

pub mod commit;
pub mod vector;
