//! Runs one replica: feeds it inputs one at a time, does what it asks for, and tells the application.
//!
//! Inputs wait in the inbox. All that an input made the replica ask for is done before the next, and
//! the application is told in one call once the inbox is empty. So none of the application's code
//! runs between a change of an open document and the call that tells of it.

mod events;
mod news;
mod promises;
mod tokens;
mod turn;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use eyot_core::base::id::{AuthorId, DocId, LinkId};
use eyot_core::base::limits::Limits;
use eyot_core::base::time::Millis;
use eyot_core::holder::io::{Effect as HolderEffect, Input as HolderInput};
use eyot_core::replica::event::ReplicaError;
use eyot_core::replica::io::{Effect, Input};
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::replica::status::Status;
use eyot_core::replica::waits::WaitId;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

pub use self::promises::Answer;

use self::news::News;
use self::promises::Promises;
use self::tokens::Tokens;
use self::turn::Turn;
use crate::base::death::{self, Mortal};
use crate::base::inbox::{Inbox, Message};
use crate::base::{error, js, platform};
use crate::convert::events::EngineEvent;
use crate::convert::options::{Options, StorageOptions};
use crate::convert::values::refused;
use crate::io::storage::Storage;
use crate::io::tabs::Tabs;
use crate::io::timer::Timer;
use crate::io::websocket::Sockets;

pub struct Driver {
    this: Weak<Driver>,
    space: String,
    /// The name under which other tabs share the log; `None` if it isn't shared.
    shared: Option<String>,
    replica: RefCell<Replica>,
    inbox: Rc<Inbox>,
    turn: Turn,
    news: News,
    promises: Promises,
    storage: Rc<Storage>,
    sockets: Rc<Sockets>,
    tabs: RefCell<Option<Tabs>>,
    timer: Timer,
    tokens: Tokens,
    online: Cell<Online>,
    /// Asks a relay how it is: `(relay) => Promise<boolean>`.
    probe: Function,
    life: Cell<Life>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Open,
    Closing,
    Closed,
}

/// Whether links may be dialled.
#[derive(Clone, Copy)]
struct Online {
    /// By the application.
    wished: bool,
    /// What the replica was told last.
    told: bool,
}

impl Driver {
    pub fn new(options: Options) -> Result<Rc<Self>, JsValue> {
        let Options { space, relays, storage, on_events, connect, token, ask_token, probe } = options;
        let config = ReplicaConfig {
            descriptor: None,
            limits: Limits::PROTOCOL,
            space: space.clone(),
            author: AuthorId(platform::random()?),
            seed: platform::random()?,
            relays,
            token,
        };
        let shared = match &storage {
            StorageOptions::IndexedDb(name) => Some(name.clone()),
            StorageOptions::Memory | StorageOptions::Store(_) => None,
        };
        let driver = Rc::new_cyclic(|this: &Weak<Self>| {
            let driver = this.clone();
            let inbox = Inbox::new(move || {
                if let Some(driver) = driver.upgrade() {
                    driver.run();
                }
            });
            Self {
                this: this.clone(),
                space,
                shared,
                replica: RefCell::new(Replica::new(config, js::now())),
                turn: Turn::default(),
                news: News::new(on_events),
                promises: Promises::default(),
                storage: Storage::new(storage, Rc::clone(&inbox)),
                sockets: Sockets::new(connect, Rc::clone(&inbox)),
                tabs: RefCell::default(),
                timer: Timer::new(Rc::clone(&inbox)),
                tokens: Tokens::new(ask_token),
                online: Cell::new(Online { wished: true, told: false }),
                probe,
                life: Cell::new(Life::Open),
                inbox,
            }
        });
        let mortal: Weak<dyn Mortal> = driver.this.clone();
        death::register(mortal);
        Ok(driver)
    }

    /// Loads the replica from storage. Settles once it can be used.
    pub async fn open(&self) -> Result<(), JsValue> {
        if let Some(name) = &self.shared {
            *self.tabs.borrow_mut() = Tabs::join(&self.inbox, name);
        }
        let opened = self.promises.open();
        self.inbox.push(Input::Online(false));
        self.link_if_wished();
        platform::settled(&opened).await?;
        Ok(())
    }

