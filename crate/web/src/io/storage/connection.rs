//! A connection to a database of IndexedDB: one object store with binary keys for the log, one for the
//! commits that a tab keeps apart as it ends. A write is saved when its transaction says `complete`,
//! asked for with strict durability; nothing earlier counts.
//!
//! All that a request needs is asked of IndexedDB before the call returns, in the application's own
//! task: a page may end right after it. IndexedDB does transactions in the order in which they began.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;

use eyot_core::storage::request::{Entries, StorageAnswer, StorageRequest, WriteBatch};
use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Event, IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

use super::idb::{Ending, function, once, settled, to_vec};
use crate::base::resources::Resources;
use crate::base::{js, platform};

const LOG: &str = "log";
const KEPT: &str = "kept";
const VERSION: u32 = 2;
pub const BLOCKED: &str = "another tab keeps the database from being opened";
/// How many entries the first read of a scan takes, before their size is known.
const SCAN_FIRST: u32 = 16;
const SCAN_MAX: u32 = 1024;

pub type Answer = Pin<Box<dyn Future<Output = Result<StorageAnswer, JsValue>>>>;

/// How a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    /// The browser took it, or a later version of this package wants the database.
    Closed,
    /// Somebody deletes the database.
    Deleted,
}

pub struct Connection {
    database: IdbDatabase,
    state: Rc<Cell<State>>,
    resources: Resources,
    _listener: Closure<dyn FnMut(Event)>,
}

/// Why there is no connection.
pub enum Refused {
    /// The database had been there and is not any more.
    Deleted,
    Failed(JsValue),
}

impl From<JsValue> for Refused {
    fn from(thrown: JsValue) -> Self {
        Self::Failed(thrown)
    }
}

impl Connection {
    /// Opens the database. `makes`: it is made where there is none.
    /// `is_blocked` is set as long as another connection keeps it from being opened.
    pub async fn open(
        name: &str,
        makes: bool,
        is_blocked: &Rc<Cell<bool>>,
        resources: Resources,
    ) -> Result<Self, Refused> {
        let factory = platform::global("indexedDB");
        if factory.is_undefined() || factory.is_null() {
            return Err(JsValue::from_str("there is no IndexedDB here").into());
        }
        let request = factory.unchecked_into::<IdbFactory>().open_with_u32(name, VERSION)?;
        let is_gone = Rc::new(Cell::new(false));
        let upgrade = {
            let (request, is_gone) = (request.clone(), Rc::clone(&is_gone));
            Closure::<dyn FnMut(Event)>::new(move |event: Event| {
                let is_new = js::get(&event, "oldVersion").as_f64() == Some(0.0);
                is_gone.set(is_new && !makes);
                // Where this throws, the upgrade is aborted and the request fails.
                let _ = if is_gone.get() { abort_upgrade(&request) } else { upgrade(&request) };
            })
        };
        request.set_onupgradeneeded(Some(function(&upgrade)));
        let (blocked, blocking) = once();
        let (listener, event) = once();
        request.set_onblocked(Some(function(&blocked)));
        request.set_onsuccess(Some(function(&listener)));
        request.set_onerror(Some(function(&listener)));
        is_blocked.set(platform::first(blocking, event).await);
        // It may open long after this, and nobody would close it.
        let late = is_blocked.get().then(|| closes_late(&request, is_blocked));
        request.set_onsuccess(late.as_ref());
        request.set_onerror(late.as_ref());
        request.set_onblocked(None);
        if is_blocked.get() {
            upgrade.forget();
            return Err(JsValue::from_str(BLOCKED).into());
        }
        request.set_onupgradeneeded(None);
        if is_gone.get() {
            return Err(Refused::Deleted);
        }
        if let Some(error) = request.error()? {
            return Err(JsValue::from(error).into());
        }
        Ok(Self::new(request.result()?.unchecked_into(), resources))
    }

    fn new(database: IdbDatabase, resources: Resources) -> Self {
        resources.add(&database);
        let state = Rc::new(Cell::new(State::Open));
        let listener = {
            let (state, database) = (Rc::clone(&state), database.clone());
            Closure::<dyn FnMut(Event)>::new(move |event: Event| {
                let is_deleted = event.type_() == "versionchange" && js::get(&event, "newVersion").is_null();
                state.set(if is_deleted { State::Deleted } else { State::Closed });
                database.close();
            })
        };
        database.set_onclose(Some(function(&listener)));
        database.set_onversionchange(Some(function(&listener)));
        Self { database, state, resources, _listener: listener }
    }

