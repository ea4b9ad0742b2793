//! The relay as a class, for a host whose storage answers at once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use eyot_core::access::Claims;
use eyot_core::{Caps, Effect, Input, LinkId, Millis, Relay, RelayConfig};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::store::SyncStore;
use crate::{death, error, js};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "RelayOptions")]
    pub type RelayOptions;
}

/// The relay of one space in one region. What a call returns is to be sent in this order, and all
/// that it tells of is stored by then.
#[wasm_bindgen]
pub struct RelayEngine {
    relay: RefCell<Relay>,
    store: SyncStore,
    /// When the relay wants to be called. No timer rings for it, for that would keep the host awake:
    /// the next event does.
    deadline: Cell<Option<Millis>>,
}

#[wasm_bindgen]
impl RelayEngine {
    /// Loads the relay from its store.
    #[wasm_bindgen(constructor)]
    pub fn new(options: RelayOptions) -> Result<Self, JsValue> {
        death::check()?;
        let text = |key: &str| js::get(&options, key).as_string();
        let seed = js::get(&options, "seed").dyn_into::<Uint8Array>().ok().map(|seed| seed.to_vec());
        let (Some(space), Some(region), Some(Ok(seed))) =
            (text("space"), text("region"), seed.map(<[u8; 32]>::try_from))
        else {
            return Err(error::coded(error::INVALID, "a relay has a space, a region and a seed of 32 bytes"));
        };
        let config =
            RelayConfig { space, region, peers: Vec::new(), token: None, caps: Caps::default(), seed };
        let relay = Relay::new(config, js::now());
        let store = SyncStore(js::get(&options, "store").unchecked_into());
        let engine = Self { relay: RefCell::new(relay), store, deadline: Cell::new(None) };
        engine.run(VecDeque::new(), js::now())?;
        Ok(engine)
    }

    /// A link was accepted.
    #[wasm_bindgen(unchecked_return_type = "RelayOutput[]")]
    pub fn opened(&self, link: f64) -> Result<Array, JsValue> {
        self.handle(Input::LinkOpened(link_id(link)), js::now())
    }

    /// A whole frame came in.
    #[wasm_bindgen(unchecked_return_type = "RelayOutput[]")]
    pub fn received(&self, link: f64, frame: Vec<u8>, now: f64) -> Result<Array, JsValue> {
        self.handle(Input::Received(link_id(link), frame), now as Millis)
    }

    /// A link is gone.
    #[wasm_bindgen(unchecked_return_type = "RelayOutput[]")]
    pub fn closed(&self, link: f64) -> Result<Array, JsValue> {
        self.handle(Input::LinkClosed(link_id(link)), js::now())
    }

    /// How many commits are stored.
    pub fn stored(&self) -> Result<f64, JsValue> {
        death::check()?;
        Ok(self.relay.borrow().stored() as f64)
    }

    /// What to keep of a link so that it survives the loss of this object's memory.
    pub fn attachment(&self, link: f64) -> Result<Vec<u8>, JsValue> {
        death::check()?;
        Ok(self.relay.borrow().attachment(link_id(link)))
    }

    /// Takes up a link of an earlier instance.
    pub fn resume(&self, link: f64, attachment: &[u8]) -> Result<(), JsValue> {
        death::check()?;
        self.relay.borrow_mut().resume(link_id(link), attachment, js::now());
        Ok(())
    }
}

impl RelayEngine {
    fn handle(&self, input: Input, now: Millis) -> Result<Array, JsValue> {
        death::check()?;
        let due = self.deadline.get().is_some_and(|deadline| deadline <= now);
        self.run(due.then_some(Input::Timer).into_iter().chain([input]).collect(), now)
    }

    /// Gives the relay these inputs and does what it asks of storage until it asks for nothing more;
    /// what else it asks for is returned. Throws where storage failed: this instance must be dropped
    /// then, with what it would have sent.
    fn run(&self, mut inputs: VecDeque<Input>, now: Millis) -> Result<Array, JsValue> {
        let outputs = Array::new();
        let mut answers = VecDeque::new();
        loop {
            while let Some(effect) = self.next_effect() {
                match effect {
                    Effect::Storage(id, request) => {
                        answers.push_back(Input::Storage(id, self.store.answer(&request)));
                    }
                    Effect::Send(link, frame) => {
                        let frame = js::bytes(&frame).into();
                        outputs.push(&js::object([("link", link_number(link)), ("frame", frame)]));
                    }
                    Effect::Close(link, code, reason) => {
                        let reason = reason.as_str().into();
                        let close = [("link", link_number(link)), ("code", code.into()), ("reason", reason)];
                        outputs.push(&js::object(close));
                    }
                    Effect::SetTimer(deadline) => self.deadline.set(deadline),
                    // A relay of one region dials nobody, shares its log with nobody, and has no
                    // application.
                    Effect::Dial(..) | Effect::Broadcast(_) | Effect::App(_) => {}
                    Effect::Authorize(link, _) => {
                        answers.push_back(Input::Authorized(link, Ok(Claims::open())));
                    }
                    Effect::Probe(_) | Effect::Ping(_) => {}
                }
            }
            if let Some(reason) = self.relay.borrow().failure() {
                return Err(error::coded(error::STORAGE, reason));
            }
            let Some(input) = answers.pop_front().or_else(|| inputs.pop_front()) else {
                return Ok(outputs);
            };
            self.relay.borrow_mut().handle(input, now);
        }
    }

    fn next_effect(&self) -> Option<Effect> {
        self.relay.borrow_mut().poll_effect()
    }
}

fn link_id(link: f64) -> LinkId {
    LinkId(link as u64)
}

fn link_number(link: LinkId) -> JsValue {
    JsValue::from_f64(link.0 as f64)
}
