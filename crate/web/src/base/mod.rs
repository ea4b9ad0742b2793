//! What everything else stands on: JavaScript's basics, the time, errors, the death of the instance, the inbox, resources.

pub mod clock;
pub mod death;
pub mod error;
#[cfg(feature = "replica")]
pub mod inbox;
pub mod js;
#[cfg(feature = "replica")]
pub mod platform;
#[cfg(feature = "replica")]
pub mod resources;
