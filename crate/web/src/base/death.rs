//! A panic makes the whole instance unusable: memory may be half-changed. From then on every call
//! throws an error without a code, every promise is rejected with one, and each engine's listener is
//! told.

use std::cell::{Cell, RefCell};
use std::rc::Weak;
use std::sync::Once;

use wasm_bindgen::JsValue;

/// What must be told that the instance is dead.
pub trait Mortal {
    /// Called inside the panic hook. Whatever was being changed is still borrowed, so this must not
    /// assume that anything can be borrowed.
    fn die(&self, error: &JsValue);
}

thread_local! {
    static DEAD: Cell<bool> = const { Cell::new(false) };
    static MORTALS: RefCell<Vec<Weak<dyn Mortal>>> = const { RefCell::new(Vec::new()) };
}

/// Throws if this instance has panicked. The first call installs the panic hook.
pub fn check() -> Result<(), JsValue> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(|panic| die(&panic.to_string()))));
    if DEAD.get() { Err(error("this instance has failed before")) } else { Ok(()) }
}

/// Registers what must be told of a panic.
#[cfg(feature = "replica")]
pub fn register(mortal: Weak<dyn Mortal>) {
    MORTALS.with_borrow_mut(|mortals| {
        mortals.retain(|mortal| mortal.strong_count() > 0);
        mortals.push(mortal);
    });
}

fn die(message: &str) {
    if DEAD.replace(true) {
        return;
    }
    MORTALS.with(|mortals| {
        let Ok(mortals) = mortals.try_borrow() else { return };
        for mortal in mortals.iter().filter_map(Weak::upgrade) {
            mortal.die(&error(message));
        }
    });
}

fn error(message: &str) -> JsValue {
    js_sys::Error::new(&format!("eyot has failed: {message}")).into()
}
