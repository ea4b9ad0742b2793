//! The storage of a replica. Requests are done in the order in which the core asked; the core gathers
//! what it can into one write. IndexedDB keeps that order by itself, and is asked at once. A store of the
//! host's is asked for one thing at a time.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use eyot_core::base::id::RequestId;
use eyot_core::holder::io::Input;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{Entries, StorageAnswer, StorageRequest};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::asynchronous::AsyncStore;
use super::connection::State;
use super::indexed_db::IndexedDb;
use super::watch::Watch;
use crate::base::error;
use crate::base::inbox::Inbox;
use crate::base::resources::Resources;
use crate::convert::options::StorageOptions;

/// So often no other process can have been quicker. A store that refuses always would keep this process
/// busy for ever.
const REFUSED_MAX: u32 = 100;
/// Not the key of any tab's commits, which has 16 bytes.
const SUBJECT_KEY: &[u8] = b"subject";
const NO_ANSWER: &str = "storage does not answer";

pub struct Storage {
    this: Weak<Storage>,
    engine: Engine,
    inbox: Rc<Inbox>,
    queue: RefCell<VecDeque<Asked>>,
    watch: Rc<Watch>,
    /// How many writes in a row found that another process had written.
    refused: Cell<u32>,
    /// A task opens the database, or works through the queue.
    is_busy: Cell<bool>,
}

enum Engine {
    Memory(RefCell<MemoryStore>),
    IndexedDb(IndexedDb),
    Store(AsyncStore),
}

struct Asked {
    id: RequestId,
    request: StorageRequest,
    /// A connection was closed while it was done.
    is_second_try: bool,
}

