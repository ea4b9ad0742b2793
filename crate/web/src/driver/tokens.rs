//! The tokens that links are opened with, where the application is asked for them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use eyot_core::base::id::LinkId;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

use crate::base::{js, platform};

/// Whom a token is for: the claim `sub` of a JWT. None where that can't be read here.
pub fn subject(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?.replace('-', "+").replace('_', "/");
    let decode = platform::global("atob").dyn_into::<Function>().ok()?;
    let json = decode.call1(&JsValue::UNDEFINED, &payload.into()).ok()?.as_string()?;
    // `atob` makes a character of each byte. Equal texts stay equal.
    js::get(&js_sys::JSON::parse(&json).ok()?, "sub").as_string()
}

pub struct Tokens {
    /// `() => Promise<string>`, asked for each link before it is opened.
    ask: Option<Function>,
    /// Links that a token is being asked for.
    awaiting: RefCell<BTreeSet<LinkId>>,
    /// A token that arrived after the link it was asked for had closed. The next link gets it.
    late: RefCell<Option<String>>,
}

impl Tokens {
    pub fn new(ask: Option<Function>) -> Self {
        Self { ask, awaiting: RefCell::default(), late: RefCell::default() }
    }

    /// A link is to be opened once there is a token.
    pub fn awaits(&self, link: LinkId) {
        self.awaiting.borrow_mut().insert(link);
    }

    /// Nothing is awaited for a link any more. False: it was closed meanwhile.
    pub fn came_for(&self, link: LinkId) -> bool {
        self.awaiting.borrow_mut().remove(&link)
    }

    /// A token for a link that opens. `None`: the replica's own is used.
    pub fn next(&self) -> impl Future<Output = Result<Option<String>, JsValue>> + use<> {
        let late = self.late.take();
        let asked = match (&late, &self.ask) {
            (None, Some(ask)) => Some(ask.call0(&JsValue::UNDEFINED)),
            _ => None,
        };
        async {
            match asked {
                None => Ok(late),
                Some(token) => Ok(platform::settled(&Promise::resolve(&token?)).await?.as_string()),
            }
        }
    }

    /// Whether the application is asked for them.
    pub fn are_asked_for(&self) -> bool {
        self.ask.is_some()
    }

    pub fn keep(&self, token: String) {
        *self.late.borrow_mut() = Some(token);
    }

    pub fn forget(&self) {
        self.late.take();
    }
}
