//! What a store of JavaScript is asked, and what it answers.

use eyot_core::storage::request::{StorageAnswer, StorageRequest, WriteBatch};
use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::base::{error, js};

/// A `StoreWrite`.
pub fn write_object(batch: &WriteBatch) -> Object {
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

/// What the store returned or threw.
pub fn read(request: &StorageRequest, answer: Result<JsValue, JsValue>) -> StorageAnswer {
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