impl Storage {
    pub fn new(options: StorageOptions, inbox: Rc<Inbox>, resources: Resources) -> Rc<Self> {
        let engine = match options {
            StorageOptions::Memory => Engine::Memory(RefCell::default()),
            StorageOptions::IndexedDb(name) => Engine::IndexedDb(IndexedDb::new(name, resources)),
            StorageOptions::Store(store) => Engine::Store(AsyncStore(store.unchecked_into())),
        };
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            engine,
            inbox,
            queue: RefCell::default(),
            watch: Rc::default(),
            refused: Cell::new(0),
            is_busy: Cell::new(false),
        })
    }

    /// Does what is asked. The answer goes to the inbox.
    pub fn request(&self, id: RequestId, request: StorageRequest) {
        if let Engine::Memory(store) = &self.engine {
            let answer = store.borrow_mut().answer(&request);
            return self.tell(id, answer);
        }
        if self.watch.is_stuck() {
            return self.tell(id, StorageAnswer::Failed(NO_ANSWER.to_owned()));
        }
        let this = self.this.clone();
        self.watch.ask(id, move |ids| {
            let Some(this) = this.upgrade() else { return };
            // What was not asked yet never will be.
            for asked in this.queue.take() {
                this.watch.answered(asked.id);
            }
            for id in ids {
                this.tell(id, StorageAnswer::Failed(NO_ANSWER.to_owned()));
            }
        });
        self.queue.borrow_mut().push_back(Asked { id, request, is_second_try: false });
        self.go_on();
    }

    /// `close` follows, once what is not saved yet is.
    pub fn closing(&self) {
        if let Engine::Store(store) = &self.engine {
            store.closing();
        }
    }

    /// Closes the engine. What was asked before is done first.
    pub async fn close(&self) -> Result<(), JsValue> {
        match &self.engine {
            Engine::Memory(_) => Ok(()),
            Engine::IndexedDb(database) => {
                database.close();
                Ok(())
            }
            Engine::Store(store) => {
                if store.close().await {
                    return Ok(());
                }
                Err(error::coded(error::STORAGE, "the store does not close"))
            }
        }
    }

    // Commits kept apart, in IndexedDB only: other platforms do not end a process without a word.

    /// Keeps bytes under a key, beside the log. They are there later although the page ends now.
    pub fn keep(&self, key: &[u8], bytes: &[u8]) -> bool {
        let Engine::IndexedDb(database) = &self.engine else { return false };
        database.connection().is_some_and(|connection| connection.keep(key, bytes).is_ok())
    }

    /// What is kept apart, as far as it can be read.
    pub async fn kept(&self) -> Entries {
        let mut kept = self.all_kept().await;
        kept.retain(|(key, _)| key != SUBJECT_KEY);
        kept
    }

    async fn all_kept(&self) -> Entries {
        let Engine::IndexedDb(database) = &self.engine else { return Vec::new() };
        if database.connection().is_none() && database.connect().await.is_err() {
            return Vec::new();
        }
        match database.connection() {
            Some(connection) => connection.kept().await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// What is kept under this key is in the log.
    pub fn forget(&self, key: &[u8]) {
        if let Engine::IndexedDb(database) = &self.engine
            && let Some(connection) = database.connection()
        {
            // Where it stays it is found to be in the log the next time.
            let _ = connection.forget(key);
        }
    }

    // Whom the log is for.

    pub fn keep_subject(&self, subject: &str) {
        self.keep(SUBJECT_KEY, subject.as_bytes());
    }

    pub async fn subject(&self) -> Option<String> {
        let kept = self.all_kept().await.into_iter().find(|(key, _)| key == SUBJECT_KEY);
        kept.and_then(|(_, subject)| String::from_utf8(subject).ok())
    }

    fn go_on(&self) {
        let Some(this) = self.this.upgrade() else { return };
        match &self.engine {
            Engine::Memory(_) => {}
            Engine::IndexedDb(database) => self.ask_database(this, database),
            Engine::Store(_) if self.is_busy.replace(true) => {}
            Engine::Store(_) => spawn_local(this.ask_store()),
        }
    }

    fn ask_database(&self, this: Rc<Self>, database: &IndexedDb) {
        while !self.queue.borrow().is_empty() {
            let Some(connection) = database.connection() else {
                if !self.is_busy.replace(true) {
                    spawn_local(this.connect());
                }
                return;
            };
            let Some(asked) = self.queue.borrow_mut().pop_front() else { return };
            let answer = connection.ask(&asked.request);
            let this = Rc::clone(&this);
            spawn_local(async move {
                match answer.await {
                    Ok(answer) => this.answered(asked.id, answer),
                    Err(_) if connection.state() != State::Open && !asked.is_second_try => {
                        drop(connection);
                        this.queue.borrow_mut().push_front(Asked { is_second_try: true, ..asked });
                        this.go_on();
                    }
                    Err(thrown) => {
                        this.answered(asked.id, StorageAnswer::Failed(error::message(&thrown)));
                    }
                }
            });
        }
    }

    async fn connect(self: Rc<Self>) {
        let Engine::IndexedDb(database) = &self.engine else { return };
        let connected = database.connect().await;
        self.is_busy.set(false);
        if let Err(reason) = connected {
            let queue = self.queue.take();
            for asked in queue {
                self.answered(asked.id, StorageAnswer::Failed(reason.clone()));
            }
        }
        self.go_on();
    }

    async fn ask_store(self: Rc<Self>) {
        let Engine::Store(store) = &self.engine else { return };
        loop {
            let next = self.queue.borrow_mut().pop_front();
            let Some(Asked { id, request, .. }) = next else { break };
            let answer = store.answer(&request).await;
            self.answered(id, answer);
        }
        self.is_busy.set(false);
    }

    fn answered(&self, id: RequestId, answer: StorageAnswer) {
        match &answer {
            StorageAnswer::GuardFailed => self.refused.set(self.refused.get() + 1),
            StorageAnswer::Written => self.refused.set(0),
            _ => {}
        }
        let answer = match answer {
            StorageAnswer::GuardFailed if self.refused.get() > REFUSED_MAX => {
                StorageAnswer::Failed("storage takes no write, as if another process wrote always".to_owned())
            }
            answer => answer,
        };
        if self.watch.answered(id) {
            self.tell(id, answer);
        }
    }

    fn tell(&self, id: RequestId, answer: StorageAnswer) {
        self.inbox.push(Input::Storage(id, answer));
    }
}
