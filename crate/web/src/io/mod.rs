//! The platform: sockets, tabs, timers, storage. Each reports to an inbox and decides nothing.

pub mod storage;
#[cfg(feature = "replica")]
pub mod tabs;
#[cfg(feature = "replica")]
pub mod timer;
#[cfg(feature = "replica")]
pub mod websocket;
