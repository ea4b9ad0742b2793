//! Reads objects that JavaScript gives. A key that is not known is refused, because it may be a mistyped
//! one, or an option of a later version that the caller relies on.

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use wasm_bindgen::prelude::*;

use crate::base::error;

/// Reads an object. An object that does not fit is an `Error` with code `invalid`.
pub fn object<T: DeserializeOwned>(what: &str, object: JsValue) -> Result<T, JsValue> {
    T::deserialize(Strict(serde_wasm_bindgen::Deserializer::from(object))).map_err(|refused| {
        let reason = error::message(&refused.into());
        error::invalid(format!("{what}: {reason}"))
    })
}

/// For `deserialize_with`: an object inside another.
pub fn inner<'de, D: Deserializer<'de>, T: serde::Deserialize<'de>>(object: D) -> Result<T, D::Error> {
    T::deserialize(Strict(object))
}

/// Reads structs as maps. serde-wasm-bindgen asks an object only for the keys that a struct has, so
/// that `deny_unknown_fields` would never see another.
struct Strict<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
