//! What a peer said it holds, so that a pass over the log skips it.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::{AuthorId, CommitId};
use crate::commit::vector::{Tip, Vector};
use crate::log::rows::Entry;

/// What a peer told of what it holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    pub tips: Vec<Tip>,
    /// Commits that it holds without all of their bytes: it lacks them.
    pub holes: Vec<Tip>,
}

/// What is skipped in one pass over the log as it was when the pass began.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    held: BTreeMap<AuthorId, Held>,
    holes: BTreeSet<CommitId>,
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
        let vector = Vector::from_tips(theirs.tips);
        let mut held = BTreeMap::new();
        let mut last = None;
        for tip in vector.tips() {
            // The tips of an author follow one another.
            if last.replace(tip.author) == Some(tip.author) {
                continue;
            }
            let (theirs, ours) = (vector.of(&tip.author), ours.of(&tip.author));
            let rule = match (theirs.single(), ours.single()) {
                _ if theirs == ours => Held::All,
                (Some(theirs), Some(ours)) if theirs.seq > ours.seq => Held::Before(ours.seq),
                (Some(theirs), Some(ours)) if theirs.seq < ours.seq => Held::Through(*theirs),
                _ => continue,
            };
            held.insert(tip.author, rule);
        }
        Self { held, holes: theirs.holes.into_iter().map(|tip| tip.id).collect(), until }
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
