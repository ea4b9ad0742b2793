//! Plain definitions that every other folder may use. They do no I/O.

mod clock;
mod endpoint;

pub use clock::now;
pub use endpoint::{SUBPROTOCOL, TEXT_REFUSED, percent_decode, space_url};
