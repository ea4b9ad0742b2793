//! Links over WebSocket. gloo-net reads and waits for opening; sending goes through the raw socket,
//! because gloo's own sink sends a `Blob`, which not every platform takes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Weak;

use eyot_core::{Input, LinkId};
use futures_util::{Sink, StreamExt};
use gloo_net::websocket::Message;
use gloo_net::websocket::futures::WebSocket as Reader;
use js_sys::Function;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::WebSocket;

use crate::driver::Driver;
use crate::js;

/// The subprotocol that both sides must speak.
const PROTOCOL: &str = "eyot.v1";
/// A close reason can't be longer, in bytes.
const REASON_BYTES_MAX: usize = 123;
/// Code for a text message, which no relay of ours sends.
const CLOSE_UNSUPPORTED: u16 = 1003;

/// The sockets of one replica.
pub struct Sockets {
    /// Opens one: `(url, protocol) => WebSocket`. Where there is none, the global class does.
    connect: Option<Function>,
    open: RefCell<BTreeMap<LinkId, WebSocket>>,
}

impl Sockets {
    pub fn new(connect: Option<Function>) -> Self {
        Self {
            connect,
            open: RefCell::default(),
        }
    }

    pub fn dial(&self, driver: &Driver, link: LinkId, url: &str) {
        match self.connect(url) {
            Ok((socket, reader)) => {
                self.open.borrow_mut().insert(link, socket);
                spawn_local(read(driver.weak(), link, reader));
            }
            Err(_) => driver.queue(Input::LinkClosed(link)),
        }
    }

    pub fn send(&self, link: LinkId, frame: &[u8]) {
        let socket = self.open.borrow().get(&link).cloned();
        // A socket that can't send is closing, and its reader says so.
        if let Some(socket) = socket {
            let _ = socket.send_with_array_buffer(&js::bytes(frame).buffer());
        }
    }

    /// Closes a link; nothing is heard of it from now on.
    pub fn close(&self, link: LinkId, code: u16, reason: &str) {
        let socket = self.open.borrow_mut().remove(&link);
        if let Some(socket) = socket {
            let _ = socket.close_with_code_and_reason(client_code(code), shortened(reason));
        }
    }

    /// Whether it was still open, which it no longer is.
    fn forget(&self, link: LinkId) -> bool {
        self.open.borrow_mut().remove(&link).is_some()
    }

    fn is_open(&self, link: LinkId) -> bool {
        self.open.borrow().contains_key(&link)
    }

    fn connect(&self, url: &str) -> Result<(WebSocket, Reader), JsValue> {
        let socket = match &self.connect {
            Some(connect) => connect
                .call2(&JsValue::UNDEFINED, &url.into(), &PROTOCOL.into())?
                .unchecked_into(),
            None => WebSocket::new_with_str(url, PROTOCOL)?,
        };
        let reader = Reader::try_from(socket.clone()).map_err(|error| JsValue::from_str(&error.to_string()))?;
        Ok((socket, reader))
    }
}

/// Reads until the socket has closed and never stops earlier: gloo's reader, dropped before that,
/// leaves a listener behind that throws.
async fn read(driver: Weak<Driver>, link: LinkId, mut reader: Reader) {
    let _ = poll_fn(|context| Pin::new(&mut reader).poll_ready(context)).await;
    if matches!(reader.state(), gloo_net::websocket::State::Open) {
        heard(&driver, link, Input::LinkOpened(link));
    }
    while let Some(message) = reader.next().await {
        match message {
            Ok(Message::Bytes(frame)) => heard(&driver, link, Input::Received(link, frame)),
            Ok(Message::Text(_)) => {
                if let Some(driver) = driver.upgrade().filter(|driver| driver.sockets().is_open(link)) {
                    driver
                        .sockets()
                        .close(link, CLOSE_UNSUPPORTED, "text is not spoken here");
                    driver.feed(Input::LinkClosed(link));
                }
            }
            // The end of the stream follows.
            Err(_) => {}
        }
    }
    if let Some(driver) = driver.upgrade()
        && driver.sockets().forget(link)
    {
        driver.feed(Input::LinkClosed(link));
    }
}

fn heard(driver: &Weak<Driver>, link: LinkId, input: Input) {
    if let Some(driver) = driver.upgrade()
        && driver.sockets().is_open(link)
    {
        driver.feed(input);
    }
}

/// Clients may close with 1000 and 3000 to 4999 only; protocol codes are moved up there.
fn client_code(code: u16) -> u16 {
    match code {
        1001..=1999 => code + 3000,
        _ => code,
    }
}

fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]
}
