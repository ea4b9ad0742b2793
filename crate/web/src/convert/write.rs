//! Makes JavaScript objects of what the other files of this folder define.

use serde::Serialize;
use tsify::{Ts, Tsify};
use wasm_bindgen::JsValue;

/// The object. This can't fail: no number in it reaches 2^53, and no key is anything but a text.
pub fn object<T: Serialize + Tsify>(value: T) -> Result<Ts<T>, JsValue> {
    value.into_ts().map_err(|error| JsValue::from_str(&error.to_string()))
}
