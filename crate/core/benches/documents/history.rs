//! A recorded history as edits. See `tests/data/README.md` for whose it is.

use std::io::Read;

use eyot_core::automerge::Prop;
use eyot_core::document::value::{Op, Value};

pub fn path() -> Vec<Prop> {
    vec![Prop::Map("text".into())]
}

/// What makes the text, and then the edits of each transaction.
pub fn seph_blog1() -> Vec<Vec<Op>> {
    let file = format!("{}/../../tests/data/seph-blog1.json.gz", env!("CARGO_MANIFEST_DIR"));
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_end(&mut json).unwrap();
    let history: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let made = vec![Op::Put { path: path(), value: Value::Text(String::new()) }];
    // All its characters are one UTF-16 code unit each.
    let splice = |patch: &serde_json::Value| Op::Splice {
        path: path(),
        index: patch[0].as_u64().unwrap() as usize,
        remove: patch[1].as_u64().unwrap() as usize,
        insert: patch[2].as_str().unwrap().into(),
    };
    let transactions = history["txns"].as_array().unwrap().iter();
    let edits = transactions.map(|one| one["patches"].as_array().unwrap().iter().map(splice).collect());
    std::iter::once(made).chain(edits).collect()
}
