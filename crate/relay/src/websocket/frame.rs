//! What both directions have in common.

/// The longest payload of a control frame: `Close`, `Ping` or `Pong`.
pub(super) const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;

/// The type of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further frame of a message.
    Continuation = 0,
    /// The first frame of a UTF-8 message.
    Text = 1,
    /// The first frame of a message of bytes.
    Binary = 2,
    /// The last frame that its sender sends.
    Close = 8,
    /// Asks for a `Pong` with the same payload.
    Ping = 9,
    /// Answers a `Ping`.
    Pong = 10,
}
