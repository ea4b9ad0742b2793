//! An accepted connection: one task, which takes little memory while nothing is sent.
//!
//! It reads only while the shard has room for more, and writes what the outbox holds, many frames at
//! once. It does both at the same time: if both sides of a connection only wrote, and each waited for
//! the other to read, neither would ever go on.

use std::io::ErrorKind;
use std::sync::Arc;

use eyot_core::wire::close::CloseCode;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::context::ConnectionContext;
use super::send_buffer::{Payload, SendBuffer};
use super::timeouts::{CLOSE_WAIT, STALL};
use crate::access::AccessPolicy;
use crate::base::{LinkKey, PING, PONG, TEXT_REFUSED};
use crate::queues::{Inbox, LinkEvent, Outbox, Outgoing, ShardEvent, TOO_SLOW};
use crate::websocket::{Decoder, Message, Opcode, ProtocolError, close_payload};

/// Reported if the connection ended without a close.
const ABNORMAL: u16 = 1006;
/// Reported if the other side has closed without a code.
const NO_CODE: u16 = 1005;
/// Answers a close without a code.
const NORMAL: u16 = 1000;

/// A connection to a space.
pub struct Connection {
    /// What all connections share.
    pub context: Arc<ConnectionContext>,
    /// The space.
    pub space: Arc<str>,
    /// What its link is called towards the shard.
    pub link: LinkKey,
}

/// Why reading has ended.
enum ReadEnd {
    /// The other side has closed the connection.
    Closed(Option<u16>),
    /// The other side has broken the protocol.
    Refused(CloseCode, String),
    /// The connection has broken.
    Broken,
}

/// Why writing has ended.
enum WriteEnd {
    /// The close from the outbox was written.
    Closed(u16),
    /// The other side has stopped to read.
    Stalled,
    /// The connection has broken.
    Broken,
}

impl Connection {
    /// Runs until one side closes the connection. `decoder` has what was read after the request.
    pub async fn run(self, stream: TcpStream, decoder: Decoder) {
        let outbox = Arc::new(Outbox::default());
        self.push(LinkEvent::Opened(outbox.clone()));
        let code = self.exchange(&stream, decoder, &outbox).await;
        self.context.metrics.count_closed(code);
        self.push(LinkEvent::Closed);
    }

    /// Reads and writes until one side closes the connection. Returns the close code.
    async fn exchange(&self, stream: &TcpStream, decoder: Decoder, outbox: &Outbox) -> u16 {
        let reading = self.read(stream, decoder, outbox);
        let writing = self.write(stream, outbox);
        tokio::pin!(reading, writing);
        tokio::select! {
            end = &mut reading => {
                let code = match end {
                    ReadEnd::Broken => return ABNORMAL,
                    ReadEnd::Closed(code) => {
                        outbox.answer_close(code.unwrap_or(NORMAL));
                        code.unwrap_or(NO_CODE)
                    }
                    ReadEnd::Refused(code, reason) => {
                        outbox.close(code as u16, &reason);
                        code as u16
                    }
                };
                // The space need not wait until the close is written.
                self.push(LinkEvent::Closed);
                let _ = timeout(CLOSE_WAIT, writing).await;
                code
            }
            end = &mut writing => match end {
                WriteEnd::Closed(code) => {
                    let _ = timeout(CLOSE_WAIT, reading).await;
                    code
                }
                WriteEnd::Stalled => TOO_SLOW,
                WriteEnd::Broken => ABNORMAL,
            },
            () = outbox.overflowed() => {
                self.push(LinkEvent::Closed);
                let _ = timeout(CLOSE_WAIT, writing).await;
                TOO_SLOW
            }
        }
    }

    async fn read(&self, stream: &TcpStream, mut decoder: Decoder, outbox: &Outbox) -> ReadEnd {
        let inbox = self.inbox();
        loop {
            loop {
                match decoder.next() {
                    Ok(None) => break,
                    Ok(Some(Message::Binary(frame))) => inbox.push_frame(&self.space, self.link, frame).await,
                    Ok(Some(Message::Text(text))) if text == PING.as_bytes() => {
                        outbox.push(Outgoing::Text(PONG))
                    }
                    Ok(Some(Message::Text(_))) => {
                        return ReadEnd::Refused(CloseCode::Malformed, TEXT_REFUSED.to_owned());
                    }
                    Ok(Some(Message::Ping(payload))) => outbox.push(Outgoing::Pong(payload)),
                    Ok(Some(Message::Pong)) => {}
                    Ok(Some(Message::Close(code))) => return ReadEnd::Closed(code),
                    Err(error @ ProtocolError::TooLarge(_)) => {
                        return ReadEnd::Refused(CloseCode::TooLarge, error.to_string());
                    }
                    Err(error) => return ReadEnd::Refused(CloseCode::Malformed, error.to_string()),
                }
            }
            decoder.release_buffer();
            if stream.readable().await.is_err() {
                return ReadEnd::Broken;
            }
            match stream.try_read_buf(decoder.read_buffer()) {
                Ok(0) => return ReadEnd::Broken,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return ReadEnd::Broken,
            }
        }
    }

    async fn write(&self, stream: &TcpStream, outbox: &Outbox) -> WriteEnd {
        loop {
            let mut buffer = SendBuffer::default();
            let mut close_code = None;
            for outgoing in outbox.take().await {
                match outgoing {
                    Outgoing::Frame(frame) => buffer.push(Opcode::Binary, Payload::Shared(frame)),
                    Outgoing::Text(text) => {
                        buffer.push(Opcode::Text, Payload::Owned(text.as_bytes().to_vec()))
                    }
                    Outgoing::Pong(payload) => buffer.push(Opcode::Pong, Payload::Owned(payload)),
                    Outgoing::Close(code, reason) => {
                        buffer.push(Opcode::Close, Payload::Owned(close_payload(code, &reason)));
                        close_code = Some(code);
                    }
                    Outgoing::Authorize(token) => self.authorize(token.as_deref()),
                }
            }
            while !buffer.is_empty() {
                match timeout(STALL, buffer.write_some(stream)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return WriteEnd::Broken,
                    Err(_) => return WriteEnd::Stalled,
                }
            }
            if let Some(code) = close_code {
                return WriteEnd::Closed(code);
            }
        }
    }

    fn authorize(&self, token: Option<&str>) {
        if let AccessPolicy::Keys(keys) = &self.context.policy {
            self.push(LinkEvent::Authorized(keys.verify(token)));
        }
    }

    fn push(&self, event: LinkEvent) {
        self.inbox().push(ShardEvent::Link(self.space.clone(), self.link, event));
    }

    fn inbox(&self) -> &Inbox {
        self.context.inboxes.of(&self.space)
    }
}
