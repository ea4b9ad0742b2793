//! Commits, what is held of them, and what a space is.

pub mod commit;
pub mod descriptor;
pub mod digest;
pub mod error;
pub mod header;
pub mod kind;
pub mod vector;
