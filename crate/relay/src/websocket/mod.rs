//! WebSocket framing (RFC 6455) as a server speaks it, without I/O.
//!
//! The established crates keep a read buffer for each connection, which is most of the memory that
//! an idle connection takes, and they copy what they send. Here an idle connection has no buffer,
//! and a frame sent to many connections is shared. Extensions are not supported.

mod decode;
mod encode;
mod frame;

pub use decode::{Decoder, Message, ProtocolError};
pub use encode::{Header, close_payload};
pub use frame::Opcode;
