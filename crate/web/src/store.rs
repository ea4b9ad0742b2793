//! Stores that JavaScript brings: one whose methods return promises, for a replica, and one whose
//! methods return at once, for a relay in a Durable Object. They take and give the same shapes.

use eyot_core::storage::request::{StorageAnswer, StorageRequest, WriteBatch};
use js_sys::{Array, Object, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::{error, js};

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
        read(request, answer)
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
        read(request, ask(&self.0, request))
    }
}

fn ask(store: &Store, request: &StorageRequest) -> Result<JsValue, JsValue> {
    match request {
        StorageRequest::Get(keys) => store.get(&js::bytes_list(keys)),
        StorageRequest::Scan { from, to, bytes_max } => {
            store.scan(&js::bytes(from), &js::bytes(to), u32::try_from(*bytes_max).unwrap_or(u32::MAX))
        }
        StorageRequest::Write(batch) => store.write(&write_object(batch)),
    }
}

fn write_object(batch: &WriteBatch) -> Object {
    let puts: Array =
        batch.puts.iter().map(|(key, value)| Array::of2(&js::bytes(key), &js::bytes(value))).collect();
    let object = js::object([("puts", puts.into()), ("deletes", js::bytes_list(&batch.deletes).into())]);
    if let Some((key, value)) = &batch.guard {
        js::set(&object, "guardKey", &js::bytes(key));
        if let Some(value) = value {
            js::set(&object, "guardValue", &js::bytes(value));
        }
    }
    object
}

fn read(request: &StorageRequest, answer: Result<JsValue, JsValue>) -> StorageAnswer {
    let answer = match answer {
        Ok(answer) => answer,
        Err(thrown) => return StorageAnswer::Failed(error::message(&thrown)),
    };
    let read = match request {
        StorageRequest::Get(keys) => read_values(&answer, keys.len()),
        StorageRequest::Scan { .. } => read_scanned(&answer),
        StorageRequest::Write(_) => answer
            .as_bool()
            .map(|written| if written { StorageAnswer::Written } else { StorageAnswer::GuardFailed }),
    };
    read.unwrap_or_else(|| StorageAnswer::Failed("the store's answer has another shape".to_owned()))
}

fn read_values(answer: &JsValue, count: usize) -> Option<StorageAnswer> {
    let answer = answer.dyn_ref::<Array>()?;
    if answer.length() as usize != count {
        return None;
    }
    let values = answer.iter().map(|value| match value.is_undefined() {
        true => Some(None),
        false => to_vec(&value).map(Some),
    });
    Some(StorageAnswer::Values(values.collect::<Option<_>>()?))
}

fn read_scanned(answer: &JsValue) -> Option<StorageAnswer> {
    let keys = js::get(answer, "keys").dyn_into::<Array>().ok()?;
    let values = js::get(answer, "values").dyn_into::<Array>().ok()?;
    if keys.length() != values.length() {
        return None;
    }
    let entries = keys.iter().zip(values.iter()).map(|(key, value)| Some((to_vec(&key)?, to_vec(&value)?)));
    Some(StorageAnswer::Scanned {
        entries: entries.collect::<Option<_>>()?,
        more: js::get(answer, "more").as_bool()?,
    })
}

fn to_vec(value: &JsValue) -> Option<Vec<u8>> {
    value.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec)
}
