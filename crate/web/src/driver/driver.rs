//! Runs one replica: feeds it inputs one at a time, does what it asks for, and tells the application.
//!
//! Inputs wait in the inbox. All that an input made the replica ask for is done before the next, and
//! the application is told in one call once the inbox is empty. So none of the application's code
//! runs between a change of an open document and the call that tells of it.

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

use super::events;
use super::news::News;
use super::promises::{Answer, Promises};
use super::tokens::Tokens;
use super::turn::Turn;
use crate::base::death;
use crate::base::inbox::{Inbox, Message};
use crate::base::resources::Resources;
use crate::base::{clock, error, platform};
use crate::convert::events::EngineEvent;
use crate::convert::options::{Options, StorageOptions};
use crate::convert::values::refused;
use crate::io::page::Page;
use crate::io::peers::Peers;
use crate::io::storage::Storage;
use crate::io::tabs::Tabs;
use crate::io::timer::Timer;
use crate::io::websocket::{BROKEN_OFF, Sockets};

pub struct Driver {
    pub(super) this: Weak<Driver>,
    pub(super) space: String,
    /// Under which commits are kept apart.
    pub(super) author: AuthorId,
    /// The name under which other tabs share the log; `None` if it isn't shared.
    pub(super) shared: Option<String>,
    pub(super) replica: RefCell<Replica>,
    pub(super) inbox: Rc<Inbox>,
    pub(super) turn: Turn,
    pub(super) news: News,
    pub(super) promises: Promises,
    pub(super) storage: Rc<Storage>,
    pub(super) sockets: Rc<Sockets>,
    pub(super) peers: Peers,
    pub(super) tabs: RefCell<Option<Tabs>>,
    pub(super) timer: Timer,
    pub(super) tokens: Tokens,
    /// Whom the shared log is for, where a token has said so.
    pub(super) subject: RefCell<Option<String>>,
    /// The token that the replica was opened with.
    pub(super) given_token: Cell<Option<String>>,
    pub(super) online: Cell<Online>,
    /// None outside of pages.
    pub(super) page: RefCell<Option<Page>>,
    /// The page may end with this task, or be frozen. Own commits are kept apart as they are made.
    pub(super) is_leaving: Cell<bool>,
    /// Asks a relay how it is: `(relay) => Promise<boolean>`.
    pub(super) probe: Function,
    pub(super) resources: Resources,
    pub(super) life: Cell<Life>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    Closing,
    Closed,
}

/// Whether links may be dialled.
#[derive(Clone, Copy)]
pub(super) struct Online {
    /// By the application.
    pub wished: bool,
    /// Whether it gave any relays.
    pub has_relays: bool,
    /// What the replica was told last.
    pub told: bool,
}

impl Driver {
    pub fn new(options: Options) -> Result<Rc<Self>, JsValue> {
        let Options { space, relays, storage, on_events, connect, token, ask_token, probe, resources } =
            options;
        let (has_relays, given_token) = (!relays.is_empty(), token.clone());
        let author = AuthorId(platform::random()?);
        let config = ReplicaConfig {
            descriptor: None,
            limits: Limits::PROTOCOL,
            space: space.clone(),
            author,
            seed: platform::random()?,
            relays,
            token,
        };
        let shared = match &storage {
            StorageOptions::IndexedDb(name) => Some(name.clone()),
            StorageOptions::Memory | StorageOptions::Store(_) => None,
        };
        Ok(Rc::new_cyclic(|this: &Weak<Self>| {
            let driver = this.clone();
            let inbox = Inbox::new(move || {
                if let Some(driver) = driver.upgrade() {
                    driver.run();
                }
            });
            Self {
                this: this.clone(),
                space,
                author,
                shared,
                replica: RefCell::new(Replica::new(config, clock::now())),
                turn: Turn::default(),
                news: News::new(on_events),
                promises: Promises::default(),
                storage: Storage::new(storage, Rc::clone(&inbox), resources.clone()),
                sockets: Sockets::new(connect, Rc::clone(&inbox), resources.clone()),
                peers: Peers::new(Rc::clone(&inbox)),
                tabs: RefCell::default(),
                timer: Timer::new(Rc::clone(&inbox)),
                tokens: Tokens::new(ask_token),
                subject: RefCell::default(),
                given_token: Cell::new(given_token),
                online: Cell::new(Online { wished: true, has_relays, told: false }),
                page: RefCell::default(),
                is_leaving: Cell::new(false),
                probe,
                resources,
                life: Cell::new(Life::Open),
                inbox,
            }
        }))
    }

    /// Loads the replica from storage. Settles once it can be used.
    pub async fn open(&self) -> Result<(), JsValue> {
        let kept = match &self.shared {
            Some(name) => {
                *self.subject.borrow_mut() = self.storage.subject().await;
                self.check_subject(self.given_token.take())?;
                *self.tabs.borrow_mut() = Tabs::join(&self.inbox, name, self.resources.clone());
                self.follow_page();
                self.storage.kept().await
            }
            None => Vec::new(),
        };
        let opened = self.promises.open();
        self.inbox.push(Input::Online(false));
        self.link_if_wished();
        platform::settled(&opened).await?;
        self.take_kept(kept).await;
        self.look_at_subject();
        Ok(())
    }

