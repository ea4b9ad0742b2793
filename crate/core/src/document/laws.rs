//! Laws of documents, over random sets of changes.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, Change, ChangeHash, Prop, ScalarValue};

use crate::base::id::AuthorId;
use crate::base::rng::Rng;
use crate::document::budget::Budget;
use crate::document::document::Document;
use crate::document::forks::{Graph, Node, Rank, losers};
use crate::document::source::Source;
use crate::document::value::{Op, Value};

/// A change and a commit's author that brings it. The same change may come twice.
type Delivery = (AuthorId, Vec<u8>);

const STRANGER: AuthorId = AuthorId([99; 16]);

fn put(key: &str, value: u64) -> Op {
    let value = Value::Scalar(ScalarValue::Int(value as i64));
    Op::Put { path: vec![Prop::Map(key.into())], value }
}

fn author(number: u64) -> AuthorId {
    AuthorId([number as u8 + 1; 16])
}

/// Changes of three authors who are cloned now and then, and whose clones read one another. Some come
/// from a stranger, some from both, some never.
fn random_deliveries(rng: &mut Rng, changes: u64) -> Vec<Delivery> {
    let mut processes: Vec<(AuthorId, Document)> =
        (0..3).map(|i| (author(i), Document::new(author(i), Budget::default()))).collect();
    let mut deliveries: Vec<Delivery> = Vec::new();
    for number in 0..changes {
        let at = rng.below(processes.len() as u64) as usize;
        if processes.len() < 9 && rng.below(3) == 0 {
            processes.push(processes[at].clone());
        }
        let (author, document) = &mut processes[at];
        for (by, bytes) in &deliveries {
            if rng.below(4) == 0 {
                document.apply([(Source::Commit(*by), bytes.as_slice())]);
            }
        }
        // A document that was built anew may have another seq than its clones.
        let change = document.change(&[put("k", number)], None, number as i64).unwrap().unwrap();
        let bytes = change.raw_bytes().to_vec();
        match rng.below(8) {
            0 => deliveries.push((STRANGER, bytes)),
            1 => deliveries.extend([(*author, bytes.clone()), (STRANGER, bytes)]),
            2 if rng.below(3) == 0 => {}
            _ => deliveries.push((*author, bytes)),
        }
    }
    deliveries
}

/// The changes that belong to a document, decided at once over the whole set.
fn reference(deliveries: &[Delivery]) -> BTreeSet<ChangeHash> {
    let mut known: BTreeMap<ChangeHash, (Change, Rank)> = BTreeMap::new();
    for (author, bytes) in deliveries {
        let change = Change::from_bytes(bytes.clone()).unwrap();
        let is_own = change.actor_id().to_bytes() == author.0;
        let rank = if is_own { Rank::Author } else { Rank::Imported };
        let held = known.entry(change.hash()).or_insert((change, rank));
        held.1 = held.1.min(rank);
    }
    while let Some(incomplete) = known
        .iter()
        .find(|(_, (change, _))| change.deps().iter().any(|dep| !known.contains_key(dep)))
        .map(|(hash, _)| *hash)
    {
        known.remove(&incomplete);
    }
    let graph: Graph = known
        .iter()
        .map(|(hash, (change, rank))| {
            let (actor, deps) = (change.actor_id().clone(), change.deps().to_vec());
            (*hash, Node { actor, seq: change.seq(), rank: *rank, deps })
        })
        .collect();
    for loser in losers(&graph).keys() {
        known.remove(loser);
    }
    let mut applied = BTreeSet::new();
    let mut seqs: BTreeMap<ActorId, u64> = BTreeMap::new();
    while let Some((hash, change)) = known.iter().find_map(|(hash, (change, _))| {
        let is_next = !applied.contains(hash)
            && change.seq() == seqs.get(change.actor_id()).copied().unwrap_or(0) + 1
            && change.deps().iter().all(|dep| applied.contains(dep));
        is_next.then_some((*hash, change))
    }) {
        seqs.insert(change.actor_id().clone(), change.seq());
        applied.insert(hash);
    }
    applied
}