    pub fn state(&self) -> State {
        self.state.get()
    }

    /// Asks at once; the answer follows.
    pub fn ask(&self, request: &StorageRequest) -> Answer {
        let asked = match request {
            StorageRequest::Get(keys) => self.read(keys),
            StorageRequest::Scan { from, to, bytes_max } => self.scan(from, to, *bytes_max),
            StorageRequest::Write(batch) => self.write(batch),
        };
        asked.unwrap_or_else(|thrown| Box::pin(async { Err(thrown) }))
    }

    fn read(&self, keys: &[Vec<u8>]) -> Result<Answer, JsValue> {
        let store = self.begin(LOG, "readonly")?.object_store(LOG)?;
        let requests: Vec<IdbRequest> =
            keys.iter().map(|key| store.get(&js::bytes(key))).collect::<Result<_, _>>()?;
        Ok(Box::pin(async move {
            // They settle in order: once the last has, all have.
            if let Some(last) = requests.last() {
                settled(last).await?;
            }
            let values = requests.iter().map(|request| Ok(to_vec(&request.result()?)));
            Ok(StorageAnswer::Values(values.collect::<Result<_, JsValue>>()?))
        }))
    }

    fn scan(&self, from: &[u8], to: &[u8], bytes_max: usize) -> Result<Answer, JsValue> {
        if from >= to {
            return Ok(Box::pin(async { Ok(StorageAnswer::Scanned { entries: Vec::new(), more: false }) }));
        }
        let store = self.begin(LOG, "readonly")?.object_store(LOG)?;
        let to = js::bytes(to);
        let range = IdbKeyRange::bound_with_lower_open_and_upper_open(&js::bytes(from), &to, false, true)?;
        let first = Page::ask(&store, &range, SCAN_FIRST)?;
        Ok(Box::pin(scan_on(store, to, first, bytes_max)))
    }

    fn write(&self, batch: &WriteBatch) -> Result<Answer, JsValue> {
        let transaction = self.begin(LOG, "readwrite")?;
        let ending = Ending::of(&transaction);
        let store = transaction.object_store(LOG)?;
        let guard = match &batch.guard {
            Some((key, expected)) => {
                Some(Guard::ask(&transaction, store.get(&js::bytes(key))?, expected.clone()))
            }
            None => None,
        };
        if let Err(thrown) = put(&store, batch) {
            // Where it can't be aborted it has been already.
            let _ = transaction.abort();
            return Err(thrown);
        }
        Ok(Box::pin(async move {
            let ended = ending.wait().await;
            if guard.is_some_and(|guard| guard.has_failed.get()) {
                return Ok(StorageAnswer::GuardFailed);
            }
            ended.map(|()| StorageAnswer::Written)
        }))
    }

    // Commits kept apart.

    /// Keeps these bytes under this key. They are written although the page ends now.
    pub fn keep(&self, key: &[u8], bytes: &[u8]) -> Result<(), JsValue> {
        let transaction = self.begin(KEPT, "readwrite")?;
        transaction.object_store(KEPT)?.put_with_key(&js::bytes(bytes), &js::bytes(key))?;
        // Where there is no such method it is committed once the page has heard of the put, if it does.
        if let Ok(commit) = js::get(&transaction, "commit").dyn_into::<Function>() {
            commit.call0(&transaction)?;
        }
        Ok(())
    }

    pub async fn kept(&self) -> Result<Entries, JsValue> {
        let store = self.begin(KEPT, "readonly")?.object_store(KEPT)?;
        let (keys, values) = (store.get_all_keys()?, store.get_all()?);
        settled(&values).await?;
        let (keys, values): (Array, Array) =
            (keys.result()?.unchecked_into(), values.result()?.unchecked_into());
        let bytes = |value: JsValue| Uint8Array::new(&value).to_vec();
        Ok(keys.iter().map(bytes).zip(values.iter().map(bytes)).collect())
    }

    pub fn forget(&self, key: &[u8]) -> Result<(), JsValue> {
        self.begin(KEPT, "readwrite")?.object_store(KEPT)?.delete(&js::bytes(key))?;
        Ok(())
    }

