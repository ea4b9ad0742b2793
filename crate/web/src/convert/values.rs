//! Small values: bytes, ids, errors.

use eyot_core::base::id::{DocId, PeerKey};
use eyot_core::replica::event::ReplicaError;
use serde::{Serialize, Serializer};
use wasm_bindgen::JsValue;

use crate::base::error;

pub fn doc_id(bytes: &[u8]) -> Result<DocId, JsValue> {
    DocId::from_slice(bytes).ok_or_else(|| error::invalid("a document's id has 16 bytes"))
}

pub fn peer_key(bytes: &[u8]) -> Result<PeerKey, JsValue> {
    PeerKey::from_slice(bytes).ok_or_else(|| error::invalid("a replica's key has 32 bytes"))
}

/// A refused call, as an `Error` with the core's code.
pub fn refused(error: ReplicaError) -> JsValue {
    error::coded(error.code(), &error.to_string())
}

/// For `serialize_with`: a `Uint8Array`.
pub fn bytes<S: Serializer>(bytes: &impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes.as_ref())
}

/// For `serialize_with`: a `Uint8Array`, or undefined.
pub fn optional_bytes<S: Serializer>(list: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    match list {
        Some(list) => bytes(list, serializer),
        None => ().serialize(serializer),
    }
}
