//! The tabs of one origin share one log. Each is an author of its own; they tell each other what
//! the log got, and one of them, which they elect, links to relays.

use std::rc::Rc;

use eyot_core::replica::io::Input;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{BroadcastChannel, MessageEvent};

use super::election::Election;
use crate::base::inbox::{Inbox, Message};
use crate::base::resources::Resources;
use crate::base::{js, platform};

/// A tab that ends has kept commits apart, which are to be taken into the log.
const KEPT: &str = "kept";

pub struct Tabs {
    channel: BroadcastChannel,
    _listener: Closure<dyn FnMut(MessageEvent)>,
    election: Rc<Election>,
    resources: Resources,
}

impl Tabs {
    /// Joins the tabs that share storage of this name; `None` where the platform has no tabs.
    pub fn join(inbox: &Rc<Inbox>, name: &str, resources: Resources) -> Option<Self> {
        if platform::global("BroadcastChannel").is_undefined() {
            return None;
        }
        let channel = BroadcastChannel::new(name).ok()?;
        resources.add(&channel);
        let election = Election::new(Rc::clone(inbox), name.to_owned(), channel.clone(), resources.clone());
        let listener = {
            let (inbox, election) = (Rc::clone(inbox), Rc::downgrade(&election));
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                let data = event.data();
                match data.as_string() {
                    Some(text) if text == KEPT => inbox.push(Message::Kept),
                    Some(text) => {
                        if let Some(election) = election.upgrade() {
                            election.heard(&text);
                        }
                    }
                    None => inbox.push(Input::Broadcast(Uint8Array::new(&data).to_vec())),
                }
            })
        };
        channel.set_onmessage(Some(listener.as_ref().unchecked_ref()));
        Some(Self { channel, _listener: listener, election, resources })
    }

    /// Tells the other tabs. Whoever has something to tell needs a leader.
    pub fn broadcast(&self, message: &[u8]) {
        self.post(&js::bytes(message));
        self.election.look();
    }

    /// Tells them that this tab has kept commits apart.
    pub fn tell_kept(&self) {
        self.post(&KEPT.into());
    }

    /// Whether this tab wants to link, or to have somebody link for it.
    pub fn stand(&self, wants: bool) {
        self.election.stand(wants);
    }

    /// Finds out whether there is a leader.
    pub fn look(&self) {
        self.election.look();
    }

    /// Whether this tab links to relays.
    pub fn is_leader(&self) -> bool {
        self.election.is_leader()
    }

    fn post(&self, message: &JsValue) {
        // Bytes and texts can be copied, and the channel is open as long as this is.
        let _ = self.channel.post_message(message);
    }
}

impl Drop for Tabs {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.election.stand(false);
        self.channel.close();
        self.resources.remove(&self.channel);
    }
}
