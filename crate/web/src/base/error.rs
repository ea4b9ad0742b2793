//! Errors as JavaScript sees them: an `Error` with a stable `code`. An error without one means that
//! this instance is dead.

use wasm_bindgen::JsValue;

use super::js;

/// The arguments are not what they should be.
const INVALID: &str = "invalid";
/// Storage can't be read or written.
pub const STORAGE: &str = "storage";
/// The space is closed.
#[cfg(feature = "replica")]
pub const CLOSED: &str = "closed";

/// An `Error` with a code.
pub fn coded(code: &str, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    js::set(&error, "code", &code.into());
    error.into()
}

/// An `Error` with code `invalid`.
pub fn invalid(message: impl ToString) -> JsValue {
    coded(INVALID, &message.to_string())
}

/// The text of an error thrown by the platform.
pub fn message(thrown: &JsValue) -> String {
    let text = |key| js::get(thrown, key).as_string().filter(|text| !text.is_empty());
    match (text("name").filter(|name| name != "Error"), text("message")) {
        (Some(name), Some(message)) => format!("{name}: {message}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => thrown.as_string().unwrap_or_else(|| "unknown error".to_owned()),
    }
}
