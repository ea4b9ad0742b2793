//! Sockets: the HTTP server, accepted WebSocket connections, and links to other relays.
//!
//! Nothing here knows what a frame says, but for the token in the greeting of whoever comes. Frames go to
//! the inbox of the shard that has the space, and come from the connection's outbox.

mod accept;
mod changes;
mod connection;
mod context;
mod dial;
mod door;
mod pages;
mod peers;
mod receive;
mod renewals;
mod response;
mod send_buffer;
mod server;
mod timeouts;

pub use accept::accept;
pub use changes::ChangesFeed;
pub use context::ConnectionContext;
pub use dial::run_dialer;
pub use door::Door;
pub use pages::MetricsPage;
pub use server::{HttpServer, Origins};
