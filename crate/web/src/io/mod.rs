//! The platform: sockets, tabs, timers, storage. Each reports to an inbox and decides nothing.

pub mod storage;
pub mod tabs;
pub mod timer;
pub mod websocket;
