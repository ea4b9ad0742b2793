//! The replica: a holder that can open documents and write.

pub mod dialer;
pub mod event;
pub mod io;
pub mod placement;
pub mod replica;
pub mod status;
pub mod tabs;
pub mod waits;
