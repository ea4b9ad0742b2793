//! A world from its beginning to its end.

pub mod heal;
pub mod mesh;
pub mod seeds;
pub mod steps;
#[cfg(feature = "mutations")]
pub mod table;
