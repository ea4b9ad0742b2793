//! The initial value of a named document, as far as it is not in the log.
//!
//! A document shows its initial value before anybody has edited it, and nothing of that is in the log
//! until this replica's first edit. What the log holds always wins over it: as soon as a change from
//! the log has touched a key (has set it, deleted it, or is another version's initial value of it),
//! this replica's own initial value of that key is withdrawn. Automerge can't take a change back, so
//! the document is built anew; that happens at most once for each key, and not after the first edit.

use std::collections::BTreeMap;

use automerge::{ActorId, Change, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, Value as Held};

use crate::base::id_map::{IdMap, IdSet};
use crate::base::mutation::Mutation;
use crate::document::checked::operations::{ChangeParts, Place};
use crate::document::edit::EditError;
use crate::document::forks::Rank;
use crate::document::genesis::{Genesis, GenesisKey, MapId, entries, map_actor};
use crate::document::history::{History, Outcome};
use crate::document::value::{Value, decode_value, encode_value};

/// See the file's head.
#[derive(Clone)]
pub struct Beginning {
    name: String,
    generation: u64,
    initial: Value,
    keys: Vec<GenesisKey>,
    /// Of each key, what the log has done to it.
    touches: Vec<Touch>,
    /// The number of each key, by the map it is in.
    numbers: BTreeMap<(Option<MapId>, String), usize>,
    /// Changes of this genesis that are applied and not in the log.
    unlogged: IdSet<ChangeHash>,
    /// Keys whose initial values stay, because changes made here follow them: the genesis that comes with
    /// these has them in any case.
    held: IdSet<usize>,
}

/// What changes of the log have done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Touch {
    Untouched,
    /// A genesis has made the same map there, and nothing else was done: keys inside it may be made.
    SameMap,
    Touched,
}

impl Beginning {
    /// # Errors
    /// As [`Genesis::check`].
    pub(super) fn new(name: String, generation: u64, initial: &Value) -> Result<Self, EditError> {
        let initial = as_others_read(initial)?;
        let keys = entries(&name, &initial)?;
        let number = |(number, key): (usize, &GenesisKey)| {
            let last = key.path.last().expect("a key has a path").clone();
            ((key.map.clone(), last), number)
        };
        let numbers = keys.iter().enumerate().map(number).collect();
        let touches = vec![Touch::Untouched; keys.len()];
        let (unlogged, held) = (IdSet::new(), IdSet::new());
        Ok(Self { name, generation, initial, keys, touches, numbers, unlogged, held })
    }