    fn begin(&self, store: &str, mode: &str) -> Result<IdbTransaction, JsValue> {
        // web-sys has durability behind a compiler flag only.
        let begin = js::get(&self.database, "transaction").unchecked_into::<Function>();
        let options = js::object([("durability", "strict".into())]);
        let begun = begin.call3(&self.database, &store.into(), &mode.into(), &options);
        if begun.is_err() && self.state.get() == State::Open {
            // Only a connection that is closing refuses, and not every browser says that it closed.
            self.database.close();
            self.state.set(State::Closed);
        }
        Ok(begun?.unchecked_into())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.database.set_onclose(None);
        self.database.set_onversionchange(None);
        self.database.close();
        self.resources.remove(&self.database);
    }
}

/// The value that a write depends on. It is read in the write's own transaction, which is aborted where
/// it is another one.
struct Guard {
    has_failed: Rc<Cell<bool>>,
    _listener: Closure<dyn FnMut()>,
}

impl Guard {
    fn ask(transaction: &IdbTransaction, request: IdbRequest, expected: Option<Vec<u8>>) -> Self {
        let has_failed = Rc::new(Cell::new(false));
        let listener = {
            let (transaction, request, has_failed) =
                (transaction.clone(), request.clone(), Rc::clone(&has_failed));
            Closure::<dyn FnMut()>::new(move || {
                let holds = request.result().is_ok_and(|held| to_vec(&held) == expected);
                if !holds {
                    has_failed.set(transaction.abort().is_ok());
                }
            })
        };
        request.set_onsuccess(Some(function(&listener)));
        Self { has_failed, _listener: listener }
    }
}

/// Up to `count` values of a range, and one key more where there is one.
struct Page {
    keys: IdbRequest,
    values: IdbRequest,
    count: u32,
}

impl Page {
    fn ask(store: &IdbObjectStore, range: &IdbKeyRange, count: u32) -> Result<Self, JsValue> {
        let keys = store.get_all_keys_with_key_and_limit(range, count + 1)?;
        let values = store.get_all_with_key_and_limit(range, count)?;
        Ok(Self { keys, values, count })
    }

    async fn wait(&self) -> Result<(Array, Array), JsValue> {
        settled(&self.values).await?;
        Ok((self.keys.result()?.unchecked_into(), self.values.result()?.unchecked_into()))
    }
}

async fn scan_on(
    store: IdbObjectStore,
    to: Uint8Array,
    mut page: Page,
    bytes_max: usize,
) -> Result<StorageAnswer, JsValue> {
    let mut entries: Entries = Vec::new();
    let mut bytes = 0;
    loop {
        let (keys, values) = page.wait().await?;
        let ended = keys.length() <= page.count;
        for (key, value) in keys.iter().zip(values.iter()) {
            if bytes > bytes_max {
                return Ok(StorageAnswer::Scanned { entries, more: true });
            }
            let value = to_vec(&value).unwrap_or_default();
            bytes += value.len();
            entries.push((Uint8Array::new(&key).to_vec(), value));
        }
        let Some((last, _)) = entries.last().filter(|_| !ended && bytes <= bytes_max) else {
            return Ok(StorageAnswer::Scanned { entries, more: !ended });
        };
        let range = IdbKeyRange::bound_with_lower_open_and_upper_open(&js::bytes(last), &to, true, true)?;
        let mean = bytes / entries.len() + 1;
        let count = u32::try_from((bytes_max - bytes) / mean + 1).unwrap_or(SCAN_MAX).min(SCAN_MAX);
        page = Page::ask(&store, &range, count)?;
    }
}

fn put(store: &IdbObjectStore, batch: &WriteBatch) -> Result<(), JsValue> {
    for key in &batch.deletes {
        store.delete(&js::bytes(key))?;
    }
    for (key, value) in &batch.puts {
        store.put_with_key(&js::bytes(value), &js::bytes(key))?;
    }
    Ok(())
}

fn upgrade(request: &IdbRequest) -> Result<(), JsValue> {
    let database = request.result()?.unchecked_into::<IdbDatabase>();
    let names = database.object_store_names();
    for store in [LOG, KEPT].into_iter().filter(|store| !names.contains(store)) {
        database.create_object_store(store)?;
    }
    Ok(())
}

fn abort_upgrade(request: &IdbRequest) -> Result<(), JsValue> {
    request.transaction().map_or(Ok(()), |transaction| transaction.abort())
}

/// A listener that closes what the request has opened.
fn closes_late(request: &IdbRequest, is_blocked: &Rc<Cell<bool>>) -> Function {
    let (request, is_blocked) = (request.clone(), Rc::clone(is_blocked));
    Closure::once_into_js(move || {
        is_blocked.set(false);
        if let Ok(database) = request.result() {
            database.unchecked_into::<IdbDatabase>().close();
        }
    })
    .unchecked_into()
}
