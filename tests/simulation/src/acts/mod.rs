//! What applications do.

pub mod acts;
pub mod showing;
