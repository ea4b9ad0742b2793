//! Which of the tabs that share a log links to relays: the one that holds a Web Lock.
//!
//! A tab that closes or crashes frees the lock, and the next gets it. A tab that is frozen or busy keeps
//! it and does nothing. So whoever needs the leader asks whether it is there, and takes the lock from
//! one that does not answer. A tab that is seen also takes it from one that is not, because browsers slow
//! hidden tabs down. Who has lost the lock learns of it as soon as it runs again, and waits like others.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use eyot_core::base::time::Millis;
use gloo_timers::callback::Timeout;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, BroadcastChannel};

use super::page;
use crate::base::inbox::{Inbox, Message};
use crate::base::resources::Resources;
use crate::base::{clock, js, platform};

/// How long a leader has to answer, and how often a tab in sight asks. Twice this is less than the two
/// seconds for which nobody may be without a leader.
const PATIENCE_MS: u32 = 700;
/// A timer that is later than this says that this tab itself did not run.
const LATE_MS: Millis = 2 * PATIENCE_MS as Millis;

// What tabs say to each other about it. The core's messages are bytes, these are texts.
const ASK: &str = "leader?";
const SEEN: &str = "leader, seen";
const HIDDEN: &str = "leader, hidden";

#[wasm_bindgen]
extern "C" {
    type Locks;
    #[wasm_bindgen(method, catch)]
    fn request(
        this: &Locks,
        name: &str,
        options: &js_sys::Object,
        granted: &Function,
    ) -> Result<Promise, JsValue>;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It does not want to link, and leaves that to the others.
    Bystander,
    Follower,
    Leader,
}

pub struct Election {
    this: Weak<Election>,
    inbox: Rc<Inbox>,
    name: String,
    channel: BroadcastChannel,
    resources: Resources,
    /// None where the platform has no locks: each tab links then.
    locks: Option<Locks>,
    role: Cell<Role>,
    /// A task waits for the lock or holds it.
    is_running: Cell<bool>,
    /// The lock is to be taken from whoever holds it.
    takes: Cell<bool>,
    /// When the leader was asked; none once somebody has answered.
    asked_at: Cell<Option<Millis>>,
    timer: RefCell<Option<Timeout>>,
    /// Ends the wait for the lock.
    stop: RefCell<Option<AbortController>>,
    /// Frees the lock that is held.
    release: RefCell<Option<js_sys::Object>>,
}

