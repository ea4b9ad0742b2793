//! WebSocket framing (RFC 6455) as a server speaks it, without I/O.
//!
//! The well-kept crates for this hold a read buffer for every connection, which is most of what an
//! idle one costs, and copy what goes out. Here an idle connection has no buffer, and what goes out
//! to many is shared. Nothing else is special: no extensions, no subprotocol logic, no sockets.

use bytes::{Buf, BytesMut};

/// The longest header of a frame that a server sends.
const HEADER_BYTES_MAX: usize = 10;
/// Read at once where nothing is known of what comes.
const READ_BYTES: usize = 8 * 1024;
/// The payload of a control frame.
const CONTROL_BYTES_MAX: usize = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// More of the message before.
    Continuation = 0,
    /// UTF-8.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// No more follows.
    Close = 8,
    /// Asks for a `Pong` with the same payload.
    Ping = 9,
    /// Answers a `Ping`.
    Pong = 10,
}

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Bytes.
    Binary(Vec<u8>),
    /// What should be UTF-8.
    Text(Vec<u8>),
    /// To be answered.
    Ping(Vec<u8>),
    /// An answer.
    Pong,
    /// The other side closes, with this code if it gave one.
    Close(Option<u16>),
}

/// What the other side may not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Not as RFC 6455 has it.
    #[error("not a WebSocket frame: {0}")]
    Malformed(&'static str),
    /// A message over the limit.
    #[error("a message over the limit of {0} bytes")]
    TooLarge(usize),
}

/// Bytes to messages.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    /// The beginning of a message that comes in several frames.
    fragments: Option<(Opcode, Vec<u8>)>,
    message_bytes_max: usize,
}

struct Head {
    opcode: Opcode,
    is_last: bool,
    mask: [u8; 4],
    /// Of the head itself.
    bytes: usize,
    payload_bytes: usize,
}

impl Decoder {
    /// Takes messages of at most so many bytes. `read` came in already.
    pub fn new(message_bytes_max: usize, read: &[u8]) -> Self {
        Self { buffer: BytesMut::from(read), fragments: None, message_bytes_max }
    }

    /// Where to read to: room for the rest of the frame that has begun.
    pub fn space(&mut self) -> &mut BytesMut {
        let missing = match self.head() {
            Ok(Some(head)) => (head.bytes + head.payload_bytes).saturating_sub(self.buffer.len()),
            _ => 0,
        };
        self.buffer.reserve(missing.max(READ_BYTES));
        &mut self.buffer
    }

    /// Gives the buffer back where nothing is in it.
    pub fn rest(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// The next message, once all of it is here.
    ///
    /// # Errors
    /// The other side's fault; nothing after it can be read.
    pub fn next(&mut self) -> Result<Option<Message>, ProtocolError> {
        while let Some(head) = self.head()? {
            if self.buffer.len() < head.bytes + head.payload_bytes {
                return Ok(None);
            }
            self.buffer.advance(head.bytes);
            let mut payload = self.buffer[..head.payload_bytes].to_vec();
            self.buffer.advance(head.payload_bytes);
            unmask(&mut payload, head.mask);
            if let Some(message) = self.frame(&head, payload)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn head(&self) -> Result<Option<Head>, ProtocolError> {
        let [first, second, rest @ ..] = &self.buffer[..] else { return Ok(None) };
        let is_last = first & 0x80 != 0;
        if first & 0x70 != 0 {
            return Err(ProtocolError::Malformed("reserved bits"));
        }
        if second & 0x80 == 0 {
            return Err(ProtocolError::Malformed("a client masks"));
        }
        let opcode = match first & 0x0f {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return Err(ProtocolError::Malformed("an unknown opcode")),
        };
        let short = usize::from(second & 0x7f);
        let (len, rest, len_bytes) = match short {
            126 => match rest.split_first_chunk::<2>() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest, 2),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest, 8),
                None => return Ok(None),
            },
            short => (short as u64, rest, 0),
        };
        let is_control = opcode as u8 >= Opcode::Close as u8;
        if is_control && (!is_last || short > CONTROL_BYTES_MAX) {
            return Err(ProtocolError::Malformed("a control frame in pieces or too long"));
        }
        let before = match &self.fragments {
            Some((_, begun)) if !is_control => begun.len(),
            _ => 0,
        };
        if len > (self.message_bytes_max - before) as u64 && !is_control {
            return Err(ProtocolError::TooLarge(self.message_bytes_max));
        }
        let Some(mask) = rest.first_chunk::<4>() else { return Ok(None) };
        Ok(Some(Head { opcode, is_last, mask: *mask, bytes: 6 + len_bytes, payload_bytes: len as usize }))
    }

