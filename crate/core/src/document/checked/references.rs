//! What operations refer to: objects, elements and values that other operations have made. Automerge
//! takes it that these are there, and of the right kind.
//!
//! Of each operation that is applied it is kept in which object it is, and where. Operations that
//! follow one another in one place, as typed characters do, are kept as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use automerge::ActorId;

use crate::document::checked::operations::{Action, ChangeParts, Name, Operation, Place, Unfit};

/// An operation of any change: the number of its actor here, and its own.
type Id = (u32, u32);

/// How deep objects may be below a document's own map, at every replica alike.
pub(in crate::document) const DEPTH_MAX: usize = 256;

/// The operations of the changes that are applied.
#[derive(Clone, Default)]
pub(in crate::document) struct References {
    actors: BTreeMap<Arc<[u8]>, u32>,
    /// By actor, in the order of their numbers.
    runs: Vec<Vec<Run>>,
    objects: BTreeMap<Id, Object>,
    keys: BTreeMap<Arc<str>, u32>,
    count: u64,
    /// The highest number of an operation.
    pub highest: u32,
}

/// Operations with consecutive numbers, in one object.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: u32,
    len: u32,
    object: Option<Id>,
    is: Is,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    /// Elements of a list or text, each its own.
    Elements,
    /// Beginnings and ends of marks in a text: elements that show nothing.
    Marks,
    /// Values of an element that another operation has inserted.
    Element(Id),
    Key(u32),
    /// Deletes, which nothing may refer to.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
struct Object {
    kind: Kind,
    depth: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Map,
    List,
    Text,
}

/// Why a change may not be given to Automerge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::document) enum Obstacle {
    /// It refers to this operation of this actor, which is not applied yet.
    Missing(Vec<u8>, u32),
    /// It refers to what is not there or of another kind, or nests too deep.
    Wrong,
    TooMany,
}

impl From<Unfit> for Obstacle {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Malformed => Self::Wrong,
            Unfit::TooMany => Self::TooMany,
        }
    }
}

/// The operations of a change that was checked, to be added once it is applied.
pub(in crate::document) struct Checked {
    actor: Arc<[u8]>,
    runs: Vec<Run>,
    objects: Vec<(Id, Object)>,
    keys: Vec<Arc<str>>,
    count: u32,
    /// The number of its last operation, or the one before its first.
    last: u32,
}

impl References {
    /// How many operations there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether there are marks in any text.
    pub fn has_marks(&self) -> bool {
        self.runs.iter().flatten().any(|run| run.is == Is::Marks)
    }

    /// All texts there are or were: the number of the operation that made each, and its actor.
    pub fn texts(&self) -> Vec<(u64, ActorId)> {
        let actors: BTreeMap<_, _> = self.actors.iter().map(|(id, number)| (*number, id)).collect();
        let texts = self.objects.iter().filter(|(_, object)| object.kind == Kind::Text);
        let name = |(actor, number): &Id| (u64::from(*number), ActorId::from(actors[actor].as_ref()));
        texts.map(|(id, _)| name(id)).collect()
    }

    /// Whether all that a change refers to is there. The highest number of the operations of the changes
    /// that it depends on is `before`.
    pub fn check(&self, change: &ChangeParts<'_>, before: u64, most: usize) -> Result<Checked, Obstacle> {
        if u64::from(change.start) <= before {
            return Err(Obstacle::Wrong);
        }
        let mut check = Check::new(self, change)?;
        let mut operations = change.operations(most);
        let mut last = None;
        while let Some(operation) = operations.next()? {
            check.add(&operation, last)?;
            last = Some((operation.object, operation.action));
        }
        check.finish(last)
    }

    /// A change was applied.
    pub fn add(&mut self, checked: Checked) {
        let actor = self.actors.len() as u32;
        let actor = *self.actors.entry(checked.actor).or_insert(actor);
        if self.runs.len() <= actor as usize {
            self.runs.push(Vec::new());
        }
        for key in checked.keys {
            let number = self.keys.len() as u32;
            self.keys.insert(key, number);
        }
        self.objects.extend(checked.objects);
        self.count += u64::from(checked.count);
        let runs = &mut self.runs[actor as usize];
        for run in checked.runs {
            join(runs, run);
        }
        self.highest = self.highest.max(checked.last);
    }

