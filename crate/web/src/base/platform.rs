//! What every platform of a replica has: a global scope, randomness, tasks, promises.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures_channel::oneshot;
use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use super::js;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    fn get_random_values(bytes: &Uint8Array) -> Result<JsValue, JsValue>;
}

/// Something of the global scope, or undefined where the platform lacks it.
pub fn global(name: &str) -> JsValue {
    js::get(&js_sys::global(), name)
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

/// Waits for one of two. True: it was the first.
pub async fn first(one: impl Future, other: impl Future) -> bool {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| {
        if one.as_mut().poll(context).is_ready() {
            Poll::Ready(true)
        } else {
            other.as_mut().poll(context).map(|_| false)
        }
    })
    .await
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
    js::get(&heard, "catch").unchecked_into::<Function>().call1(&heard, &no_op())?;
    receiver.await.unwrap_or_else(|_| Err(JsValue::from_str("this promise can no longer settle")))
}
