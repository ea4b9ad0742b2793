//! A panic poisons the whole instance: memory may be half-changed. From then on every call throws an
//! error without a code, every promise is rejected with one, and each engine's listener hears of it.

use std::cell::{Cell, RefCell};
use std::rc::Weak;
use std::sync::Once;

use wasm_bindgen::JsValue;

use crate::driver::Driver;

thread_local! {
    static DEAD: Cell<bool> = const { Cell::new(false) };
    static DRIVERS: RefCell<Vec<Weak<Driver>>> = const { RefCell::new(Vec::new()) };
}

/// Throws if this instance has panicked, and sees to it that a panic is noticed.
pub fn check() -> Result<(), JsValue> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(|panic| die(&panic.to_string()))));
    if DEAD.get() { Err(error("this instance has failed before")) } else { Ok(()) }
}

/// Remembers who must hear of a panic.
pub fn tell(driver: Weak<Driver>) {
    DRIVERS.with_borrow_mut(|drivers| {
        drivers.retain(|driver| driver.strong_count() > 0);
        drivers.push(driver);
    });
}

fn die(message: &str) {
    if DEAD.replace(true) {
        return;
    }
    // Whatever was being changed is still borrowed: nothing here may assume that it is not.
    DRIVERS.with(|drivers| {
        let Ok(drivers) = drivers.try_borrow() else { return };
        for driver in drivers.iter().filter_map(Weak::upgrade) {
            driver.die(&error(message));
        }
    });
}

fn error(message: &str) -> JsValue {
    js_sys::Error::new(&format!("eyot has failed: {message}")).into()
}
