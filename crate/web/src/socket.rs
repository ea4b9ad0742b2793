//! Links over WebSocket. gloo-net reads and waits for opening; sending goes through the raw socket,
//! because gloo's own sink sends a `Blob`, which not every platform takes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};

use eyot_core::base::id::LinkId;
use eyot_core::holder::io::Input;
use futures_util::{Sink, StreamExt};
use gloo_net::websocket::Message;
use gloo_net::websocket::futures::WebSocket as Reader;
use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::WebSocket;

use crate::driver::Driver;
use crate::js;

/// The subprotocol that both sides must speak.
const PROTOCOL: &str = "eyot.v1";
/// A close reason can't be longer, in bytes.
const REASON_BYTES_MAX: usize = 123;
/// The core's codes for what is no frame, and for a link that has to be opened again.
const CLOSE_MALFORMED: u16 = 4000;
const CLOSE_GOING_AWAY: u16 = 4009;
/// Whether a link is alive: hosts answer this text without waking the relay.
const PING: &str = "ping";
const PONG: &str = "pong";

/// The sockets of one replica.
pub struct Sockets {
    /// Opens one: `(url, protocol) => WebSocket`. Where there is none, the global class does.
    connect: Option<Function>,
    open: RefCell<BTreeMap<LinkId, Socket>>,
}

/// A socket, and who listens to it.
#[derive(Clone)]
struct Socket {
    raw: WebSocket,
    listeners: Rc<RefCell<Vec<(JsValue, JsValue)>>>,
    heard: Rc<Cell<Heard>>,
}

/// What a relay has said on a link.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Heard {
    #[default]
    Nothing,
    Something,
}

impl Sockets {
    pub fn new(connect: Option<Function>) -> Self {
        Self { connect, open: RefCell::default() }
    }

    pub fn dial(&self, driver: &Driver, link: LinkId, url: &str) {
        match self.connect(url) {
            Ok((socket, reader)) => {
                self.open.borrow_mut().insert(link, socket);
                spawn_local(read(driver.weak(), link, reader));
            }
            Err(_) => {
                driver.unreachable();
                driver.queue(Input::LinkClosed(link));
            }
        }
    }

    // A socket that can't send is closing, and its reader says so.

    pub fn send(&self, link: LinkId, frame: &[u8]) {
        if let Some(socket) = self.get(link) {
            let _ = socket.raw.send_with_array_buffer(&js::bytes(frame).buffer());
        }
    }

    /// Asks whether the link is alive; the answer is a `Pong`.
    pub fn ping(&self, link: LinkId) {
        if let Some(socket) = self.get(link) {
            let _ = socket.raw.send_with_str(PING);
        }
    }

    /// Closes a link, if it is open; nothing is heard of it from now on.
    pub fn close(&self, link: LinkId, code: u16, reason: &str) -> Option<Heard> {
        let socket = self.take(link)?;
        let _ = socket.raw.close_with_code_and_reason(code, shortened(reason));
        Some(socket.heard.get())
    }

    /// Ends all links at once, and sees to it that nothing of this instance hears of them again.
    pub fn abandon(&self) {
        let sockets =
            self.open.try_borrow_mut().map(|mut open| std::mem::take(&mut *open)).unwrap_or_default();
        for Socket { raw, listeners, .. } in sockets.into_values() {
            if let Ok(listeners) = listeners.try_borrow() {
                for (kind, listener) in listeners.iter() {
                    remove_listener(&raw, kind, listener);
                }
            }
            // In Node an error that nobody listens to ends the process.
            raw.set_onerror(Some(js::nothing().unchecked_ref()));
            let _ = raw.close();
        }
    }

    fn get(&self, link: LinkId) -> Option<Socket> {
        self.open.borrow().get(&link).cloned()
    }

    /// The socket of a link that is open, which it no longer is.
    fn take(&self, link: LinkId) -> Option<Socket> {
        self.open.borrow_mut().remove(&link)
    }

