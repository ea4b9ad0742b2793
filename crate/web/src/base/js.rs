//! Small things of the platform: properties, bytes, the clock, randomness.

use std::cell::Cell;
use std::rc::Rc;

use eyot_core::base::time::Millis;
use futures_channel::oneshot;
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    fn get_random_values(bytes: &Uint8Array) -> Result<JsValue, JsValue>;

    /// Runs a function once the code that runs now has ended.
    #[wasm_bindgen(js_name = queueMicrotask)]
    pub fn queue_microtask(task: &Function);
}

/// A property, or undefined.
pub fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap_or(JsValue::UNDEFINED)
}

/// Sets a property of an object that we made.
pub fn set(object: &JsValue, key: &str, value: &JsValue) {
    Reflect::set(object, &key.into(), value).expect("a plain object takes properties");
}

/// A plain object with these properties.
pub fn object<const N: usize>(entries: [(&str, JsValue); N]) -> Object {
    let object = Object::new();
    for (key, value) in entries {
        set(&object, key, &value);
    }
    object
}

/// Something of the global scope, or undefined where the platform lacks it.
pub fn global(name: &str) -> JsValue {
    get(&js_sys::global(), name)
}

/// A copy that JavaScript may keep.
pub fn bytes(bytes: &[u8]) -> Uint8Array {
    Uint8Array::from(bytes)
}

/// An array of such copies.
pub fn bytes_list<'a>(list: impl IntoIterator<Item = &'a Vec<u8>>) -> Array {
    list.into_iter().map(|item| JsValue::from(bytes(item))).collect()
}

/// Milliseconds since 1970 by this device's clock.
pub fn now() -> Millis {
    js_sys::Date::now() as Millis
}

/// Bytes that nobody can guess. Not to be drawn while a module loads: `workerd` forbids it.
pub fn random<const N: usize>() -> Result<[u8; N], JsValue> {
    let array = Uint8Array::new_with_length(N as u32);
    get_random_values(&array)?;
    let mut bytes = [0; N];
    array.copy_to(&mut bytes);
    Ok(bytes)
}

/// A function without effect. It is one of the platform's, so it can be called after this instance
/// has died.
pub fn no_op() -> Function {
    global("Boolean").unchecked_into()
}

/// Waits for a promise. If this instance dies before the promise settles, its listeners throw. That
/// rejection is caught here, because an unhandled one would end a Node process.
pub async fn settled(promise: &Promise) -> Result<JsValue, JsValue> {
    let (sender, receiver) = oneshot::channel();
    let sender = Rc::new(Cell::new(Some(sender)));
    let listener = |settle: fn(JsValue) -> Result<JsValue, JsValue>| {
        let sender = Rc::clone(&sender);
        Closure::<dyn FnMut(JsValue)>::new(move |value| {
            if let Some(sender) = sender.take() {
                // Fails if the waiting task was dropped.
                let _ = sender.send(settle(value));
            }
        })
    };
    let (resolved, rejected) = (listener(Ok), listener(Err));
    let heard = promise.then2(&resolved, &rejected);
    get(&heard, "catch").unchecked_into::<Function>().call1(&heard, &no_op())?;
    receiver.await.unwrap_or_else(|_| Err(JsValue::from_str("this promise can no longer settle")))
}
