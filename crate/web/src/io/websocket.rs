//! Links over WebSocket.
//!
//! A socket owns its listeners, so that they go when it goes. Listeners are added with `addEventListener`, which every platform has, and
//! frames are sent as an `ArrayBuffer`, because `workerd` turns a `Blob` into text.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use eyot_core::base::id::LinkId;
use eyot_core::holder::io::Input as HolderInput;
use eyot_core::replica::io::Input;
use eyot_core::wire::close::CloseCode;
use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, Event, MessageEvent, WebSocket};

use super::traffic::Traffic;
use crate::base::inbox::{Inbox, Message};
use crate::base::resources::Resources;
use crate::base::{js, platform};

/// The subprotocol that both sides must speak.
const PROTOCOL: &str = "eyot.v1";
/// Offered beside it: the token, for hosts that judge it before they answer the handshake. Scripts of
/// a page can give a WebSocket no other header.
const TOKEN_PREFIX: &str = "eyot.token.";
/// The close code that is reported where there was none.
pub const BROKEN_OFF: u16 = 1006;
/// A close reason can't be longer, in bytes.
const REASON_BYTES_MAX: usize = 123;
/// Asks whether a link is alive. Hosts answer this text without waking the relay.
const PING: &str = "ping";
const PONG: &str = "pong";

/// The sockets of one replica.
pub struct Sockets {
    this: Weak<Sockets>,
    inbox: Rc<Inbox>,
    /// Opens one: `(url, protocols) => WebSocket`. The default is the global class.
    connect: Option<Function>,
    resources: Resources,
    sockets: RefCell<BTreeMap<LinkId, Rc<Socket>>>,
}

struct Socket {
    raw: WebSocket,
    resources: Resources,
    /// By the kind of event.
    listeners: [(&'static str, Listener); 4],
    heard: Cell<Heard>,
    /// What an error event said. Pages are told nothing.
    trouble: RefCell<String>,
    traffic: Traffic,
}

type Listener = Closure<dyn Fn(Event)>;

/// Whether a relay has said anything on a link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Something,
}

impl Sockets {
    pub fn new(connect: Option<Function>, inbox: Rc<Inbox>, resources: Resources) -> Rc<Self> {
        let sockets = RefCell::default();
        Rc::new_cyclic(|this| Self { this: this.clone(), inbox, connect, resources, sockets })
    }

    /// Opens a socket, with this token where there is one.
    pub fn dial(&self, link: LinkId, url: &str, token: Option<&str>) {
        match self.connect(link, url, token) {
            Ok(socket) => {
                self.sockets.borrow_mut().insert(link, Rc::new(socket));
            }
            Err(error) => {
                self.inbox.push(Message::Unreachable);
                let what = text_of(&error, "message").unwrap_or_default();
                self.inbox.push(HolderInput::LinkFailed(link, BROKEN_OFF, what));
            }
        }
    }

    // A socket that can't send is closing, and its close event follows.

    pub fn send(&self, link: LinkId, frame: &[u8]) {
        if let Some(socket) = self.get(link) {
            socket.traffic.went(frame);
            let _ = socket.raw.send_with_array_buffer(&js::bytes(frame).buffer());
        }
    }

    /// The bytes of frames, in and out.
    pub fn traffic(&self, link: LinkId) -> Option<(u64, u64)> {
        self.get(link).map(|socket| socket.traffic.bytes())
    }

    /// Asks whether the link is alive; the answer is a `Pong`.
    pub fn ping(&self, link: LinkId) {
        if let Some(socket) = self.get(link) {
            let _ = socket.raw.send_with_str(PING);
        }
    }

    /// Closes a link that the replica has closed. Nothing more is reported of it.
    pub fn close(&self, link: LinkId, code: u16, reason: &str) {
        if let Some(socket) = self.take(link) {
            socket.close(code, reason);
            if socket.heard.get() == Heard::Nothing {
                self.inbox.push(Message::Unreachable);
            }
        }
    }

    /// Closes a link for a reason of the host's, and reports that to the replica.
    fn fail(&self, link: LinkId, code: CloseCode, reason: &str) {
        if let Some(socket) = self.take(link) {
            socket.close(code as u16, reason);
            self.inbox.push(HolderInput::LinkClosed(link));
        }
    }

