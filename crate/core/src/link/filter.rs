//! What a peer said it holds, so that a pass over the log skips it.

use std::collections::BTreeSet;

use crate::base::id::{AuthorId, CommitId};
use crate::base::id_map::{IdMap, IdSet};
use crate::commit::vector::{Tip, Vector};
use crate::log::rows::Entry;

/// What a peer told of what it holds. Of that only what matters to a pass over this log is kept: the
/// tips of authors that are in it, and no more of each than this log has and one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    tips: IdMap<AuthorId, BTreeSet<Tip>>,
    /// Commits that it holds without all of their bytes: it lacks them.
    holes: IdSet<CommitId>,
    /// How many tips were told.
    pub told: usize,
}

impl Holdings {
    /// Takes in a part of what a peer tells; `ours` is this log's vector.
    pub fn take(&mut self, tips: &[Tip], holes: &[Tip], ours: &Vector) {
        self.told += tips.len() + holes.len();
        for tip in tips {
            let most = ours.of(&tip.author).len() + 1;
            if most > 1 {
                let kept = self.tips.get_or_default(tip.author);
                if kept.len() < most {
                    kept.insert(*tip);
                }
            }
        }
        let held = holes.iter().filter(|tip| !ours.of(&tip.author).is_empty());
        self.holes.extend(held.map(|tip| tip.id));
    }

    /// How many entries are kept.
    pub fn len(&self) -> usize {
        self.tips.len() + self.holes.len()
    }
}

/// What is skipped in one pass over the log as it was when the pass began.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    held: IdMap<AuthorId, Held>,
    holes: IdSet<CommitId>,
    pub until: u64,
}

/// What the peer holds of an author's chain. Of two tips only the holder of the longer one can tell
/// whether it is one chain, so what could show a fork is sent: the commit that has the number of the
/// peer's tip and another id, or the last commit where the peer has more. If that is new to the peer,
/// it asks for what is before it.
#[derive(Clone, Debug)]
enum Held {
    All,
    /// All before the last, which has this number here.
    Before(u64),
    /// All up to its tip, if that is in this chain.
    Through(Tip),
}

impl Filter {
    pub fn new(theirs: Holdings, ours: &Vector, until: u64) -> Self {
        let mut held = IdMap::new();
        for (author, theirs) in theirs.tips {
            let ours = ours.of(&author);
            let rule = match (theirs.first().filter(|_| theirs.len() == 1), ours.single()) {
                _ if theirs.iter().eq(ours.iter()) => Held::All,
                (Some(theirs), Some(ours)) if theirs.seq > ours.seq => Held::Before(ours.seq),
                (Some(theirs), Some(ours)) if theirs.seq < ours.seq => Held::Through(*theirs),
                _ => continue,
            };
            held.insert(author, rule);
        }
        Self { held, holes: theirs.holes, until }
    }

    /// How many entries are kept.
    pub fn len(&self) -> usize {
        self.held.len() + self.holes.len()
    }

    /// Whether the peer certainly holds this commit: it must not seem acknowledged otherwise.
    pub fn covers(&self, entry: &Entry) -> bool {
        let header = entry.commit.header();
        entry.at.seq <= self.until
            && !self.holes.contains(&entry.commit.id())
            && match self.held.get(&header.author) {
                None => false,
                Some(Held::All) => true,
                Some(Held::Before(seq)) => header.seq < *seq,
                Some(Held::Through(tip)) => {
                    header.seq < tip.seq || (header.seq == tip.seq && entry.commit.id() == tip.id)
                }
            }
    }
}
