//! The replica as a class.

use std::rc::Rc;

use eyot_core::base::id::{AuthorId, DocId};
use eyot_core::document::value::{decode_ops, decode_value, encode_patches};
use eyot_core::replica::event::Made;
use eyot_core::replica::replica::ReplicaConfig;
use js_sys::{Array, Function, Promise};
use wasm_bindgen::prelude::*;

use crate::driver::{Answer, Driver, doc_bytes};
use crate::indexed_db::IndexedDb;
use crate::socket::Sockets;
use crate::storage::{self, Storage};
use crate::store::ExternalStore;
use crate::{death, error, js};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "EngineOptions")]
    pub type EngineOptions;
}

/// One replica of one space.
#[wasm_bindgen]
pub struct Engine {
    driver: Rc<Driver>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens a replica: resolves once what storage holds can be read.
    #[wasm_bindgen(unchecked_return_type = "Engine")]
    pub async fn open(options: EngineOptions) -> Result<JsValue, JsValue> {
        death::check()?;
        let options = Options::read(&options)?;
        let config = ReplicaConfig {
            space: options.space,
            author: AuthorId(js::random()?),
            seed: js::random()?,
            relays: options.relays,
            token: options.token,
        };
        let shared = match &options.storage {
            storage::Engine::IndexedDb(database) => Some(database.name().to_owned()),
            storage::Engine::Memory(_) | storage::Engine::Store(_) => None,
        };
        let sockets = Sockets::new(options.connect);
        let storage = Storage::new(options.storage);
        let driver =
            Driver::new(config, storage, sockets, options.ask_token, options.probe, options.on_events);
        driver.open(shared.as_deref()).await?;
        Ok(Engine { driver }.into())
    }

    /// Makes a document with a fresh id from operations on an empty one.
    #[wasm_bindgen(unchecked_return_type = "Made")]
    pub fn create(&self, ops: &[u8], message: Option<String>) -> Result<JsValue, JsValue> {
        let ops = decode_ops(ops).map_err(invalid)?;
        let made = self
            .driver
            .call(|replica, now| replica.create(&ops, message, now).map_err(error::from_replica))?;
        Ok(made_object(&made))
    }

    /// Does these operations on an open document, in one commit. Throws with nothing changed.
    #[wasm_bindgen(unchecked_return_type = "Made")]
    pub fn change(&self, doc: &[u8], ops: &[u8], message: Option<String>) -> Result<JsValue, JsValue> {
        let (doc, ops) = (doc_id(doc)?, decode_ops(ops).map_err(invalid)?);
        let made = self
            .driver
            .call(|replica, now| replica.change(doc, &ops, message, now).map_err(error::from_replica))?;
        Ok(made_object(&made))
    }

    /// Removes a document everywhere, for good.
    #[wasm_bindgen(unchecked_return_type = "Made")]
    pub fn remove(&self, doc: &[u8]) -> Result<JsValue, JsValue> {
        let doc = doc_id(doc)?;
        let made = self.driver.call(|replica, now| replica.delete(doc, now).map_err(error::from_replica))?;
        Ok(made_object(&made))
    }

    /// Merges an Automerge file into an open document. Its patches are returned, not told.
    #[wasm_bindgen(unchecked_return_type = "Made")]
    pub fn merge(&self, doc: &[u8], file: &[u8]) -> Result<JsValue, JsValue> {
        let doc = doc_id(doc)?;
        let (made, patches) =
            self.driver.call(|replica, now| replica.merge(doc, file, now).map_err(error::from_replica))?;
        let object = made_object(&made);
        js::set(&object, "patches", &js::bytes(&encode_patches(&patches)));
        Ok(object)
    }

    /// Opens a document: resolves with its value, or with undefined where storage does not hold it.
    /// By the time that an `await` of it goes on, `patches` may have come: ask for `value` then.
    #[wasm_bindgen(js_name = openDoc, unchecked_return_type = "Promise<Uint8Array | undefined>")]
    pub fn open_doc(&self, doc: &[u8]) -> Result<Promise, JsValue> {
        let doc = doc_id(doc)?;
        self.driver.wait(Answer::Value, |replica| Ok(replica.open(doc)))
    }

    /// Opens the document of that name, making it from this value where storage has none. `value`
    /// again may be newer.
    #[wasm_bindgen(unchecked_return_type = "Promise<Named>")]
    pub fn named(&self, name: &str, initial: &[u8]) -> Result<Promise, JsValue> {
        let initial = decode_value(initial).map_err(invalid)?;
        self.driver.wait(Answer::Named, |replica| replica.named(name, &initial).map_err(error::from_replica))
    }

    /// The value of an open document.
    pub fn value(&self, doc: &[u8]) -> Result<Vec<u8>, JsValue> {
        let doc = doc_id(doc)?;
        self.driver.call(|replica, _| replica.value(doc).map_err(error::from_replica))
    }

    /// The heads of an open document, as hexadecimal hashes.
    pub fn heads(&self, doc: &[u8]) -> Result<Vec<String>, JsValue> {
        let doc = doc_id(doc)?;
        self.driver.call(|replica, _| replica.heads(doc).map_err(error::from_replica))
    }

    /// An open document as a standard Automerge file.
    #[wasm_bindgen(js_name = exportFile)]
    pub fn export_file(&self, doc: &[u8]) -> Result<Vec<u8>, JsValue> {
        let doc = doc_id(doc)?;
        self.driver.call(|replica, _| replica.export(doc).map_err(error::from_replica))
    }

