//! Frames, and why links end.

pub mod access;
pub mod batch;
pub mod bodies;
pub mod close;
pub mod frame;
pub mod meeting;
pub mod presence;
pub mod receipt;
pub mod ticket;
