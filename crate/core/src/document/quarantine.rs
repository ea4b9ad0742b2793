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
    /// How many are kept back, and why.
    counts: Quarantined,
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
    /// It follows no change of its actor that is applied, depends on a change that is kept back, or
    /// refers to an operation that is not there yet.
    Blocked,
    /// It lost by that turn at the latest: see [`crate::document::forks`].
    Lost(Turn),
    /// It refers to what is not there, or Automerge returned an error.
    Refused,
    /// It is over the budget.
    TooLarge,
    /// It would be one change too many that nothing follows.
    TooManyHeads,
}

impl Why {
    fn count(self, counts: &mut Quarantined) -> &mut u64 {
        match self {
            Why::Blocked => &mut counts.waiting,
            Why::Lost(_) => &mut counts.lost,
            Why::Refused => &mut counts.malformed,
            Why::TooLarge | Why::TooManyHeads => &mut counts.too_large,
        }
    }

    pub fn lost_by(self) -> Option<Turn> {
        match self {
            Why::Lost(turn) => Some(turn),
            Why::Blocked | Why::Refused | Why::TooLarge | Why::TooManyHeads => None,
        }
    }
}

/// How many changes are held and not applied, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quarantined {
    /// What they depend on is not here, or is not applied.
    pub waiting: u64,
    /// They lost to another change of the same actor and number.
    pub lost: u64,
    /// They are over the budget.
    pub too_large: u64,
    /// They are no changes, or refer to what is not there.
    pub malformed: u64,
}

impl Quarantined {
    /// All of them.
    pub fn count(&self) -> u64 {
        self.waiting + self.lost + self.too_large + self.malformed
    }

    /// A code and what happened, where others have written what is not applied for a fault of its own.
    pub fn error(&self) -> Option<(&'static str, String)> {
        let changes = |count, what| {
            let verb = if count == 1 { "change of others is" } else { "changes of others are" };
            format!("{count} {verb} not applied: {what}")
        };
        if self.too_large > 0 {
            return Some(("too-large", changes(self.too_large, "larger than this version takes")));
        }
        (self.malformed > 0).then(|| ("invalid", changes(self.malformed, "this version can't read them")))
    }

    /// With others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            lost: self.lost + other.lost,
            too_large: self.too_large + other.too_large,
            malformed: self.malformed + other.malformed,
        }
    }
}

impl Quarantine {
    pub fn len(&self) -> usize {
        self.waiting.len() + self.kept_back.len()
    }

    /// How many there are, and why.
    pub fn counts(&self) -> Quarantined {
        let waiting = self.waiting.len() as u64;
        self.counts.and(Quarantined { waiting, ..Quarantined::default() })
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

    pub fn keeps_back(&self) -> bool {
        !self.kept_back.is_empty()
    }

    pub fn get(&self, hash: &ChangeHash) -> Option<&KeptBack> {
        self.kept_back.get(hash)
    }

    /// Gives a change kept back a higher rank; whether it had a lower one.
    pub fn upgrade(&mut self, hash: &ChangeHash, rank: Rank) -> bool {
        match self.kept_back.get_mut(hash) {
            Some(held) if rank < held.rank => {
                held.rank = rank;
                true
            }
            _ => false,
        }
    }

    pub fn set_why(&mut self, hash: &ChangeHash, why: Why) {
        if let Some(held) = self.kept_back.get_mut(hash) {
            *held.why.count(&mut self.counts) -= 1;
            held.why = why;
            *held.why.count(&mut self.counts) += 1;
        }
    }

    pub fn kept_back(&self) -> impl Iterator<Item = (&ChangeHash, &KeptBack)> {
        self.kept_back.iter()
    }

    /// Notes which changes kept back have lost, and by which turn.
    pub fn set_losers(&mut self, losers: &IdMap<ChangeHash, Turn>) {
        for (hash, held) in self.kept_back.iter_mut() {
            *held.why.count(&mut self.counts) -= 1;
            match (losers.get(hash), held.why) {
                (Some(by), _) => held.why = Why::Lost(*by),
                (None, Why::Lost(_)) => held.why = Why::Blocked,
                (None, _) => {}
            }
            *held.why.count(&mut self.counts) += 1;
        }
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
        let before = self.kept_back.insert(hash, KeptBack { change, rank, why });
        if let Some(before) = before {
            *before.why.count(&mut self.counts) -= 1;
        }
        *why.count(&mut self.counts) += 1;
    }

    /// Forgets why changes that have not lost could not be applied.
    pub fn try_all_again(&mut self) {
        for held in self.kept_back.values_mut().filter(|held| held.why.lost_by().is_none()) {
            *held.why.count(&mut self.counts) -= 1;
            held.why = Why::Blocked;
            *held.why.count(&mut self.counts) += 1;
        }
    }

    pub fn release(&mut self, hash: &ChangeHash) -> Option<KeptBack> {
        let kept_back = self.kept_back.remove(hash)?;
        *kept_back.why.count(&mut self.counts) -= 1;
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
