//! The tabs of one origin share one log. Each is an author of its own; they tell each other what
//! the log got, and a Web Lock elects the leader, which links to relays. A tab that closes or crashes
//! frees the lock, and the next tab becomes leader.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use eyot_core::replica::io::Input;
use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, BroadcastChannel, MessageEvent};

use crate::base::inbox::{Inbox, Message};
use crate::base::{js, platform};

#[wasm_bindgen]
extern "C" {
    type Locks;
    #[wasm_bindgen(method)]
    fn request(this: &Locks, name: &str, options: &js_sys::Object, granted: &Function) -> Promise;
}

pub struct Tabs {
    channel: BroadcastChannel,
    _listener: Closure<dyn FnMut(MessageEvent)>,
    election: Rc<Election>,
}

impl Tabs {
    /// Joins the tabs that share storage of this name; `None` where the platform has no tabs.
    pub fn join(inbox: &Rc<Inbox>, name: &str) -> Option<Self> {
        if platform::global("BroadcastChannel").is_undefined() {
            return None;
        }
        let channel = BroadcastChannel::new(name).ok()?;
        let listener = {
            let inbox = Rc::clone(inbox);
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                inbox.push(Input::Broadcast(Uint8Array::new(&event.data()).to_vec()));
            })
        };
        channel.set_onmessage(Some(listener.as_ref().unchecked_ref()));
        let election = Election::start(Rc::clone(inbox), name.to_owned());
        Some(Self { channel, _listener: listener, election })
    }

    /// Tells the other tabs.
    pub fn broadcast(&self, message: &[u8]) {
        // Bytes can be copied, and the channel is open as long as this is.
        let _ = self.channel.post_message(&js::bytes(message));
    }

    /// Whether this tab links to relays.
    pub fn is_leader(&self) -> bool {
        self.election.role.get() == Role::Leader
    }
}

impl Drop for Tabs {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.channel.close();
        self.election.leave();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Follower,
    Leader,
    Left,
}

struct Election {
    inbox: Rc<Inbox>,
    role: Cell<Role>,
    /// Frees the lock that is held.
    release: RefCell<Option<Function>>,
    /// Ends the wait for the lock.
    stop: Option<AbortController>,
}

impl Election {
    fn start(inbox: Rc<Inbox>, name: String) -> Rc<Self> {
        let locks = js::get(&platform::global("navigator"), "locks");
        let election = Rc::new(Self {
            inbox,
            role: Cell::new(Role::Follower),
            release: RefCell::default(),
            stop: AbortController::new().ok(),
        });
        if locks.is_undefined() {
            election.role.set(Role::Leader);
        } else {
            spawn_local(Rc::clone(&election).run(locks.unchecked_into(), name));
        }
        election
    }

    /// Waits for the lock, holds it, and begins again if the browser takes it away.
    async fn run(self: Rc<Self>, locks: Locks, name: String) {
        while self.role.get() == Role::Follower {
            let granted = {
                let election = Rc::clone(&self);
                Closure::once(move || election.granted())
            };
            let options = match &self.stop {
                Some(stop) => js::object([("signal", stop.signal().into())]),
                None => js_sys::Object::new(),
            };
            let held = locks.request(&name, &options, granted.as_ref().unchecked_ref());
            let ended = platform::settled(&held).await;
            if self.role.get() == Role::Leader {
                self.role.set(Role::Follower);
                self.inbox.push(Message::LeaderChanged);
            } else if ended.is_err() {
                // Locks are refused here, in a sandboxed frame for example: link without asking.
                self.lead();
                return;
            }
        }
    }

    /// A promise that holds the lock until it is released.
    fn granted(&self) -> Promise {
        if self.role.get() == Role::Left {
            return Promise::resolve(&JsValue::UNDEFINED);
        }
        let held = Promise::new(&mut |resolve, _| {
            *self.release.borrow_mut() = Some(resolve);
        });
        self.lead();
        held
    }

    fn lead(&self) {
        if self.role.get() == Role::Follower {
            self.role.set(Role::Leader);
            self.inbox.push(Message::LeaderChanged);
        }
    }

    fn leave(&self) {
        self.role.set(Role::Left);
        if let Some(stop) = &self.stop {
            stop.abort();
        }
        if let Some(release) = self.release.borrow_mut().take() {
            // Resolving a promise runs no listener before the present code has ended.
            let _ = release.call0(&JsValue::UNDEFINED);
        }
    }
}
