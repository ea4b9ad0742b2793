//! The deterministic beginning of a named document. Replicas, and versions of an application, that
//! make it apart make the same changes, so it merges key by key.
//!
//! | what | its actor is 16 bytes of SHA-256 of | its change |
//! | --- | --- | --- |
//! | a map | name, path, "map" | makes the map, empty |
//! | a list | name, path, "list" | makes the list, empty |
//! | a list's items | name, path, "list", the whole list | inserts them |
//! | a scalar | name, path, "scalar", the scalar | puts it |
//! | a text | name, path, "text", the text | makes the text with its characters |
//!
//! Each change depends on the one that makes the container it is in, and on nothing else; its time is
//! 0. So two versions of an initial value share their containers, and a scalar or a text of one can
//! only conflict whole with that of the other: Automerge shows one of them everywhere. Initial items
//! of a list are no keys: a document that two versions have begun has the items of both, one list
//! after the other.
//!
//! The bytes of these changes may never change: a golden vector holds them. A commit holds the values
//! only, from which every replica makes the changes again, so nobody can forge them. `docs/genesis.md`
//! says why.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, Change, ObjId, ObjType, ROOT, TextEncoding};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode, Encoder};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::hash::hash16;
use crate::base::id::DocId;
use crate::commit::error::CommitError;
use crate::document::edit::{EditError, fill, size};
use crate::document::value::{Value, decode_value, encode_value};

/// The most keys that an initial value may have, those of maps in it included. It is the same for all
/// versions: a genesis over it is none.
pub const KEYS_MAX: usize = 1024;

/// The most values, characters and items that an initial value may have. It is the same for all versions,
/// too.
pub const SIZE_MAX: u64 = 256 * 1024;

/// What a genesis item of a commit holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Genesis {
    /// The document's name.
    pub name: String,
    /// How many documents of that name were deleted before it.
    pub generation: u64,
    /// The keys it makes, and what is in them: a map. Maps inside it are paths to keys; those that
    /// exist already are not made again.
    pub value: Value,
}

/// A genesis as it is in an item.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Item {
    #[n(0)]
    name: String,
    #[n(1)]
    generation: u64,
    /// As in `docs/values.md`.
    #[n(2)]
    value: ByteVec,
}

impl Genesis {
    /// The document it begins.
    pub fn doc(&self) -> DocId {
        DocId::named(&self.name, self.generation)
    }

    /// As it is in an item.
    pub fn encode(&self) -> Vec<u8> {
        let (name, generation) = (self.name.clone(), self.generation);
        to_cbor(&Item { name, generation, value: encode_value(&self.value).into() })
    }

    /// From an item.
    ///
    /// # Errors
    /// [`CommitError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CommitError> {
        let Item { name, generation, value } = from_cbor(bytes)?;
        let value = decode_value(&value).map_err(|error| CommitError::Malformed(error.to_string()))?;
        Ok(Self { name, generation, value })
    }

    /// The bytes of its changes, each after those it depends on; none where the value is not one that
    /// [`Genesis::check`] allows.
    pub fn changes(&self) -> Vec<Vec<u8>> {
        let entries = entries(&self.name, &self.value).unwrap_or_default();
        entries.iter().flat_map(|entry| &entry.changes).map(|change| change.raw_bytes().to_vec()).collect()
    }

    /// Whether a document can begin with this value.
    ///
    /// # Errors
    /// [`EditError::Path`] where it is not a map, [`EditError::Initial`] where it is over [`KEYS_MAX`]
    /// or [`SIZE_MAX`].
    pub fn check(value: &Value) -> Result<(), EditError> {
        if !matches!(value, Value::Map(_)) {
            return Err(EditError::Path(Vec::new()));
        }
        if keys(value) > KEYS_MAX {
            return Err(EditError::Initial("have so many keys"));
        }
        if size(value) > SIZE_MAX { Err(EditError::Initial("be so large")) } else { Ok(()) }
    }
}

/// How many keys there are in a map and the maps in it.
fn keys(value: &Value) -> usize {
    match value {
        Value::Map(map) => map.len() + map.values().map(keys).sum::<usize>(),
        _ => 0,
    }
}

/// A key that a genesis makes.
#[derive(Clone, Debug)]
pub(super) struct GenesisKey {
    pub path: Vec<String>,
    /// The number of the key of the map it is in, counted in the order they are made; none for the
    /// document itself.
    pub parent: Option<usize>,
    /// The map it is in: none for the document itself, else the number of its operation and its actor.
    pub map: Option<MapId>,
    /// What its first change makes, where that is a map.
    pub makes: Option<MapId>,
    /// Its change, and for a list that is not empty a second one with the items.
    pub changes: Vec<Change>,
}