    fn connect(&self, url: &str) -> Result<(Socket, Reader), JsValue> {
        let raw: WebSocket = match &self.connect {
            Some(connect) => {
                connect.call2(&JsValue::UNDEFINED, &url.into(), &PROTOCOL.into())?.unchecked_into()
            }
            None => WebSocket::new_with_str(url, PROTOCOL)?,
        };
        let listeners = Rc::default();
        let recorder = record(&raw, &listeners);
        js::set(&raw, "addEventListener", recorder.as_ref());
        let reader = Reader::try_from(raw.clone()).map_err(|error| JsValue::from_str(&error.to_string()));
        Reflect::delete_property(&raw, &"addEventListener".into())?;
        Ok((Socket { raw, listeners, heard: Rc::default() }, reader?))
    }
}

/// Stands before a socket's `addEventListener`, to know what gloo's reader adds: it keeps that to itself.
fn record(
    raw: &WebSocket,
    listeners: &Rc<RefCell<Vec<(JsValue, JsValue)>>>,
) -> Closure<dyn FnMut(JsValue, JsValue, JsValue) -> Result<JsValue, JsValue>> {
    let add: Function = js::get(raw, "addEventListener").unchecked_into();
    let (raw, listeners) = (raw.clone(), Rc::clone(listeners));
    Closure::new(move |kind: JsValue, listener: JsValue, options: JsValue| {
        let added = add.call3(&raw, &kind, &listener, &options);
        listeners.borrow_mut().push((kind, listener));
        added
    })
}

fn remove_listener(raw: &WebSocket, kind: &JsValue, listener: &JsValue) {
    if let Some(kind) = kind.as_string() {
        let _ = raw.remove_event_listener_with_callback(&kind, listener.unchecked_ref());
    }
}

/// Reads until the socket has closed and never stops earlier: gloo's reader, dropped before that,
/// leaves a listener behind that throws.
async fn read(driver: Weak<Driver>, link: LinkId, mut reader: Reader) {
    let _ = poll_fn(|context| Pin::new(&mut reader).poll_ready(context)).await;
    if matches!(reader.state(), gloo_net::websocket::State::Open) {
        greet(&driver, link).await;
    }
    while let Some(message) = reader.next().await {
        let input = match message {
            Ok(Message::Bytes(frame)) => Input::Received(link, frame),
            Ok(Message::Text(text)) if text == PONG => Input::Pong(link),
            Ok(Message::Text(_)) => {
                fail(&driver, link, CLOSE_MALFORMED, "text is not spoken here");
                continue;
            }
            // The end of the stream follows.
            Err(_) => continue,
        };
        heard(&driver, link, input);
    }
    if let Some(driver) = driver.upgrade()
        && let Some(socket) = driver.sockets().take(link)
    {
        if socket.heard.get() == Heard::Nothing {
            driver.unreachable();
        }
        driver.feed(Input::LinkClosed(link));
    }
}

/// A link is open once there is a token to greet with. What comes in meanwhile waits in the reader.
async fn greet(driver: &Weak<Driver>, link: LinkId) {
    let Some(asked) = driver.upgrade().map(|driver| driver.ask_token()) else { return };
    let asked = asked.await;
    let Some(driver) = driver.upgrade() else { return };
    let is_open =
        driver.sockets().get(link).is_some_and(|socket| socket.raw.ready_state() == WebSocket::OPEN);
    match asked {
        Ok(Some(token)) if !is_open => driver.keep_token(token),
        Ok(token) => {
            if let Some(token) = token {
                driver.set_token(token);
            }
            driver.feed(Input::LinkOpened(link));
        }
        Err(_) => fail(&driver.weak(), link, CLOSE_GOING_AWAY, "there is no token to greet with"),
    }
}

/// Closes a link for a reason of our own.
fn fail(driver: &Weak<Driver>, link: LinkId, code: u16, reason: &str) {
    if let Some(driver) = driver.upgrade()
        && driver.sockets().close(link, code, reason).is_some()
    {
        driver.feed(Input::LinkClosed(link));
    }
}

fn heard(driver: &Weak<Driver>, link: LinkId, input: Input) {
    if let Some(driver) = driver.upgrade()
        && let Some(socket) = driver.sockets().get(link)
    {
        socket.heard.set(Heard::Something);
        driver.feed(input);
    }
}

fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]
}
