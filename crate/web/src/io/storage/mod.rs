//! Where logs are kept: IndexedDB, memory, and stores that the host brings.

#[cfg(feature = "replica")]
mod asynchronous;
#[cfg(feature = "replica")]
mod connection;
#[cfg(feature = "replica")]
mod idb;
#[cfg(feature = "replica")]
mod indexed_db;
#[cfg(feature = "replica")]
mod queue;
mod store;
#[cfg(feature = "relay")]
mod synchronous;
#[cfg(feature = "replica")]
mod watch;

#[cfg(feature = "replica")]
pub use self::queue::Storage;
#[cfg(feature = "relay")]
pub use self::synchronous::SyncStore;
