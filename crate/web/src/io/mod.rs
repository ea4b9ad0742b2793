//! The platform: sockets, tabs, timers, storage, the page. Each reports to an inbox and decides nothing.

#[cfg(feature = "replica")]
mod election;
#[cfg(feature = "replica")]
pub mod page;
#[cfg(feature = "replica")]
pub mod peers;
pub mod storage;
#[cfg(feature = "replica")]
pub mod tabs;
#[cfg(feature = "replica")]
pub mod timer;
#[cfg(feature = "replica")]
mod traffic;
#[cfg(feature = "replica")]
pub mod websocket;