    /// Calls this for each operation that puts something at a key of a map: with the map, none for the
    /// document itself, the key and the name of the operation. A key that was deleted had something.
    pub fn each_key(&self, mut take: impl FnMut(Option<(u64, ActorId)>, &str, (u64, ActorId))) {
        let mut actors: Vec<_> = self.actors.iter().map(|(id, number)| (*number, id)).collect();
        actors.sort_unstable();
        let mut keys: Vec<_> = self.keys.iter().map(|(key, number)| (*number, key)).collect();
        keys.sort_unstable();
        let name =
            |(actor, number): Id| (u64::from(number), ActorId::from(actors[actor as usize].1.as_ref()));
        for (actor, runs) in self.runs.iter().enumerate() {
            for run in runs {
                let Is::Key(key) = run.is else { continue };
                let map = run.object.map(name);
                take(map, keys[key as usize].1, name((actor as u32, run.from)));
            }
        }
    }

    /// Whether this operation, of that actor, begins or ends a mark.
    pub fn is_mark(&self, operation: (&[u8], u32)) -> bool {
        self.run_of(operation).is_some_and(|(_, run)| run.is == Is::Marks)
    }

    /// Whether the value of this operation is that of the element that the other has inserted.
    pub fn is_value_of(&self, operation: (&[u8], u32), element: (&[u8], u32)) -> bool {
        let is_other = || match self.run_of(operation) {
            Some((_, Run { is: Is::Element(of), .. })) => {
                self.actors.get(element.0).is_some_and(|actor| of == (*actor, element.1))
            }
            _ => false,
        };
        operation == element || is_other()
    }

    /// Whether this operation has inserted an item of that list or text, or set one.
    pub fn is_item(&self, operation: (&[u8], u32), object: (&[u8], u32)) -> bool {
        let Some((_, run)) = self.run_of(operation) else { return false };
        let Some(actor) = self.actors.get(object.0) else { return false };
        matches!(run.is, Is::Elements | Is::Element(_)) && run.object == Some((*actor, object.1))
    }

    fn run_of(&self, (actor, number): (&[u8], u32)) -> Option<(u32, Run)> {
        let actor = *self.actors.get(actor)?;
        let runs = &self.runs[actor as usize];
        let at = runs.partition_point(|run| run.from <= number).checked_sub(1)?;
        Some((actor, runs[at])).filter(|(_, run)| number - run.from < run.len)
    }

    /// The number of the last operation of an actor; 0 where there is none.
    fn last_of(&self, actor: &[u8]) -> u32 {
        let runs = self.actors.get(actor).and_then(|actor| self.runs[*actor as usize].last());
        runs.map_or(0, |run| run.from + run.len - 1)
    }
}

/// Adds a run after others, to the last one where it goes on with that.
fn join(runs: &mut Vec<Run>, run: Run) {
    match runs.last_mut() {
        Some(last) if last.from + last.len == run.from && last.object == run.object && last.is == run.is => {
            last.len += run.len;
        }
        _ => runs.push(run),
    }
}

/// A change that is being checked.
struct Check<'a> {
    references: &'a References,
    change: &'a ChangeParts<'a>,
    /// The numbers here of the change's actors, its own first; none for one that has made nothing yet.
    actors: Vec<Option<u32>>,
    is_named: Vec<bool>,
    own: u32,
    checked: Checked,
    own_objects: BTreeMap<Id, Object>,
    new_keys: BTreeMap<Arc<str>, u32>,
    /// The number of the next operation.
    number: u32,
}

impl<'a> Check<'a> {
    fn new(references: &'a References, change: &'a ChangeParts<'a>) -> Result<Self, Obstacle> {
        // Two operations would have one name.
        if change.start <= references.last_of(change.actor) {
            return Err(Obstacle::Wrong);
        }
        let all = core::iter::once(change.actor).chain(change.other_actors.iter().copied());
        let actors: Vec<_> = all.map(|actor| references.actors.get(actor).copied()).collect();
        let own = actors[0].unwrap_or(references.actors.len() as u32);
        Ok(Self {
            references,
            change,
            is_named: vec![false; actors.len()],
            actors,
            own,
            checked: Checked {
                actor: change.actor.into(),
                runs: Vec::new(),
                objects: Vec::new(),
                keys: Vec::new(),
                count: 0,
                last: change.start - 1,
            },
            own_objects: BTreeMap::new(),
            new_keys: BTreeMap::new(),
            number: change.start,
        })
    }

