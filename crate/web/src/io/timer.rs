//! The one deadline of a replica.

use std::cell::RefCell;
use std::rc::Rc;

use eyot_core::base::time::Millis;
use eyot_core::holder::io::Input;
use wasm_bindgen::prelude::*;

use crate::base::clock;
use crate::base::inbox::Inbox;

/// `setTimeout` counts in a signed 32-bit number.
const TIMEOUT_MS_MAX: u64 = i32::MAX as u64;

pub struct Timer {
    ring: Closure<dyn Fn()>,
    set: RefCell<Option<JsValue>>,
}

impl Timer {
    pub fn new(inbox: Rc<Inbox>) -> Self {
        let ring = Closure::new(move || inbox.push(Input::Timer));
        Self { ring, set: RefCell::default() }
    }

    /// Reports `Input::Timer` at this time, and not at the time that was set before.
    pub fn set(&self, at: Option<Millis>) {
        self.clear();
        if let Some(at) = at {
            let delay = at.saturating_sub(clock::now()).min(TIMEOUT_MS_MAX);
            self.set.replace(Some(clock::set(self.ring.as_ref().unchecked_ref(), delay as u32)));
        }
    }

    fn clear(&self) {
        if let Some(timer) = self.set.take() {
            clock::clear(&timer);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clear();
    }
}
