//! One link between two holders.

pub mod link;
