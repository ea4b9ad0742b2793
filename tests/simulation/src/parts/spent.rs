//! What a client has spent of its credit on a connection.

use eyot_core::commit::vector::Tip;

/// What a client's commits have cost it on a connection, and what of that it may be granted again.
#[derive(Default)]
pub struct Spent {
    /// The commits that are not in the relay's log yet, as far as was looked.
    pub unstored: Vec<(Tip, i64)>,
    /// The cost of those that are, less what was granted for them.
    pub refundable: i64,
}
