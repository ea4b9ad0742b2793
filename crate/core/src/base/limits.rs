//! Every bound of the protocol and of what a holder keeps for others.
//!
//! The limits are a value, given when a holder is made. All holders of a space must have the same
//! ones, so that no holder refuses a commit that another took: outside of simulations that is
//! [`Limits::PROTOCOL`]. A simulation draws tiny ones, so that every bound is met often.

use crate::base::mutation::Mutation;

/// Bytes of credit that a commit takes beside its record, so that small ones can't fill a waiting room.
pub const COMMIT_COST_BYTES: usize = 256;
/// Bytes of credit, and of a frame, that it takes to name a commit.
pub const NAMED_COST_BYTES: usize = 64;

/// Bounds, each with its unit in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A frame, its type included.
    pub frame_bytes_max: usize,
    /// The first frame of a link, before the other side is known.
    pub hello_bytes_max: usize,
    /// The bytes of all items of a commit.
    pub commit_bytes_max: usize,
    /// A commit's header.
    pub header_bytes_max: usize,
    /// Items in a commit.
    pub items_max: usize,
    /// Tips that a commit's `after` names.
    pub after_max: usize,
    /// A value in storage; larger records are kept in pieces.
    pub value_bytes_max: usize,
    /// A row of commits is closed once it has this many bytes.
    pub row_bytes: usize,
    /// A space's name, in bytes of UTF-8.
    pub space_name_bytes_max: usize,
    /// A region's name, in bytes of UTF-8.
    pub region_bytes_max: usize,
    /// Regions of a space.
    pub regions_max: usize,
    /// A bearer token.
    pub token_bytes_max: usize,
    /// Bytes of commits that a sender may have on the way and that the receiver has not stored yet.
    pub credit_bytes: u64,
    /// A piece of a commit that is too large for a frame; only the last may be smaller.
    pub piece_bytes: usize,
    /// Bytes of commits in pieces that have not come whole, over all links of a holder.
    pub pieces_bytes_max: usize,
    /// Bytes that were sent on a link and that the other side is not known to have read: what comes
    /// from the log waits beyond that.
    pub unread_bytes: usize,
    /// After so many bytes the other side is asked whether it has read them.
    pub probe_bytes: usize,
    /// Frames a second from whoever came in, beside those with commits.
    pub frames_per_second: u64,
    /// As many more of them at once.
    pub frames_burst: u64,
    /// A message by which two replicas meet.
    pub signal_bytes_max: usize,
    /// Such messages a second from a replica, and to one.
    pub signals_per_second: u64,
    /// As many more of them at once.
    pub signals_burst: u64,
    /// Replicas that one is told of when it announces itself.
    pub introductions_max: usize,
    /// Frames by which replicas meet that wait for a link to a region, and tickets that wait for a signature.
    pub meetings_max: usize,
    /// Authors that a replica asks for at once, of whom relays say what regions have stored.
    pub inquiry_authors_max: usize,
    /// How many replicas pass such a question on.
    pub inquiry_hops_max: u64,
    /// Such questions that others asked and a replica waits for the answers to.
    pub inquiries_max: usize,
    /// What a replica shows of itself, in bytes.
    pub presence_bytes_max: usize,
    /// Replicas of which is known that they are there. Of more a part is known.
    pub presences_max: usize,
    /// Bytes a second that a link may bring of who is there; what is beyond is dropped.
    pub presence_bytes_per_second: u64,
    /// As many more of them at once.
    pub presence_bytes_burst: u64,
    /// Bytes read from storage for all links before other inputs have their turn.
    pub turn_bytes: usize,
    /// Commits that wait for a cause, over all links of a holder.
    pub waiting_commits_max: usize,
    /// Bytes of commits that wait for a cause.
    pub waiting_bytes_max: usize,
    /// Commits without their bytes in a relay's log. As many as there may be authors: whoever fills a
    /// relay that was wiped brings all commits of a deleted document before the delete.
    pub holes_max: usize,
    /// Bytes of one answer to a `Want`.
    pub answer_bytes: u64,
    /// Ranges asked for in one `Want`.
    pub want_ranges_max: usize,
    /// Tips that a `Hello` carries itself instead of leaving them to `Vector` frames.
    pub hello_tips_max: usize,
    /// Cursors in a `Hello`.
    pub hello_cursors_max: usize,
    /// Tips in one `Vector` frame.
    pub vector_frame_tips_max: usize,
    /// Tips in a vector that a peer may send, and tips that are kept of the vectors of all peers.
    pub vector_tips_max: usize,
    /// Bytes asked of storage at once.
    pub read_bytes: usize,
    /// Bytes of commits put into one write.
    pub write_bytes_max: usize,
    /// Of what is known of other holders, those that are put into one write or removed by it.
    pub peers_written_max: usize,
    /// Reads asked of storage at once to admit commits.
    pub reads_max: usize,
    /// Of them those that one commit asks for.
    pub commit_reads_max: usize,
    /// Causes of waiting commits that are looked up for a question, beside those that it is due for.
    pub causes_ahead_max: usize,
    /// Chains whose index is kept in memory beyond their tips.
    pub hot_chains_max: usize,
    /// Ranges of the log that a link remembers as having come from the peer.
    pub echo_ranges_max: usize,
    /// Acknowledgements that a link remembers with the position they were made at.
    pub ack_marks_max: usize,
    /// So many commits, and more where many documents have changed, are followed before what that has come to is
    /// written for whoever opens the space next.
    pub checkpoint_commits: u64,
    /// The deliberate fault of this run.
    #[cfg(feature = "mutations")]
    pub mutation: Option<Mutation>,
}

