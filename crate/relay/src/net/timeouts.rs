//! How long connections wait for the other side.

use std::time::Duration;

/// How long the other side may read nothing of what is written.
pub(super) const STALL: Duration = Duration::from_secs(30);
/// How long the other side has to answer a close.
pub(super) const CLOSE_WAIT: Duration = Duration::from_secs(2);
