//! What is under way in a holder: what came in, and what was asked of storage.

use crate::base::id::LinkId;
use crate::base::position::Cursor;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::commit::vector::Tip;
use crate::holder::notice::OwnerRequest;
use crate::link::receiving::FrameNumber;
use crate::log::deleted::Scrubbing;
use crate::log::rows::{Entry, RowsRead, read_rows};
use crate::storage::request::{Corrupt, StorageAnswer};

/// Where a commit came from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// This process made it; its number among those it made.
    #[cfg_attr(not(feature = "documents"), expect(dead_code))]
    Own(u64),
    /// It was in memory in place of storage, or in a write that another process overtook.
    Again { own: bool },
    /// A process that has ended made it, and had no time to put it into the log.
    #[cfg(feature = "documents")]
    Kept,
    /// The stream of a link, which spent so many bytes of credit on it.
    Stream(LinkId, FrameNumber, usize, Brought),
    /// An answer on a link.
    Answer(LinkId, Brought),
}

/// What a link has brought of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// All bytes, or deletes in their place: the other side says that it has all.
    All,
    /// Some bytes are missing at the other side too.
    Part,
}

impl Brought {
    pub fn of(commit: &Commit) -> Self {
        if commit.has_holes() { Self::Part } else { Self::All }
    }
}

impl Origin {
    /// The link that brought it.
    pub fn link(&self) -> Option<LinkId> {
        self.brought().map(|(link, _)| link)
    }

    /// Whether this process made it, or has had it in memory in place of storage.
    pub fn is_this_process(&self) -> bool {
        matches!(self, Origin::Own(_) | Origin::Again { .. })
    }

    /// The link that brought it, if the other side has all of it.
    pub fn link_of_whole(&self) -> Option<LinkId> {
        self.brought().filter(|(_, brought)| *brought == Brought::All).map(|(link, _)| link)
    }

    /// The link that brought it, and what of it.
    pub fn brought(&self) -> Option<(LinkId, Brought)> {
        match self {
            Origin::Stream(link, _, _, brought) | Origin::Answer(link, brought) => Some((*link, *brought)),
            Origin::Own(_) | Origin::Again { .. } => None,
            #[cfg(feature = "documents")]
            Origin::Kept => None,
        }
    }
}

/// A commit that came in and is not in the log yet.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    /// Whoever brought it: more than one link may have, while it waited.
    pub origins: Vec<Origin>,
    pub commit: Commit,
    /// So many of its causes are known to be in the log, counted from the first.
    pub known: usize,
}

impl Incoming {
    pub fn new(origins: Vec<Origin>, commit: Commit) -> Self {
        Self { origins, commit, known: 0 }
    }
}

/// A commit that a relay says it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub link: LinkId,
    pub frame: FrameNumber,
    pub tip: Tip,
    pub came_at: Millis,
}

/// What the answer to a storage request is for.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    Meta,
    MetaAgain,
    Load {
        range: usize,
    },
    Peers,
    Lookup,
    Append(InFlight),
    /// The row of a commit that lacks bytes, which this copy has.
    FillRead {
        seq: u64,
        incoming: Incoming,
    },
    Records,
    /// The log's id, or what the space is: told once it is written.
    Marker,
    /// A step of the pass that has come so far.
    Scrub(Scrubbing),
    /// What such a step has edited.
    Scrubbed(Scrubbing),
    Flush,
    CheckCursor {
        link: LinkId,
        cursor: Cursor,
        which: Which,
    },
    /// The log from this commit on, for a link.
    Feed(LinkId, u64),
    FindFor(LinkId),
    AnswerRead(LinkId, u64),
    /// What a replica reads for itself.
    #[cfg_attr(not(feature = "documents"), expect(dead_code))]
    Owner(OwnerRequest),
}

/// Which position of a cursor is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Seen,
    Read,
}

/// A write of commits under way.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    pub entries: Vec<Entry>,
    /// Whoever brought each.
    pub origins: Vec<Vec<Origin>>,
}

/// The key that follows this one.
pub(super) fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The rows that a scan gave.
pub(crate) fn rows_of(answer: StorageAnswer) -> Result<RowsRead, Corrupt> {
    match answer {
        StorageAnswer::Scanned { entries, more } => read_rows(&entries, more),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn unexpected(answer: &StorageAnswer) -> Corrupt {
    match answer {
        StorageAnswer::Failed(reason) => Corrupt(reason.clone()),
        _ => Corrupt("storage gave an answer of another kind than was asked for".into()),
    }
}
