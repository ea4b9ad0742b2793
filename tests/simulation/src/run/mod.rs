//! A world from its beginning to its end.

pub mod heal;
pub mod steps;
