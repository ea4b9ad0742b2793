//! The deterministic beginning of a named document: replicas, and versions of an application, that
//! make it apart make the same changes, so it merges key by key.
//!
//! Each container at each path is made by an actor of its own, whatever its contents; its initial
//! contents are made by another, whose id includes them, in a change that depends on the
//! container's. So what two versions of an initial value share is the same operations, and only
//! scalars can conflict. All at time 0. The bytes of a genesis may never change: a golden vector
//! holds them.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ObjId, ObjType, ROOT, ReadDoc, TextEncoding};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode, Encoder};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::hash::hash16;
use crate::base::id::DocId;
use crate::commit::error::CommitError;
use crate::document::edit::{EditError, fill, scalar};
use crate::document::value::{Value, encode_value};

/// What a genesis item of a commit holds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Genesis {
    /// The document's name.
    #[n(0)]
    pub name: String,
    /// How many documents of that name were deleted before it.
    #[n(1)]
    pub generation: u64,
    /// Automerge changes, each after those it depends on.
    #[n(2)]
    pub changes: Vec<ByteVec>,
}

impl Genesis {
    /// The document it begins.
    pub fn doc(&self) -> DocId {
        DocId::named(&self.name, self.generation)
    }

    /// As it is in an item.
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// From an item.
    ///
    /// # Errors
    /// [`CommitError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CommitError> {
        Ok(from_cbor(bytes)?)
    }
}

/// The changes that begin a document of that name with this initial value, without those for keys
/// that `held` has, or ever had.
///
/// # Errors
/// [`EditError::Path`] where the value is not a map.
pub fn changes(name: &str, initial: &Value, held: &Automerge) -> Result<Vec<Vec<u8>>, EditError> {
    let Value::Map(_) = initial else {
        return Err(EditError::Path(Vec::new()));
    };
    let mut changes = Vec::new();
    let begin = Begin { name, path: Vec::new(), before: Vec::new() };
    begin.map(initial, Some((held, &ROOT)), &mut changes)?;
    Ok(changes)
}

/// A place in the document that is begun.
struct Begin<'a> {
    name: &'a str,
    path: Vec<String>,
    /// The changes that made the containers on the way here.
    before: Vec<Vec<u8>>,
}

impl Begin<'_> {
    /// The keys of a map that exists; `held` is the same map in the document as it is held, if it is.
    fn map(
        &self,
        value: &Value,
        held: Option<(&Automerge, &ObjId)>,
        changes: &mut Vec<Vec<u8>>,
    ) -> Result<(), EditError> {
        let Value::Map(map) = value else { return Ok(()) };
        for (key, value) in map {
            let path = self.path.iter().cloned().chain([key.clone()]).collect();
            let place = Begin { name: self.name, path, before: self.before.clone() };
            match held.map(|(doc, object)| (doc, object, doc.get(object, key.as_str()))) {
                Some((doc, _, Ok(Some((automerge::Value::Object(ObjType::Map), object)))))
                    if place.made(&object) && matches!(value, Value::Map(_)) =>
                {
                    let mut inside = place;
                    let container = inside.container(value)?;
                    inside.before.push(container);
                    inside.map(value, Some((doc, &object)), changes)?;
                }
                Some((_, _, Ok(Some(_)))) => {}
                Some((doc, object, _)) if was_touched(doc, object, key) => {}
                _ => place.whole(value, changes)?,
            }
        }
        Ok(())
    }

    /// What is at this place, which nothing held has touched.
    fn whole(mut self, value: &Value, changes: &mut Vec<Vec<u8>>) -> Result<(), EditError> {
        if scalar(value).is_some() {
            changes.push(self.contents(value)?);
            return Ok(());
        }
        let container = self.container(value)?;
        changes.push(container.clone());
        self.before.push(container);
        match value {
            Value::Map(_) => self.map(value, None, changes),
            Value::List(values) if values.is_empty() => Ok(()),
            Value::Text(text) if text.is_empty() => Ok(()),
            _ => {
                changes.push(self.contents(value)?);
                Ok(())
            }
        }
    }

    /// Whether the genesis of this name made that container here.
    fn made(&self, object: &ObjId) -> bool {
        matches!(object, ObjId::Id(_, actor, _) if actor.to_bytes() == self.actor("map", None))
    }

    /// The change that makes the container at this path.
    fn container(&self, value: &Value) -> Result<Vec<u8>, EditError> {
        let (kind, kind_name) = kind(value);
        self.change(self.actor(kind_name, None), |tx, parent, key| {
            tx.put_object(parent, key, kind)?;
            Ok(())
        })
    }

    /// The change that puts the initial contents there: a scalar, or what is in a list or text.
    fn contents(&self, value: &Value) -> Result<Vec<u8>, EditError> {
        let (_, kind_name) = kind(value);
        self.change(self.actor(kind_name, Some(value)), |tx, parent, key| match scalar(value) {
            Some(scalar) => Ok(tx.put(parent, key, scalar.clone())?),
            None => match tx.get(parent, key)? {
                Some((_, object)) => fill(tx, &object, value),
                None => Ok(()),
            },
        })
    }

    fn change(
        &self,
        actor: [u8; 16],
        make: impl FnOnce(&mut automerge::transaction::Transaction<'_>, &ObjId, &str) -> Result<(), EditError>,
    ) -> Result<Vec<u8>, EditError> {
        let mut doc = Automerge::new_with_encoding(TextEncoding::Utf16CodeUnit)
            .with_actor(ActorId::from(actor.as_slice()));
        for before in &self.before {
            doc.load_incremental(before)?;
        }
        let (key, way) = self.path.split_last().expect("the root is not made");
        let mut parent = ROOT;
        for step in way {
            if let Some((_, object)) = doc.get(&parent, step.as_str())? {
                parent = object;
            }
        }
        let mut tx = doc.transaction();
        make(&mut tx, &parent, key)?;
        tx.commit_with(CommitOptions { message: None, time: Some(0) });
        let change = doc.get_last_local_change().expect("it was just made");
        Ok(change.raw_bytes().to_vec())
    }

    /// hash("eyot genesis", name, path, kind) or hash("eyot genesis", name, path, kind, value).
    fn actor(&self, kind: &str, value: Option<&Value>) -> [u8; 16] {
        let mut bytes = Vec::new();
        let mut e = Encoder::new(&mut bytes);
        let value = value.map(|value| ByteVec::from(encode_value(value)));
        e.encode(("eyot genesis", self.name, &self.path, kind, value)).expect("memory takes all");
        hash16(&[&bytes])
    }
}

fn kind(value: &Value) -> (ObjType, &'static str) {
    match value {
        Value::Map(_) => (ObjType::Map, "map"),
        Value::List(_) => (ObjType::List, "list"),
        Value::Text(_) => (ObjType::Text, "text"),
        Value::Scalar(_) => (ObjType::Map, "scalar"),
    }
}

/// Whether the key of this map was ever set, in all the history that is held.
fn was_touched(doc: &Automerge, object: &ObjId, key: &str) -> bool {
    use automerge::legacy::{Key, ObjectId};
    let is_object = |held: &ObjectId| match (held, object) {
        (ObjectId::Root, ObjId::Root) => true,
        (ObjectId::Id(id), ObjId::Id(counter, actor, _)) => id.0 == *counter && id.1 == *actor,
        _ => false,
    };
    doc.get_changes(&[]).iter().any(|change| {
        change
            .decode()
            .operations
            .iter()
            .any(|op| is_object(&op.obj) && matches!(&op.key, Key::Map(held) if held.as_str() == key))
    })
}
