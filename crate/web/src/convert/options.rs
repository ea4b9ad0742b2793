//! The options that an `Engine` is opened with.

use js_sys::Function;
use serde::{Deserialize, Deserializer};
use serde_wasm_bindgen::preserve;
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::read;
use crate::base::error;
use crate::base::resources::Resources;

/// What an `Engine` is opened with.
#[derive(Deserialize, Tsify)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineOptions {
    space: String,
    relays: Vec<String>,
    /// A function is asked whenever a link opens.
    #[serde(default, with = "preserve")]
    #[tsify(optional, type = "string | (() => Promise<string>)")]
    token: JsValue,
    /// A space has an IndexedDB of its own, named `DATABASE:SPACE`. Default: `eyot:SPACE`.
    #[serde(deserialize_with = "read::inner")]
    #[tsify(
        type = "{ kind: \"memory\" } | { kind: \"indexedDb\"; database?: string } | { kind: \"store\"; store: AsyncStore }"
    )]
    storage: StorageObject,
    /// Called outside of any call of the engine's, and may call it again. Must not throw. Bring the
    /// values of all documents up to date before any listener runs.
    #[serde(with = "preserve")]
    #[tsify(type = "(events: EngineEvent[]) => void")]
    on_events: Function,
    /// Opens a WebSocket. Default: the global class.
    #[serde(default, deserialize_with = "optional_function")]
    #[tsify(optional, type = "(url: string, protocols: string[]) => WebSocket")]
    connect: Option<Function>,
    /// Asks the relay at this address how it is: whether it is healthy.
    #[serde(with = "preserve")]
    #[tsify(type = "(relay: string) => Promise<boolean>")]
    probe: Function,
    /// What the engine holds of the platform. Whoever sees the instance fail closes all of it.
    #[serde(default, with = "preserve")]
    #[tsify(optional, type = "Set<{ close(): unknown }>")]
    resources: JsValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StorageObject {
    kind: String,
    database: Option<String>,
    #[serde(default, with = "preserve")]
    store: JsValue,
}

/// `EngineOptions`, checked.
pub struct Options {
    pub space: String,
    pub relays: Vec<String>,
    pub storage: StorageOptions,
    pub on_events: Function,
    pub connect: Option<Function>,
    pub token: Option<String>,
    pub ask_token: Option<Function>,
    pub probe: Function,
    pub resources: Resources,
}

pub enum StorageOptions {
    Memory,
    /// The name of the database.
    IndexedDb(String),
    /// An `AsyncStore`.
    Store(JsValue),
}

impl Options {
    pub fn read(options: &Ts<EngineOptions>) -> Result<Self, JsValue> {
        let options: EngineOptions = read::object("options", options.js_value())?;
        let EngineOptions { space, relays, token, storage, on_events, connect, probe, resources } = options;
        let storage = storage.check(&space)?;
        let (token, ask_token) = (token.as_string(), token.dyn_into().ok());
        let resources = Resources::new(resources);
        Ok(Self { space, relays, storage, on_events, connect, token, ask_token, probe, resources })
    }
}

impl StorageObject {
    fn check(self, space: &str) -> Result<StorageOptions, JsValue> {
        let Self { kind, database, store } = self;
        match (kind.as_str(), database, store.is_object()) {
            ("memory", None, false) => Ok(StorageOptions::Memory),
            ("indexedDb", database, false) => {
                Ok(StorageOptions::IndexedDb(format!("{}:{space}", database.as_deref().unwrap_or("eyot"))))
            }
            ("store", None, true) => Ok(StorageOptions::Store(store)),
            _ => Err(error::invalid(format!("options: {kind} is no kind of storage, or lacks its parts"))),
        }
    }
}

fn optional_function<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Function>, D::Error> {
    let value: JsValue = preserve::deserialize(value)?;
    Ok(value.dyn_into().ok())
}
