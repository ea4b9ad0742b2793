//! The storage of a replica. Requests are done one after another, in the order in which the core
//! asked; the core gathers what it can into one write.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use eyot_core::base::id::RequestId;
use eyot_core::holder::io::Input;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::asynchronous::AsyncStore;
use super::indexed_db::IndexedDb;
use crate::base::inbox::Inbox;
use crate::convert::options::StorageOptions;

pub struct Storage {
    engine: Engine,
    inbox: Rc<Inbox>,
    queue: RefCell<VecDeque<(RequestId, StorageRequest)>>,
    pump: Cell<Pump>,
}

enum Engine {
    Memory(RefCell<MemoryStore>),
    IndexedDb(IndexedDb),
    Store(AsyncStore),
}

/// Whether a task works through the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pump {
    Idle,
    Running,
}

impl Storage {
    pub fn new(options: StorageOptions, inbox: Rc<Inbox>) -> Rc<Self> {
        let engine = match options {
            StorageOptions::Memory => Engine::Memory(RefCell::default()),
            StorageOptions::IndexedDb(name) => Engine::IndexedDb(IndexedDb::new(name)),
            StorageOptions::Store(store) => Engine::Store(AsyncStore(store.unchecked_into())),
        };
        Rc::new(Self { engine, inbox, queue: RefCell::default(), pump: Cell::new(Pump::Idle) })
    }

    /// Does what is asked, at once in memory and in its turn elsewhere. The answer goes to the inbox.
    pub fn request(self: &Rc<Self>, id: RequestId, request: StorageRequest) {
        if let Engine::Memory(store) = &self.engine {
            let answer = store.borrow_mut().answer(&request);
            self.inbox.push(Input::Storage(id, answer));
            return;
        }
        self.queue.borrow_mut().push_back((id, request));
        if self.pump.replace(Pump::Running) == Pump::Idle {
            spawn_local(Rc::clone(self).pump());
        }
    }

    /// Closes the engine. What was asked before is done first.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Memory(_) => {}
            Engine::IndexedDb(database) => database.close(),
            Engine::Store(store) => store.close().await,
        }
    }

    /// Closes the engine when this instance has died, whatever it is doing.
    pub fn abandon(&self) {
        match &self.engine {
            Engine::Memory(_) => {}
            Engine::IndexedDb(database) => database.close(),
            Engine::Store(store) => store.abandon(),
        }
    }

    async fn pump(self: Rc<Self>) {
        loop {
            let next = self.queue.borrow_mut().pop_front();
            let Some((id, request)) = next else { break };
            let answer = self.answer(&request).await;
            self.inbox.push(Input::Storage(id, answer));
        }
        self.pump.set(Pump::Idle);
    }

    async fn answer(&self, request: &StorageRequest) -> StorageAnswer {
        match &self.engine {
            Engine::Memory(store) => store.borrow_mut().answer(request),
            Engine::IndexedDb(database) => database.answer(request).await,
            Engine::Store(store) => store.answer(request).await,
        }
    }
}
