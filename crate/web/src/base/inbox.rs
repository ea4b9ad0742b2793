//! What sockets, storage, tabs and timers report to a replica: a queue, and a way to wake its reader.
//! They know this queue and not the driver that reads it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use eyot_core::holder::io as holder;
use eyot_core::replica::io::Input;

pub enum Message {
    /// For the replica.
    Input(Input),
    /// A relay could not be reached, or closed the link before it said anything.
    Unreachable,
    /// This tab became the leader of the tabs that share a log, or no longer is.
    LeaderChanged,
    /// Another tab has kept commits apart, see `Storage::keep`.
    Kept,
}

impl From<Input> for Message {
    fn from(input: Input) -> Self {
        Self::Input(input)
    }
}

impl From<holder::Input> for Message {
    fn from(input: holder::Input) -> Self {
        Self::Input(input.into())
    }
}

pub struct Inbox {
    messages: RefCell<VecDeque<Message>>,
    wake: Box<dyn Fn()>,
}

impl Inbox {
    /// `wake` is called after each message. It may read the inbox at once.
    pub fn new(wake: impl Fn() + 'static) -> Rc<Self> {
        Rc::new(Self { messages: RefCell::default(), wake: Box::new(wake) })
    }

    pub fn push(&self, message: impl Into<Message>) {
        self.messages.borrow_mut().push_back(message.into());
        (self.wake)();
    }

    /// The oldest message.
    pub fn take(&self) -> Option<Message> {
        self.messages.borrow_mut().pop_front()
    }

    pub fn is_empty(&self) -> bool {
        self.messages.borrow().is_empty()
    }
}