    /// Saves what can be saved, closes links and storage, and rejects whatever still waits.
    pub async fn close(&self) -> Result<(), JsValue> {
        if self.life.replace(Life::Closing) != Life::Open {
            return Ok(());
        }
        let flushed = self.promise(Answer::Nothing, |replica| Ok(replica.flush()))?;
        platform::settled(&flushed).await?;
        self.set_online(false);
        self.life.set(Life::Closed);
        drop(self.tabs.borrow_mut().take());
        self.timer.set(None);
        self.storage.close().await;
        self.promises.reject_all(&error::coded(error::CLOSED, "the space was closed"));
        Ok(())
    }

    /// Calls the replica for the application.
    pub fn call<T>(
        &self,
        call: impl FnOnce(&mut Replica, Millis) -> Result<T, ReplicaError>,
    ) -> Result<T, JsValue> {
        self.check()?;
        self.call_unchecked(call)
    }

    /// Calls the replica for something that it will answer later.
    pub fn wait(
        &self,
        answer: Answer,
        call: impl FnOnce(&mut Replica) -> Result<WaitId, ReplicaError>,
    ) -> Result<Promise, JsValue> {
        self.check()?;
        self.promise(answer, call)
    }

    /// Nobody waits for this promise any more, and it need not settle.
    pub fn cancel(&self, promise: &Promise) -> Result<(), JsValue> {
        let Some(wait) = self.promises.cancel(promise) else { return Ok(()) };
        self.call_unchecked(|replica, _| {
            replica.cancel(wait);
            Ok(())
        })
    }

    pub fn status(&self) -> Status {
        self.replica.borrow().status()
    }

    /// Uses this token from now on, and renews it on a link that is open.
    pub fn set_token(&self, token: String) {
        self.tokens.forget();
        self.replica.borrow_mut().set_token(token);
        self.turn.hold(|| self.do_effects());
        self.turn_soon();
    }

    /// The application's switch.
    pub fn set_online(&self, wished: bool) {
        self.online.set(Online { wished, ..self.online.get() });
        if wished && self.online.get().told {
            // Repeated because the network may have come back: the replica then dials at once.
            self.inbox.push(Input::Online(true));
        }
        self.link_if_wished();
    }

    fn check(&self) -> Result<(), JsValue> {
        death::check()?;
        match self.life.get() {
            Life::Open => Ok(()),
            Life::Closing | Life::Closed => Err(error::coded(error::CLOSED, "the space is closed")),
        }
    }

    fn call_unchecked<T>(
        &self,
        call: impl FnOnce(&mut Replica, Millis) -> Result<T, ReplicaError>,
    ) -> Result<T, JsValue> {
        let result = call(&mut self.replica.borrow_mut(), js::now());
        self.turn.hold(|| self.do_effects());
        self.turn_soon();
        result.map_err(refused)
    }

    fn promise(
        &self,
        answer: Answer,
        call: impl FnOnce(&mut Replica) -> Result<WaitId, ReplicaError>,
    ) -> Result<Promise, JsValue> {
        self.call_unchecked(|replica, _| Ok(self.promises.add(call(replica)?, answer)))
    }

    fn link_if_wished(&self) {
        let Online { wished, told } = self.online.get();
        let may = wished && self.tabs.borrow().as_ref().is_none_or(Tabs::is_leader);
        if may != told {
            self.online.set(Online { wished, told: may });
            self.inbox.push(Input::Online(may));
        }
    }

    fn run(&self) {
        if self.life.get() == Life::Closed || !self.turn.begin() {
            return;
        }
        loop {
            self.do_effects();
            match self.inbox.take() {
                None => break,
                Some(Message::Input(input)) => self.replica.borrow_mut().handle(input, js::now()),
                Some(Message::Unreachable) => self.news.event(EngineEvent::Unreachable),
                Some(Message::LeaderChanged) => self.link_if_wished(),
            }
        }
        self.turn.end();
        self.news.tell(|doc| self.value(doc));
    }

