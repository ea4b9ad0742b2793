//! A WebSocket's client side, as little of it as a load generator needs: what it costs is taken from the relay's
//! cores. It sends whole binary messages, masked with zeros, and reads without copying.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

const ANSWER_BYTES_MAX: usize = 8 * 1024;
const READ_BYTES: usize = 16 * 1024;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;

pub struct Sender {
    stream: OwnedWriteHalf,
    message: Vec<u8>,
}

pub struct Receiver {
    stream: OwnedReadHalf,
    buffer: Vec<u8>,
    /// Where in the buffer the next message begins.
    next: usize,
}

/// Opens a WebSocket for a space.
pub async fn connect(relay: SocketAddr, space: &str) -> Result<(Sender, Receiver)> {
    connect_under(relay, "", space, None).await
}

/// The same where the relay's paths begin with a prefix, and with a token that is offered as a subprotocol.
pub async fn connect_under(
    relay: SocketAddr,
    prefix: &str,
    space: &str,
    token: Option<&str>,
) -> Result<(Sender, Receiver)> {
    let mut stream = TcpStream::connect(relay).await.context("can't connect")?;
    stream.set_nodelay(true)?;
    let offer = token.map(|token| format!(", eyot.token.{token}")).unwrap_or_default();
    let request = format!(
        "GET {prefix}/v1/{space} HTTP/1.1\r\nHost: {relay}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         Sec-WebSocket-Protocol: eyot.v1{offer}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = Vec::new();
    let next = loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        ensure!(buffer.len() < ANSWER_BYTES_MAX, "the relay's answer does not end");
        ensure!(stream.read_buf(&mut buffer).await? > 0, "the relay hung up instead of answering");
    };
    let answer = String::from_utf8_lossy(&buffer[..next]);
    ensure!(
        answer.starts_with("HTTP/1.1 101"),
        "no WebSocket: {}",
        answer.lines().next().unwrap_or_default()
    );
    let (reading, writing) = stream.into_split();
    Ok((Sender { stream: writing, message: Vec::new() }, Receiver { stream: reading, buffer, next }))
}

/// What the relay answers to a plain request.
pub async fn get(relay: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(relay).await.context("can't connect")?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {relay}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {}", answer.lines().next().unwrap_or_default());
    Ok(answer)
}

impl Sender {
    pub async fn send(&mut self, payload: &[u8]) -> Result<()> {
        self.send_as(BINARY, payload).await
    }

    /// A message of that opcode.
    pub async fn send_as(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        let message = &mut self.message;
        message.clear();
        message.push(0x80 | opcode);
        match payload.len() {
            short @ 0..126 => message.push(0x80 | short as u8),
            medium @ 126..0x1_0000 => {
                message.push(0x80 | 126);
                message.extend((medium as u16).to_be_bytes());
            }
            long => {
                message.push(0x80 | 127);
                message.extend((long as u64).to_be_bytes());
            }
        }
        message.extend([0; 4]);
        message.extend(payload);
        self.stream.write_all(message).await.context("can't send")
    }
}

impl Receiver {
    /// The next binary message.
    pub async fn receive(&mut self) -> Result<&[u8]> {
        loop {
            if let Some(message) = parse(&self.buffer[self.next..])? {
                let (start, end) = (self.next + message.header, self.next + message.end);
                self.next = end;
                match message.kind {
                    BINARY => return Ok(&self.buffer[start..end]),
                    CLOSE => bail!("the relay closed the link: {}", why(&self.buffer[start..end])),
                    _ => continue,
                }
            }
            self.buffer.drain(..self.next);
            self.next = 0;
            self.buffer.reserve(READ_BYTES);
            let read = self.stream.read_buf(&mut self.buffer).await.context("can't receive")?;
            ensure!(read > 0, "the relay hung up");
        }
    }

    /// Receives and forgets until the relay ends the link, which is the error.
    pub async fn drain(&mut self) -> Result<()> {
        loop {
            self.receive().await?;
        }
    }

    /// Whether the next message is here already, in whole.
    pub fn has_next(&self) -> bool {
        matches!(parse(&self.buffer[self.next..]), Ok(Some(_)))
    }
}

struct Message {
    kind: u8,
    header: usize,
    end: usize,
}

/// The message at the beginning of these bytes, if it is there in whole. A server does not mask.
fn parse(bytes: &[u8]) -> Result<Option<Message>> {
    let [first, length, ..] = *bytes else { return Ok(None) };
    ensure!(first & 0xf0 == 0x80, "a message in fragments");
    let (header, length) = match length {
        126 => {
            let Some(length) = bytes.get(2..4) else { return Ok(None) };
            (4, u16::from_be_bytes(length.try_into()?).into())
        }
        127 => {
            let Some(length) = bytes.get(2..10) else { return Ok(None) };
            (10, u64::from_be_bytes(length.try_into()?) as usize)
        }
        short => (2, usize::from(short)),
    };
    let end = header + length;
    Ok((bytes.len() >= end).then_some(Message { kind: first & 0x0f, header, end }))
}

fn why(close: &[u8]) -> String {
    match close {
        [high, low, reason @ ..] => {
            format!("{} {}", u16::from_be_bytes([*high, *low]), String::from_utf8_lossy(reason))
        }
        _ => "no reason given".into(),
    }
}
