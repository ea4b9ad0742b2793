//! Small values: ids, numbers, what an edit has made.

use eyot_core::base::id::DocId;
use eyot_core::replica::event::{Made, ReplicaError};
use wasm_bindgen::JsValue;

use crate::base::{error, js};

pub fn doc_id(bytes: &[u8]) -> Result<DocId, JsValue> {
    DocId::from_slice(bytes).ok_or_else(|| error::invalid("a document's id has 16 bytes"))
}

pub fn doc_bytes(doc: DocId) -> JsValue {
    js::bytes(&doc.0).into()
}

/// Counts and sequence numbers stay below 2^53, where a JavaScript number is exact.
pub fn number(count: u64) -> JsValue {
    JsValue::from_f64(count as f64)
}

pub fn made(made: &Made) -> JsValue {
    let id = made.id.as_ref().map_or(&[][..], |id| &id.0);
    js::object([("doc", doc_bytes(made.doc)), ("id", js::bytes(id).into()), ("seq", number(made.seq))]).into()
}

/// A refused call, as an `Error` with the core's code.
pub fn refused(error: ReplicaError) -> JsValue {
    error::coded(error.code(), &error.to_string())
}