    fn frame(&mut self, head: &Head, payload: Vec<u8>) -> Result<Option<Message>, ProtocolError> {
        let (opcode, whole) = match head.opcode {
            Opcode::Ping => return Ok(Some(Message::Ping(payload))),
            Opcode::Pong => return Ok(Some(Message::Pong)),
            Opcode::Close => return close_code(&payload).map(|code| Some(Message::Close(code))),
            Opcode::Continuation => {
                let Some((opcode, mut begun)) = self.fragments.take() else {
                    return Err(ProtocolError::Malformed("the end of no message"));
                };
                begun.extend_from_slice(&payload);
                (opcode, begun)
            }
            _ if self.fragments.is_some() => {
                return Err(ProtocolError::Malformed("a message within a message"));
            }
            opcode => (opcode, payload),
        };
        if !head.is_last {
            self.fragments = Some((opcode, whole));
            return Ok(None);
        }
        Ok(Some(if opcode == Opcode::Text { Message::Text(whole) } else { Message::Binary(whole) }))
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask, mask].concat().try_into().expect("two halves of 4 bytes"));
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let bytes: [u8; 8] = (&*chunk).try_into().expect("chunks of 8");
        chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, ProtocolError> {
    match payload {
        [] => Ok(None),
        [high, low, ..] => Ok(Some(u16::from_be_bytes([*high, *low]))),
        [_] => Err(ProtocolError::Malformed("half a close code")),
    }
}

/// What goes before a payload.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    len: u8,
}

impl Header {
    /// Of a whole message of so many bytes.
    pub fn new(opcode: Opcode, payload_bytes: usize) -> Self {
        let mut bytes = [0; HEADER_BYTES_MAX];
        bytes[0] = 0x80 | opcode as u8;
        let len = match payload_bytes {
            0..=125 => {
                bytes[1] = payload_bytes as u8;
                2
            }
            126..=0xffff => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(payload_bytes as u16).to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
                10
            }
        };
        Self { bytes, len }
    }
}

impl AsRef<[u8]> for Header {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The payload of a `Close`. Codes that only report can't be sent: nothing is said then.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    if code != 1000 && !(3000..5000).contains(&code) {
        return Vec::new();
    }
    let mut end = reason.len().min(CONTROL_BYTES_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    [&code.to_be_bytes(), &reason.as_bytes()[..end]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [7, 1, 250, 9];
        let mut bytes = vec![first];
        match payload.len() {
            len @ 0..=125 => bytes.push(0x80 | len as u8),
            len @ 126..=0xffff => {
                bytes.push(0x80 | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            len => {
                bytes.push(0x80 | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn decoder(bytes: &[u8]) -> Decoder {
        Decoder::new(100_000, bytes)
    }

    #[test]
    fn messages_of_every_length_read_back_however_they_are_cut() {
        for len in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 100_000] {
            let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let bytes = masked(0x82, &payload);
            for cut in [1, 2, 5, 13, 4_096, bytes.len()] {
                let mut decoder = decoder(&[]);
                let mut messages = Vec::new();
                for piece in bytes.chunks(cut) {
                    decoder.space().extend_from_slice(piece);
                    messages.extend(decoder.next().unwrap());
                }
                assert_eq!(messages, [Message::Binary(payload.clone())], "{len} bytes cut at {cut}");
            }
        }
    }

    #[test]
    fn a_message_in_pieces_is_put_together_around_a_ping() {
        let bytes = [masked(0x01, b"pi"), masked(0x89, b"?"), masked(0x80, b"ng")].concat();
        let mut decoder = decoder(&bytes);
        assert_eq!(decoder.next(), Ok(Some(Message::Ping(b"?".to_vec()))));
        assert_eq!(decoder.next(), Ok(Some(Message::Text(b"ping".to_vec()))));
        assert_eq!(decoder.next(), Ok(None));
    }

    #[test]
    fn what_no_client_may_send_is_refused() {
        let unmasked = vec![0x82, 0];
        let half_code = masked(0x88, b"x");
        let reserved = masked(0xc2, b"");
        let opcode = masked(0x83, b"");
        let end_of_nothing = masked(0x80, b"");
        let ping_in_pieces = masked(0x09, b"");
        let long_ping = masked(0x89, &[0; 126]);
        let nested = [masked(0x02, b""), masked(0x82, b"")].concat();
        for bytes in
            [unmasked, half_code, reserved, opcode, end_of_nothing, ping_in_pieces, long_ping, nested]
        {
            let refused = decoder(&bytes).next();
            assert!(matches!(refused, Err(ProtocolError::Malformed(_))), "{bytes:?}: {refused:?}");
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_before_it_is_read() {
        let head = &masked(0x82, &[0; 100_001])[..14];
        assert_eq!(decoder(head).next(), Err(ProtocolError::TooLarge(100_000)));
        let pieces = [masked(0x02, &[0; 60_000]), masked(0x80, &[0; 60_000])].concat();
        assert_eq!(decoder(&pieces).next(), Err(ProtocolError::TooLarge(100_000)));
        let mut bytes = vec![0x82, 0xff];
        bytes.extend(u64::MAX.to_be_bytes());
        assert_eq!(decoder(&bytes).next(), Err(ProtocolError::TooLarge(100_000)));
    }

    #[test]
    fn a_decoder_at_rest_has_no_buffer() {
        let mut decoder = decoder(&[]);
        decoder.space().extend_from_slice(&masked(0x82, &[0; 90_000]));
        assert!(matches!(decoder.next(), Ok(Some(_))));
        decoder.rest();
        assert_eq!(decoder.buffer.capacity(), 0);
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let payload = close_payload(4009, &"é".repeat(100));
        assert_eq!(payload.len(), 124);
        assert!(std::str::from_utf8(&payload[2..]).is_ok());
        assert_eq!(close_payload(1006, "gone"), b"");
    }
}
