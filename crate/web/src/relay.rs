//! The relay as a class, for a host whose storage answers at once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

use eyot_core::base::id::LinkId;
use eyot_core::base::time::Millis;
use eyot_core::holder::io::{Effect, Input};
use eyot_core::relay::relay::Relay;
use eyot_core::wire::access::Refusal;
use js_sys::Uint8Array;
use tsify::Ts;
use wasm_bindgen::prelude::*;

use crate::base::{clock, death, error, js};
use crate::convert::claims::{self, RelayClaims, RelayEngineOptions};
use crate::convert::outputs::{RegionView, RelayCounters, RelayOutput};
use crate::convert::write;
use crate::io::storage::SyncStore;

/// The relay of one space in one region. What a call returns is to be done in this order, and all
/// that it tells of is stored by then.
#[wasm_bindgen]
pub struct RelayEngine {
    relay: RefCell<Relay>,
    store: SyncStore,
    deadline: Cell<Option<Millis>>,
}

#[wasm_bindgen]
impl RelayEngine {
    /// Begin with `start`.
    #[wasm_bindgen(constructor)]
    pub fn new(options: Ts<RelayEngineOptions>) -> Result<Self, JsValue> {
        death::check()?;
        let (config, store) = claims::config(&options)?;
        let relay = RefCell::new(Relay::new(config, clock::now()));
        Ok(Self { relay, store: SyncStore(store.unchecked_into()), deadline: Cell::new(None) })
    }

    /// Loads the relay from its store.
    pub fn start(&self) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        death::check()?;
        self.run(VecDeque::new(), clock::now())
    }

    /// A link is open: one that was accepted, or one that this relay wanted dialled.
    pub fn opened(&self, link: f64) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        self.handle(Input::LinkOpened(link_id(link)), clock::now())
    }

    /// A whole frame came in.
    pub fn received(&self, link: f64, frame: Vec<u8>, now: f64) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        self.handle(Input::Received(link_id(link), frame), now as Millis)
    }

    /// A link is gone, or could not be opened.
    pub fn closed(&self, link: f64) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        self.handle(Input::LinkClosed(link_id(link)), clock::now())
    }

    /// The token that a link came with, or lacks, lets it in.
    pub fn authorized(&self, link: f64, claims: Ts<RelayClaims>) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        self.handle(Input::Authorized(link_id(link), Ok(claims::claims(&claims)?)), clock::now())
    }

    /// It does not.
    pub fn refused(
        &self,
        link: f64,
        has_expired: bool,
        reason: &str,
    ) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        let refusal = if has_expired { Refusal::expired(reason) } else { Refusal::denied(reason) };
        self.handle(Input::Authorized(link_id(link), Err(refusal)), clock::now())
    }

    /// What was to be signed is, or can't be.
    pub fn signed(&self, number: f64, signature: Option<Vec<u8>>) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        let signature = signature.and_then(|bytes| bytes.try_into().ok());
        self.handle(Input::Signed(number as u64, signature), clock::now())
    }

    /// Time has passed: what is due is done.
    pub fn timer(&self) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        self.handle(Input::Timer, clock::now())
    }

    /// When the relay wants `timer` called. Any other call does as well.
    pub fn deadline(&self) -> Option<f64> {
        self.deadline.get().map(|at| at as f64)
    }

    /// How the other regions are doing.
    pub fn regions(&self) -> Result<Vec<Ts<RegionView>>, JsValue> {
        death::check()?;
        let regions = self.relay.borrow().regions();
        regions.into_iter().map(|region| write::object(RegionView::from(region))).collect()
    }

    /// What this instance has done.
    pub fn counters(&self) -> Result<Ts<RelayCounters>, JsValue> {
        death::check()?;
        write::object(RelayCounters::from(self.relay.borrow().counters()))
    }

    /// Whose token let a link in, once it did.
    pub fn subject(&self, link: f64) -> Result<Option<String>, JsValue> {
        death::check()?;
        Ok(self.relay.borrow().subject(link_id(link)).map(str::to_owned))
    }

    /// What to keep of a link so that it survives the loss of this object's memory.
    pub fn attachment(&self, link: f64) -> Result<Vec<u8>, JsValue> {
        death::check()?;
        Ok(self.relay.borrow().attachment(link_id(link)))
    }

    /// Takes up a link of an earlier instance.
    pub fn resume(&self, link: f64, attachment: &[u8]) -> Result<(), JsValue> {
        death::check()?;
        self.relay.borrow_mut().resume(link_id(link), attachment, clock::now());
        Ok(())
    }

    /// Ends what was dialled, so that this instance can be dropped. Links that were accepted go on by
    /// their attachments.
    pub fn suspend(&self) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        death::check()?;
        self.relay.borrow_mut().suspend(clock::now());
        self.run(VecDeque::new(), clock::now())
    }
}

