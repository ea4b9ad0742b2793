//! The tabs of one origin share one log. Each is an author of its own; they tell each other what
//! the log got, and a lock elects the one that links to relays. A tab that closes or crashes frees the
//! lock, and the next takes over.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use eyot_core::holder::io::Input;
use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, BroadcastChannel, MessageEvent};

use crate::driver::Driver;
use crate::js;

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
    /// Joins the tabs that share storage of this name; `None` where the platform has none.
    pub fn join(driver: &Weak<Driver>, name: &str) -> Option<Self> {
        if js::global("BroadcastChannel").is_undefined() {
            return None;
        }
        let channel = BroadcastChannel::new(name).ok()?;
        let listener = {
            let driver = driver.clone();
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                if let Some(driver) = driver.upgrade() {
                    driver.feed(Input::Broadcast(Uint8Array::new(&event.data()).to_vec()));
                }
            })
        };
        channel.set_onmessage(Some(listener.as_ref().unchecked_ref()));
        let election = Election::start(driver.clone(), name.to_owned());
        Some(Self { channel, _listener: listener, election })
    }

    /// Tells the other tabs.
    pub fn tell(&self, message: &[u8]) {
        // Bytes can be copied, and the channel is open as long as this is.
        let _ = self.channel.post_message(&js::bytes(message));
    }

    /// Whether this is the tab that links to relays.
    pub fn leads(&self) -> bool {
        self.election.state.get() == Standing::Leads
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
enum Standing {
    Waits,
    Leads,
    Left,
}

struct Election {
    state: Cell<Standing>,
    /// Frees the lock that is held.
    release: RefCell<Option<Function>>,
    /// Ends the wait for it.
    stop: Option<AbortController>,
}

impl Election {
    fn start(driver: Weak<Driver>, name: String) -> Rc<Self> {
        let locks = js::get(&js::global("navigator"), "locks");
        let election = Rc::new(Self {
            state: Cell::new(Standing::Waits),
            release: RefCell::default(),
            stop: AbortController::new().ok(),
        });
        if locks.is_undefined() {
            election.state.set(Standing::Leads);
        } else {
            spawn_local(Rc::clone(&election).stand(locks.unchecked_into(), driver, name));
        }
        election
    }

    /// Waits for the lock, holds it, and begins again where the browser takes it away.
    async fn stand(self: Rc<Self>, locks: Locks, driver: Weak<Driver>, name: String) {
        while self.state.get() == Standing::Waits {
            let granted = {
                let (election, driver) = (Rc::clone(&self), driver.clone());
                Closure::once(move || election.granted(&driver))
            };
            let options = match &self.stop {
                Some(stop) => js::object([("signal", stop.signal().into())]),
                None => js_sys::Object::new(),
            };
            let held = locks.request(&name, &options, granted.as_ref().unchecked_ref());
            let ended = js::settled(&held).await;
            let led = self.state.get() == Standing::Leads;
            if led {
                self.state.set(Standing::Waits);
                if let Some(driver) = driver.upgrade() {
                    driver.leader_changed();
                }
            } else if ended.is_err() {
                // Locks are refused here, to a sandboxed frame for one: link without asking.
                self.lead(&driver);
                return;
            }
        }
    }

    /// A promise that holds the lock until it is released.
    fn granted(&self, driver: &Weak<Driver>) -> Promise {
        if self.state.get() == Standing::Left {
            return Promise::resolve(&JsValue::UNDEFINED);
        }
        let held = Promise::new(&mut |resolve, _| {
            *self.release.borrow_mut() = Some(resolve);
        });
        self.lead(driver);
        held
    }

    fn lead(&self, driver: &Weak<Driver>) {
        if self.state.get() == Standing::Waits {
            self.state.set(Standing::Leads);
            if let Some(driver) = driver.upgrade() {
                driver.leader_changed();
            }
        }
    }

    fn leave(&self) {
        self.state.set(Standing::Left);
        if let Some(stop) = &self.stop {
            stop.abort();
        }
        if let Some(release) = self.release.borrow_mut().take() {
            // Resolving a promise runs nobody's code now.
            let _ = release.call0(&JsValue::UNDEFINED);
        }
    }
}
