//! Every bound of the protocol and of what a holder keeps for others. They are constants, the same
//! at every holder, so that no holder refuses a commit that another took.

/// A frame, header and all.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;
/// The first frame of a link, before the other side is known.
pub const HELLO_BYTES_MAX: usize = 32 * 1024;
/// A commit: its header and the bytes of all its items.
pub const COMMIT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A commit's header.
pub const HEADER_BYTES_MAX: usize = 128 * 1024;
/// Items in a commit.
pub const ITEMS_MAX: usize = 1024;
/// Keys of a named document's initial value, those of maps in it included.
pub const GENESIS_KEYS_MAX: usize = 1024;
/// Tips named by a commit's `after`.
pub const AFTER_MAX: usize = 1024;
/// A value in storage; larger records are kept in pieces.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// A space's name, in bytes of UTF-8.
pub const SPACE_NAME_BYTES_MAX: usize = 256;
/// A region's name.
pub const REGION_BYTES_MAX: usize = 48;
/// Regions of a space.
pub const REGIONS_MAX: usize = 64;
/// A bearer token.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Bytes of commits a sender may have on the way that the receiver has not yet stored.
pub const CREDIT_BYTES: u64 = 4 * 1024 * 1024;
/// Commits that wait for a cause, over all links of a holder.
pub const WAITING_COMMITS_MAX: usize = 4096;
/// Bytes of commits that wait for a cause.
pub const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of one answer to a `Want`.
pub const ANSWER_BYTES: u64 = 1024 * 1024;
/// Ranges asked for in one `Want`.
pub const WANT_MAX: usize = 256;
/// Tips a `Hello` carries itself instead of leaving them to `Vector` frames.
pub const HELLO_TIPS_MAX: usize = 256;
/// Tips in one `Vector` frame.
pub const VECTOR_FRAME_TIPS_MAX: usize = 2048;
/// Tips in a vector that a peer may send.
pub const VECTOR_TIPS_MAX: usize = 1_000_000;
/// Bytes asked of storage at once to feed a link.
pub const READ_BYTES: usize = 256 * 1024;
/// Bytes of commits put into one write.
pub const WRITE_BYTES_MAX: usize = 4 * 1024 * 1024;
