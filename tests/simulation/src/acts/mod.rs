//! What applications do.

pub mod acts;
