//! An accepted connection: one task, which takes little memory while nothing is sent.
//!
//! Until it was greeted, with a token that allows something in the space, nobody else is told of it: no
//! space is made or woken for those who may not come in.
//!
//! It reads only while the shard has room for more, and writes what the outbox holds, many frames at
//! once. It does both at the same time: if both sides of a connection only wrote, and each waited for
//! the other to read, neither would ever go on.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use eyot_core::base::limits::Limits;
use eyot_core::wire::access::Refusal;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::context::ConnectionContext;
use super::door::Comer;
use super::receive::receive;
use super::renewals::Renewals;
use super::send_buffer::{Payload, SendBuffer};
use super::timeouts::{CLOSE_WAIT, STALL};
use crate::access::{AccessPolicy, Admitted, TokenFacts, Tokens};
use crate::base::{PING, PONG, TEXT_REFUSED};
use crate::queues::{LinkEvent, LinkInbox, Outbox, Outgoing, TOO_SLOW};
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
    /// Where the shard hears of its link.
    pub inbox: LinkInbox,
    /// Its place at the door, until it comes in.
    pub comer: Mutex<Option<Arc<Comer>>>,
    /// Its place among those that are in.
    pub place: OnceLock<OwnedSemaphorePermit>,
    /// By what the token can be revoked that let it in.
    pub facts: Mutex<Option<TokenFacts>>,
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
        let outbox = Arc::new(Outbox::new(&self.context.waiting_bytes));
        let code = self.exchange(&stream, decoder, &outbox).await;
        self.context.metrics.count_closed(code);
        self.push_closed();
    }

    /// Reads and writes until one side closes the connection. Returns the close code.
    async fn exchange(&self, stream: &TcpStream, mut decoder: Decoder, outbox: &Arc<Outbox>) -> u16 {
        let reading = async {
            match self.greeting(stream, &mut decoder, outbox).await {
                Ok(()) => self.read(stream, &mut decoder, outbox).await,
                Err(end) => end,
            }
        };
        let renewals = Renewals::default();
        let writing = self.write(stream, outbox, &renewals);
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
                self.push_closed();
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
            Refusal { code, reason } = self.guard(&renewals) => {
                outbox.close(code as u16, &reason);
                self.push_closed();
                let _ = timeout(CLOSE_WAIT, writing).await;
                code as u16
            }
            () = outbox.overflowed() => {
                self.push_closed();
                let _ = timeout(CLOSE_WAIT, writing).await;
                TOO_SLOW
            }
        }
    }

    /// Reads the first frame and lets the connection in, if its token allows that.
    async fn greeting(
        &self,
        stream: &TcpStream,
        decoder: &mut Decoder,
        outbox: &Arc<Outbox>,
    ) -> Result<(), ReadEnd> {
        let comer = self.comer().clone();
        let shown_out = async {
            match &comer {
                Some(comer) => comer.shown_out().await,
                None => std::future::pending().await,
            }
        };
        let silent = |_| ReadEnd::Refused(CloseCode::GoingAway, "the other side has gone silent".to_owned());
        let coming = async {
            let first = timeout(self.context.comer_wait, self.next_frame(stream, decoder, outbox)).await;
            let frame = first.map_err(silent)??;
            match self.judge(&frame).await {
                Ok(admitted) => Ok((frame, admitted)),
                Err(Refusal { code, reason }) => Err(ReadEnd::Refused(code, reason)),
            }
        };
        let (frame, admitted) = tokio::select! {
            came = coming => came?,
            () = shown_out => {
                let reason = "there is no time to wait for a greeting; connect again".to_owned();
                return Err(ReadEnd::Refused(CloseCode::GoingAway, reason));
            }
        };
        let Ok(place) = self.context.places.clone().try_acquire_owned() else {
            let reason = "this relay has all the connections it takes".to_owned();
            return Err(ReadEnd::Refused(CloseCode::Full, reason));
        };
        // It is done once for each connection.
        let _ = self.place.set(place);
        drop(self.comer().take());
        decoder.raise_message_bytes_max(Limits::PROTOCOL.frame_bytes_max);
        let (claims, facts) = admitted.map(|Admitted { claims, facts }| (claims, facts)).unzip();
        *self.facts() = facts;
        self.inbox.push(LinkEvent::Opened(outbox.clone(), claims));
        self.inbox.push_frame(frame).await;
        Ok(())
    }

    /// Who greets with a token for this space; none where no tokens are asked for. The core judges the rest
    /// of the greeting.
    async fn judge(&self, frame: &[u8]) -> Result<Option<Admitted>, Refusal> {
        let hello = match Frame::decode(frame, &Limits::PROTOCOL) {
            Ok(Frame::Hello(hello)) => hello,
            Ok(_) => {
                let reason = "a frame before the greeting".to_owned();
                return Err(Refusal { code: CloseCode::OutOfOrder, reason });
            }
            Err(error) => return Err(Refusal { code: CloseCode::Malformed, reason: error.to_string() }),
        };
        self.context.admit(hello.token.as_deref(), &self.space).await
    }

    async fn read(&self, stream: &TcpStream, decoder: &mut Decoder, outbox: &Outbox) -> ReadEnd {
        loop {
            match self.next_frame(stream, decoder, outbox).await {
                Ok(frame) => self.inbox.push_frame(frame).await,
                Err(end) => return end,
            }
        }
    }

    /// Reads until there is a frame for the shard.
    async fn next_frame(
        &self,
        stream: &TcpStream,
        decoder: &mut Decoder,
        outbox: &Outbox,
    ) -> Result<Vec<u8>, ReadEnd> {
        loop {
            loop {
                match decoder.next() {
                    Ok(None) => break,
                    Ok(Some(Message::Binary(frame))) => return Ok(frame),
                    Ok(Some(Message::Text(text))) if text == PING.as_bytes() => {
                        outbox.push(Outgoing::Text(PONG))
                    }
                    Ok(Some(Message::Text(_))) => {
                        return Err(ReadEnd::Refused(CloseCode::Malformed, TEXT_REFUSED.to_owned()));
                    }
                    Ok(Some(Message::Ping(payload))) => outbox.push(Outgoing::Pong(payload)),
                    Ok(Some(Message::Pong)) => {}
                    Ok(Some(Message::Close(code))) => return Err(ReadEnd::Closed(code)),
                    Err(error @ ProtocolError::TooLarge(_)) => {
                        return Err(ReadEnd::Refused(CloseCode::TooLarge, error.to_string()));
                    }
                    Err(error) => return Err(ReadEnd::Refused(CloseCode::Malformed, error.to_string())),
                }
            }
            receive(stream, decoder).await.map_err(|_| ReadEnd::Broken)?;
        }
    }

    async fn write(&self, stream: &TcpStream, outbox: &Outbox, renewals: &Renewals) -> WriteEnd {
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
                    Outgoing::Authorize(token) => renewals.put(token),
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

    /// Judges the tokens by which the link goes on. Returns when the last one that counted was revoked. The
    /// space may be asleep meanwhile.
    async fn guard(&self, renewals: &Renewals) -> Refusal {
        match &self.context.policy {
            AccessPolicy::Open => std::future::pending().await,
            // Apart, or connections without tokens would have room for it, too.
            AccessPolicy::Tokens(tokens) => Box::pin(self.guard_by(tokens, renewals)).await,
        }
    }

    async fn guard_by(&self, tokens: &Tokens, renewals: &Renewals) -> Refusal {
        let mut changes = tokens.revoked.changes();
        loop {
            tokio::select! {
                token = renewals.take() => match tokens.admit(token.as_deref(), &self.space).await {
                    Ok(Admitted { claims, facts }) => {
                        *self.facts() = Some(facts);
                        self.inbox.push(LinkEvent::Authorized(Ok(claims)));
                    }
                    // The link goes on by the token that it has, until that expires.
                    Err(refusal) if refusal.code == CloseCode::GoingAway => {}
                    Err(refusal) => self.inbox.push(LinkEvent::Authorized(Err(refusal))),
                },
                // Whoever tells of changes lives as long as this.
                Ok(()) = changes.changed() => {
                    let facts = self.facts().clone();
                    if let Some(Err(refusal)) = facts.map(|facts| tokens.revoked.check(&facts)) {
                        return refusal;
                    }
                }
            }
        }
    }

    fn facts(&self) -> MutexGuard<'_, Option<TokenFacts>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn comer(&self) -> MutexGuard<'_, Option<Arc<Comer>>> {
        self.comer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the shard that the link is over, if it knows of it.
    fn push_closed(&self) {
        if self.place.get().is_some() {
            self.inbox.push(LinkEvent::Closed);
        }
    }
}
