//! A panic makes the whole instance unusable: memory may be half-changed. It becomes an exception that
//! no code of this crate catches. The host sees it leave the Wasm, as it sees any trap, and calls
//! nothing of this instance again. What a host calls all the same throws an error without a code.

use std::cell::Cell;
use std::sync::Once;

use wasm_bindgen::JsValue;

thread_local! {
    static DEAD: Cell<bool> = const { Cell::new(false) };
}

/// Throws if this instance has panicked. The first call installs the panic hook.
pub fn check() -> Result<(), JsValue> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            DEAD.set(true);
            wasm_bindgen::throw_str(&format!("eyot has failed: {panic}"));
        }));
    });
    if DEAD.get() { Err(js_sys::Error::new("eyot has failed before").into()) } else { Ok(()) }
}
