//! Stores that JavaScript brings: one whose methods return promises, for a replica, and one whose
//! methods return at once, for a relay in a Durable Object. They take and give the same shapes.

use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use js_sys::{Array, Object, Promise, Uint8Array};
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
    #[wasm_bindgen(method, catch)]
    fn close(this: &Store) -> Result<JsValue, JsValue>;
}

/// A store whose methods return promises.
pub struct ExternalStore(pub Store);

impl ExternalStore {
    pub async fn answer(&self, request: &StorageRequest) -> StorageAnswer {
        let answer = match ask(&self.0, request) {
            Ok(promise) => js::settled(&Promise::resolve(&promise)).await,
            Err(thrown) => Err(thrown),
        };
        batches::read(request, answer)
    }

    pub fn abandon(&self) {
        // Nobody of this instance waits for what it says.
        let _ = self.0.close();
    }

    pub async fn close(&self) {
        // What a store says as it goes can't be acted upon any more.
        if let Ok(promise) = self.0.close() {
            let _ = js::settled(&Promise::resolve(&promise)).await;
        }
    }
}

/// A store whose methods return at once.
pub struct SyncStore(pub Store);

impl SyncStore {
    pub fn answer(&self, request: &StorageRequest) -> StorageAnswer {
        batches::read(request, ask(&self.0, request))
    }
}

fn ask(store: &Store, request: &StorageRequest) -> Result<JsValue, JsValue> {
    match request {
        StorageRequest::Get(keys) => store.get(&js::bytes_list(keys)),
        StorageRequest::Scan { from, to, bytes_max } => {
            store.scan(&js::bytes(from), &js::bytes(to), u32::try_from(*bytes_max).unwrap_or(u32::MAX))
        }
        StorageRequest::Write(batch) => store.write(&batches::write_object(batch)),
    }
}