    /// Lets go of a document's memory.
    #[wasm_bindgen(js_name = closeDoc)]
    pub fn close_doc(&self, doc: &[u8]) -> Result<(), JsValue> {
        let doc = doc_id(doc)?;
        self.driver.call(|replica, _| {
            replica.close_document(doc);
            Ok(())
        })
    }

    /// The documents held.
    pub fn documents(&self) -> Result<Vec<u8>, JsValue> {
        self.driver.call(|replica, _| Ok(crate::documents::encode(&replica.documents())))
    }

    /// How things stand.
    #[wasm_bindgen(unchecked_return_type = "EngineStatus")]
    pub fn status(&self) -> Result<JsValue, JsValue> {
        death::check()?;
        Ok(self.driver.status())
    }

    /// Whether links may be dialled.
    #[wasm_bindgen(js_name = setOnline)]
    pub fn set_online(&self, online: bool) -> Result<(), JsValue> {
        death::check()?;
        self.driver.set_online(online);
        Ok(())
    }

    /// Resolves once this replica holds all that its relay held when asked.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn synced(&self) -> Result<Promise, JsValue> {
        self.driver.wait(Answer::Nothing, |replica| Ok(replica.synced()))
    }

    /// Resolves once that many regions have stored our commits up to this number, or without one
    /// all that were made so far by any tab or earlier session.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn durable(&self, regions: u32, seq: Option<f64>) -> Result<Promise, JsValue> {
        let seq = seq.map(|seq| seq as u64);
        self.driver
            .wait(Answer::Nothing, |replica| replica.durable(regions, seq).map_err(error::from_replica))
    }

    /// Resolves once this replica holds all that the relays of that many regions held when asked.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn fresh(&self, regions: u32) -> Result<Promise, JsValue> {
        self.driver.wait(Answer::Nothing, |replica| replica.fresh(regions).map_err(error::from_replica))
    }

    /// Nobody waits any more for this promise, which came from `synced`, `durable` or `fresh`.
    pub fn cancel(&self, promise: &Promise) -> Result<(), JsValue> {
        death::check()?;
        self.driver.cancel(promise)
    }

    /// The relays there are, from now on.
    #[wasm_bindgen(js_name = setRelays)]
    pub fn set_relays(&self, relays: Vec<String>) -> Result<(), JsValue> {
        self.driver.call(|replica, _| {
            replica.set_relays(relays);
            Ok(())
        })
    }

    /// The relays that this replica has met, in this session or an earlier one.
    #[wasm_bindgen(js_name = relaysMet)]
    pub fn relays_met(&self) -> Result<Vec<String>, JsValue> {
        self.driver.call(|replica, _| Ok(replica.relays_met()))
    }

    /// What lets this replica in from now on, in place of what expires.
    #[wasm_bindgen(js_name = setToken)]
    pub fn set_token(&self, token: String) -> Result<(), JsValue> {
        death::check()?;
        self.driver.set_token(token);
        Ok(())
    }

    /// Saves what can be saved, and closes links and storage.
    pub async fn close(&self) -> Result<(), JsValue> {
        death::check()?;
        let driver = Rc::clone(&self.driver);
        driver.close().await
    }
}

/// `EngineOptions`, read.
struct Options {
    space: String,
    relays: Vec<String>,
    storage: storage::Engine,
    on_events: Function,
    connect: Option<Function>,
    token: Option<String>,
    ask_token: Option<Function>,
    probe: Function,
}

impl Options {
    fn read(options: &JsValue) -> Result<Self, JsValue> {
        let text = |key: &str| js::get(options, key).as_string();
        let space = text("space").ok_or_else(|| invalid("a space has a name"))?;
        let function =
            |key: &str| js::get(options, key).dyn_into().map_err(|_| invalid(format!("{key} is a function")));
        let relays =
            js::get(options, "relays").dyn_into::<Array>().map_err(|_| invalid("relays is a list"))?;
        let relays = relays.iter().map(|relay| relay.as_string()).collect::<Option<_>>();
        Ok(Self {
            storage: read_storage(&js::get(options, "storage"), &space)?,
            relays: relays.ok_or_else(|| invalid("a relay is an address"))?,
            connect: js::get(options, "connect").dyn_into().ok(),
            token: text("token"),
            ask_token: js::get(options, "token").dyn_into().ok(),
            probe: function("probe")?,
            on_events: function("onEvents")?,
            space,
        })
    }
}

fn read_storage(storage: &JsValue, space: &str) -> Result<storage::Engine, JsValue> {
    match js::get(storage, "kind").as_string().as_deref() {
        Some("memory") => Ok(storage::Engine::Memory(Default::default())),
        Some("indexedDb") => {
            let database = js::get(storage, "database").as_string();
            let name = format!("{}:{space}", database.as_deref().unwrap_or("eyot"));
            Ok(storage::Engine::IndexedDb(IndexedDb::new(name)))
        }
        Some("store") => {
            Ok(storage::Engine::Store(ExternalStore(js::get(storage, "store").unchecked_into())))
        }
        _ => Err(invalid("this kind of storage is not known")),
    }
}

fn made_object(made: &Made) -> JsValue {
    let id = made.id.as_ref().map_or(&[][..], |id| &id.0);
    js::object([
        ("doc", doc_bytes(made.doc)),
        ("id", js::bytes(id).into()),
        ("seq", JsValue::from_f64(made.seq as f64)),
    ])
    .into()
}

fn doc_id(bytes: &[u8]) -> Result<DocId, JsValue> {
    DocId::from_slice(bytes).ok_or_else(|| invalid("a document's id has 16 bytes"))
}

fn invalid(message: impl ToString) -> JsValue {
    error::coded(error::INVALID, &message.to_string())
}
