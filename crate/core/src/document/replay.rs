//! A change of another that was made on exactly what is applied here, made once more: as a transaction of its
//! author.
//!
//! Automerge walks all operations of an object to apply a change to it, however small that is. A transaction
//! looks up where it writes. From the same operations on the same heads it makes the same change: its hash says
//! so. What would make another one is given up before it is committed, as far as that can be seen: where marks
//! begin and end can't be asked for, so where an insertion stands among them shows in the hash alone.

use automerge::marks::{ExpandMark, Mark};
use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{
    ActorId, Automerge, AutomergeError, Change, ChangeHash, Cursor, ObjId, ObjType, PatchLog, Prop, ROOT,
    ReadDoc, ScalarValue,
};

use crate::document::checked::operations::{Action, ChangeParts, Name, Operation, Place};
use crate::document::checked::references::References;

/// Changes with more operations are applied: then Automerge's walk costs less than looking up each place.
pub(super) const OPERATIONS_MAX: usize = 1000;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replayed {
    /// The change is applied.
    Done,
    /// It can't be replayed. The document is as it was.
    Not,
    /// Another change was made than this one, and is in the document.
    Wrong(ChangeHash),
}

/// What its operations would make is not this change.
struct Unlike;

impl From<AutomergeError> for Unlike {
    fn from(_: AutomergeError) -> Self {
        Self
    }
}

/// Makes a change as its author did. It depends on the heads of the document, and at most on its author's last
/// change besides; its operations are numbered from the highest number there; and `references` know them.
pub(super) fn replay(
    doc: &mut Automerge,
    references: &References,
    change: &Change,
    log: &mut PatchLog,
) -> Replayed {
    let is_plain = change.extra_bytes().is_empty() && !change.is_empty() && change.len() <= OPERATIONS_MAX;
    let Some(parts) = ChangeParts::parse(change.raw_bytes()).ok().filter(|_| is_plain) else {
        return Replayed::Not;
    };
    let own = doc.get_actor().clone();
    doc.set_actor(change.actor_id().clone());
    let replayed = as_author(doc, references, change, &parts, log);
    doc.set_actor(own);
    replayed
}

fn as_author(
    doc: &mut Automerge,
    references: &References,
    change: &Change,
    parts: &ChangeParts<'_>,
    log: &mut PatchLog,
) -> Replayed {
    let Ok(tx) = doc.transaction_log_patches(log.clone()) else { return Replayed::Not };
    let mut replay = Replay { tx, references, parts };
    if replay.operations().is_err() {
        replay.tx.rollback();
        return Replayed::Not;
    }
    let message = change.message().map(ToOwned::to_owned);
    let (hash, logged) = replay.tx.commit_with(CommitOptions { message, time: Some(change.timestamp()) });
    *log = logged;
    match hash {
        Some(hash) if hash != change.hash() => Replayed::Wrong(hash),
        Some(_) => Replayed::Done,
        None => Replayed::Not,
    }
}

struct Replay<'a> {
    tx: Transaction<'a>,
    references: &'a References,
    parts: &'a ChangeParts<'a>,
}

