//! What has to be remembered of a world to check its laws.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::id::{AuthorId, CommitId, LinkId};

use crate::base::ids::ProcessId;

/// What an application waits for.
#[derive(Debug)]
pub enum Waiting {
    Durable {
        regions: u32,
        commit: CommitId,
    },
    /// A barrier of so many regions, and how many promises had been made when it was asked for.
    Fresh {
        regions: u32,
        promises: usize,
    },
}

/// A commit was said to be durable.
pub struct Promise {
    pub commit: CommitId,
    pub place: (AuthorId, u64),
    /// The disk of who was told.
    pub disk: usize,
    /// The regions that have it with its bytes since, without an older copy having been put back.
    pub held_by: BTreeSet<usize>,
    /// Those of them that were not wiped either.
    pub kept_by: BTreeSet<usize>,
    /// At some moment no region had it.
    pub is_lost: bool,
}

pub struct History {
    /// By region: all that was ever durable there.
    pub ever: Vec<BTreeSet<CommitId>>,
    /// By region: all that was ever there with all its bytes.
    pub ever_whole: Vec<BTreeSet<CommitId>>,
    /// By region: all that somebody brought who may write.
    pub brought: Vec<BTreeSet<CommitId>>,
    pub promises: Vec<Promise>,
    /// The receipts that relays have signed.
    pub receipts: BTreeSet<Vec<u8>>,
    /// The disks of replicas that somebody kept commits from, and said that that was all.
    pub deceived: BTreeSet<usize>,
    /// The beginnings of commits that are brought to relays in pieces, of the stream or of an answer.
    pub pieces: BTreeMap<(ProcessId, LinkId, bool), Vec<u8>>,
}

impl History {
    pub fn new(regions: usize) -> Self {
        Self {
            ever: vec![BTreeSet::new(); regions],
            ever_whole: vec![BTreeSet::new(); regions],
            brought: vec![BTreeSet::new(); regions],
            promises: Vec::new(),
            receipts: BTreeSet::new(),
            deceived: BTreeSet::new(),
            pieces: BTreeMap::new(),
        }
    }
}
