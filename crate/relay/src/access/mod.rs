//! Who may use this relay: keys and the tokens that they sign; and the key with which it signs tickets.
//!
//! Only signatures and times are checked here. What a token's claims allow is decided by the core,
//! see [`eyot_core::wire::access`].

mod key;
mod key_file;
mod revoked;
#[cfg(test)]
mod tests;
mod ticket_key;
mod token;
mod tokens;
mod webhook;

pub use key_file::{KeyFile, KeyFileContent, KeyFileError};
pub use revoked::{Revoked, RevokedError, RevokedFile};
pub use ticket_key::{TicketKey, TicketKeyError};
pub use token::TokenFacts;
pub use tokens::{AccessPolicy, Admitted, Tokens};
pub use webhook::Webhook;
