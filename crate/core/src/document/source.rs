//! Where changes come from, which decides what they rank.

use automerge::ActorId;

use crate::base::id::AuthorId;
use crate::document::forks::Rank;

/// Where changes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A commit of this author.
    Commit(AuthorId),
    /// A genesis that this replica has generated itself.
    Genesis,
}

impl Source {
    pub(super) fn rank(self, of: &ActorId) -> Rank {
        match self {
            Source::Genesis => Rank::Genesis,
            Source::Commit(author) if of.to_bytes() == author.0 => Rank::Author,
            Source::Commit(_) => Rank::Imported,
        }
    }
}
