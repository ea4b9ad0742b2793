//! The changes of a document: which of those held are applied to Automerge.
//!
//! What is applied is a function of the set of changes that are held, and of the budget, whatever
//! the order in which they came. A change that comes costs as much as it depends on, not as much as
//! is held. Only where it may win over a change that is held are all of them looked at.

mod applying;

use std::collections::BTreeMap;

use automerge::{ActorId, Automerge, Change, ChangeHash, ObjId, PatchLog, TextEncoding};

use crate::base::id_map::{IdMap, IdSet};
use crate::base::mutation::Mutation;
use crate::document::budget::Budget;
use crate::document::checked::operations::ChangeParts;
use crate::document::checked::references::{Checked, Obstacle, References};
use crate::document::forks::{Graph, Node, Rank, Turn, losers};
use crate::document::quarantine::{Quarantine, Why};

/// Operations that are given to Automerge in one go: it takes some 500 bytes for each.
const BATCH_OPERATIONS: u64 = 100_000;
/// Of so many changes at least it is known without asking Automerge what they are.
const RECENT: usize = 512;

#[derive(Clone)]
pub(super) struct History {
    pub doc: Automerge,
    pub budget: Budget,
    /// The hashes of the changes applied, by actor, in the order of their seqs.
    applied: BTreeMap<ActorId, Vec<ChangeHash>>,
    /// The ranks of changes applied, where they are not [`Rank::Author`].
    ranks: IdMap<ChangeHash, Rank>,
    pub quarantine: Quarantine,
    /// Changes that count as applied, and are given to Automerge in one go: it takes about as long
    /// for many as for one, which is in proportion to the objects they touch.
    batch: Vec<Change>,
    /// Of each, the highest number of its operations.
    batch_hashes: IdMap<ChangeHash, u64>,
    /// The same of changes that Automerge has, of the last ones: what comes next depends on these, and Automerge
    /// makes a list of all that a change depends on to say anything of it.
    recent: Recent,
    batch_operations: u64,
    /// How many changes were replayed, and how many of these came out as another change: none is replayed
    /// after that.
    pub replayed: u64,
    pub misplayed: u64,
    /// The operations of the changes applied.
    references: References,
    /// Changes kept back until this actor has made an operation of that number, or a higher one.
    by_operation: BTreeMap<(ActorId, u32), IdSet<ChangeHash>>,
    /// Changes applied that no other depends on.
    heads: IdSet<ChangeHash>,
    /// Changes kept back until there are fewer heads.
    until_fewer_heads: IdSet<ChangeHash>,
    /// Bytes of the changes held.
    pub bytes: u64,
    /// A change made here has rivals: who wins is to be decided with the next change that comes.
    pub is_undecided: bool,
    /// A change that Automerge has and nobody made: a replay has gone wrong.
    wrong: Option<ChangeHash>,
    /// How many changes were looked at to decide what to apply.
    pub examined: u64,
}

/// Why a change can't be applied although all it depends on is.
enum NotYet {
    Obstacle(Obstacle),
    /// Over the budget.
    NoRoom,
    /// It would be one more that nothing follows.
    Heads,
}

/// What applying changes has done.
pub(super) struct Outcome {
    pub log: PatchLog,
    /// The document was built anew.
    pub rebuilt: bool,
    /// The changes that were applied; where it was built anew, all of them.
    pub added: Vec<Change>,
}

impl Default for Outcome {
    fn default() -> Self {
        Self { log: PatchLog::active(), rebuilt: false, added: Vec::new() }
    }
}

impl History {
    pub fn new(actor: ActorId, budget: Budget) -> Self {
        Self {
            doc: empty(actor),
            budget,
            applied: BTreeMap::new(),
            ranks: IdMap::new(),
            quarantine: Quarantine::default(),
            batch: Vec::new(),
            replayed: 0,
            misplayed: 0,
            batch_hashes: IdMap::new(),
            recent: Recent::default(),
            batch_operations: 0,
            references: References::default(),
            by_operation: BTreeMap::new(),
            heads: IdSet::new(),
            until_fewer_heads: IdSet::new(),
            bytes: 0,
            is_undecided: false,
            wrong: None,
            examined: 0,
        }
    }

