//! Notices that storage does not answer. Whoever waits for it is told that it failed, rather than
//! nothing for ever.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use eyot_core::base::id::RequestId;
use gloo_timers::callback::Timeout;

/// Storage that has answered nothing for between two and three of these has failed. One alone says
/// nothing: a page that was frozen finds the timer rung and the answer behind it.
const LOOK_MS: u32 = 5_000;
const LOOKS: u32 = 2;

#[derive(Default)]
pub struct Watch {
    /// What storage was asked and has not answered.
    asked: RefCell<BTreeSet<RequestId>>,
    /// How much of that was given up. Storage is asked for nothing else while it owes an answer.
    owed: Cell<usize>,
    looks: Cell<u32>,
    timer: RefCell<Option<Timeout>>,
}

impl Watch {
    /// Storage owes answers that were given up.
    pub fn is_stuck(&self) -> bool {
        self.owed.get() > 0
    }

    /// Storage is asked. `give_up` is called where it answers nothing.
    pub fn ask(self: &Rc<Self>, id: RequestId, give_up: impl Fn(Vec<RequestId>) + 'static) {
        self.asked.borrow_mut().insert(id);
        if self.timer.borrow().is_none() {
            self.looks.set(0);
            self.wait(Rc::new(give_up));
        }
    }

    /// Storage has answered. False: too late.
    pub fn answered(&self, id: RequestId) -> bool {
        self.looks.set(0);
        let is_awaited = self.asked.borrow_mut().remove(&id);
        if !is_awaited {
            self.owed.set(self.owed.get() - 1);
        }
        if self.asked.borrow().is_empty() {
            drop(self.timer.borrow_mut().take());
        }
        is_awaited
    }

    fn wait(self: &Rc<Self>, give_up: Rc<dyn Fn(Vec<RequestId>)>) {
        let this = Rc::downgrade(self);
        let timeout = Timeout::new(LOOK_MS, move || {
            let Some(this) = this.upgrade() else { return };
            drop(this.timer.borrow_mut().take());
            this.looks.set(this.looks.get() + 1);
            if this.looks.get() <= LOOKS {
                return this.wait(give_up);
            }
            let asked = this.asked.take();
            this.owed.set(this.owed.get() + asked.len());
            give_up(asked.into_iter().collect());
        });
        *self.timer.borrow_mut() = Some(timeout);
    }
}