impl Election {
    pub fn new(inbox: Rc<Inbox>, name: String, channel: BroadcastChannel, resources: Resources) -> Rc<Self> {
        let locks = js::get(&platform::global("navigator"), "locks");
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            inbox,
            name,
            channel,
            resources,
            locks: (!locks.is_undefined()).then(|| locks.unchecked_into()),
            role: Cell::new(Role::Bystander),
            is_running: Cell::new(false),
            takes: Cell::new(false),
            asked_at: Cell::new(None),
            timer: RefCell::default(),
            stop: RefCell::default(),
            release: RefCell::default(),
        })
    }

    pub fn is_leader(&self) -> bool {
        self.role.get() == Role::Leader
    }

    /// Whether this tab wants to link, or to have somebody link for it.
    pub fn stand(&self, wants: bool) {
        match (wants, self.role.get()) {
            (true, Role::Bystander) => {
                self.role.set(Role::Follower);
                if self.locks.is_none() {
                    self.lead();
                } else {
                    self.start();
                    self.look();
                }
            }
            (false, Role::Follower | Role::Leader) => {
                let led = self.role.replace(Role::Bystander) == Role::Leader;
                self.rest();
                self.free();
                if led {
                    self.inbox.push(Message::LeaderChanged);
                }
            }
            _ => {}
        }
    }

    /// Asks whether the leader is there, where this tab needs one.
    pub fn look(&self) {
        if self.role.get() != Role::Follower || self.asked_at.get().is_some() {
            return;
        }
        self.asked_at.set(Some(clock::now()));
        self.say(ASK);
        let this = self.this.clone();
        let timeout = Timeout::new(PATIENCE_MS, move || {
            if let Some(election) = this.upgrade() {
                election.waited();
            }
        });
        *self.timer.borrow_mut() = Some(timeout);
    }

    /// Another tab said this.
    pub fn heard(&self, text: &str) {
        match (text, self.role.get()) {
            (ASK, Role::Leader) => self.present(),
            (SEEN, Role::Follower) => self.asked_at.set(None),
            (HIDDEN, Role::Follower) => {
                self.asked_at.set(None);
                if page::is_visible() {
                    self.take();
                }
            }
            _ => {}
        }
    }

    /// The time for an answer is over.
    fn waited(&self) {
        if self.role.get() != Role::Follower {
            return;
        }
        match self.asked_at.take() {
            Some(at) if clock::now().saturating_sub(at) < LATE_MS => self.take(),
            // An answer may wait behind this timer.
            Some(_) => self.look(),
            None if page::is_visible() => self.look(),
            None => {}
        }
    }

    fn take(&self) {
        self.rest();
        self.takes.set(true);
        self.end_wait();
        self.start();
    }

    fn start(&self) {
        if let Some(this) = self.this.upgrade()
            && !self.is_running.replace(true)
        {
            spawn_local(this.run());
        }
    }

    /// Waits for the lock, holds it, and begins again if somebody takes it away.
    async fn run(self: Rc<Self>) {
        while let (Some(locks), Role::Follower) = (&self.locks, self.role.get()) {
            let granted = {
                let election = Rc::clone(&self);
                Closure::once(move || election.granted())
            };
            let stop = AbortController::new().ok();
            let options = match (self.takes.replace(false), &stop) {
                (true, _) => js::object([("steal", true.into())]),
                (false, Some(stop)) => js::object([("signal", stop.signal().into())]),
                (false, None) => js_sys::Object::new(),
            };
            let signal = stop.as_ref().map(AbortController::signal);
            *self.stop.borrow_mut() = stop;
            let held = locks.request(&self.name, &options, granted.as_ref().unchecked_ref());
            let ended = match held {
                Ok(held) => platform::settled(&held).await,
                Err(thrown) => Err(thrown),
            };
            drop(self.stop.borrow_mut().take());
            self.free();
            if self.role.get() == Role::Leader {
                self.role.set(Role::Follower);
                self.inbox.push(Message::LeaderChanged);
                self.look();
            } else if ended.is_err() && !signal.is_some_and(|signal| signal.aborted()) {
                // Locks are refused here, in a sandboxed frame for example: link without asking.
                self.lead();
                break;
            }
        }
        self.is_running.set(false);
    }

    /// A promise that holds the lock until it is released.
    fn granted(&self) -> Promise {
        if self.role.get() != Role::Follower {
            return Promise::resolve(&JsValue::UNDEFINED);
        }
        let held = Promise::new(&mut |resolve, _| {
            let release = js::object([("close", resolve.into())]);
            self.resources.add(&release);
            *self.release.borrow_mut() = Some(release);
        });
        self.lead();
        held
    }

    fn lead(&self) {
        self.rest();
        if self.role.replace(Role::Leader) != Role::Leader {
            self.present();
            self.inbox.push(Message::LeaderChanged);
        }
    }

    fn present(&self) {
        self.say(if page::is_visible() { SEEN } else { HIDDEN });
    }

    fn say(&self, text: &str) {
        // A text can be copied, and the channel is open as long as this is.
        let _ = self.channel.post_message(&text.into());
    }

    /// Does not wait for an answer any more.
    fn rest(&self) {
        self.asked_at.set(None);
        drop(self.timer.borrow_mut().take());
    }

    /// Frees the lock, or stops waiting for it.
    fn free(&self) {
        let release = self.release.borrow_mut().take();
        if let Some(release) = release {
            self.resources.remove(&release);
            let close = js::get(&release, "close").unchecked_into::<Function>();
            // Resolving a promise runs no listener before the present code has ended.
            let _ = close.call0(&JsValue::UNDEFINED);
        }
        self.end_wait();
    }

    fn end_wait(&self) {
        let stop = self.stop.borrow();
        if let Some(stop) = stop.as_ref().filter(|_| self.role.get() != Role::Leader) {
            stop.abort();
        }
    }
}
