//! The promises that the application waits for.

use std::cell::RefCell;
use std::collections::BTreeMap;

use eyot_core::base::id::DocId;
use eyot_core::replica::waits::WaitId;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

/// What a promise resolves with.
#[derive(Clone, Copy)]
pub enum Answer {
    Nothing,
    Value,
    Named,
}

/// How a promise settles. A value is read when the promise is settled, so that it is the newest.
pub enum Outcome {
    Done,
    Value(DocId),
    Named(DocId),
    NotHeld,
    Bytes(Vec<u8>),
    Failed(JsValue),
}

/// The two ends of a promise.
pub struct Settle {
    resolve: Function,
    reject: Function,
}

fn promise() -> (Promise, Settle) {
    let mut settle = None;
    let promise = Promise::new(&mut |resolve, reject| settle = Some(Settle { resolve, reject }));
    (promise, settle.expect("a promise calls its executor at once"))
}

// Settling a promise runs no listener before the present code has ended, and can't fail.
impl Settle {
    pub fn resolve(&self, value: &JsValue) {
        let _ = self.resolve.call1(&JsValue::UNDEFINED, value);
    }

    pub fn reject(&self, error: &JsValue) {
        let _ = self.reject.call1(&JsValue::UNDEFINED, error);
    }
}

#[derive(Default)]
pub struct Promises {
    /// That the replica can be used.
    opening: RefCell<Option<Settle>>,
    /// By the wait that they stand for.
    pending: RefCell<BTreeMap<WaitId, Pending>>,
}

struct Pending {
    answer: Answer,
    settle: Settle,
    promise: Promise,
}

impl Promises {
    pub fn open(&self) -> Promise {
        let (promise, settle) = promise();
        *self.opening.borrow_mut() = Some(settle);
        promise
    }

    pub fn take_opening(&self) -> Option<Settle> {
        self.opening.borrow_mut().take()
    }

    pub fn add(&self, wait: WaitId, answer: Answer) -> Promise {
        let (promise, settle) = promise();
        let pending = Pending { answer, settle, promise: promise.clone() };
        self.pending.borrow_mut().insert(wait, pending);
        promise
    }

    /// Takes the promise of a wait that is over; `None` if it was cancelled.
    pub fn take(&self, wait: WaitId) -> Option<(Settle, Answer)> {
        let Pending { answer, settle, .. } = self.pending.borrow_mut().remove(&wait)?;
        Some((settle, answer))
    }

    /// Forgets a promise. Returns the wait that it stood for.
    pub fn cancel(&self, promise: &Promise) -> Option<WaitId> {
        let mut pending = self.pending.borrow_mut();
        let (wait, _) = pending.iter().find(|(_, one)| js_sys::Object::is(&one.promise, promise))?;
        let wait = *wait;
        pending.remove(&wait);
        Some(wait)
    }

    /// Rejects all promises.
    pub fn reject_all(&self, error: &JsValue) {
        for Pending { settle, .. } in self.pending.take().into_values() {
            settle.reject(error);
        }
        if let Some(settle) = self.take_opening() {
            settle.reject(error);
        }
    }
}
