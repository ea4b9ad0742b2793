//! Changes that are held and not applied to a document.
//!
//! Some *wait*: they depend on a change that is not held, or that waits itself. They cost nothing
//! until that change comes. The others are *kept back*: all they depend on is held, and they, or
//! what they depend on, lost to another change or may not be applied.

use std::collections::BTreeMap;

use automerge::{ActorId, Change, ChangeHash};

use crate::base::id_map::{IdMap, IdSet};
use crate::document::forks::{Rank, Turn};

#[derive(Clone, Default)]
pub(super) struct Quarantine {
    waiting: IdMap<ChangeHash, (Change, Rank)>,
    /// For a change that is not held, or waits: the changes to look at when it is there.
    waiting_for: IdMap<ChangeHash, IdSet<ChangeHash>>,
    kept_back: IdMap<ChangeHash, KeptBack>,
    /// The changes kept back, by actor and seq.
    by_seq: BTreeMap<(ActorId, u64), IdSet<ChangeHash>>,
    /// For a change kept back: those kept back that depend on it.
    dependents: IdMap<ChangeHash, IdSet<ChangeHash>>,
}

#[derive(Clone)]
pub(super) struct KeptBack {
    pub change: Change,
    pub rank: Rank,
    pub why: Why,
}

/// Why a change is kept back although all it depends on is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is over the budget, follows no change of its actor that is applied, or depends on a change
    /// that is kept back.
    Blocked,
    /// It lost by that turn at the latest: see [`crate::document::forks`].
    Lost(Turn),
    /// Automerge returned an error.
    Refused,
}

impl Why {
    pub fn lost_by(self) -> Option<Turn> {
        match self {
            Why::Lost(turn) => Some(turn),
            Why::Blocked | Why::Refused => None,
        }
    }
}

impl Quarantine {
    pub fn len(&self) -> usize {
        self.waiting.len() + self.kept_back.len()
    }

    // Changes that wait.

    pub fn waits(&self, hash: &ChangeHash) -> bool {
        self.waiting.contains_key(hash)
    }

    pub fn wait(&mut self, change: Change, rank: Rank, missing: ChangeHash) {
        let hash = change.hash();
        self.waiting_for.get_or_default(missing).insert(hash);
        self.waiting.insert(hash, (change, rank));
    }

    pub fn upgrade_waiting(&mut self, hash: &ChangeHash, rank: Rank) {
        if let Some((_, held)) = self.waiting.get_mut(hash) {
            *held = rank.min(*held);
        }
    }

    /// Takes the changes that wait for this one.
    pub fn take_waiting_for(&mut self, hash: &ChangeHash) -> Vec<(Change, Rank)> {
        let waiting = self.waiting_for.remove(hash).unwrap_or_default();
        waiting.iter().filter_map(|hash| self.waiting.remove(hash)).collect()
    }

    // Changes that are kept back.

    pub fn get(&self, hash: &ChangeHash) -> Option<&KeptBack> {
        self.kept_back.get(hash)
    }

    pub fn get_mut(&mut self, hash: &ChangeHash) -> Option<&mut KeptBack> {
        self.kept_back.get_mut(hash)
    }

    pub fn kept_back(&self) -> impl Iterator<Item = (&ChangeHash, &KeptBack)> {
        self.kept_back.iter()
    }

    pub fn kept_back_mut(&mut self) -> impl Iterator<Item = (&ChangeHash, &mut KeptBack)> {
        self.kept_back.iter_mut()
    }

    /// The changes kept back under this actor and seq.
    pub fn with_seq(&self, actor: &ActorId, seq: u64) -> impl Iterator<Item = (ChangeHash, &KeptBack)> {
        let hashes = self.by_seq.get(&(actor.clone(), seq)).into_iter().flatten();
        hashes.filter_map(|hash| Some((*hash, self.kept_back.get(hash)?)))
    }

    /// The changes kept back that depend on this one.
    pub fn dependents(&self, hash: &ChangeHash) -> impl Iterator<Item = ChangeHash> {
        self.dependents.get(hash).into_iter().flatten().copied()
    }

    pub fn keep_back(&mut self, change: Change, rank: Rank, why: Why) {
        let hash = change.hash();
        self.by_seq.entry((change.actor_id().clone(), change.seq())).or_default().insert(hash);
        for dep in change.deps() {
            self.dependents.get_or_default(*dep).insert(hash);
        }
        self.kept_back.insert(hash, KeptBack { change, rank, why });
    }

    pub fn release(&mut self, hash: &ChangeHash) -> Option<KeptBack> {
        let kept_back = self.kept_back.remove(hash)?;
        let change = &kept_back.change;
        let place = (change.actor_id().clone(), change.seq());
        if self.by_seq.get_mut(&place).is_some_and(|set| takes_last(set, hash)) {
            self.by_seq.remove(&place);
        }
        for dep in change.deps() {
            if self.dependents.get_mut(dep).is_some_and(|set| takes_last(set, hash)) {
                self.dependents.remove(dep);
            }
        }
        Some(kept_back)
    }

    /// Takes all changes, of either sort.
    pub fn take(&mut self) -> Vec<(Change, Rank)> {
        let all = core::mem::take(self);
        let kept_back = all.kept_back.into_values().map(|held| (held.change, held.rank));
        all.waiting.into_values().chain(kept_back).collect()
    }
}

/// Takes the hash out of the set, and says whether nothing is left.
fn takes_last(set: &mut IdSet<ChangeHash>, hash: &ChangeHash) -> bool {
    set.remove(hash);
    set.is_empty()
}
