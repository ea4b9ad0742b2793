//! Where a replica keeps its log. Requests are done one after another, in the order in which the core
//! asked; the core gathers what it can into one write.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use eyot_core::base::id::RequestId;
use eyot_core::holder::io::Input;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use wasm_bindgen_futures::spawn_local;

use crate::driver::Driver;
use crate::indexed_db::IndexedDb;
use crate::store::ExternalStore;

pub struct Storage {
    engine: Engine,
    queue: RefCell<VecDeque<(RequestId, StorageRequest)>>,
    pumping: Cell<bool>,
}

pub enum Engine {
    Memory(RefCell<MemoryStore>),
    IndexedDb(IndexedDb),
    Store(ExternalStore),
}

impl Storage {
    pub fn new(engine: Engine) -> Rc<Self> {
        Rc::new(Self { engine, queue: RefCell::default(), pumping: Cell::new(false) })
    }

    /// Does what is asked, at once in memory and in its turn elsewhere, and tells the driver.
    pub fn request(self: &Rc<Self>, driver: &Driver, id: RequestId, request: StorageRequest) {
        if let Engine::Memory(store) = &self.engine {
            let answer = store.borrow_mut().answer(&request);
            driver.queue(Input::Storage(id, answer));
            return;
        }
        self.queue.borrow_mut().push_back((id, request));
        if !self.pumping.replace(true) {
            spawn_local(Rc::clone(self).pump(driver.weak()));
        }
    }

    /// Lets go of the engine. What was asked before is done first.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Memory(_) => {}
            Engine::IndexedDb(database) => database.close(),
            Engine::Store(store) => store.close().await,
        }
    }

    /// Lets go of the engine at once, whatever it is at.
    pub fn abandon(&self) {
        match &self.engine {
            Engine::Memory(_) => {}
            Engine::IndexedDb(database) => database.close(),
            Engine::Store(store) => store.abandon(),
        }
    }

    async fn pump(self: Rc<Self>, driver: Weak<Driver>) {
        loop {
            let next = self.queue.borrow_mut().pop_front();
            let Some((id, request)) = next else { break };
            let answer = self.answer(&request).await;
            let Some(driver) = driver.upgrade() else { break };
            driver.feed(Input::Storage(id, answer));
        }
        self.pumping.set(false);
    }

    async fn answer(&self, request: &StorageRequest) -> StorageAnswer {
        match &self.engine {
            Engine::Memory(store) => store.borrow_mut().answer(request),
            Engine::IndexedDb(database) => database.answer(request).await,
            Engine::Store(store) => store.answer(request).await,
        }
    }
}
