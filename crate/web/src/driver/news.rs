//! What the application is to be told: queued while Rust holds state, and told at the end of a turn.

use std::cell::RefCell;

use eyot_core::base::id::DocId;
use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;

use super::promises::{Outcome, Settle};
use crate::base::js;
use crate::convert::documents::Named;
use crate::convert::events::EngineEvent;
use crate::convert::write;

pub struct News {
    /// `(events) => void`
    listener: Function,
    queue: RefCell<Queue>,
}

#[derive(Default)]
struct Queue {
    events: Vec<Notice>,
    settled: Vec<(Settle, Outcome)>,
}

enum Notice {
    Event(EngineEvent),
    /// The value is read when the application is told: what came after the reset is in it.
    Reset(DocId),
}

impl News {
    pub fn new(listener: Function) -> Self {
        Self { listener, queue: RefCell::default() }
    }

    pub fn is_empty(&self) -> bool {
        let queue = self.queue.borrow();
        queue.events.is_empty() && queue.settled.is_empty()
    }

    pub fn event(&self, event: EngineEvent) {
        self.queue.borrow_mut().events.push(Notice::Event(event));
    }

    pub fn reset(&self, doc: DocId) {
        if !self.will_reset(doc) {
            self.queue.borrow_mut().events.push(Notice::Reset(doc));
        }
    }

    /// Whether the application will be told a document's whole value, which makes patches needless.
    pub fn will_reset(&self, doc: DocId) -> bool {
        let is_it = |notice: &Notice| matches!(notice, Notice::Reset(other) if *other == doc);
        self.queue.borrow().events.iter().any(is_it)
    }

    pub fn settle(&self, settle: Settle, outcome: Outcome) {
        self.queue.borrow_mut().settled.push((settle, outcome));
    }

    /// Tells what there is to tell. The application may call back in, which makes more news.
    pub fn tell(&self, value: impl Fn(DocId) -> Result<Vec<u8>, JsValue>) {
        while !self.is_empty() {
            let Queue { events, settled } = self.queue.take();
            let events: Array = events.into_iter().filter_map(|notice| event_of(notice, &value)).collect();
            for (settle, outcome) in settled {
                match answer_of(outcome, &value) {
                    Ok(answer) => settle.resolve(&answer),
                    Err(error) => settle.reject(&error),
                }
            }
            if events.length() > 0 {
                // The listener belongs to this package and does not throw the application's errors.
                let _ = self.listener.call1(&JsValue::UNDEFINED, &events);
            }
        }
    }
}

fn event_of(notice: Notice, value: impl Fn(DocId) -> Result<Vec<u8>, JsValue>) -> Option<JsValue> {
    let event = match notice {
        Notice::Event(event) => event,
        // An error means that the document was closed in the meantime.
        Notice::Reset(doc) => EngineEvent::Reset { doc: doc.0, value: value(doc).ok()? },
    };
    write::object(event).ok().map(JsValue::from)
}

fn answer_of(
    outcome: Outcome,
    value: impl Fn(DocId) -> Result<Vec<u8>, JsValue>,
) -> Result<JsValue, JsValue> {
    match outcome {
        Outcome::Done | Outcome::NotHeld => Ok(JsValue::UNDEFINED),
        Outcome::Bytes(bytes) => Ok(js::bytes(&bytes).into()),
        Outcome::Value(doc) => value(doc).map(|value| js::bytes(&value).into()),
        Outcome::Named(doc) => write::object(Named::new(doc, value(doc)?)).map(JsValue::from),
        Outcome::Failed(error) => Err(error),
    }
}
