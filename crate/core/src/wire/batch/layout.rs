//! The numbers by which a batch is written and read.

/// How the body of a batch is written: its first byte, a set of these.
pub mod form {
    /// Compressed, after its length.
    pub const COMPRESSED: u8 = 1;
    /// It goes on from the last commit before it, whose mark is at the beginning.
    pub const GOES_ON: u8 = 2;
}

/// What is written of a commit: its first byte, a set of these.
pub mod head {
    /// The bytes of a record follow as they are, and nothing else.
    pub const ENCODED: u8 = 1;
    /// Its author; otherwise that of the commit before it.
    pub const AUTHOR: u8 = 2;
    /// Its number and the commit before it in its chain; otherwise it follows its author's last commit here.
    pub const CHAIN: u8 = 4;
    /// The causes.
    pub const AFTER: u8 = 8;
    /// The number of items; otherwise there is one.
    pub const ITEMS: u8 = 16;
    pub const ALL: u8 = 31;
}

/// What is written of an item beside its kind.
pub mod state {
    pub const PRESENT: u64 = 0;
    pub const DELETED: u64 = 1;
    pub const HOLE: u64 = 2;
    /// A kind is written above so many bits.
    pub const BITS: u32 = 2;
}

/// The body of a batch is compressed from here on, where that makes it smaller.
pub const COMPRESSED_BYTES_MIN: usize = 256;
/// Beside its bytes, a record counts as so many.
pub const RECORD_HEAD_BYTES: usize = 8;
