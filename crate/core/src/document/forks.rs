//! Which of several changes under one (actor, seq) belong to a document.
//!
//! Two different changes under one (actor, seq) can come from a cloned process or from malice. The
//! one of the higher [`Rank`] wins, among equals the one of the lower hash. Forks may depend on one
//! another, so that more than one choice would be consistent; this one is a function of the set of
//! changes alone. Contenders take turns in the order of (seq, rank, hash): one that has not lost by
//! its turn wins together with all it depends on, and the rivals of each of these lose together with
//! all that depends on them. Changes that depend on one that is not held take no part.
//!
//! A change that is new to the set changes nothing for the others where it has no rivals, where all
//! of them have lost, where it depends on a change that lost before its turn, or where a rival that
//! has not lost has an earlier turn; unless it gives a turn to a rival that was alone, and that before
//! it lost. Only otherwise the whole set has to be decided again.

use crate::base::id_map::{IdMap, IdSet, Key};
use std::collections::BTreeMap;

use automerge::{ActorId, ChangeHash};

/// Who answers for a change; the highest comes first. A change that comes twice has the higher of
/// its ranks.
// A sealed change will rank above all of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It is part of a genesis that this replica has generated itself.
    Genesis,
    /// It is in a commit whose author is the change's actor.
    Author,
    /// Anybody.
    Imported,
}

/// When a change's turn is: by seq, rank and hash.
pub(super) type Turn = (u64, Rank, ChangeHash);

/// What is needed of a change to decide.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub actor: ActorId,
    pub seq: u64,
    pub rank: Rank,
    pub deps: Vec<ChangeHash>,
}

impl Key for ChangeHash {
    fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

/// A set of changes that has all they depend on.
pub(super) type Graph = IdMap<ChangeHash, Node>;

/// The changes that lose, or depend on one that does, each with the turn by which it lost.
pub(super) fn losers(graph: &Graph) -> IdMap<ChangeHash, Turn> {
    let mut by_seq: BTreeMap<(&ActorId, u64), Vec<ChangeHash>> = BTreeMap::new();
    for (hash, node) in graph {
        by_seq.entry((&node.actor, node.seq)).or_default().push(*hash);
    }
    let mut turns: Vec<Turn> = by_seq
        .values()
        .filter(|rivals| rivals.len() > 1)
        .flatten()
        .map(|hash| (graph[hash].seq, graph[hash].rank, *hash))
        .collect();
    turns.sort_unstable();
    let dependents = dependents(graph);
    let mut winners = IdSet::new();
    let mut losers = IdMap::new();
    for turn in turns {
        let (_, _, contender) = turn;
        if losers.contains_key(&contender) {
            continue;
        }
        let mut ways = vec![contender];
        while let Some(winner) = ways.pop() {
            if !winners.insert(winner) {
                continue;
            }
            let node = &graph[&winner];
            ways.extend(&node.deps);
            for rival in by_seq[&(&node.actor, node.seq)].iter().filter(|rival| **rival != winner) {
                lose(*rival, turn, &dependents, &mut losers);
            }
        }
    }
    losers
}

fn lose(
    rival: ChangeHash,
    turn: Turn,
    dependents: &IdMap<ChangeHash, Vec<ChangeHash>>,
    losers: &mut IdMap<ChangeHash, Turn>,
) {
    let mut ways = vec![rival];
    while let Some(loser) = ways.pop() {
        if !losers.contains_key(&loser) {
            losers.insert(loser, turn);
            ways.extend(dependents.get(&loser).into_iter().flatten());
        }
    }
}

fn dependents(graph: &Graph) -> IdMap<ChangeHash, Vec<ChangeHash>> {
    let mut dependents: IdMap<_, Vec<_>> = IdMap::new();
    for (hash, node) in graph {
        for dep in &node.deps {
            dependents.get_or_default(*dep).push(*hash);
        }
    }
    dependents
}
