//! IndexedDB: one database for each space, one object store with binary keys. A write is saved when
//! its transaction says `complete`, asked for with strict durability; nothing earlier counts.

use std::cell::RefCell;
use std::rc::Rc;

use eyot_core::storage::request::{StorageAnswer, StorageRequest, WriteBatch};
use futures_channel::oneshot;
use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{
    DomException, Event, IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction,
};

use crate::base::{error, js, platform};

const STORE: &str = "log";
/// How many entries the first read of a scan takes, before their size is known.
const SCAN_FIRST: u32 = 16;
const SCAN_MAX: u32 = 1024;

pub struct IndexedDb {
    name: String,
    connection: RefCell<Option<Rc<Connection>>>,
}

impl IndexedDb {
    pub fn new(name: String) -> Self {
        Self { name, connection: RefCell::default() }
    }

    /// Does what is asked. A connection that the browser closed is opened anew, once.
    pub async fn answer(&self, request: &StorageRequest) -> StorageAnswer {
        for _ in 0..2 {
            let connection = match self.connection().await {
                Ok(connection) => connection,
                Err(thrown) => return failed(&thrown),
            };
            match connection.answer(request).await {
                Ok(answer) => return answer,
                Err(_) if connection.is_closed() => self.close(),
                Err(thrown) => return failed(&thrown),
            }
        }
        StorageAnswer::Failed("the browser closed the database".to_owned())
    }

    pub fn close(&self) {
        // Taken first: it is let go of when nothing is borrowed.
        let connection = self.connection.try_borrow_mut().ok().and_then(|mut connection| connection.take());
        drop(connection);
    }

    async fn connection(&self) -> Result<Rc<Connection>, JsValue> {
        let held = self.connection.borrow().clone();
        if let Some(connection) = held.filter(|connection| !connection.is_closed()) {
            return Ok(connection);
        }
        let connection = Rc::new(Connection::open(&self.name).await?);
        *self.connection.borrow_mut() = Some(Rc::clone(&connection));
        Ok(connection)
    }
}

struct Connection {
    database: IdbDatabase,
    closed: Rc<RefCell<bool>>,
    _listener: Closure<dyn FnMut(Event)>,
}

impl Connection {
    async fn open(name: &str) -> Result<Self, JsValue> {
        let factory = platform::global("indexedDB");
        if factory.is_undefined() || factory.is_null() {
            return Err(JsValue::from_str("there is no IndexedDB here"));
        }
        let request = factory.unchecked_into::<IdbFactory>().open_with_u32(name, 1)?;
        let upgrade = {
            let request = request.clone();
            Closure::<dyn FnMut()>::new(move || {
                // Where this throws, the upgrade is aborted and the request fails.
                let made = request
                    .result()
                    .and_then(|database| database.unchecked_into::<IdbDatabase>().create_object_store(STORE));
                drop(made);
            })
        };
        request.set_onupgradeneeded(Some(function(&upgrade)));
        let opened = settled(&request).await;
        request.set_onupgradeneeded(None);
        let database = opened?.unchecked_into::<IdbDatabase>();
        let closed = Rc::new(RefCell::new(false));
        // `close`: the browser took it. `versionchange`: somebody deletes it and waits for us.
        let listener = {
            let (closed, database) = (Rc::clone(&closed), database.clone());
            Closure::<dyn FnMut(Event)>::new(move |_| {
                database.close();
                closed.replace(true);
            })
        };
        database.set_onclose(Some(function(&listener)));
        database.set_onversionchange(Some(function(&listener)));
        Ok(Self { database, closed, _listener: listener })
    }

    fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    async fn answer(&self, request: &StorageRequest) -> Result<StorageAnswer, JsValue> {
        match request {
            StorageRequest::Get(keys) => self.read(keys).await,
            StorageRequest::Scan { from, to, bytes_max } => self.scan(from, to, *bytes_max).await,
            StorageRequest::Write(batch) => self.write(batch).await,
        }
    }

    async fn read(&self, keys: &[Vec<u8>]) -> Result<StorageAnswer, JsValue> {
        let store = self.begin("readonly")?.object_store(STORE)?;
        let requests: Vec<IdbRequest> =
            keys.iter().map(|key| store.get(&js::bytes(key))).collect::<Result<_, _>>()?;
        // They settle in order: once the last has, all have.
        if let Some(last) = requests.last() {
            settled(last).await?;
        }
        let values = requests.iter().map(|request| Ok(to_vec(&request.result()?)));
        Ok(StorageAnswer::Values(values.collect::<Result<_, JsValue>>()?))
    }

