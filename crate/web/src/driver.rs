//! Runs one replica: feeds it inputs one at a time, does what it asks for, and tells the application.
//!
//! Inputs wait in one queue. All that an input made the replica ask for is done before the next, and
//! the application is told in one call once the queue is empty. So none of the application's code
//! runs between a change of an open document and the call that tells of it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use eyot_core::base::id::DocId;
use eyot_core::base::time::Millis;
use eyot_core::document::value::encode_patches;
use eyot_core::replica::event::Event;
use eyot_core::replica::io::{Effect, Input};
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::replica::waits::WaitId;
use gloo_timers::callback::Timeout;
use js_sys::{Array, Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::socket::{Heard, Sockets};
use crate::storage::Storage;
use crate::tabs::Tabs;
use crate::{death, error, js, status};

/// `setTimeout` counts in a signed 32-bit number.
const TIMEOUT_MS_MAX: u64 = i32::MAX as u64;

pub struct Driver {
    this: Weak<Driver>,
    space: String,
    replica: RefCell<Replica>,
    inputs: RefCell<VecDeque<Input>>,
    turn: Cell<Turn>,
    news: RefCell<News>,
    opening: RefCell<Option<Settle>>,
    waiters: RefCell<BTreeMap<WaitId, Waiter>>,
    storage: Rc<Storage>,
    sockets: Sockets,
    /// Where the log is shared with other tabs.
    tabs: RefCell<Option<Tabs>>,
    timer: RefCell<Option<Timeout>>,
    online: Cell<Online>,
    /// Asked for a fresh token whenever a link opens.
    token: Option<Function>,
    /// One that came too late for the link it was asked for.
    late_token: RefCell<Option<String>>,
    /// Asks a relay how it is: `(relay) => Promise<boolean>`.
    probe: Function,
    on_events: Function,
    life: Cell<Life>,
}

/// Whether inputs are being worked off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Idle,
    Scheduled,
    Running,
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

/// What JavaScript is to hear.
#[derive(Default)]
struct News {
    events: Vec<Notice>,
    /// Promises, and the waits that they stand for.
    settled: Vec<(Settle, Outcome)>,
}

enum Notice {
    Event(JsValue),
    /// The value is read when the application is told: what came after the reset is in it.
    Reset(DocId),
}

enum Outcome {
    Done,
    Value(DocId),
    Named(DocId),
    NotHeld,
    Failed(JsValue),
}

/// The two ends of a promise.
struct Settle {
    resolve: Function,
    reject: Function,
}

struct Waiter {
    answer: Answer,
    settle: Settle,
    promise: Promise,
}

/// What a promise resolves with.
#[derive(Clone, Copy)]
pub enum Answer {
    Nothing,
    Value,
    Named,
}

impl Driver {
    pub fn new(
        config: ReplicaConfig,
        storage: Rc<Storage>,
        sockets: Sockets,
        token: Option<Function>,
        probe: Function,
        on_events: Function,
    ) -> Rc<Self> {
        let driver = Rc::new_cyclic(|this| Self {
            this: this.clone(),
            space: config.space.clone(),
            replica: RefCell::new(Replica::new(config, js::now())),
            inputs: RefCell::default(),
            turn: Cell::new(Turn::Idle),
            news: RefCell::default(),
            opening: RefCell::default(),
            waiters: RefCell::default(),
            storage,
            sockets,
            tabs: RefCell::default(),
            timer: RefCell::default(),
            online: Cell::new(Online { wished: true, told: false }),
            token,
            late_token: RefCell::default(),
            probe,
            on_events,
            life: Cell::new(Life::Open),
        });
        death::tell(driver.this.clone());
        driver
    }

    /// Loads the replica from storage, which may be shared under a name. Settles once it can be used.
    pub async fn open(&self, shared: Option<&str>) -> Result<(), JsValue> {
        if let Some(name) = shared {
            *self.tabs.borrow_mut() = Tabs::join(&self.this, name);
        }
        let opened = Promise::new(&mut |resolve, reject| {
            *self.opening.borrow_mut() = Some(Settle { resolve, reject });
        });
        self.feed(Input::Online(false));
        self.link_if_wished();
        js::settled(&opened).await?;
        Ok(())
    }

    /// Saves what can be saved, closes links and storage, and rejects whatever still waits.
    pub async fn close(&self) -> Result<(), JsValue> {
        if self.life.replace(Life::Closing) != Life::Open {
            return Ok(());
        }
        let flushed = self.promise(Answer::Nothing, |replica| Ok(replica.flush()))?;
        js::settled(&flushed).await?;
        self.set_online(false);
        self.life.set(Life::Closed);
        drop(self.tabs.borrow_mut().take());
        drop(self.timer.borrow_mut().take());
        self.storage.close().await;
        self.fail_all(&error::coded(error::CLOSED, "the space was closed"));
        Ok(())
    }

    /// Calls the replica for the application.
    pub fn call<T>(
        &self,
        call: impl FnOnce(&mut Replica, Millis) -> Result<T, JsValue>,
    ) -> Result<T, JsValue> {
        self.check()?;
        self.call_unchecked(call)
    }

    /// Calls the replica for something that it will answer later.
    pub fn wait(
        &self,
        answer: Answer,
        call: impl FnOnce(&mut Replica) -> Result<WaitId, JsValue>,
    ) -> Result<Promise, JsValue> {
        self.check()?;
        self.promise(answer, call)
    }

    /// Nobody waits for this promise any more, and it need not settle.
    pub fn cancel(&self, promise: &Promise) -> Result<(), JsValue> {
        let is_it = |waiter: &Waiter| js_sys::Object::is(&waiter.promise, promise);
        let mut waiters = self.waiters.borrow_mut();
        let Some(wait) = waiters.iter().find(|(_, waiter)| is_it(waiter)).map(|(wait, _)| *wait) else {
            return Ok(());
        };
        waiters.remove(&wait);
        drop(waiters);
        self.call_unchecked(|replica, _| {
            replica.cancel(wait);
            Ok(())
        })
    }

    /// Takes what the world says and works on it.
    pub fn feed(&self, input: Input) {
        if self.life.get() != Life::Closed {
            self.queue(input);
            self.run();
        }
    }

    /// Takes what the world says while effects are being done.
    pub fn queue(&self, input: Input) {
        self.inputs.borrow_mut().push_back(input);
    }

    pub fn weak(&self) -> Weak<Self> {
        self.this.clone()
    }

    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    pub fn status(&self) -> JsValue {
        status::object(&self.replica.borrow().status())
    }

    /// The token to greet a relay with, which the application may have to fetch first. None where
    /// links are greeted with what the replica has.
    pub fn ask_token(&self) -> impl Future<Output = Result<Option<String>, JsValue>> + use<> {
        let late = self.late_token.take();
        let asked = match (&late, &self.token) {
            (None, Some(token)) => Some(token.call0(&JsValue::UNDEFINED)),
            _ => None,
        };
        async {
            match asked {
                None => Ok(late),
                Some(token) => Ok(js::settled(&Promise::resolve(&token?)).await?.as_string()),
            }
        }
    }

    /// Greets with this token from now on, and renews it where a link is open.
    pub fn set_token(&self, token: String) {
        self.late_token.take();
        self.replica.borrow_mut().set_token(token);
        self.do_effects();
        self.turn_soon();
    }

    /// For the next link, as the one it was asked for has gone.
    pub fn keep_token(&self, token: String) {
        *self.late_token.borrow_mut() = Some(token);
    }

    /// A relay could not be reached, or did not speak.
    pub fn unreachable(&self) {
        self.notice_of("unreachable", []);
    }

    /// The application's switch.
    pub fn set_online(&self, wished: bool) {
        self.online.set(Online { wished, ..self.online.get() });
        if wished && self.online.get().told {
            // Said again, as when a network came back: the next try is due now.
            self.feed(Input::Online(true));
        }
        self.link_if_wished();
    }

    /// This tab now links to relays, or no longer does.
    pub fn leader_changed(&self) {
        self.link_if_wished();
    }

    /// A panic: rejects what waits, tells the application, and lets go of what the platform holds for
    /// this replica. What is borrowed is what was being changed, and is left alone.
    pub fn die(&self, error: &JsValue) {
        self.life.set(Life::Closed);
        let waiters = self
            .waiters
            .try_borrow_mut()
            .map(|mut waiters| std::mem::take(&mut *waiters))
            .unwrap_or_default();
        let opening = self.opening.try_borrow_mut().ok().and_then(|mut opening| opening.take());
        for settle in waiters.into_values().map(|waiter| waiter.settle).chain(opening) {
            settle.reject(error);
        }
        let timer = self.timer.try_borrow_mut().ok().and_then(|mut timer| timer.take());
        let tabs = self.tabs.try_borrow_mut().ok().and_then(|mut tabs| tabs.take());
        drop((timer, tabs));
        self.sockets.abandon();
        self.storage.abandon();
        let events =
            Array::of1(&js::object([("type", "dead".into()), ("message", js::get(error, "message"))]));
        js::queue_microtask(self.on_events.bind1(&JsValue::UNDEFINED, &events).unchecked_ref());
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
        call: impl FnOnce(&mut Replica, Millis) -> Result<T, JsValue>,
    ) -> Result<T, JsValue> {
        let result = call(&mut self.replica.borrow_mut(), js::now());
        self.do_effects();
        self.turn_soon();
        result
    }

    fn promise(
        &self,
        answer: Answer,
        call: impl FnOnce(&mut Replica) -> Result<WaitId, JsValue>,
    ) -> Result<Promise, JsValue> {
        self.call_unchecked(|replica, _| {
            let wait = call(replica)?;
            let mut settle = None;
            let promise = Promise::new(&mut |resolve, reject| settle = Some(Settle { resolve, reject }));
            let settle = settle.expect("a promise calls its executor at once");
            let waiter = Waiter { answer, settle, promise: promise.clone() };
            self.waiters.borrow_mut().insert(wait, waiter);
            Ok(promise)
        })
    }

    fn leads(&self) -> bool {
        self.tabs.borrow().as_ref().is_none_or(Tabs::leads)
    }

    fn link_if_wished(&self) {
        let Online { wished, told } = self.online.get();
        let may = wished && self.leads();
        if may != told {
            self.online.set(Online { wished, told: may });
            self.feed(Input::Online(may));
        }
    }

    fn run(&self) {
        if self.turn.get() == Turn::Running || self.life.get() == Life::Closed {
            return;
        }
        self.turn.set(Turn::Running);
        loop {
            self.do_effects();
            let Some(input) = self.inputs.borrow_mut().pop_front() else {
                break;
            };
            self.replica.borrow_mut().handle(input, js::now());
        }
        self.turn.set(Turn::Idle);
        self.tell_application();
    }

    /// Runs once the application's call has returned.
    fn turn_soon(&self) {
        let news = self.news.borrow();
        let idle = self.inputs.borrow().is_empty() && news.events.is_empty() && news.settled.is_empty();
        if idle || self.turn.get() != Turn::Idle {
            return;
        }
        self.turn.set(Turn::Scheduled);
        let this = self.this.clone();
        spawn_local(async move {
            if let Some(driver) = this.upgrade() {
                driver.run();
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
            Effect::Dial(link, relay) => self.sockets.dial(self, link, &address(&relay, &self.space)),
            Effect::Send(link, frame) => self.sockets.send(link, &frame),
            Effect::Close(link, code, reason) => {
                if self.sockets.close(link, code, &reason) == Some(Heard::Nothing) {
                    self.unreachable();
                }
            }
            Effect::Storage(id, request) => self.storage.request(self, id, request),
            Effect::SetTimer(at) => self.set_timer(at),
            Effect::Broadcast(message) => self.tell_tabs(&message),
            Effect::App(event) => self.take_event(event),
            Effect::Probe(relay) => self.probe(relay),
            Effect::Ping(link) => self.sockets.ping(link),
            // Nobody greets a replica.
            Effect::Authorize(..) => {}
        }
    }

    fn set_timer(&self, at: Option<Millis>) {
        let timer = at.map(|at| {
            let delay = at.saturating_sub(js::now()).min(TIMEOUT_MS_MAX);
            let this = self.this.clone();
            Timeout::new(delay as u32, move || {
                if let Some(driver) = this.upgrade() {
                    driver.feed(Input::Timer);
                }
            })
        });
        *self.timer.borrow_mut() = timer;
    }

    fn probe(&self, relay: String) {
        let asked = self.probe.call1(&JsValue::UNDEFINED, &relay.as_str().into());
        let this = self.this.clone();
        spawn_local(async move {
            let healthy = match asked {
                Ok(answer) => js::settled(&Promise::resolve(&answer)).await.is_ok_and(|yes| yes.is_truthy()),
                Err(_) => false,
            };
            if let Some(driver) = this.upgrade() {
                if !healthy {
                    driver.unreachable();
                }
                driver.feed(Input::Probed(relay, healthy));
            }
        });
    }

    fn tell_tabs(&self, message: &[u8]) {
        if let Some(tabs) = self.tabs.borrow().as_ref() {
            tabs.tell(message);
        }
    }

    fn take_event(&self, event: Event) {
        match event {
            Event::Ready => self.settle_opening(Outcome::Done),
            Event::OpenFailed(message) => {
                self.settle_opening(Outcome::Failed(error::coded(error::STORAGE, &message)));
            }
            Event::Waited(wait) => self.settle(wait, |_| Outcome::Done),
            Event::Opened { wait, doc, held } => self.settle(wait, |answer| match (held, answer) {
                (false, _) => Outcome::NotHeld,
                (true, Answer::Named) => Outcome::Named(doc),
                (true, _) => Outcome::Value(doc),
            }),
            Event::Patches { doc, patches } => {
                if !self.will_reset(doc) {
                    let patches = js::bytes(&encode_patches(&patches));
                    self.notice_of("patches", [("doc", doc_bytes(doc)), ("patches", patches.into())]);
                }
            }
            Event::Reset { doc } => {
                if !self.will_reset(doc) {
                    self.news.borrow_mut().events.push(Notice::Reset(doc));
                }
            }
            Event::Held { doc } => self.notice_of("held", [("doc", doc_bytes(doc))]),
            Event::Deleted { doc } => self.notice_of("deleted", [("doc", doc_bytes(doc))]),
            Event::Saved { seq } => self.notice_of("saved", [("seq", number(seq))]),
            Event::SaveFailed { seq, message } => {
                self.notice_of("saveFailed", [("seq", number(seq)), ("message", message.into())]);
            }
            Event::Status => self.notice_of("status", []),
            Event::TokenExpiring => self.notice_of("tokenExpiring", []),
        }
    }

    fn will_reset(&self, doc: DocId) -> bool {
        self.news.borrow().events.iter().any(|notice| matches!(notice, Notice::Reset(other) if *other == doc))
    }

    fn notice_of<const N: usize>(&self, kind: &str, fields: [(&str, JsValue); N]) {
        let event = js::object(fields);
        js::set(&event, "type", &kind.into());
        self.notice(event.into());
    }

    fn notice(&self, event: JsValue) {
        self.news.borrow_mut().events.push(Notice::Event(event));
    }

    fn settle(&self, wait: WaitId, outcome: impl FnOnce(Answer) -> Outcome) {
        let waiter = self.waiters.borrow_mut().remove(&wait);
        if let Some(Waiter { answer, settle, .. }) = waiter {
            self.news.borrow_mut().settled.push((settle, outcome(answer)));
        }
    }

    fn settle_opening(&self, outcome: Outcome) {
        let opening = self.opening.borrow_mut().take();
        if let Some(settle) = opening {
            self.news.borrow_mut().settled.push((settle, outcome));
        }
    }

    /// Tells what there is to tell. The application may call back in, which makes more news.
    fn tell_application(&self) {
        loop {
            let News { events, settled } = self.news.take();
            if events.is_empty() && settled.is_empty() {
                return;
            }
            let events: Array = events.into_iter().filter_map(|notice| self.event(notice)).collect();
            for (settle, outcome) in settled {
                self.tell_outcome(&settle, outcome);
            }
            if events.length() > 0 {
                // The listener is ours and keeps the errors of the application's own to itself.
                let _ = self.on_events.call1(&JsValue::UNDEFINED, &events);
            }
        }
    }

    fn event(&self, notice: Notice) -> Option<JsValue> {
        match notice {
            Notice::Event(event) => Some(event),
            // Closed in the meantime: nobody asks.
            Notice::Reset(doc) => self.value(doc).ok().map(|value| {
                js::object([("type", "reset".into()), ("doc", doc_bytes(doc)), ("value", value)]).into()
            }),
        }
    }

    fn tell_outcome(&self, settle: &Settle, outcome: Outcome) {
        let answer = match outcome {
            Outcome::Done | Outcome::NotHeld => Ok(JsValue::UNDEFINED),
            Outcome::Value(doc) => self.value(doc),
            Outcome::Named(doc) => {
                self.value(doc).map(|value| js::object([("doc", doc_bytes(doc)), ("value", value)]).into())
            }
            Outcome::Failed(error) => Err(error),
        };
        match answer {
            Ok(value) => settle.resolve(&value),
            Err(error) => settle.reject(&error),
        }
    }

    fn value(&self, doc: DocId) -> Result<JsValue, JsValue> {
        let value = self.replica.borrow().value(doc);
        value.map(|value| js::bytes(&value).into()).map_err(error::from_replica)
    }

    fn fail_all(&self, error: &JsValue) {
        for waiter in self.waiters.take().into_values() {
            waiter.settle.reject(error);
        }
    }
}

// Settling a promise runs nobody's code before the present one has ended, and can't fail.
impl Settle {
    fn resolve(&self, value: &JsValue) {
        let _ = self.resolve.call1(&JsValue::UNDEFINED, value);
    }

    fn reject(&self, error: &JsValue) {
        let _ = self.reject.call1(&JsValue::UNDEFINED, error);
    }
}

/// Where a relay serves a space.
fn address(relay: &str, space: &str) -> String {
    format!("{}/v1/{}", relay.trim_end_matches('/'), js_sys::encode_uri_component(space))
}

pub fn doc_bytes(doc: DocId) -> JsValue {
    js::bytes(&doc.0).into()
}

/// Sequence numbers stay below 2^53.
fn number(seq: u64) -> JsValue {
    JsValue::from_f64(seq as f64)
}
