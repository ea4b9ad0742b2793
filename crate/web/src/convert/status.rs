//! The status of a space as a plain object.

use eyot_core::replica::status::Status;
use wasm_bindgen::JsValue;

use super::values::number;
use crate::base::js;

pub fn object(status: &Status) -> JsValue {
    let behind = js::object([]);
    for (region, commits) in &status.behind {
        js::set(&behind, region, &number(*commits));
    }
    let object = js::object([
        ("state", status.state.name().into()),
        ("synced", status.synced.into()),
        ("unsaved", number(status.unsaved)),
        ("unsent", number(status.unsent)),
        ("behind", behind.into()),
        ("peers", number(status.peers.into())),
        ("quarantined", number(status.quarantined)),
    ]);
    if let Some(relay) = &status.relay {
        let relay = js::object([
            ("url", relay.url.as_str().into()),
            ("region", relay.region.as_str().into()),
            ("rttMs", number(relay.rtt)),
        ]);
        js::set(&object, "relay", &relay);
    }
    if let Some((code, message)) = &status.error {
        let error = js::object([("code", (*code).into()), ("message", message.as_str().into())]);
        js::set(&object, "error", &error);
    }
    object.into()
}