    pub fn is_applied(&self, hash: &ChangeHash) -> bool {
        self.known_last_operation(hash).is_some() || self.doc.get_change_meta_by_hash(hash).is_some()
    }

    /// Takes in changes, and applies what is to be applied.
    pub fn add(&mut self, changes: Vec<(Change, Rank)>) -> Outcome {
        let mut outcome = Outcome::default();
        for (change, rank) in changes {
            self.arrive(change, rank, &mut outcome);
        }
        // A change made here has followed all heads: there is room for others.
        while self.heads.len() < self.budget.heads
            && let Some(hash) = self.until_fewer_heads.pop_first()
        {
            self.try_to_apply(hash, &mut outcome);
        }
        self.flush(&mut outcome);
        if core::mem::take(&mut self.is_undecided) {
            self.decide(&mut outcome);
        }
        outcome
    }

    /// Notes a change that Automerge has just made here. Whether others will apply it: otherwise it is to
    /// be removed.
    pub fn made(&mut self, change: &Change) -> bool {
        let Ok(checked) = self.check(change) else { return false };
        self.is_undecided |= self.winning_turn(change).is_some() || self.revives_rival(change);
        self.bytes += change.raw_bytes().len() as u64;
        self.note_applied(change, Rank::Author, checked);
        self.recent.note(change.hash(), change.max_op());
        true
    }

    /// Whether so many more operations and bytes are within the budget.
    pub fn has_room(&self, operations: u64, bytes: u64) -> bool {
        operations <= self.budget.commit_operations as u64
            && bytes <= self.budget.commit_bytes
            && self.bytes + bytes <= self.budget.document_bytes
            && self.references.count() + operations <= self.budget.document_operations
            && u64::from(self.references.highest) + operations <= u64::from(u32::MAX)
    }

    /// Builds the document anew from all that is held but these changes, and what depends on them.
    pub fn remove(&mut self, hashes: &IdSet<ChangeHash>) -> Outcome {
        let actor = self.doc.get_actor().clone();
        let applied = self.doc.get_changes(&[]).into_iter();
        let mut changes: Vec<_> = applied.map(|change| (self.rank(&change.hash()), change)).collect();
        changes.extend(self.quarantine.take().into_iter().map(|(change, rank)| (rank, change)));
        changes.retain(|(_, change)| !hashes.contains(&change.hash()));
        let Self { budget, replayed, misplayed, examined, .. } = *self;
        *self = Self { replayed, misplayed, examined, ..Self::new(actor, budget) };
        let outcome = self.add(changes.into_iter().map(|(rank, change)| (change, rank)).collect());
        Outcome { rebuilt: true, ..outcome }
    }

    /// Gives a change that is applied this rank.
    pub fn set_rank(&mut self, hash: ChangeHash, rank: Rank) {
        match rank {
            Rank::Author => self.ranks.remove(&hash),
            rank => self.ranks.insert(hash, rank),
        };
    }

    /// Calls this for each operation that is applied and puts something at a key of a map, with the map
    /// (none for the document itself), the key and the name of the operation.
    pub fn each_key(&self, take: impl FnMut(Option<(u64, ActorId)>, &str, (u64, ActorId))) {
        self.references.each_key(take);
    }

    /// Whether this operation has inserted an item of that list or text, or set one.
    pub fn is_item(&self, operation: &ObjId, list: &ObjId) -> bool {
        fn name(id: &ObjId) -> Option<(&[u8], u32)> {
            let ObjId::Id(number, actor, _) = id else { return None };
            Some((actor.to_bytes(), u32::try_from(*number).ok()?))
        }
        name(operation).zip(name(list)).is_some_and(|(item, list)| self.references.is_item(item, list))
    }

    /// All texts there are or were.
    pub fn texts(&self) -> impl Iterator<Item = ObjId> {
        self.references.texts().into_iter().map(|(number, actor)| ObjId::Id(number, actor, 0))
    }

    /// Whether marks were made in any text.
    pub fn has_marks(&self) -> bool {
        self.references.has_marks()
    }

    fn rank(&self, hash: &ChangeHash) -> Rank {
        self.ranks.get(hash).copied().unwrap_or(Rank::Author)
    }

