//! A replica on storage in memory that answers at once.

use eyot_core::base::id::{AuthorId, DocId};
use eyot_core::base::limits::Limits;
use eyot_core::document::value::Op;
use eyot_core::holder::io as holder;
use eyot_core::replica::io::Effect;
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::storage::memory::MemoryStore;

pub struct Typist {
    replica: Replica,
    store: MemoryStore,
    doc: Option<DocId>,
}

impl Typist {
    pub fn new() -> Self {
        Self::on(MemoryStore::default(), 1)
    }

    fn on(store: MemoryStore, author: u8) -> Self {
        let config = ReplicaConfig {
            space: "space".into(),
            author: AuthorId([author; 16]),
            seed: [author + 1; 32],
            relays: Vec::new(),
            token: None,
            descriptor: None,
            limits: Limits::PROTOCOL,
        };
        let mut typist = Self { replica: Replica::new(config, 0), store, doc: None };
        typist.run();
        typist
    }

    /// The first makes the document.
    pub fn change(&mut self, ops: &[Op]) {
        let made = match self.doc {
            None => self.replica.create(ops, None, 1000),
            Some(doc) => self.replica.change(doc, ops, None, 1000),
        };
        self.doc = Some(made.unwrap().doc);
        self.run();
    }

    /// Makes a document.
    pub fn create(&mut self, ops: &[Op]) -> DocId {
        let doc = self.replica.create(ops, None, 1000).unwrap().doc;
        self.run();
        doc
    }

    /// Another process on the same storage, once this one has ended.
    pub fn reopened(self) -> Self {
        Self::on(self.store, 2)
    }

    /// Opens a document and reads it as the application is given it.
    pub fn open(&mut self, doc: DocId) {
        self.replica.open(doc);
        self.run();
        std::hint::black_box(self.replica.value(doc).expect("it is held"));
    }

    fn run(&mut self) {
        while let Some(effect) = self.replica.poll_effect() {
            if let Effect::Holder(holder::Effect::Storage(id, request)) = effect {
                let answer = self.store.answer(&request);
                self.replica.handle(holder::Input::Storage(id, answer), 1000);
            }
        }
    }
}
