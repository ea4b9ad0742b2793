//! The bounds of a change that is stripped. They are the same at every replica, or what one rebuilds
//! another would not.

/// What a stripped change may hold. A change over one of these bounds travels as an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Changes that a change depends on.
    pub dependencies_max: usize,
    /// Actors that a change names besides its own.
    pub other_actors_max: usize,
    /// Columns of a change.
    pub columns_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            dependencies_max: DEPENDENCIES_MAX,
            other_actors_max: OTHER_ACTORS_MAX,
            columns_max: COLUMNS_MAX,
        }
    }
}

/// Changes that a stripped change may depend on.
pub const DEPENDENCIES_MAX: usize = 4096;
/// Actors that a stripped change may name besides its own.
pub const OTHER_ACTORS_MAX: usize = 4096;
/// Columns of a stripped change; Automerge 0.12 knows 14.
pub const COLUMNS_MAX: usize = 64;
/// Bytes of a list of actors, with their lengths, that later changes may take over whole or in part: what
/// a short item can grow by.
pub const ACTOR_LIST_BYTES_MAX: usize = 1024;
/// Dependencies whose actors an item can name by number.
pub const ACTOR_SOURCES_MAX: usize = 4;
/// Commits of the author that are looked at for the one with its last change.
pub const COMMITS_LOOKED_AT_MAX: usize = 64;