    fn note_applied(&mut self, change: &Change, rank: Rank, checked: Checked) {
        let hash = change.hash();
        self.set_rank(hash, rank);
        self.references.add(checked);
        for dep in change.deps() {
            self.heads.remove(dep);
        }
        self.heads.insert(hash);
        self.applied.entry(change.actor_id().clone()).or_default().push(hash);
    }

    // Changes that come.

    fn arrive(&mut self, change: Change, rank: Rank, outcome: &mut Outcome) {
        self.examined += 1;
        let hash = change.hash();
        if self.is_applied(&hash) || self.quarantine.get(&hash).is_some() {
            return self.upgrade(&change, rank, outcome);
        }
        if self.quarantine.waits(&hash) {
            return self.quarantine.upgrade_waiting(&hash, rank);
        }
        self.bytes += change.raw_bytes().len() as u64;
        let mut complete = vec![(change, rank)];
        while let Some((change, rank)) = complete.pop() {
            self.examined += 1;
            match change.deps().iter().find(|dep| !self.is_complete(dep)) {
                Some(missing) => {
                    let missing = *missing;
                    self.quarantine.wait(change, rank, missing);
                }
                None => {
                    let hash = change.hash();
                    self.admit(change, rank, outcome);
                    complete.extend(self.quarantine.take_waiting_for(&hash));
                }
            }
        }
    }

    /// Whether a change is held, and all it depends on.
    fn is_complete(&self, hash: &ChangeHash) -> bool {
        self.is_applied(hash) || self.quarantine.get(hash).is_some()
    }

    /// A change that is held has come again, with this rank.
    fn upgrade(&mut self, change: &Change, rank: Rank, outcome: &mut Outcome) {
        let hash = change.hash();
        let is_upgraded = if self.quarantine.get(&hash).is_some() {
            self.quarantine.upgrade(&hash, rank)
        } else {
            let is_higher = rank < self.rank(&hash);
            if is_higher {
                self.set_rank(hash, rank);
            }
            is_higher
        };
        if is_upgraded && self.has_rivals(change) {
            self.decide(outcome);
        }
    }

    /// Whether another change that is held, and all it depends on, has the same actor and seq.
    pub fn has_rivals(&self, change: &Change) -> bool {
        let hash = change.hash();
        let applied = self.applied_with_seq(change.actor_id(), change.seq());
        let mut kept_back = self.quarantine.with_seq(change.actor_id(), change.seq());
        applied.is_some_and(|applied| applied != hash) || kept_back.any(|(other, _)| other != hash)
    }

