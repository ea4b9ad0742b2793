//! Documents: which are held, what an edit has made, what `named` resolves with.

use eyot_core::base::id::DocId;
use eyot_core::replica::event;
use serde::Serialize;
use tsify::Tsify;

use super::values;

/// A document that is held.
#[derive(Serialize, Tsify)]
pub struct HeldDoc {
    #[serde(serialize_with = "values::bytes")]
    #[tsify(type = "Uint8Array")]
    id: [u8; 16],
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    bytes: u64,
    commits: u64,
}

/// What a call has made; `seq` 0 and an empty `id` where nothing was to be done.
#[derive(Serialize, Tsify)]
pub struct Made {
    #[serde(serialize_with = "values::bytes")]
    #[tsify(type = "Uint8Array")]
    doc: [u8; 16],
    #[serde(serialize_with = "values::bytes")]
    #[tsify(type = "Uint8Array")]
    id: Vec<u8>,
    seq: u64,
    /// Of a merge.
    #[serde(serialize_with = "values::optional_bytes", skip_serializing_if = "Option::is_none")]
    #[tsify(type = "Uint8Array")]
    patches: Option<Vec<u8>>,
}

/// A document and its value.
#[derive(Serialize, Tsify)]
pub struct Named {
    #[serde(serialize_with = "values::bytes")]
    #[tsify(type = "Uint8Array")]
    doc: [u8; 16],
    #[serde(serialize_with = "values::bytes")]
    #[tsify(type = "Uint8Array")]
    value: Vec<u8>,
}

impl Made {
    pub fn new(made: &event::Made, patches: Option<Vec<u8>>) -> Self {
        let id = made.id.as_ref().map(|id| id.0.to_vec()).unwrap_or_default();
        Self { doc: made.doc.0, id, seq: made.seq, patches }
    }
}

impl Named {
    pub fn new(doc: DocId, value: Vec<u8>) -> Self {
        Self { doc: doc.0, value }
    }
}

impl From<event::DocInfo> for HeldDoc {
    fn from(info: event::DocInfo) -> Self {
        Self { id: info.id.0, name: info.name, bytes: info.bytes, commits: info.commits }
    }
}