    fn add(
        &mut self,
        operation: &Operation<'_>,
        last: Option<(Option<Name>, Action)>,
    ) -> Result<(), Obstacle> {
        // A mark's end follows its beginning.
        let is_open = matches!(last, Some((_, Action::Mark { begins: true })));
        let closes = operation.action == Action::Mark { begins: false };
        if is_open != closes || closes && last.is_some_and(|(object, _)| object != operation.object) {
            return Err(Obstacle::Wrong);
        }
        let (object, found) = match operation.object {
            None => (None, Object { kind: Kind::Map, depth: 0 }),
            Some(name) => {
                let id = self.id(name)?;
                let made = self.own_objects.get(&id).or_else(|| self.references.objects.get(&id)).copied();
                // An operation that is there and makes no object never will.
                (Some(id), made.ok_or_else(|| self.missing(name))?)
            }
        };
        let is = self.place(operation, object, found)?;
        for name in &operation.replaces {
            let run = self.find(*name)?;
            let is_there = run.object == object
                && match run.is {
                    Is::Elements | Is::Marks => is == Is::Element(self.id(*name)?),
                    Is::Element(_) | Is::Key(_) => run.is == is,
                    Is::Nothing => false,
                };
            if !is_there {
                return Err(Obstacle::Wrong);
            }
        }
        let order = |name: &Name| (name.number, self.change.actor(name.actor));
        if !operation.replaces.is_sorted_by(|a, b| order(a) < order(b)) {
            return Err(Obstacle::Wrong);
        }
        let number = self.number;
        self.number = number.checked_add(1).ok_or(Obstacle::Wrong)?;
        self.checked.count += 1;
        self.checked.last = number;
        let kind = match operation.action {
            Action::Map => Some(Kind::Map),
            Action::List => Some(Kind::List),
            Action::Text => Some(Kind::Text),
            _ => None,
        };
        if let Some(kind) = kind {
            let object = Object { kind, depth: found.depth + 1 };
            if object.depth as usize > DEPTH_MAX {
                return Err(Obstacle::Wrong);
            }
            self.own_objects.insert((self.own, number), object);
        }
        let is = match operation.action {
            Action::Delete => Is::Nothing,
            Action::Mark { .. } => Is::Marks,
            _ if operation.inserts => Is::Elements,
            _ => is,
        };
        join(&mut self.checked.runs, Run { from: number, len: 1, object, is });
        Ok(())
    }

    /// Where in its object an operation is. Whether there is such a place.
    fn place(
        &mut self,
        operation: &Operation<'_>,
        object: Option<Id>,
        found: Object,
    ) -> Result<Is, Obstacle> {
        let is_map = found.kind == Kind::Map;
        match operation.place {
            Place::Key(key) if is_map => Ok(Is::Key(self.key(key))),
            Place::Head if !is_map => Ok(Is::Elements),
            Place::Element(name) if !is_map => {
                let run = self.find(name)?;
                let is_element = run.object == object && matches!(run.is, Is::Elements | Is::Marks);
                if is_element { Ok(Is::Element(self.id(name)?)) } else { Err(Obstacle::Wrong) }
            }
            _ => Err(Obstacle::Wrong),
        }
    }

    fn key(&mut self, key: &str) -> u32 {
        let known = self.references.keys.get(key).or_else(|| self.new_keys.get(key));
        if let Some(number) = known {
            return *number;
        }
        let number = (self.references.keys.len() + self.new_keys.len()) as u32;
        let key: Arc<str> = key.into();
        self.checked.keys.push(key.clone());
        self.new_keys.insert(key, number);
        number
    }

    /// The operation of that name.
    fn find(&mut self, name: Name) -> Result<Run, Obstacle> {
        let (actor, number) = self.id(name)?;
        let applied = self.references.runs.get(actor as usize).map_or(&[][..], Vec::as_slice);
        let is_own = actor == self.own && number >= self.change.start;
        let runs = if is_own { self.checked.runs.as_slice() } else { applied };
        let at = runs.partition_point(|run| run.from <= number);
        let run = at.checked_sub(1).map(|at| runs[at]).filter(|run| number - run.from < run.len);
        run.ok_or_else(|| self.missing(name))
    }

    fn id(&mut self, name: Name) -> Result<Id, Obstacle> {
        // What comes after has a higher number, whoever made it.
        if name.number >= self.number {
            return Err(Obstacle::Wrong);
        }
        let actor = self.actors.get(name.actor as usize).ok_or(Obstacle::Wrong)?;
        self.is_named[name.actor as usize] = true;
        if name.actor == 0 {
            return Ok((self.own, name.number));
        }
        actor.map(|actor| (actor, name.number)).ok_or_else(|| self.missing(name))
    }

    /// What is not there: it may come as long as its actor has not gone on to higher numbers.
    fn missing(&self, name: Name) -> Obstacle {
        match self.change.actor(name.actor) {
            Some(actor) if name.actor > 0 && self.references.last_of(actor) < name.number => {
                Obstacle::Missing(actor.to_vec(), name.number)
            }
            _ => Obstacle::Wrong,
        }
    }

    fn finish(mut self, last: Option<(Option<Name>, Action)>) -> Result<Checked, Obstacle> {
        let is_open = matches!(last, Some((_, Action::Mark { begins: true })));
        if is_open || self.is_named[1..].contains(&false) {
            return Err(Obstacle::Wrong);
        }
        self.checked.objects.extend(self.own_objects);
        Ok(self.checked)
    }
}