    fn applied_with_seq(&self, actor: &ActorId, seq: u64) -> Option<ChangeHash> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.applied.get(actor)?.get(index).copied()
    }

    /// A change that all it depends on is held of, and that is new.
    fn admit(&mut self, change: Change, rank: Rank, outcome: &mut Outcome) {
        let hash = change.hash();
        let turn = (change.seq(), rank, hash);
        let deps = change.deps().iter().filter(|_| self.quarantine.keeps_back());
        let lost_with: Option<Turn> = deps.filter_map(|dep| self.quarantine.get(dep)?.why.lost_by()).min();
        let has_rivals = self.has_rivals(&change);
        let winner = self.winning_turn(&change);
        let is_clear = !self.revives_rival(&change);
        let is_first_come = self.budget.is_mutated(Mutation::FirstChangeWins);
        let why = match [lost_with, winner].into_iter().flatten().min() {
            Some(by) if is_first_come => Why::Lost(by),
            Some(by) if !has_rivals || is_clear && by < turn => Why::Lost(by),
            None if is_clear => return self.take_in(change, rank, outcome),
            _ => {
                self.quarantine.keep_back(change, rank, Why::Blocked);
                return self.decide(outcome);
            }
        };
        self.quarantine.keep_back(change, rank, why);
    }

    /// A change that nothing is against yet.
    fn take_in(&mut self, change: Change, rank: Rank, outcome: &mut Outcome) {
        let hash = change.hash();
        let checked = self.is_next(&change).then(|| self.check(&change));
        if let Some(Ok(checked)) = checked {
            let ways = self.count_as_applied(change, rank, checked, outcome);
            return ways.into_iter().for_each(|hash| self.try_to_apply(hash, outcome));
        }
        self.quarantine.keep_back(change, rank, Why::Blocked);
        if let Some(Err(obstacle)) = checked {
            self.keep_back(hash, obstacle);
        }
    }

    /// Whether a change gives a turn to its only rival, which had none, and that before it lost.
    fn revives_rival(&self, change: &Change) -> bool {
        let (actor, seq) = (change.actor_id(), change.seq());
        if self.applied_with_seq(actor, seq).is_some() {
            return false;
        }
        let mut rivals = self.quarantine.with_seq(actor, seq);
        let (Some((hash, rival)), None) = (rivals.next(), rivals.next()) else { return false };
        rival.why.lost_by().is_some_and(|by| by >= (seq, rival.rank, hash))
    }

    /// The turn of the change of the same actor and seq that has not lost.
    fn winning_turn(&self, change: &Change) -> Option<Turn> {
        let (actor, seq) = (change.actor_id(), change.seq());
        if let Some(hash) = self.applied_with_seq(actor, seq) {
            return Some((seq, self.rank(&hash), hash));
        }
        let mut kept_back = self.quarantine.with_seq(actor, seq);
        let winner = kept_back.find(|(_, held)| held.why.lost_by().is_none());
        winner.map(|(hash, held)| (seq, held.rank, hash))
    }

    // What is applied.

    /// Applies a change that is kept back, where nothing is against it any more, and what has waited
    /// for that.
    fn try_to_apply(&mut self, hash: ChangeHash, outcome: &mut Outcome) {
        let mut ways = vec![hash];
        while let Some(hash) = ways.pop() {
            self.examined += 1;
            let Some(held) = self.quarantine.get(&hash) else { continue };
            if !matches!(held.why, Why::Blocked | Why::TooManyHeads) || !self.is_next(&held.change) {
                continue;
            }
            let checked = match self.check(&held.change) {
                Ok(checked) => checked,
                Err(obstacle) => {
                    self.keep_back(hash, obstacle);
                    continue;
                }
            };
            let held = self.quarantine.release(&hash).expect("it was just looked at");
            self.until_fewer_heads.remove(&hash);
            ways.extend(self.count_as_applied(held.change, held.rank, checked, outcome));
        }
    }

    /// Puts a change into what Automerge is given next. What may have waited for it.
    fn count_as_applied(
        &mut self,
        change: Change,
        rank: Rank,
        checked: Checked,
        outcome: &mut Outcome,
    ) -> Vec<ChangeHash> {
        let (hash, actor, seq, last) =
            (change.hash(), change.actor_id().clone(), change.seq(), change.max_op());
        self.note_applied(&change, rank, checked);
        self.batch_hashes.insert(hash, last);
        self.batch_operations += change.len() as u64;
        self.batch.push(change);
        let mut ways: Vec<_> = self.quarantine.with_seq(&actor, seq + 1).map(|(next, _)| next).collect();
        ways.extend(self.quarantine.dependents(&hash));
        ways.extend(self.wait_for_operation_no_more(&actor, last));
        if self.batch_operations >= BATCH_OPERATIONS {
            self.flush(outcome);
        }
        ways
    }

    /// The changes that wait for operations of this actor up to that number.
    fn wait_for_operation_no_more(&mut self, actor: &ActorId, last: u64) -> Vec<ChangeHash> {
        let last = u32::try_from(last).unwrap_or(u32::MAX);
        let range = (actor.clone(), 0)..=(actor.clone(), last);
        let keys: Vec<_> = self.by_operation.range(range).map(|(key, _)| key.clone()).collect();
        keys.iter().filter_map(|key| self.by_operation.remove(key)).flatten().collect()
    }

    /// Notes why a change can't be applied although all it depends on is.
    fn keep_back(&mut self, hash: ChangeHash, obstacle: NotYet) {
        let why = match obstacle {
            NotYet::Obstacle(Obstacle::Missing(actor, number)) => {
                let key = (ActorId::from(actor.as_slice()), number);
                self.by_operation.entry(key).or_default().insert(hash);
                Why::Blocked
            }
            NotYet::Obstacle(Obstacle::Wrong) => Why::Refused,
            NotYet::Obstacle(Obstacle::TooMany) | NotYet::NoRoom => Why::TooLarge,
            NotYet::Heads => {
                self.until_fewer_heads.insert(hash);
                Why::TooManyHeads
            }
        };
        self.quarantine.set_why(&hash, why);
    }

    /// Whether all that this change follows is applied. All of it is held: so it is where nothing is kept back.
    fn is_next(&self, change: &Change) -> bool {
        let applied = self.applied.get(change.actor_id()).map_or(0, Vec::len) as u64;
        let mut deps = change.deps().iter().filter(|_| self.quarantine.keeps_back());
        change.seq() == applied + 1 && deps.all(|dep| self.is_applied(dep))
    }

    /// Whether Automerge can be given a change, all it depends on being applied. It is decided by the
    /// set of changes: what a change refers to is there or is waited for.
    fn check(&self, change: &Change) -> Result<Checked, NotYet> {
        let deps = change.deps();
        let room = self.references.count() + change.len() as u64 <= self.budget.document_operations;
        if deps.len() > self.budget.dependencies || !room {
            return Err(NotYet::NoRoom);
        }
        let is_followed = deps.iter().any(|dep| self.heads.contains(dep));
        if !is_followed && self.heads.len() >= self.budget.heads {
            return Err(NotYet::Heads);
        }
        let parts = ChangeParts::parse(change.raw_bytes()).map_err(|_| NotYet::Obstacle(Obstacle::Wrong))?;
        let before = deps.iter().map(|dep| self.last_operation(dep)).max().unwrap_or(0);
        let most = self.budget.commit_operations;
        self.references.check(&parts, before, most).map_err(NotYet::Obstacle)
    }

    /// The highest number of the operations of a change that is applied.
    fn last_operation(&self, hash: &ChangeHash) -> u64 {
        let known = self.known_last_operation(hash);
        known.or_else(|| Some(self.doc.get_change_meta_by_hash(hash)?.max_op)).unwrap_or(0)
    }

    fn known_last_operation(&self, hash: &ChangeHash) -> Option<u64> {
        self.batch_hashes.get(hash).copied().or_else(|| self.recent.get(hash))
    }

    /// Decides anew which of the changes win. Where one loses that is applied, the document is built
    /// anew.
    fn decide(&mut self, outcome: &mut Outcome) {
        self.flush(outcome);
        let graph = self.graph();
        self.examined += graph.len() as u64;
        let losers = losers(&graph);
        let mut to_try = Vec::new();
        if losers.keys().any(|loser| self.is_applied(loser)) {
            to_try = self.set_all_back(None, outcome);
        }
        self.quarantine.set_losers(&losers);
        self.try_all(to_try, outcome);
    }

    fn graph(&self) -> Graph {
        let applied = self.doc.get_changes_meta(&[]).into_iter().map(|meta| {
            let (actor, rank) = (meta.actor.into_owned(), self.rank(&meta.hash));
            (meta.hash, Node { actor, seq: meta.seq, rank, deps: meta.deps })
        });
        let kept_back = self.quarantine.kept_back().map(|(hash, held)| {
            let (actor, deps) = (held.change.actor_id().clone(), held.change.deps().to_vec());
            (*hash, Node { actor, seq: held.change.seq(), rank: held.rank, deps })
        });
        applied.chain(kept_back).collect()
    }
}

/// Changes and the highest numbers of their operations: the last ones that were noted, and some before them.
#[derive(Clone, Default)]
struct Recent {
    newer: IdMap<ChangeHash, u64>,
    older: IdMap<ChangeHash, u64>,
}

impl Recent {
    fn note(&mut self, hash: ChangeHash, last: u64) {
        if self.newer.len() >= RECENT {
            self.older = core::mem::take(&mut self.newer);
        }
        self.newer.insert(hash, last);
    }

    fn get(&self, hash: &ChangeHash) -> Option<u64> {
        self.newer.get(hash).or_else(|| self.older.get(hash)).copied()
    }
}

fn empty(actor: ActorId) -> Automerge {
    Automerge::new_with_encoding(TextEncoding::Utf16CodeUnit).with_actor(actor)
}
