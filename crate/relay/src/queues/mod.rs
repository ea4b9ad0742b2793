//! Queues between connections, which are async tasks, and shards, which are threads.
//!
//! Each queue belongs to its reader. Whoever writes to one holds the queue and knows nothing of the
//! reader, so neither side depends on the other.

mod dials;
mod event;
mod fair;
mod inbox;
mod outbox;

pub use dials::{DialQueue, DialRequest};
pub use event::{LinkEvent, ShardEvent};
pub use inbox::{Events, Inbox, Inboxes, LinkInbox, NoEvent};
pub use outbox::{Outbox, Outgoing, TOO_SLOW, WaitingBytes};
