//! A store that the host brings, of either kind.

use eyot_core::storage::request::StorageRequest;
use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::base::js;
use crate::convert::batches;

#[wasm_bindgen]
extern "C" {
    /// `AsyncStore` or `SyncStore` of the type definitions.
    pub type Store;

    #[wasm_bindgen(method, catch)]
    fn get(this: &Store, keys: &Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn scan(this: &Store, from: &Uint8Array, to: &Uint8Array, bytes_max: u32) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn write(this: &Store, batch: &Object) -> Result<JsValue, JsValue>;
    #[cfg(feature = "replica")]
    #[wasm_bindgen(method, catch)]
    pub fn close(this: &Store) -> Result<JsValue, JsValue>;
}

/// Asks the store. Returns what it returns.
pub fn ask(store: &Store, request: &StorageRequest) -> Result<JsValue, JsValue> {
    match request {
        StorageRequest::Get(keys) => store.get(&js::bytes_list(keys)),
        StorageRequest::Scan { from, to, bytes_max } => {
            store.scan(&js::bytes(from), &js::bytes(to), u32::try_from(*bytes_max).unwrap_or(u32::MAX))
        }
        StorageRequest::Write(batch) => store.write(&batches::write_object(batch)),
    }
}