    fn connect(&self, link: LinkId, url: &str, token: Option<&str>) -> Result<Socket, JsValue> {
        let protocols = js_sys::Array::of1(&PROTOCOL.into());
        // Other characters can't be part of a header, nor are they of a JWT. Hello has the token too.
        if let Some(token) = token.filter(|token| token.bytes().all(is_token_character)) {
            protocols.push(&format!("{TOKEN_PREFIX}{token}").into());
        }
        let raw: WebSocket = match &self.connect {
            Some(connect) => connect.call2(&JsValue::UNDEFINED, &url.into(), &protocols)?.unchecked_into(),
            None => WebSocket::new_with_str_sequence(url, &protocols)?,
        };
        raw.set_binary_type(BinaryType::Arraybuffer);
        let listeners = [
            ("open", self.listener(move |sockets, _| sockets.opened(link))),
            ("message", self.listener(move |sockets, event| sockets.received(link, &event))),
            // In Node an error that nobody listens to ends the process. A close event follows.
            ("error", self.listener(move |sockets, event| sockets.troubled(link, &event))),
            ("close", self.listener(move |sockets, event| sockets.closed(link, &event))),
        ];
        for (kind, listener) in &listeners {
            raw.add_event_listener_with_callback(kind, listener.as_ref().unchecked_ref())?;
        }
        self.resources.add(&raw);
        let resources = self.resources.clone();
        let (heard, trouble, traffic) = (Cell::new(Heard::Nothing), RefCell::default(), Traffic::default());
        Ok(Socket { raw, resources, listeners, heard, trouble, traffic })
    }

    fn listener(&self, listen: impl Fn(&Self, Event) + 'static) -> Listener {
        let this = self.this.clone();
        Closure::new(move |event| {
            if let Some(sockets) = this.upgrade() {
                listen(&sockets, event);
            }
        })
    }

    fn opened(&self, link: LinkId) {
        if self.get(link).is_some() {
            self.inbox.push(HolderInput::LinkOpened(link));
        }
    }

    fn received(&self, link: LinkId, event: &Event) {
        let Some(socket) = self.get(link) else { return };
        let data = event.unchecked_ref::<MessageEvent>().data();
        let input = match data.as_string() {
            None => {
                let frame = Uint8Array::new(&data).to_vec();
                socket.traffic.came(&frame);
                HolderInput::Received(link, frame).into()
            }
            Some(text) if text == PONG => Input::Pong(link),
            Some(_) => {
                self.fail(link, CloseCode::Malformed, "text is not part of the protocol");
                return;
            }
        };
        socket.heard.set(Heard::Something);
        self.inbox.push(input);
    }

    fn troubled(&self, link: LinkId, event: &Event) {
        if let Some(socket) = self.get(link) {
            *socket.trouble.borrow_mut() = text_of(event, "message").unwrap_or_default();
        }
    }

    fn closed(&self, link: LinkId, event: &Event) {
        if let Some(socket) = self.take(link) {
            if socket.heard.get() == Heard::Nothing {
                self.inbox.push(Message::Unreachable);
            }
            let code = js::get(event, "code").as_f64().map_or(BROKEN_OFF, |code| code as u16);
            let what = text_of(event, "reason").unwrap_or_else(|| socket.trouble.take());
            self.inbox.push(HolderInput::LinkFailed(link, code, what));
        }
    }

    fn get(&self, link: LinkId) -> Option<Rc<Socket>> {
        self.sockets.borrow().get(&link).cloned()
    }

    fn take(&self, link: LinkId) -> Option<Rc<Socket>> {
        self.sockets.borrow_mut().remove(&link)
    }
}

impl Socket {
    fn close(&self, code: u16, reason: &str) {
        let _ = self.raw.close_with_code_and_reason(code, shortened(reason));
    }

    fn stop_listening(&self) {
        // `ws` still reports errors of a socket that is being closed, and an error event without a
        // listener ends a Node process.
        let _ = self.raw.add_event_listener_with_callback("error", &platform::no_op());
        for (kind, listener) in &self.listeners {
            let _ = self.raw.remove_event_listener_with_callback(kind, listener.as_ref().unchecked_ref());
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.resources.remove(&self.raw);
        self.stop_listening();
    }
}

/// A text of an event or an error, as long as a close reason may be; none where it is empty.
fn text_of(object: &JsValue, name: &str) -> Option<String> {
    let text = js::get(object, name).as_string().filter(|text| !text.is_empty())?;
    Some(shortened(&text).to_owned())
}

fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]
}
