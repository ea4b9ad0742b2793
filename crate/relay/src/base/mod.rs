//! Plain definitions that every other folder may use. They do no I/O.

mod clock;
mod config;
mod endpoint;
mod link;

pub use clock::now;
pub use config::Config;
pub use endpoint::{PING, PONG, SUBPROTOCOL, TEXT_REFUSED, TOKEN_PREFIX, percent_decode, space_url};
pub use link::{LinkKey, LinkOrigin, MachineId};
