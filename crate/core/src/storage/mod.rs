//! What is asked of storage, and an engine in memory.

pub mod memory;
pub mod request;
