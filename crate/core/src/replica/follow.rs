//! How far documents have followed the log.

use crate::base::position::Position;

/// How far the log has been followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Follow {
    /// The log seq of the last entry that was followed.
    pub seq: u64,
    /// The position after it.
    pub at: Position,
    /// Documents and own commits have taken in the log up to there, although it is followed from an earlier position.
    pub indexed: u64,
    /// Storage has been asked for the next entries.
    pub is_reading: bool,
    /// There may be more in storage than the holder knows of.
    pub is_due: bool,
    /// The log has been followed to its end once.
    pub is_ready: bool,
}

impl Default for Follow {
    fn default() -> Self {
        let at = Position::START;
        Self { seq: 0, at, indexed: 0, is_reading: false, is_due: false, is_ready: false }
    }
}
