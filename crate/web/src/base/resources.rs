//! What the platform holds for a replica: sockets, locks, channels, databases. The host closes it all
//! where this instance has failed and can't be called any more.

use js_sys::Set;
use wasm_bindgen::prelude::*;

/// A set of objects with a method `close`.
#[derive(Clone)]
pub struct Resources(Set);

impl Resources {
    /// Those in this set, which the host has.
    pub fn new(set: JsValue) -> Self {
        Self(set.dyn_into().unwrap_or_else(|_| Set::new(&JsValue::UNDEFINED)))
    }

    pub fn add(&self, resource: &JsValue) {
        self.0.add(resource);
    }

    /// It is closed.
    pub fn remove(&self, resource: &JsValue) {
        self.0.delete(resource);
    }
}