    /// Begins a turn once the application's call has returned.
    fn turn_soon(&self) {
        if (self.inbox.is_empty() && self.news.is_empty()) || !self.turn.schedule() {
            return;
        }
        let this = self.this.clone();
        spawn_local(async move {
            if let Some(driver) = this.upgrade() {
                driver.run();
            }
        });
    }

    /// Opens a link once there is a token to open it with. Not at once, because the application may be
    /// asked for one, and it runs no code during a turn.
    fn dial(&self, link: LinkId, relay: &str) {
        self.tokens.awaits(link);
        let url = address(relay, &self.space);
        let this = self.this.clone();
        spawn_local(async move {
            let Some(token) = this.upgrade().map(|driver| driver.tokens.next()) else { return };
            let token = token.await;
            let Some(driver) = this.upgrade() else { return };
            let is_wanted = driver.tokens.came_for(link);
            match token {
                Ok(Some(token)) if !is_wanted => driver.tokens.keep(token),
                Ok(token) if is_wanted => {
                    if let Some(token) = token {
                        driver.set_token(token);
                    }
                    let token = driver.replica.borrow().token().map(str::to_owned);
                    driver.sockets.dial(link, &url, token.as_deref());
                }
                // There is no token to open the link with.
                Err(_) if is_wanted => driver.inbox.push(HolderInput::LinkClosed(link)),
                _ => {}
            }
        });
    }

    fn do_effects(&self) {
        loop {
            let effect = self.replica.borrow_mut().poll_effect();
            match effect {
                Some(effect) => self.do_effect(effect),
                None => break,
            }
        }
    }

    fn do_effect(&self, effect: Effect) {
        match effect {
            Effect::Holder(effect) => self.do_holder_effect(effect),
            Effect::Broadcast(message) => {
                if let Some(tabs) = self.tabs.borrow().as_ref() {
                    tabs.broadcast(&message);
                }
            }
            Effect::App(event) => events::take(event, &self.news, &self.promises),
            Effect::Probe(relay) => self.probe(relay),
            Effect::Ping(link) => self.sockets.ping(link),
        }
    }

    fn do_holder_effect(&self, effect: HolderEffect) {
        match effect {
            HolderEffect::Dial(link, relay) => self.dial(link, &relay),
            HolderEffect::Send(link, frame) => self.sockets.send(link, &frame),
            HolderEffect::Close(link, code, reason) => {
                self.tokens.came_for(link);
                self.sockets.close(link, code, &reason);
            }
            HolderEffect::Storage(id, request) => self.storage.request(id, request),
            HolderEffect::SetTimer(at) => self.timer.set(at),
            // Nobody dials a replica.
            HolderEffect::Authorize(..) => {}
        }
    }

    fn probe(&self, relay: String) {
        let asked = self.probe.call1(&JsValue::UNDEFINED, &relay.as_str().into());
        let inbox = Rc::clone(&self.inbox);
        spawn_local(async move {
            let healthy = match asked {
                Ok(answer) => {
                    platform::settled(&Promise::resolve(&answer)).await.is_ok_and(|yes| yes.is_truthy())
                }
                Err(_) => false,
            };
            if !healthy {
                inbox.push(Message::Unreachable);
            }
            inbox.push(Input::Probed(relay, healthy));
        });
    }

    fn value(&self, doc: DocId) -> Result<Vec<u8>, JsValue> {
        self.replica.borrow().value(doc).map_err(refused)
    }
}

impl Mortal for Driver {
    /// Rejects what waits, tells the application, and lets go of what the platform holds for this
    /// replica. What is borrowed is what was being changed, and is left alone.
    fn die(&self, error: &JsValue) {
        self.life.set(Life::Closed);
        self.promises.reject_all(error);
        let tabs = self.tabs.try_borrow_mut().ok().and_then(|mut tabs| tabs.take());
        drop(tabs);
        self.timer.abandon();
        self.sockets.abandon();
        self.storage.abandon();
        self.news.tell_death(error);
    }
}

/// Where a relay serves a space.
fn address(relay: &str, space: &str) -> String {
    format!("{}/v1/{}", relay.trim_end_matches('/'), js_sys::encode_uri_component(space))
}
