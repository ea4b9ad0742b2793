//! What a holder tells its owner, a replica or a relay.

use std::sync::Arc;

use crate::base::id::{DocId, LinkId, PresenceId};
use crate::commit::descriptor::Descriptor;
use crate::log::rows::Entry;
use crate::storage::request::{StorageAnswer, StorageFault};
use crate::wire::bodies::{RegionHead, Stored};
use crate::wire::meeting::{Announce, Introduction, Signal};
use crate::wire::presence::Presence;
use crate::wire::receipt::{Inquiry, Receipt};

/// What the owner needs to hear.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    /// The log is known; links may be opened.
    Opened,
    /// This holder can't go on: why, and what storage said or holds.
    Failed(StorageFault, String),
    /// These commits are in the log now, in this order.
    Appended(Vec<Entry>),
    /// So many of the process's own commits, from the first, are durable.
    Saved(u64),
    /// Storage refuses writes, for this reason; the holder goes on from memory.
    DiskFails(String),
    /// Own commits up to this could not be written; the holder goes on from memory.
    SaveFailed(u64, String),
    /// Storage works again.
    DiskRecovered,
    /// The answer to [`Holder::ask_storage`](crate::holder::holder::Holder).
    Storage(OwnerRequest, StorageAnswer),
    /// Something about a link changed: it came up, moved or went.
    LinkChanged,
    /// A relay's greeting names all regions of the space.
    RegionsTold(Vec<String>),
    /// A peer has stored more of this log.
    Acked(LinkId),
    /// A relay says what another region has stored.
    StoredElsewhere(LinkId, Stored),
    /// The peer's space is another one of that name.
    Incompatible(Option<Descriptor>),
    /// The link is gone; why, where it was said.
    LinkClosed(LinkId, Option<(u16, String)>),
    /// The end of a peer's log, by number, which was asked for.
    HeadOf(LinkId, u64, u64),
    /// This holder and a peer have compared what they hold, and it is the same.
    Agreed(LinkId),
    /// A peer asks what the regions hold.
    FreshAsked(LinkId, u64),
    /// What a region held is held by the peer; see [`Fresh`](crate::wire::bodies::Fresh).
    FreshAnswer(LinkId, u64, RegionHead),
    /// A replica is there for others to link to.
    Announced(LinkId, Announce),
    /// A relay tells of a replica.
    Introduced(LinkId, Introduction),
    /// A replica says something to another.
    Signalled(LinkId, Signal),
    /// A replica asks what regions have stored.
    Inquired(LinkId, Inquiry),
    /// What a region has stored, by a relay's word that nobody has checked.
    Receipt(Receipt),
    /// A replica shows something else now, or nothing any more.
    Present(PresenceId, Option<Arc<[u8]>>),
    /// Who is there, for the processes that share the log.
    PresentHere(Vec<Presence>),
    /// Another process moved the log on; it is to be followed from storage.
    LogMoved,
    /// What greetings tell of the log has changed, and storage says so: other processes that share the log go by
    /// what it was.
    MarkerWritten,
    /// What this process had beyond storage now has other positions in the log.
    Reloaded,
}

/// What the owner asks of storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerRequest {
    /// The log, from where the owner has got to.
    Follow,
    /// A document's commits, from this one of the log on.
    Document(DocId, u64),
    /// The view of a document.
    View(DocId),
    /// All views.
    Views,
    /// Pages of views, to be changed.
    ViewPages,
    /// What following the log has come to.
    Checkpoint,
    /// The same, to be written.
    CheckpointWrite,
}