    /// `close` follows.
    pub fn closing(&self) {
        self.storage.closing();
    }

    /// Saves what can be saved, closes links and storage, and rejects whatever still waits.
    pub async fn close(&self) -> Result<(), JsValue> {
        if self.life.replace(Life::Closing) != Life::Open {
            return Ok(());
        }
        let flushed = self.promise(Answer::Nothing, |replica| Ok(replica.flush()))?;
        platform::settled(&flushed).await?;
        self.call_unchecked(|replica, now| {
            replica.leave(now);
            Ok(())
        })?;
        self.set_online(false);
        self.close_peers();
        self.life.set(Life::Closed);
        drop(self.page.take());
        drop(self.tabs.take());
        self.timer.set(None);
        let closed = self.storage.close().await;
        self.promises.reject_all(&error::coded(error::CLOSED, "the space was closed"));
        closed
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
        if !self.let_in(&token) {
            return;
        }
        self.tokens.forget();
        self.replica.borrow_mut().set_token(token);
        self.after_call();
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

    /// The relays there are, from now on.
    pub fn set_relays(&self, relays: Vec<String>) -> Result<(), JsValue> {
        self.online.set(Online { has_relays: !relays.is_empty(), ..self.online.get() });
        self.call(|replica, _| {
            replica.set_relays(relays);
            Ok(())
        })?;
        self.link_if_wished();
        Ok(())
    }

    pub(super) fn check(&self) -> Result<(), JsValue> {
        death::check()?;
        match self.life.get() {
            Life::Open => Ok(()),
            Life::Closing | Life::Closed => Err(error::coded(error::CLOSED, "the space is closed")),
        }
    }

    pub(super) fn call_unchecked<T>(
        &self,
        call: impl FnOnce(&mut Replica, Millis) -> Result<T, ReplicaError>,
    ) -> Result<T, JsValue> {
        let result = call(&mut self.replica.borrow_mut(), clock::now());
        self.after_call();
        if self.is_leaving.get() {
            self.keep_unstored();
        }
        result.map_err(refused)
    }

    pub(super) fn promise(
        &self,
        answer: Answer,
        call: impl FnOnce(&mut Replica) -> Result<WaitId, ReplicaError>,
    ) -> Result<Promise, JsValue> {
        self.call_unchecked(|replica, _| Ok(self.promises.add(call(replica)?, answer)))
    }

    pub(super) fn link_if_wished(&self) {
        let Online { wished, has_relays, .. } = self.online.get();
        if let Some(tabs) = self.tabs.borrow().as_ref() {
            tabs.stand(wished && has_relays && !self.is_leaving.get());
        }
        let may = wished && self.tabs.borrow().as_ref().is_none_or(Tabs::is_leader);
        let online = self.online.get();
        if may != online.told {
            self.online.set(Online { told: may, ..online });
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
                Some(Message::Input(input)) => self.replica.borrow_mut().handle(input, clock::now()),
                Some(Message::Unreachable) => self.news.event(EngineEvent::Unreachable),
                Some(Message::LeaderChanged) => self.link_if_wished(),
                Some(Message::Kept) => self.look_for_kept(),
            }
        }
        self.turn.end();
        self.news.tell(|doc| self.value(doc));
    }

    /// Begins a turn once the application's call has returned.
    pub(super) fn turn_soon(&self) {
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
                Ok(Some(token)) if !driver.let_in(&token) => {}
                Ok(token) if is_wanted => {
                    if let Some(token) = token {
                        driver.set_token(token);
                    }
                    let token = driver.replica.borrow().token().map(str::to_owned);
                    driver.sockets.dial(link, &url, token.as_deref());
                }
                Err(_) if is_wanted => {
                    let why = "there is no token to open it with".to_owned();
                    driver.inbox.push(HolderInput::LinkFailed(link, BROKEN_OFF, why));
                }
                _ => {}
            }
        });
    }

    /// Does what a call has made the replica ask for. What comes of it is looked at once the call has returned.
    pub(super) fn after_call(&self) {
        self.turn.hold(|| self.do_effects());
        self.turn_soon();
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
            HolderEffect::Send(link, frame) => {
                if !self.peers.send(link, &frame) {
                    self.sockets.send(link, &frame);
                }
            }
            HolderEffect::Close(link, code, reason) => {
                if !self.peers.close(link, code, &reason) {
                    self.tokens.came_for(link);
                    self.sockets.close(link, code, &reason);
                }
            }
            HolderEffect::Storage(id, request) => self.storage.request(id, request),
            HolderEffect::SetTimer(at) => self.timer.set(at),
            // Nobody dials a replica, and it signs nothing.
            HolderEffect::Authorize(..) | HolderEffect::Sign(..) => {}
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

/// Where a relay serves a space.
fn address(relay: &str, space: &str) -> String {
    format!("{}/v1/{}", relay.trim_end_matches('/'), js_sys::encode_uri_component(space))
}
