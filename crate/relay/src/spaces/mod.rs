//! Shards and their spaces: what drives the core's relay of each space.
//!
//! Events come in through a shard's inbox. What the relays want sent goes into the outboxes of
//! connections; what they want stored goes into the shard's database.

mod context;
mod links;
mod machine;
mod shard;
mod space;

pub use context::ShardContext;
pub use shard::Shard;
