//! What relays say of other regions.

use std::collections::BTreeMap;

use crate::wire::bodies::Stored;

/// What the relay at the other end of a link says.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// By region: what it has said last of what that has stored of its log.
    pub stored: BTreeMap<String, Stored>,
    /// Whether it was made to look how they are.
    pub has_asked: bool,
}