impl RelayEngine {
    fn handle(&self, input: Input, now: Millis) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        death::check()?;
        let due = self.deadline.get().is_some_and(|deadline| deadline <= now);
        self.run(due.then_some(Input::Timer).into_iter().chain([input]).collect(), now)
    }

    /// Gives the relay these inputs and does what it asks of storage until it asks for nothing more;
    /// what else it asks for is returned. Throws where storage failed: this instance must be dropped
    /// then, with what it would have sent.
    fn run(&self, mut inputs: VecDeque<Input>, now: Millis) -> Result<Vec<Ts<RelayOutput>>, JsValue> {
        let mut outputs = Outputs::default();
        let mut answers = VecDeque::new();
        loop {
            while let Some(effect) = self.next_effect() {
                match effect {
                    Effect::Storage(id, request) => {
                        answers.push_back(Input::Storage(id, self.store.answer(&request)));
                    }
                    Effect::SetTimer(deadline) => self.deadline.set(deadline),
                    effect => outputs.push(effect)?,
                }
            }
            if let Some(reason) = self.relay.borrow().failure() {
                return Err(error::coded(error::STORAGE, reason));
            }
            let Some(input) = answers.pop_front().or_else(|| inputs.pop_front()) else {
                return Ok(outputs.list);
            };
            if matches!(input, Input::Timer) {
                // It has come. The relay sets another one, or none and says nothing.
                self.deadline.set(None);
            }
            self.relay.borrow_mut().handle(input, now);
        }
    }

    fn next_effect(&self) -> Option<Effect> {
        self.relay.borrow_mut().poll_effect()
    }
}

/// What the host is to do.
#[derive(Default)]
struct Outputs {
    list: Vec<Ts<RelayOutput>>,
    /// The last frame: what goes to many links is copied out of the Wasm once.
    frame: Option<(Arc<[u8]>, Uint8Array)>,
}

impl Outputs {
    fn push(&mut self, effect: Effect) -> Result<(), JsValue> {
        let output = match effect {
            Effect::Send(LinkId(link), frame) => RelayOutput::Send { link, frame: self.copy(frame) },
            Effect::Close(LinkId(link), code, reason) => RelayOutput::Close { link, code, reason },
            Effect::Dial(LinkId(link), dial) => RelayOutput::Dial { link, dial },
            Effect::Authorize(LinkId(link), authorize) => RelayOutput::Authorize { link, authorize },
            Effect::Sign(number, bytes) => RelayOutput::Sign { number, sign: js::bytes(&bytes) },
            // Done already.
            Effect::Storage(..) | Effect::SetTimer(_) => return Ok(()),
        };
        self.list.push(write::object(output)?);
        Ok(())
    }

    fn copy(&mut self, frame: Arc<[u8]>) -> Uint8Array {
        match &self.frame {
            Some((last, copy)) if Arc::ptr_eq(last, &frame) => copy.clone(),
            _ => {
                let copy = js::bytes(&frame);
                self.frame = Some((frame, copy.clone()));
                copy
            }
        }
    }
}

fn link_id(link: f64) -> LinkId {
    LinkId(link as u64)
}
