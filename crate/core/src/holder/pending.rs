//! What is under way in a holder: what came in, and what was asked of storage.

use std::collections::VecDeque;

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
use crate::wire::bodies::{ChainRange, Want};

/// Where a commit came from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// This process made it; its number among those it made.
    Own(u64),
    /// It was in memory in place of storage, or in a write that another process overtook.
    Again { own: bool },
    /// The stream of a link, which spent so many bytes of credit on it.
    Stream(LinkId, FrameNumber, usize),
    /// An answer on a link.
    Answer(LinkId),
}

impl Origin {
    /// The link that brought it.
    pub fn link(&self) -> Option<LinkId> {
        match self {
            Origin::Stream(link, ..) | Origin::Answer(link) => Some(*link),
            Origin::Own(_) | Origin::Again { .. } => None,
        }
    }
}

/// A commit that came in and is not in the log yet.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    /// Whoever brought it: more than one link may have, while it waited.
    pub origins: Vec<Origin>,
    pub commit: Commit,
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
    Filled {
        entry: Entry,
        origins: Vec<Origin>,
    },
    Records,
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
    Feed(LinkId),
    FindFor(LinkId, Want),
    AnswerRead(AnswerJob),
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

/// An answer under way.
#[derive(Clone, Debug)]
pub(super) struct AnswerJob {
    pub link: LinkId,
    pub nonce: u64,
    /// What was asked for.
    pub ranges: Vec<ChainRange>,
    /// Positions of the commits still to be sent, in this order.
    pub left: VecDeque<u64>,
    pub bytes: u64,
    pub read_bytes: usize,
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