    /// The document's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn initial(&self) -> &Value {
        &self.initial
    }

    /// Changes of this genesis that are applied and not in the log.
    pub(super) fn unlogged(&self) -> &IdSet<ChangeHash> {
        &self.unlogged
    }

    /// Whether there is something to put into the log.
    pub(super) fn is_needed(&self) -> bool {
        !self.unlogged.is_empty() || !self.held.is_empty()
    }

    /// Makes the initial values stay that a change with these dependencies follows.
    pub(super) fn hold(&mut self, deps: &[ChangeHash]) {
        let deps: IdSet<_> = deps.iter().copied().filter(|dep| self.unlogged.contains(dep)).collect();
        let is_followed = |key: &GenesisKey| key.changes.iter().any(|change| deps.contains(&change.hash()));
        let mut ways: Vec<_> =
            (0..self.keys.len()).filter(|number| is_followed(&self.keys[*number])).collect();
        while let Some(number) = ways.pop() {
            let key = &self.keys[number];
            for change in &key.changes {
                self.unlogged.remove(&change.hash());
            }
            self.held.insert(number);
            ways.extend(key.parent);
        }
    }

    /// What has to be in the log before this replica's first edit.
    pub fn genesis(&self) -> Genesis {
        let mut value = Value::Map(BTreeMap::new());
        for number in self.wanted().into_iter().chain(self.held.iter().copied()) {
            copy(&self.initial, &mut value, &self.keys[number].path);
        }
        Genesis { name: self.name.clone(), generation: self.generation, value }
    }

    /// Applies the initial values of the keys that the log has not touched, to a document that has
    /// what is in the log and nothing else.
    pub(super) fn apply(&mut self, history: &mut History) -> Outcome {
        self.note_all(history);
        self.add(history)
    }

    /// Changes of the log have come: these hashes, each with its rank, of which `outcome` tells what was
    /// done. Withdraws initial values of keys that they have touched.
    pub(super) fn follow(
        &mut self,
        arrived: &[(ChangeHash, Rank)],
        history: &mut History,
        outcome: Outcome,
    ) -> Outcome {
        if history.budget.is_mutated(Mutation::WeaveGeneses) {
            return outcome;
        }
        let logged = self.take_logged(arrived);
        let mut has_rivals = false;
        if !outcome.rebuilt {
            let mut has_touched = false;
            for (hash, rank) in logged {
                let Some(change) = history.doc.get_change_by_hash(&hash) else { continue };
                // What this replica has made for itself says nothing of what others hold.
                history.set_rank(hash, rank);
                has_rivals |= history.has_rivals(&change);
                has_touched |= self.note(&change);
            }
            for change in &outcome.added {
                has_touched |= self.note(change);
            }
            let is_good = |wanted: IdSet<_>| self.unlogged.is_subset(&wanted);
            if !has_rivals && !self.is_contested(history) && (!has_touched || is_good(self.wanted_changes()))
            {
                return outcome;
            }
        }
        history.remove(&core::mem::take(&mut self.unlogged));
        self.touches.fill(Touch::Untouched);
        self.note_all(history);
        Outcome { rebuilt: true, ..self.add(history) }
    }

    fn add(&mut self, history: &mut History) -> Outcome {
        let wanted = self.wanted();
        let changes = wanted.iter().flat_map(|number| &self.keys[*number].changes);
        let unlogged: Vec<_> =
            changes.filter(|change| !history.is_applied(&change.hash())).cloned().collect();
        self.unlogged = unlogged.iter().map(Change::hash).collect();
        history.add(unlogged.into_iter().map(|change| (change, Rank::Genesis)).collect())
    }

    /// The numbers of the keys to make: those untouched, in maps that are made too or were made alike.
    fn wanted(&self) -> Vec<usize> {
        let mut wanted = Vec::new();
        let mut may_hold = Vec::with_capacity(self.keys.len());
        for (number, key) in self.keys.iter().enumerate() {
            let is_open = key.parent.is_none_or(|parent| may_hold[parent]);
            let touch = self.touches[number];
            may_hold.push(is_open && touch != Touch::Touched);
            if is_open && touch == Touch::Untouched {
                wanted.push(number);
            }
        }
        wanted
    }

    fn wanted_changes(&self) -> IdSet<ChangeHash> {
        let wanted = self.wanted();
        wanted.iter().flat_map(|number| &self.keys[*number].changes).map(Change::hash).collect()
    }

    /// Whether a change of the log has the actor and seq of one that is not in the log.
    fn is_contested(&self, history: &History) -> bool {
        let changes = self.keys.iter().flat_map(|key| &key.changes);
        history.quarantine.len() > 0
            && changes.filter(|c| self.unlogged.contains(&c.hash())).any(|change| history.has_rivals(change))
    }

    /// Takes those that have come in the log out of those that are not in it, each with the highest rank
    /// that it came with.
    fn take_logged(&mut self, arrived: &[(ChangeHash, Rank)]) -> IdMap<ChangeHash, Rank> {
        let mut logged: IdMap<ChangeHash, Rank> = IdMap::new();
        for (hash, rank) in arrived {
            if let Some(before) = logged.get_mut(hash) {
                *before = (*rank).min(*before);
            } else if self.unlogged.remove(hash) {
                logged.insert(*hash, *rank);
            }
        }
        logged
    }

    /// Notes which keys the changes of the log touch, where no others are applied.
    fn note_all(&mut self, history: &History) {
        let (numbers, keys, touches) = (&self.numbers, &self.keys, &mut self.touches);
        history.each_key(|map, key, operation| {
            let Some(number) = numbers.get(&(map, key.to_owned())) else { return };
            let key = &keys[*number];
            let is_same = key.makes == Some(operation) && history.is_applied(&key.changes[0].hash());
            let touch = if is_same { Touch::SameMap } else { Touch::Touched };
            touches[*number] = touch.max(touches[*number]);
        });
    }

    /// Notes which keys a change of the log touches; whether there are any.
    fn note(&mut self, change: &Change) -> bool {
        let mut has_touched = false;
        let Ok(parts) = ChangeParts::parse(change.raw_bytes()) else { return false };
        let mut operations = parts.operations(usize::MAX);
        while let Ok(Some(operation)) = operations.next() {
            let Place::Key(key) = operation.place else { continue };
            let map = operation.object.and_then(|name| {
                let actor = parts.actor(name.actor)?;
                Some((u64::from(name.number), ActorId::from(actor)))
            });
            let Some(number) = self.numbers.get(&(map, key.to_owned())) else { continue };
            let key = &self.keys[*number];
            let is_same = key.makes.is_some() && key.changes[0].hash() == change.hash();
            let touch = if is_same { Touch::SameMap } else { Touch::Touched };
            self.touches[*number] = touch.max(self.touches[*number]);
            has_touched = true;
        }
        has_touched
    }
}

/// Whether there is something at every key of an initial value, so that there is nothing to begin.
pub(super) fn is_all_held(name: &str, initial: &Value, history: &History) -> bool {
    holds(name, &ROOT, initial, &mut Vec::new(), history)
}

fn holds(name: &str, object: &ObjId, initial: &Value, path: &mut Vec<String>, history: &History) -> bool {
    let Value::Map(map) = initial else { return true };
    map.iter().all(|(key, value)| {
        let Ok(Some((held, inside))) = history.doc.get(object, key.as_str()) else { return false };
        path.push(key.clone());
        let is_same = matches!(held, Held::Object(ObjType::Map))
            && matches!(&inside, ObjId::Id(_, actor, _) if *actor == map_actor(name, path));
        let is_held = !is_same || holds(name, &inside, value, path, history);
        path.pop();
        is_held
    })
}

/// The value as others read it from a commit, so that all make the same changes of it.
fn as_others_read(value: &Value) -> Result<Value, EditError> {
    decode_value(&encode_value(value)).map_err(|_| EditError::Initial("nest so deep"))
}

/// `over`, with what only `under` has.
pub(super) fn overlay(over: &Value, under: &Value) -> Value {
    match (over, under) {
        (Value::Map(over), Value::Map(under)) => {
            let mut both = under.clone();
            for (key, value) in over {
                let value = under.get(key).map_or_else(|| value.clone(), |under| overlay(value, under));
                both.insert(key.clone(), value);
            }
            Value::Map(both)
        }
        _ => over.clone(),
    }
}

/// Copies what is at a path, without what is in a map there, and with the maps on the way.
fn copy(from: &Value, to: &mut Value, path: &[String]) {
    let (Some((key, rest)), Value::Map(from), Value::Map(to)) = (path.split_first(), from, to) else {
        return;
    };
    let Some(value) = from.get(key) else { return };
    let empty = || match value {
        Value::Map(_) => Value::Map(BTreeMap::new()),
        value => value.clone(),
    };
    copy(value, to.entry(key.clone()).or_insert_with(empty), rest);
}
