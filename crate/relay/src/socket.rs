//! A connection that was accepted: one task, which costs next to nothing while nobody speaks.
//!
//! It reads only while its shard has room, and writes what its outbox holds, many frames at once.
//! The two go on beside each other: two sides that both write and do not read would wait for ever.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use eyot_core::frame::CloseCode;
use eyot_core::limits;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::access::AccessPolicy;
use crate::event::{Event, Happening, Inbox, LinkRef};
use crate::outbox::{Outbox, Outgoing, TOO_SLOW};
use crate::setup::Setup;
use crate::websocket::{Decoder, Header, Message, Opcode, ProtocolError, close_payload};

/// How long the other side may take nothing of what is written.
const STALL: Duration = Duration::from_secs(30);
/// How long the other side has to answer a close.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Pieces of memory that one write takes at most.
const SLICES: usize = 128;
/// The connection ended without a close.
const GONE: u16 = 1006;
/// The other side closed without a code.
const NO_CODE: u16 = 1005;

/// A connection to a space.
pub struct Connection {
    /// What all share.
    pub setup: Arc<Setup>,
    /// The space.
    pub space: Arc<str>,
    /// Its number.
    pub link: LinkRef,
}

/// Why nothing more is read.
enum ReadEnd {
    Closed(Option<u16>),
    Refused(CloseCode, String),
    Gone,
}

/// Why nothing more is written.
enum WriteEnd {
    Closed(u16),
    Stalled,
    Gone,
}

impl Connection {
    /// Speaks until one side closes. `read` came in with the request.
    pub async fn run(self, stream: TcpStream, read: Decoder) {
        let outbox = Arc::new(Outbox::default());
        self.tell(Happening::Opened(outbox.clone()));
        let code = self.speak(&stream, read, &outbox).await;
        self.setup.metrics.closed(code);
        self.tell(Happening::Closed);
    }

    async fn speak(&self, stream: &TcpStream, decoder: Decoder, outbox: &Outbox) -> u16 {
        let reading = self.read(stream, decoder, outbox);
        let writing = self.write(stream, outbox);
        tokio::pin!(reading, writing);
        tokio::select! {
            end = &mut reading => {
                let code = match end {
                    ReadEnd::Gone => return GONE,
                    ReadEnd::Closed(code) => {
                        outbox.answer_close(code.unwrap_or(1000));
                        code.unwrap_or(NO_CODE)
                    }
                    ReadEnd::Refused(code, reason) => {
                        outbox.close(code as u16, &reason);
                        code as u16
                    }
                };
                // Its space need not wait for that.
                self.tell(Happening::Closed);
                let _ = timeout(CLOSE_WAIT, writing).await;
                code
            }
            end = &mut writing => match end {
                WriteEnd::Closed(code) => {
                    let _ = timeout(CLOSE_WAIT, reading).await;
                    code
                }
                WriteEnd::Stalled => TOO_SLOW,
                WriteEnd::Gone => GONE,
            },
            () = outbox.overflowed() => {
                self.tell(Happening::Closed);
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
                    Ok(Some(Message::Binary(frame))) => inbox.receive(&self.space, self.link, frame).await,
                    Ok(Some(Message::Text(text))) if text == b"ping" => outbox.push(Outgoing::Text("pong")),
                    Ok(Some(Message::Text(_))) => {
                        let reason = "text is not spoken here, only binary frames";
                        return ReadEnd::Refused(CloseCode::Malformed, reason.to_owned());
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
            decoder.rest();
            if stream.readable().await.is_err() {
                return ReadEnd::Gone;
            }
            match stream.try_read_buf(decoder.space()) {
                Ok(0) => return ReadEnd::Gone,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return ReadEnd::Gone,
            }
        }
    }

    async fn write(&self, stream: &TcpStream, outbox: &Outbox) -> WriteEnd {
        loop {
            let mut wire = Wire::default();
            let mut closed = None;
            for outgoing in outbox.take().await {
                match outgoing {
                    Outgoing::Frame(frame) => wire.push(Opcode::Binary, Payload::Shared(frame)),
                    Outgoing::Text(text) => wire.push(Opcode::Text, Payload::Own(text.as_bytes().to_vec())),
                    Outgoing::Pong(payload) => wire.push(Opcode::Pong, Payload::Own(payload)),
                    Outgoing::Close(code, reason) => {
                        wire.push(Opcode::Close, Payload::Own(close_payload(code, &reason)));
                        closed = Some(code);
                    }
                    Outgoing::Authorize(token) => self.judge(token.as_deref()),
                }
            }
            while !wire.is_empty() {
                match timeout(STALL, wire.write_some(stream)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return WriteEnd::Gone,
                    Err(_) => return WriteEnd::Stalled,
                }
            }
            if let Some(code) = closed {
                return WriteEnd::Closed(code);
            }
        }
    }

    fn judge(&self, token: Option<&str>) {
        if let AccessPolicy::Keys(keys) = &self.setup.admission {
            self.tell(Happening::Authorized(keys.verify(token)));
        }
    }

    fn tell(&self, what: Happening) {
        self.inbox().tell(Event::Link(self.space.clone(), self.link, what));
    }

    fn inbox(&self) -> &Inbox {
        self.setup.shards.of(&self.space)
    }
}

/// The most that a client may send at once.
pub fn decoder(read: &[u8]) -> Decoder {
    Decoder::new(limits::FRAME_BYTES_MAX, read)
}

/// What is being written.
#[derive(Default)]
struct Wire {
    pieces: VecDeque<Piece>,
    /// Of the first piece, what has been written.
    written: usize,
}

enum Piece {
    Header(Header),
    Payload(Payload),
}

enum Payload {
    Shared(Arc<[u8]>),
    Own(Vec<u8>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Header(header) => header.as_ref(),
            Piece::Payload(Payload::Shared(bytes)) => bytes,
            Piece::Payload(Payload::Own(bytes)) => bytes,
        }
    }
}

impl Wire {
    fn push(&mut self, opcode: Opcode, payload: Payload) {
        let payload = Piece::Payload(payload);
        let len = payload.bytes().len();
        self.pieces.push_back(Piece::Header(Header::new(opcode, len)));
        if len > 0 {
            self.pieces.push_back(payload);
        }
    }

    fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Writes as much as the connection takes at once, at least one byte.
    async fn write_some(&mut self, stream: &TcpStream) -> io::Result<()> {
        loop {
            stream.writable().await?;
            match self.try_write(stream) {
                Ok(written) => {
                    self.advance(written);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn try_write(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let skipped = if count == 0 { self.written } else { 0 };
            *slice = IoSlice::new(&piece.bytes()[skipped..]);
            count += 1;
        }
        stream.try_write_vectored(&slices[..count])
    }

    fn advance(&mut self, written: usize) {
        self.written += written;
        while let Some(piece) = self.pieces.front() {
            let len = piece.bytes().len();
            if self.written < len {
                break;
            }
            self.written -= len;
            self.pieces.pop_front();
        }
    }
}
