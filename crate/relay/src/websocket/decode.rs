//! Decodes what a client sends: bytes to messages.

use bytes::{Buf, BytesMut};

use super::frame::{CONTROL_PAYLOAD_BYTES_MAX, Opcode};

/// Room in the buffer if it is not known yet how long the next frame is.
const READ_BYTES: usize = 8 * 1024;

/// A message from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A message of bytes.
    Binary(Vec<u8>),
    /// A text message. That it is UTF-8 is not checked.
    Text(Vec<u8>),
    /// To be answered with a pong of the same payload.
    Ping(Vec<u8>),
    /// The answer to a ping.
    Pong,
    /// The client closes the connection, with this code if it gave one.
    Close(Option<u16>),
}

/// The client has broken the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Bytes that RFC 6455 does not allow.
    #[error("not a WebSocket frame: {0}")]
    Malformed(&'static str),
    /// A message over this limit in bytes.
    #[error("a message over the limit of {0} bytes")]
    TooLarge(usize),
}

/// Collects the bytes of a connection until a message is complete.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    /// The payload so far of a message that is sent in several frames.
    fragments: Option<(Opcode, Vec<u8>)>,
    message_bytes_max: usize,
}

/// The decoded header of a frame.
struct FrameHeader {
    opcode: Opcode,
    is_last: bool,
    mask: [u8; 4],
    /// Length of the header itself.
    header_bytes: usize,
    payload_bytes: usize,
}

impl Decoder {
    /// Accepts messages of at most `message_bytes_max` bytes. `read` are bytes that have already been
    /// read from the connection.
    pub fn new(message_bytes_max: usize, read: &[u8]) -> Self {
        Self { buffer: BytesMut::from(read), fragments: None, message_bytes_max }
    }

    /// Raises the limit.
    pub fn raise_message_bytes_max(&mut self, message_bytes_max: usize) {
        self.message_bytes_max = message_bytes_max.max(self.message_bytes_max);
    }

    /// The buffer to read into, with room for the rest of the frame that has begun.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        let missing = match self.header() {
            Ok(Some(header)) => {
                (header.header_bytes + header.payload_bytes).saturating_sub(self.buffer.len())
            }
            _ => 0,
        };
        self.buffer.reserve(missing.max(READ_BYTES));
        &mut self.buffer
    }

    /// Frees the buffer's memory if no bytes are in it.
    pub fn release_buffer(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// The next message. None until all of it has been read.
    ///
    /// # Errors
    /// The client has broken the protocol. Nothing more can be decoded.
    pub fn next(&mut self) -> Result<Option<Message>, ProtocolError> {
        while let Some(header) = self.header()? {
            if self.buffer.len() < header.header_bytes + header.payload_bytes {
                return Ok(None);
            }
            self.buffer.advance(header.header_bytes);
            let mut payload = self.buffer[..header.payload_bytes].to_vec();
            self.buffer.advance(header.payload_bytes);
            unmask(&mut payload, header.mask);
            if let Some(message) = self.frame(&header, payload)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn header(&self) -> Result<Option<FrameHeader>, ProtocolError> {
        let [first, second, rest @ ..] = &self.buffer[..] else { return Ok(None) };
        let is_last = first & 0x80 != 0;
        if first & 0x70 != 0 {
            return Err(ProtocolError::Malformed("reserved bits are set"));
        }
        if second & 0x80 == 0 {
            return Err(ProtocolError::Malformed("a client must mask its frames"));
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
        if is_control && (!is_last || short > CONTROL_PAYLOAD_BYTES_MAX) {
            return Err(ProtocolError::Malformed("a control frame is fragmented or too long"));
        }
        let bytes_before = match &self.fragments {
            Some((_, begun)) if !is_control => begun.len(),
            _ => 0,
        };
        if len > (self.message_bytes_max - bytes_before) as u64 && !is_control {
            return Err(ProtocolError::TooLarge(self.message_bytes_max));
        }
        let Some(mask) = rest.first_chunk::<4>() else { return Ok(None) };
        Ok(Some(FrameHeader {
            opcode,
            is_last,
            mask: *mask,
            header_bytes: 6 + len_bytes,
            payload_bytes: len as usize,
        }))
    }

    fn frame(&mut self, header: &FrameHeader, payload: Vec<u8>) -> Result<Option<Message>, ProtocolError> {
        let (opcode, whole) = match header.opcode {
            Opcode::Ping => return Ok(Some(Message::Ping(payload))),
            Opcode::Pong => return Ok(Some(Message::Pong)),
            Opcode::Close => return close_code(&payload).map(|code| Some(Message::Close(code))),
            Opcode::Continuation => {
                let Some((opcode, mut begun)) = self.fragments.take() else {
                    return Err(ProtocolError::Malformed("a continuation without a message"));
                };
                begun.extend_from_slice(&payload);
                (opcode, begun)
            }
            _ if self.fragments.is_some() => {
                return Err(ProtocolError::Malformed("a new message before the last one is complete"));
            }
            opcode => (opcode, payload),
        };
        if !header.is_last {
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
        [_] => Err(ProtocolError::Malformed("a close code of one byte")),
    }
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
    fn messages_of_every_length_are_decoded_however_the_bytes_are_split() {
        for len in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 100_000] {
            let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let bytes = masked(0x82, &payload);
            for cut in [1, 2, 5, 13, 4_096, bytes.len()] {
                let mut decoder = decoder(&[]);
                let mut messages = Vec::new();
                for piece in bytes.chunks(cut) {
                    decoder.read_buffer().extend_from_slice(piece);
                    messages.extend(decoder.next().unwrap());
                }
                assert_eq!(messages, [Message::Binary(payload.clone())], "{len} bytes cut at {cut}");
            }
        }
    }

    #[test]
    fn a_fragmented_message_is_joined_and_a_ping_may_come_in_between() {
        let bytes = [masked(0x01, b"pi"), masked(0x89, b"?"), masked(0x80, b"ng")].concat();
        let mut decoder = decoder(&bytes);
        assert_eq!(decoder.next(), Ok(Some(Message::Ping(b"?".to_vec()))));
        assert_eq!(decoder.next(), Ok(Some(Message::Text(b"ping".to_vec()))));
        assert_eq!(decoder.next(), Ok(None));
    }

    #[test]
    fn frames_that_a_client_may_not_send_are_refused() {
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
    fn a_decoder_that_waits_for_a_message_has_no_buffer() {
        let mut decoder = decoder(&[]);
        decoder.read_buffer().extend_from_slice(&masked(0x82, &[0; 90_000]));
        assert!(matches!(decoder.next(), Ok(Some(_))));
        decoder.release_buffer();
        assert_eq!(decoder.buffer.capacity(), 0);
    }
}
