//! Who may use this relay: keys and the tokens that they sign; and the key with which it signs tickets.
//!
//! Only signatures and times are checked here. What a token's claims allow is decided by the core,
//! see [`eyot_core::wire::access`].

mod key;
mod policy;
#[cfg(test)]
mod tests;
mod ticket_key;
mod token;

pub use policy::{AccessPolicy, KeyFile, KeyFileContent, KeyFileError};
pub use ticket_key::{TicketKey, TicketKeyError};