/// The number of the operation that made a map, and its actor.
pub(super) type MapId = (u64, ActorId);

/// The keys that the genesis of that name makes of this initial value, a map before what is in it.
///
/// # Errors
/// As [`Genesis::check`].
pub(super) fn entries(name: &str, initial: &Value) -> Result<Vec<GenesisKey>, EditError> {
    Genesis::check(initial)?;
    let doc = Automerge::new_with_encoding(TextEncoding::Utf16CodeUnit);
    let mut keys = Vec::new();
    // No recursion: a document that holds others' values may be deep.
    let mut maps =
        vec![Inside { doc, object: ROOT, parent: None, map: None, path: Vec::new(), value: initial }];
    while let Some(map) = maps.pop() {
        map.make(name, &mut keys, &mut maps)?;
    }
    Ok(keys)
}

/// The actor of the change that makes a map at this path.
pub(super) fn map_actor(name: &str, path: &[String]) -> ActorId {
    actor(name, path, "map", None)
}

/// A map whose keys are made.
struct Inside<'a> {
    /// With the maps on the way here and nothing else.
    doc: Automerge,
    object: ObjId,
    parent: Option<usize>,
    map: Option<MapId>,
    path: Vec<String>,
    value: &'a Value,
}

impl<'a> Inside<'a> {
    /// Makes its keys, and adds the maps that are in it to `maps`.
    fn make(
        self,
        name: &str,
        keys: &mut Vec<GenesisKey>,
        maps: &mut Vec<Inside<'a>>,
    ) -> Result<(), EditError> {
        let Value::Map(values) = self.value else { return Ok(()) };
        for (key, value) in values {
            let path: Vec<_> = self.path.iter().chain([key]).cloned().collect();
            let doc = |kind, value| self.doc.clone().with_actor(actor(name, &path, kind, value));
            let (parent, map) = (self.parent, self.map.clone());
            let (makes, changes) = match value {
                Value::Scalar(scalar) => {
                    let put = |tx: &mut Tx<'_>| Ok(tx.put(&self.object, key.as_str(), scalar.clone())?);
                    (None, vec![change(&mut doc("scalar", Some(value)), put)?.1])
                }
                Value::Text(_) => {
                    let (_, change) = change(&mut doc("text", Some(value)), |tx| {
                        let text = tx.put_object(&self.object, key.as_str(), ObjType::Text)?;
                        fill(tx, &text, value)
                    })?;
                    (None, vec![change])
                }
                Value::List(items) => {
                    let mut doc = doc("list", None);
                    let (list, container) = self.put(&mut doc, key, ObjType::List)?;
                    let mut changes = vec![container];
                    if !items.is_empty() {
                        let mut doc = doc.with_actor(actor(name, &path, "list", Some(value)));
                        changes.push(change(&mut doc, |tx| fill(tx, &list, value))?.1);
                    }
                    (None, changes)
                }
                Value::Map(_) => {
                    let mut doc = doc("map", None);
                    let (object, container) = self.put(&mut doc, key, ObjType::Map)?;
                    let made = (container.start_op().get(), container.actor_id().clone());
                    let (parent, map) = (Some(keys.len()), Some(made.clone()));
                    maps.push(Inside { doc, object, parent, map, path: path.clone(), value });
                    (Some(made), vec![container])
                }
            };
            keys.push(GenesisKey { path, parent, map, makes, changes });
        }
        Ok(())
    }

    fn put(&self, doc: &mut Automerge, key: &str, kind: ObjType) -> Result<(ObjId, Change), EditError> {
        change(doc, |tx| Ok(tx.put_object(&self.object, key, kind)?))
    }
}

type Tx<'a> = automerge::transaction::Transaction<'a>;

fn change<T>(
    doc: &mut Automerge,
    make: impl FnOnce(&mut Tx<'_>) -> Result<T, EditError>,
) -> Result<(T, Change), EditError> {
    let mut tx = doc.transaction();
    let made = make(&mut tx)?;
    tx.commit_with(CommitOptions { message: None, time: Some(0) });
    let change = doc.get_last_local_change().expect("it was just made");
    Ok((made, change))
}

/// hash("eyot genesis", name, path, kind) or hash("eyot genesis", name, path, kind, value).
fn actor(name: &str, path: &[String], kind: &str, value: Option<&Value>) -> ActorId {
    let mut bytes = Vec::new();
    let value = value.map(|value| ByteVec::from(encode_value(value)));
    Encoder::new(&mut bytes).encode(("eyot genesis", name, path, kind, value)).expect("memory takes all");
    ActorId::from(hash16(&[&bytes]).as_slice())
}
