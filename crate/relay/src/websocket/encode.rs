//! Encodes what the server sends: frame headers and close payloads.

use super::frame::{CONTROL_PAYLOAD_BYTES_MAX, Opcode};

/// The longest header of a frame that a server sends.
const HEADER_BYTES_MAX: usize = 10;

/// The bytes that precede a payload.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    len: u8,
}

impl Header {
    /// The header of a message that is sent in one frame.
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

/// The payload of a `Close`. Empty if the code is one that may only be reported locally and never be
/// sent. A reason that is too long is cut.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    if code != 1000 && !(3000..5000).contains(&code) {
        return Vec::new();
    }
    let mut end = reason.len().min(CONTROL_PAYLOAD_BYTES_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    [&code.to_be_bytes(), &reason.as_bytes()[..end]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_characters() {
        let payload = close_payload(4009, &"é".repeat(100));
        assert_eq!(payload.len(), 124);
        assert!(std::str::from_utf8(&payload[2..]).is_ok());
        assert_eq!(close_payload(1006, "gone"), b"");
    }
}