impl Replay<'_> {
    fn operations(&mut self) -> Result<(), Unlike> {
        let mut reader = self.parts.operations(OPERATIONS_MAX);
        let mut all = Vec::new();
        while let Some(operation) = reader.next().map_err(|_| Unlike)? {
            all.push(operation);
        }
        let mut made = 0;
        while let Some(next) = all.get(made) {
            made += self.make(next, &all[made + 1..], made)?;
            // What changes nothing makes no operation.
            if self.tx.pending_ops() != made {
                return Err(Unlike);
            }
        }
        Ok(())
    }

    /// Makes an operation, the one after so many; how many it made with it of those that follow.
    fn make(
        &mut self,
        operation: &Operation<'_>,
        after: &[Operation<'_>],
        made: usize,
    ) -> Result<usize, Unlike> {
        let object = operation.object.map_or(Ok(ROOT), |name| self.id(name))?;
        if operation.inserts {
            return self.insert(&object, operation, after, made);
        }
        let prop = match operation.place {
            Place::Key(key) => Prop::Map(key.into()),
            Place::Element(name) => Prop::Seq(self.position(&object, name)?),
            Place::Head => return Err(Unlike),
        };
        if !self.is_replaced(&object, &prop, &operation.replaces)? {
            return Err(Unlike);
        }
        match operation.action {
            Action::Set => self.tx.put(&object, prop.clone(), scalar(operation)?)?,
            Action::Map | Action::List | Action::Text => {
                self.tx.put_object(&object, prop.clone(), kind(operation.action)?)?;
            }
            Action::Delete => self.tx.delete(&object, prop.clone())?,
            Action::Increment => match scalar(operation)? {
                // Of several counters Automerge's patch may tell another one's sum.
                ScalarValue::Int(by) if operation.replaces.len() == 1 => {
                    self.tx.increment(&object, prop.clone(), by)?;
                }
                _ => return Err(Unlike),
            },
            Action::Mark { .. } => return Err(Unlike),
        }
        // To put the value again that wins over others deletes those.
        let deletes_others = operation.action == Action::Set && operation.replaces.len() > 1;
        let own = Name { actor: 0, number: self.parts.start + made as u32 };
        if deletes_others && !self.is_replaced(&object, &prop, &[own])? {
            return Err(Unlike);
        }
        Ok(1)
    }

    fn insert(
        &mut self,
        object: &ObjId,
        operation: &Operation<'_>,
        after: &[Operation<'_>],
        made: usize,
    ) -> Result<usize, Unlike> {
        let index = self.end_of(object, operation.place)?;
        let is_text = self.tx.object_type(object)? == ObjType::Text;
        match operation.action {
            Action::Set if is_text && character(operation).is_some() => {
                let last = self.parts.start + made as u32;
                let text = typed(operation, after, last);
                self.tx.splice_text(object, index, 0, &text)?;
                return Ok(text.chars().count());
            }
            Action::Set => self.tx.insert(object, index, scalar(operation)?)?,
            Action::Map if is_text => drop(self.tx.split_block(object, index)?),
            Action::Map | Action::List | Action::Text => {
                self.tx.insert_object(object, index, kind(operation.action)?)?;
            }
            Action::Mark { begins: true } => {
                let end = after.first().ok_or(Unlike)?;
                self.mark(object, operation, index, end, made)?;
                return Ok(2);
            }
            Action::Delete | Action::Increment | Action::Mark { begins: false } => return Err(Unlike),
        }
        Ok(1)
    }

    fn mark(
        &mut self,
        object: &ObjId,
        begin: &Operation<'_>,
        from: usize,
        end: &Operation<'_>,
        made: usize,
    ) -> Result<(), Unlike> {
        let begun = Name { actor: 0, number: self.parts.start + made as u32 };
        let to = if end.place == Place::Element(begun) { from } else { self.end_of(object, end.place)? };
        let name = begin.mark.ok_or(Unlike)?.to_owned();
        let expand = match (begin.expands, end.expands) {
            (true, true) => ExpandMark::Both,
            (true, false) => ExpandMark::Before,
            (false, true) => ExpandMark::After,
            (false, false) => ExpandMark::None,
        };
        Ok(self.tx.mark(object, Mark::new(name, scalar(begin)?, from, to), expand)?)
    }

    /// Where an insertion is that follows this place.
    fn end_of(&self, object: &ObjId, place: Place<'_>) -> Result<usize, Unlike> {
        let name = match place {
            Place::Head => return Ok(0),
            Place::Key(_) => return Err(Unlike),
            Place::Element(name) => name,
        };
        let at = self.position(object, name)?;
        let element = self.element(name)?;
        let values = self.tx.get_all(object, at)?;
        let (value, id) = values.last().ok_or(Unlike)?;
        let ObjId::Id(number, actor, _) = id else { return Err(Unlike) };
        let number = u32::try_from(*number).map_err(|_| Unlike)?;
        // Nobody follows what is deleted.
        if !self.references.is_value_of((actor.to_bytes(), number), element) {
            return Err(Unlike);
        }
        let width = match value.as_str() {
            Some(text) if self.tx.object_type(object)? == ObjType::Text => text.encode_utf16().count(),
            _ => 1,
        };
        Ok(at + width)
    }

    /// The index of an element; where it is deleted, of what comes after it. Automerge has none for where a mark
    /// begins or ends.
    fn position(&self, object: &ObjId, name: Name) -> Result<usize, Unlike> {
        if self.references.is_mark(self.element(name)?) {
            return Err(Unlike);
        }
        let ObjId::Id(number, actor, _) = self.id(name)? else { return Err(Unlike) };
        let cursor = Cursor::try_from(format!("{number}@{actor}"))?;
        Ok(self.tx.get_cursor_position(object, &cursor, None)?)
    }

    /// Whether these are the operations whose values are there.
    fn is_replaced(&self, object: &ObjId, prop: &Prop, replaces: &[Name]) -> Result<bool, Unlike> {
        let held = self.tx.get_all(object, prop.clone())?;
        let is_same = |(_, id): &(_, ObjId), name: &Name| self.id(*name).is_ok_and(|named| named == *id);
        Ok(held.len() == replaces.len() && held.iter().zip(replaces).all(|(held, name)| is_same(held, name)))
    }

    fn element(&self, name: Name) -> Result<(&[u8], u32), Unlike> {
        self.parts.actor(name.actor).map(|actor| (actor, name.number)).ok_or(Unlike)
    }

    fn id(&self, name: Name) -> Result<ObjId, Unlike> {
        let actor = ActorId::from(self.parts.actor(name.actor).ok_or(Unlike)?);
        // The last is a hint where to find the actor.
        Ok(ObjId::Id(u64::from(name.number), actor, 0))
    }
}

/// The characters that are typed one after the other, the first of them by the operation of that number.
fn typed(first: &Operation<'_>, after: &[Operation<'_>], number: u32) -> String {
    let mut text = String::new();
    text.extend(character(first));
    let follows = |last: u32, operation: &Operation<'_>| {
        operation.inserts
            && operation.action == Action::Set
            && operation.object == first.object
            && operation.place == Place::Element(Name { actor: 0, number: last })
    };
    for (last, operation) in (number..).zip(after) {
        let Some(character) = character(operation).filter(|_| follows(last, operation)) else { break };
        text.push(character);
    }
    text
}

/// The one character that an operation inserts.
fn character(operation: &Operation<'_>) -> Option<char> {
    let mut characters = operation.value.text()?.chars();
    characters.next().filter(|_| characters.next().is_none())
}

fn scalar(operation: &Operation<'_>) -> Result<ScalarValue, Unlike> {
    operation.value.scalar().ok_or(Unlike)
}

fn kind(action: Action) -> Result<ObjType, Unlike> {
    match action {
        Action::Map => Ok(ObjType::Map),
        Action::List => Ok(ObjType::List),
        Action::Text => Ok(ObjType::Text),
        _ => Err(Unlike),
    }
}
