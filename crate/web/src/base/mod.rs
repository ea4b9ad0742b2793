//! What everything else stands on: JavaScript's basics, errors, the death of the instance, the inbox.

pub mod death;
pub mod error;
pub mod inbox;
pub mod js;
