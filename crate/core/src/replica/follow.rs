//! How far documents have followed the log.

/// How far the log has been followed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Follow {
    /// The log seq of the last entry that was followed.
    pub seq: u64,
    /// Storage has been asked for the next entries.
    pub is_reading: bool,
    /// There may be more in storage than the holder knows of.
    pub is_due: bool,
    /// The log has been followed to its end once.
    pub is_ready: bool,
}
