//! The relay's data on disk: a folder with one SQLite database for each shard.
//!
//! Values are opaque here. Only the core knows what a key or a value means.

mod group_commit;
mod identity;
mod layout;
mod place;
mod reader;
mod rebuild;
mod schema;
mod snapshot;
mod store;

pub use group_commit::CommitError;
pub use identity::FilesGone;
pub use layout::{FolderError, FolderLock, Layout, ShardId, shard_of};
pub use place::OpenError;
pub use reader::Reader;
pub use rebuild::{Rebuilt, rebuild};
pub use schema::SpaceId;
pub use snapshot::Snapshot;
pub use store::{SpaceRow, Store, WriteOutcome};
