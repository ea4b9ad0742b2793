//! What a relay takes from others at most, and what it counts.

use crate::base::pace::Rate;

/// What a relay of a space takes from others at most. A subject is a token's; where tokens are not
/// asked for, everybody is one. All of this is counted in each space by itself: a subject has its share
/// in every space that its token lets it into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of commits a second from one connection; more waits. A commit counts as 256 bytes more
    /// than it has.
    pub connection_bytes_per_second: u64,
    /// The same for all connections of a subject together.
    pub subject_bytes_per_second: u64,
    /// Bytes read from storage a second for one connection: what it is sent of the log, what it asks
    /// for, and what it makes this relay compare; more waits.
    pub connection_reads_per_second: u64,
    /// The same for all connections of a subject together.
    pub subject_reads_per_second: u64,
    /// Bytes of commits stored in the space.
    pub space_bytes_max: u64,
    /// Bytes of commits stored that a subject brought.
    pub subject_bytes_max: u64,
    /// Authors whose commits are stored in the space.
    pub space_authors_max: u64,
    /// Authors that a subject brought.
    pub subject_authors_max: u64,
    /// Branches of an author's chain. Only a process that was copied while it ran makes some.
    pub author_branches_max: u64,
    /// Connections to the space.
    pub space_connections_max: u64,
    /// Connections of a subject to the space.
    pub subject_connections_max: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            connection_bytes_per_second: 16 << 20,
            subject_bytes_per_second: 64 << 20,
            connection_reads_per_second: 64 << 20,
            subject_reads_per_second: 128 << 20,
            space_bytes_max: 16 << 30,
            subject_bytes_max: 16 << 30,
            space_authors_max: 1_000_000,
            subject_authors_max: 1_000_000,
            author_branches_max: 1_024,
            space_connections_max: 100_000,
            subject_connections_max: 100_000,
        }
    }
}

impl Caps {
    /// So much is read at once before a link waits for its time.
    const READ_BURST: u64 = 1 << 20;

    pub(super) fn connection_reads(&self) -> Rate {
        Rate { per_second: self.connection_reads_per_second, burst: Self::READ_BURST }
    }

    /// How fast storage is read for a subject.
    pub fn subject_reads(&self) -> Rate {
        Rate { per_second: self.subject_reads_per_second, burst: 4 * Self::READ_BURST }
    }
}

/// What a relay has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayCounters {
    /// Commits stored.
    pub commits_in: u64,
    /// Commits sent, counted once for each link.
    pub commits_out: u64,
    /// Branches begun by authors that already had one: their changes are quarantined where they clash.
    pub forks: u64,
}