fn check(deliveries: &[&Delivery], expected: &BTreeSet<ChangeHash>, seed: u64) {
    let mut document = Document::new(author(8), Budget::default());
    for (by, bytes) in deliveries {
        document.apply([(Source::Commit(*by), bytes.as_slice())]);
    }
    let applied: BTreeSet<_> = document.automerge().get_changes(&[]).iter().map(Change::hash).collect();
    assert_eq!(applied, *expected, "seed {seed}");
    let known: BTreeSet<_> =
        deliveries.iter().map(|(_, bytes)| Change::from_bytes(bytes.clone()).unwrap().hash()).collect();
    assert_eq!(document.quarantined().count() as usize, known.len() - applied.len(), "seed {seed}");
}

fn in_every_order(left: &mut Vec<&Delivery>, taken: &mut Vec<Delivery>, check: &mut impl FnMut(&[Delivery])) {
    if left.is_empty() {
        return check(taken);
    }
    for at in 0..left.len() {
        let next = left.remove(at);
        taken.push(next.clone());
        in_every_order(left, taken, check);
        taken.pop();
        left.insert(at, next);
    }
}

fn rng(seed: u64) -> Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    Rng::new(bytes)
}

/// Law: which changes belong to a document is a function of the set of changes and their ranks.
#[test]
fn every_order_of_a_few_changes_gives_the_same_document() {
    // Seed 53 once failed: a change gave a turn to a rival that had lost alone.
    for seed in (0..15).chain([53]) {
        let mut deliveries = random_deliveries(&mut rng(seed), 5);
        deliveries.truncate(6);
        let expected = reference(&deliveries);
        in_every_order(&mut deliveries.iter().collect(), &mut Vec::new(), &mut |order| {
            check(&order.iter().collect::<Vec<_>>(), &expected, seed);
        });
    }
}

#[test]
fn random_orders_of_many_changes_give_the_same_document() {
    let mut lost = 0;
    for seed in 0..100 {
        let mut rng = rng(1_000 + seed);
        let count = 5 + rng.below(60);
        let deliveries = random_deliveries(&mut rng, count);
        let expected = reference(&deliveries);
        lost += usize::from(expected.len() < deliveries.len());
        let mut order: Vec<_> = deliveries.iter().collect();
        for _ in 0..3 {
            for at in (1..order.len()).rev() {
                order.swap(at, rng.below(at as u64 + 1) as usize);
            }
            check(&order, &expected, seed);
        }
    }
    assert!(lost > 25, "{lost} sets with changes that lose");
}

#[test]
fn a_keystroke_costs_the_same_however_much_is_held_and_quarantined() {
    let mut writer = Document::new(author(0), Budget::default());
    let mut lost = Document::new(author(1), Budget::default());
    lost.change(&[put("k", 1)], None, 0).unwrap();
    let orphan = lost.change(&[put("k", 2)], None, 0).unwrap().unwrap();
    let mut clone = writer.clone();
    let mut reader = Document::new(author(2), Budget::default());
    reader.apply([(Source::Commit(author(1)), orphan.raw_bytes())]);
    let keystroke = |writer: &mut Document, reader: &mut Document, number| {
        let change = writer.change(&[put("k", number)], None, 0).unwrap().unwrap();
        let before = (writer.examined(), reader.examined());
        reader.apply([(Source::Commit(author(0)), change.raw_bytes())]);
        // The writer meets its own change in the log.
        writer.apply([(Source::Commit(author(0)), change.raw_bytes())]);
        (writer.examined() - before.0) + (reader.examined() - before.1)
    };
    for number in 0..5_000 {
        assert!(keystroke(&mut writer, &mut reader, number) < 10);
    }
    // A fork that has lost, or won, costs nothing afterwards.
    let fork = clone.change(&[put("k", 7_000)], None, 0).unwrap().unwrap();
    for document in [&mut writer, &mut reader] {
        document.apply([(Source::Commit(author(0)), fork.raw_bytes())]);
    }
    let quarantined = reader.quarantined().count();
    assert!(quarantined == 2 || quarantined == 5_001, "{quarantined}");
    for number in 0..100 {
        assert!(keystroke(&mut writer, &mut reader, number) < 10);
    }
    assert_eq!(reader.heads(), writer.heads());
}
