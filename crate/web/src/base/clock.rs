//! The time: the platform's, unless the package gives another clock, which tests can move.

use std::cell::RefCell;

use eyot_core::base::time::Millis;
#[cfg(feature = "replica")]
use js_sys::Function;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const CLOCK: &str = r#"
/** Tells the time, in milliseconds since 1970, and calls a function once later. */
export interface Clock {
  now(): number;
  setTimer(ring: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
}
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "Clock")]
    pub type Clock;

    #[wasm_bindgen(method)]
    fn now(this: &Clock) -> f64;
    #[cfg(feature = "replica")]
    #[wasm_bindgen(method, js_name = setTimer)]
    fn set_timer(this: &Clock, ring: &Function, ms: u32) -> JsValue;
    #[cfg(feature = "replica")]
    #[wasm_bindgen(method, js_name = clearTimer)]
    fn clear_timer(this: &Clock, timer: &JsValue);

    #[cfg(feature = "replica")]
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(ring: &Function, ms: u32) -> JsValue;
    #[cfg(feature = "replica")]
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

thread_local! {
    static GIVEN: RefCell<Option<Clock>> = const { RefCell::new(None) };
}

/// From now on this instance has its time from this clock.
#[wasm_bindgen(js_name = setClock)]
pub fn set_clock(clock: Clock) {
    GIVEN.set(Some(clock));
}

/// Milliseconds since 1970.
pub fn now() -> Millis {
    GIVEN.with_borrow(|given| match given {
        Some(clock) => clock.now(),
        None => js_sys::Date::now(),
    }) as Millis
}

/// Calls a function once, after so long. What it returns is for `clear`.
#[cfg(feature = "replica")]
pub fn set(ring: &Function, ms: u32) -> JsValue {
    GIVEN.with_borrow(|given| match given {
        Some(clock) => clock.set_timer(ring, ms),
        None => set_timeout(ring, ms),
    })
}

#[cfg(feature = "replica")]
pub fn clear(timer: &JsValue) {
    GIVEN.with_borrow(|given| match given {
        Some(clock) => clock.clear_timer(timer),
        None => clear_timeout(timer),
    });
}
