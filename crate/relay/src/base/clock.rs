//! The clock in the core's unit.

use std::time::{SystemTime, UNIX_EPOCH};

use eyot_core::base::time::Millis;

/// Milliseconds since 1970. The wall clock, because tokens expire by it.
pub fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis)
}
