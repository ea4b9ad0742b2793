//! Which of several changes that claim one place in a document belong to it.
//!
//! Two different changes under one (actor, seq) can come from a cloned process or from malice. The
//! one in a commit of the author that is that actor wins, otherwise the lower hash. Forks may depend
//! on one another, so that more than one choice would be consistent; this one is a function of the
//! set of changes alone. Contenders are taken in the order of (seq, source, hash): one that has not
//! lost yet wins together with all it depends on, and the rivals of each of these lose together with
//! all that depends on them.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, Change, ChangeHash};

use crate::document::document::Source;

type Known = BTreeMap<ChangeHash, (Change, Source)>;

/// The changes that lose their place, or depend on one that does.
pub(crate) fn losers(known: &Known) -> BTreeSet<ChangeHash> {
    let mut places: BTreeMap<(&ActorId, u64), Vec<ChangeHash>> = BTreeMap::new();
    let complete = complete(known);
    for hash in &complete {
        let change = &known[hash].0;
        places.entry((change.actor_id(), change.seq())).or_default().push(*hash);
    }
    let mut contenders: Vec<_> = places
        .values()
        .filter(|place| place.len() > 1)
        .flatten()
        .map(|hash| (known[hash].0.seq(), known[hash].1, *hash))
        .collect();
    contenders.sort_unstable();
    let dependents = dependents(known);
    let mut winners = BTreeSet::new();
    let mut losers = BTreeSet::new();
    for (_, _, contender) in contenders {
        if losers.contains(&contender) {
            continue;
        }
        let mut ways = vec![contender];
        while let Some(winner) = ways.pop() {
            if !winners.insert(winner) {
                continue;
            }
            let change = &known[&winner].0;
            ways.extend(change.deps());
            let rivals = &places[&(change.actor_id(), change.seq())];
            lose(rivals.iter().filter(|rival| **rival != winner), &dependents, &mut losers);
        }
    }
    losers
}

fn lose<'a>(
    rivals: impl Iterator<Item = &'a ChangeHash>,
    dependents: &BTreeMap<ChangeHash, Vec<ChangeHash>>,
    losers: &mut BTreeSet<ChangeHash>,
) {
    let mut ways: Vec<_> = rivals.copied().collect();
    while let Some(loser) = ways.pop() {
        if losers.insert(loser) {
            ways.extend(dependents.get(&loser).into_iter().flatten());
        }
    }
}

fn dependents(known: &Known) -> BTreeMap<ChangeHash, Vec<ChangeHash>> {
    let mut dependents: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (hash, (change, _)) in known {
        for dep in change.deps() {
            dependents.entry(*dep).or_default().push(*hash);
        }
    }
    dependents
}

/// The changes whose dependencies are all known, and theirs, and so on: the others take no part.
fn complete(known: &Known) -> BTreeSet<ChangeHash> {
    let dependents = dependents(known);
    let mut missing: Vec<ChangeHash> =
        dependents.keys().filter(|hash| !known.contains_key(hash)).copied().collect();
    let mut incomplete = BTreeSet::new();
    while let Some(hash) = missing.pop() {
        for dependent in dependents.get(&hash).into_iter().flatten() {
            if incomplete.insert(*dependent) {
                missing.push(*dependent);
            }
        }
    }
    known.keys().filter(|hash| !incomplete.contains(hash)).copied().collect()
}
