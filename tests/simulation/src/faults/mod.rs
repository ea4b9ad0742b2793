//! What goes wrong.

pub mod faults;
pub mod regions;
pub mod replicas;
