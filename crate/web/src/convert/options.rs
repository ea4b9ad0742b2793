//! The options that an `Engine` is opened with.

use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;

use crate::base::{error, js};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "EngineOptions")]
    pub type EngineOptions;
}

/// `EngineOptions`, read.
pub struct Options {
    pub space: String,
    pub relays: Vec<String>,
    pub storage: StorageOptions,
    pub on_events: Function,
    pub connect: Option<Function>,
    pub token: Option<String>,
    pub ask_token: Option<Function>,
    pub probe: Function,
}

pub enum StorageOptions {
    Memory,
    /// The name of the database.
    IndexedDb(String),
    /// An `AsyncStore`.
    Store(JsValue),
}

impl Options {
    pub fn read(options: &JsValue) -> Result<Self, JsValue> {
        let text = |key: &str| js::get(options, key).as_string();
        let space = text("space").ok_or_else(|| error::invalid("a space has a name"))?;
        let function = |key: &str| {
            js::get(options, key).dyn_into().map_err(|_| error::invalid(format!("{key} is a function")))
        };
        let relays =
            js::get(options, "relays").dyn_into::<Array>().map_err(|_| error::invalid("relays is a list"))?;
        let relays = relays.iter().map(|relay| relay.as_string()).collect::<Option<_>>();
        Ok(Self {
            storage: read_storage(&js::get(options, "storage"), &space)?,
            relays: relays.ok_or_else(|| error::invalid("a relay is an address"))?,
            connect: js::get(options, "connect").dyn_into().ok(),
            token: text("token"),
            ask_token: js::get(options, "token").dyn_into().ok(),
            probe: function("probe")?,
            on_events: function("onEvents")?,
            space,
        })
    }
}

fn read_storage(storage: &JsValue, space: &str) -> Result<StorageOptions, JsValue> {
    match js::get(storage, "kind").as_string().as_deref() {
        Some("memory") => Ok(StorageOptions::Memory),
        Some("indexedDb") => {
            let database = js::get(storage, "database").as_string();
            Ok(StorageOptions::IndexedDb(format!("{}:{space}", database.as_deref().unwrap_or("eyot"))))
        }
        Some("store") => Ok(StorageOptions::Store(js::get(storage, "store"))),
        _ => Err(error::invalid("this kind of storage is not known")),
    }
}
