//! One link between two holders: the sync protocol's state for a connection.
//!
//! A link knows where it is in both logs and what may be sent; it never touches the log itself. The
//! holder gives it entries to send and tells it what became of those it received.

pub(crate) mod attachment;
pub(crate) mod filter;
pub(crate) mod later;
pub(crate) mod link;
pub(crate) mod receiving;
pub(crate) mod sending;
pub(crate) mod session;
pub(crate) mod timers;
pub(crate) mod unread;