    async fn scan(&self, from: &[u8], to: &[u8], bytes_max: usize) -> Result<StorageAnswer, JsValue> {
        let mut entries: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        if from >= to {
            return Ok(StorageAnswer::Scanned { entries, more: false });
        }
        let store = self.begin("readonly")?.object_store(STORE)?;
        let mut bytes = 0;
        let mut count = SCAN_FIRST;
        loop {
            let range = match entries.last() {
                None => IdbKeyRange::bound_with_lower_open_and_upper_open(
                    &js::bytes(from),
                    &js::bytes(to),
                    false,
                    true,
                )?,
                Some((last, _)) => IdbKeyRange::bound_with_lower_open_and_upper_open(
                    &js::bytes(last),
                    &js::bytes(to),
                    true,
                    true,
                )?,
            };
            let (keys, values) = self.page(&store, &range, count).await?;
            let ended = keys.length() <= count;
            for (key, value) in keys.iter().zip(values.iter()) {
                if bytes > bytes_max {
                    return Ok(StorageAnswer::Scanned { entries, more: true });
                }
                let value = to_vec(&value).unwrap_or_default();
                bytes += value.len();
                entries.push((Uint8Array::new(&key).to_vec(), value));
            }
            if ended || bytes > bytes_max {
                return Ok(StorageAnswer::Scanned { entries, more: !ended });
            }
            let mean = bytes / entries.len().max(1) + 1;
            count = u32::try_from((bytes_max - bytes) / mean + 1).unwrap_or(SCAN_MAX).min(SCAN_MAX);
        }
    }

    /// Up to `count` values, and one key more where there is one.
    async fn page(
        &self,
        store: &IdbObjectStore,
        range: &IdbKeyRange,
        count: u32,
    ) -> Result<(Array, Array), JsValue> {
        let keys = store.get_all_keys_with_key_and_limit(range, count + 1)?;
        let values = store.get_all_with_key_and_limit(range, count)?;
        settled(&values).await?;
        Ok((keys.result()?.unchecked_into(), values.result()?.unchecked_into()))
    }

    async fn write(&self, batch: &WriteBatch) -> Result<StorageAnswer, JsValue> {
        let transaction = self.begin("readwrite")?;
        let ending = Ending::of(&transaction);
        let store = transaction.object_store(STORE)?;
        if let Some((key, expected)) = &batch.guard {
            let held = settled(&store.get(&js::bytes(key))?).await?;
            if to_vec(&held) != *expected {
                return Ok(StorageAnswer::GuardFailed);
            }
        }
        if let Err(thrown) = put(&store, batch) {
            // Where it can't be aborted it has been already.
            let _ = transaction.abort();
            return Err(thrown);
        }
        ending.wait().await?;
        Ok(StorageAnswer::Written)
    }

    fn begin(&self, mode: &str) -> Result<IdbTransaction, JsValue> {
        // web-sys has durability behind a compiler flag only.
        let begin = js::get(&self.database, "transaction").unchecked_into::<Function>();
        let options = js::object([("durability", "strict".into())]);
        let begun = begin.call3(&self.database, &STORE.into(), &mode.into(), &options);
        if begun.is_err() {
            // Only a connection that is closing refuses, and not every browser says that it closed.
            self.database.close();
            self.closed.replace(true);
        }
        Ok(begun?.unchecked_into())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.database.set_onclose(None);
        self.database.set_onversionchange(None);
        self.database.close();
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

/// Waits for a request. What follows in the same task still belongs to its transaction.
async fn settled(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let (listener, event) = once();
    request.set_onsuccess(Some(function(&listener)));
    request.set_onerror(Some(function(&listener)));
    // An open request that another connection blocks is as good as failed.
    let opening = request.dyn_ref::<web_sys::IdbOpenDbRequest>();
    if let Some(opening) = opening {
        opening.set_onblocked(Some(function(&listener)));
    }
    let event = event.await;
    request.set_onsuccess(None);
    request.set_onerror(None);
    if let Some(opening) = opening {
        opening.set_onblocked(None);
    }
    if event.is_ok_and(|event| event.type_() == "blocked") {
        return Err(JsValue::from_str("another connection blocks the database"));
    }
    match request.error()? {
        Some(error) => Err(error.into()),
        None => request.result(),
    }
}

/// The end of a transaction, listened for from the start.
struct Ending {
    transaction: IdbTransaction,
    event: oneshot::Receiver<Event>,
    _listener: Closure<dyn FnMut(Event)>,
}

impl Ending {
    fn of(transaction: &IdbTransaction) -> Self {
        let (listener, event) = once();
        transaction.set_oncomplete(Some(function(&listener)));
        transaction.set_onabort(Some(function(&listener)));
        Self { transaction: transaction.clone(), event, _listener: listener }
    }

    async fn wait(mut self) -> Result<(), JsValue> {
        match (&mut self.event).await {
            Ok(event) if event.type_() == "complete" => Ok(()),
            _ => Err(self
                .transaction
                .error()
                .map_or_else(|| JsValue::from_str("the transaction was aborted"), DomException::into)),
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.transaction.set_oncomplete(None);
        self.transaction.set_onabort(None);
    }
}

/// A listener, and the first event that it hears.
fn once() -> (Closure<dyn FnMut(Event)>, oneshot::Receiver<Event>) {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let listener = Closure::new(move |event| {
        if let Some(sender) = sender.take() {
            // Nobody waits any more where the database was let go of.
            let _ = sender.send(event);
        }
    });
    (listener, receiver)
}

fn function<T: ?Sized>(closure: &Closure<T>) -> &Function
where
    Closure<T>: AsRef<JsValue>,
{
    closure.as_ref().unchecked_ref()
}

fn to_vec(value: &JsValue) -> Option<Vec<u8>> {
    (!value.is_undefined()).then(|| Uint8Array::new(value).to_vec())
}

fn failed(thrown: &JsValue) -> StorageAnswer {
    StorageAnswer::Failed(error::message(thrown))
}