impl Limits {
    /// The limits of the protocol.
    pub const PROTOCOL: Self = Self {
        frame_bytes_max: 256 * 1024,
        hello_bytes_max: 32 * 1024,
        commit_bytes_max: 16 * 1024 * 1024,
        header_bytes_max: 128 * 1024,
        items_max: 1024,
        after_max: 1024,
        value_bytes_max: 1024 * 1024,
        row_bytes: 64 * 1024,
        space_name_bytes_max: 256,
        region_bytes_max: 48,
        regions_max: 64,
        token_bytes_max: 8 * 1024,
        credit_bytes: 4 * 1024 * 1024,
        piece_bytes: 64 * 1024,
        pieces_bytes_max: 64 * 1024 * 1024,
        unread_bytes: 4 * 1024 * 1024,
        probe_bytes: 64 * 1024,
        frames_per_second: 1000,
        frames_burst: 4000,
        signal_bytes_max: 16 * 1024,
        signals_per_second: 8,
        signals_burst: 128,
        introductions_max: 32,
        meetings_max: 64,
        inquiry_authors_max: 4,
        inquiry_hops_max: 3,
        inquiries_max: 64,
        presence_bytes_max: 1024,
        presences_max: 100,
        presence_bytes_per_second: 64 * 1024,
        presence_bytes_burst: 256 * 1024,
        turn_bytes: 4 * 1024 * 1024,
        waiting_commits_max: 16_384,
        waiting_bytes_max: 32 * 1024 * 1024,
        holes_max: 1_000_000,
        answer_bytes: 1024 * 1024,
        want_ranges_max: 256,
        hello_tips_max: 256,
        hello_cursors_max: 64,
        vector_frame_tips_max: 2048,
        vector_tips_max: 1_000_000,
        read_bytes: 256 * 1024,
        write_bytes_max: 4 * 1024 * 1024,
        peers_written_max: 64,
        reads_max: 256,
        commit_reads_max: 64,
        causes_ahead_max: 4096,
        hot_chains_max: 1024,
        echo_ranges_max: 64,
        ack_marks_max: 1024,
        checkpoint_commits: 256,
        #[cfg(feature = "mutations")]
        mutation: None,
    };

    /// Whether this is the deliberate fault of this run. Without the feature `mutations` there is none.
    #[cfg(feature = "mutations")]
    pub(crate) fn is_mutated(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Whether this is the deliberate fault of this run. Without the feature `mutations` there is none.
    #[cfg(not(feature = "mutations"))]
    #[allow(clippy::unused_self)]
    pub(crate) const fn is_mutated(&self, _: Mutation) -> bool {
        false
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::PROTOCOL
    }
}
