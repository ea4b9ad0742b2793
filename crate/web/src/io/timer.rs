//! The one deadline of a replica.

use std::cell::RefCell;
use std::rc::Rc;

use eyot_core::base::time::Millis;
use eyot_core::holder::io::Input;
use gloo_timers::callback::Timeout;

use crate::base::inbox::Inbox;
use crate::base::js;

/// `setTimeout` counts in a signed 32-bit number.
const TIMEOUT_MS_MAX: u64 = i32::MAX as u64;

pub struct Timer {
    inbox: Rc<Inbox>,
    timeout: RefCell<Option<Timeout>>,
}

impl Timer {
    pub fn new(inbox: Rc<Inbox>) -> Self {
        Self { inbox, timeout: RefCell::default() }
    }

    /// Reports `Input::Timer` at this time, and not at the time that was set before.
    pub fn set(&self, at: Option<Millis>) {
        let timeout = at.map(|at| {
            let delay = at.saturating_sub(js::now()).min(TIMEOUT_MS_MAX);
            let inbox = Rc::clone(&self.inbox);
            Timeout::new(delay as u32, move || inbox.push(Input::Timer))
        });
        *self.timeout.borrow_mut() = timeout;
    }
}
