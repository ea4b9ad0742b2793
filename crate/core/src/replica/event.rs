//! What the application is told, and the errors of its calls.

use crate::base::id::{CommitId, DocId, PeerKey, PresenceId};
use crate::document::edit::EditError;
use crate::document::patch::Patch;
use crate::document::reading::ReadError;
use crate::replica::waits::WaitId;
use crate::storage::request::StorageFault;

/// What the application is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// What storage holds can be opened.
    Ready,
    /// The replica can't be opened, or can't go on: storage can't be read, or holds what this version
    /// cannot read, or another space.
    Failed {
        /// What kind of error that is.
        fault: StorageFault,
        /// What storage said, or holds.
        message: String,
    },
    /// A wait is over.
    Waited(WaitId),
    /// A wait can't end as it should: why.
    WaitFailed(WaitId, String),
    /// An `open` or `named` is answered.
    Opened {
        /// Which.
        wait: WaitId,
        /// The document.
        doc: DocId,
        /// Whether it is open now; storage does not hold it otherwise.
        held: bool,
    },
    /// An `open` or `named` failed: the document can't be read.
    NotOpened {
        /// Which.
        wait: WaitId,
        /// What kind of error that is.
        fault: StorageFault,
        /// What storage said.
        message: String,
    },
    /// The value of a document that was asked for; none where storage does not hold it.
    Peeked {
        /// Which.
        wait: WaitId,
        /// The document.
        doc: DocId,
        /// The value.
        value: Option<Vec<u8>>,
    },
    /// The values of documents that were asked for.
    Values {
        /// Which.
        wait: WaitId,
        /// Of all documents that are held; none where the document would have to be built.
        values: Vec<(DocId, Option<Vec<u8>>)>,
    },
    /// A document that is not open has changed, where the application wants to hear of that.
    Changed {
        /// The document.
        doc: DocId,
    },
    /// An open document was changed by others.
    Patches {
        /// The document.
        doc: DocId,
        /// What is different.
        patches: Vec<Patch>,
    },
    /// An open document was built anew: read its value again.
    Reset {
        /// The document.
        doc: DocId,
    },
    /// A document that was not known before is held now.
    Held {
        /// The document.
        doc: DocId,
    },
    /// A document was deleted.
    Deleted {
        /// The document.
        doc: DocId,
    },
    /// This process's commits up to this number are on disk.
    Saved {
        /// Of [`Made::seq`].
        seq: u64,
    },
    /// This process's commits up to this number could not be written.
    SaveFailed {
        /// Of [`Made::seq`].
        seq: u64,
        /// What storage said.
        message: String,
    },
    /// `Replica::status` may be different.
    Status,
    /// A relay tells of another replica that is there to be linked to.
    Introduced {
        /// Its key.
        key: PeerKey,
        /// Its region.
        region: String,
        /// A [`Ticket`](crate::wire::ticket::Ticket) with its signature, which nobody has checked.
        ticket: Vec<u8>,
    },
    /// Another replica says something by way of relays.
    Signalled {
        /// Its key.
        key: PeerKey,
        /// Its region.
        region: String,
        /// What it says.
        bytes: Vec<u8>,
    },
    /// What a region has stored, by the word of a relay, which comes by way of others. Nobody has checked the
    /// signature: where a relay of this space has made it, give the receipt to `Replica::take_receipt`.
    Receipt {
        /// A [`Statement`](crate::wire::receipt::Statement) with its signature.
        bytes: Vec<u8>,
    },
    /// Another replica shows something else now.
    Present {
        /// Which.
        id: PresenceId,
        /// What; nothing where it shows nothing, or is not there any more.
        state: Option<Vec<u8>>,
    },
    /// The token that relays were greeted with expires soon: give a fresh one with
    /// `Replica::set_token`.
    TokenExpiring,
}

/// A commit that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The document.
    pub doc: DocId,
    /// The commit; none where there was nothing to do.
    pub id: Option<CommitId>,
    /// Its number among those of this process, from 1; 0 where there was nothing to do.
    pub seq: u64,
}

/// A document that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocInfo {
    /// Its id.
    pub id: DocId,
    /// The name it was made under, if it has one.
    pub name: Option<String>,
    /// Bytes of the commits' items for it.
    pub bytes: u64,
    /// How many commits have items for it.
    pub commits: u64,
}

/// Why the application's call was refused. Nothing was done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    /// The document is not open.
    #[error("the document is not open")]
    Closed,
    /// There is no such document, or it was deleted.
    #[error("there is no such document here; one that was opened by its name comes with its first edit")]
    NotFound,
    /// The edit does not fit the document, or the arguments are wrong.
    #[error("{0}")]
    Invalid(String),
    /// More than a commit may hold.
    #[error("{0}")]
    TooLarge(String),
}

impl ReplicaError {
    /// The code that JavaScript sees.
    pub fn code(&self) -> &'static str {
        match self {
            ReplicaError::Closed => "closed",
            ReplicaError::NotFound => "not-found",
            ReplicaError::Invalid(_) => "invalid",
            ReplicaError::TooLarge(_) => "too-large",
        }
    }
}

impl From<ReadError> for ReplicaError {
    fn from(error: ReadError) -> Self {
        ReplicaError::Invalid(error.to_string())
    }
}

impl From<EditError> for ReplicaError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::TooLarge => ReplicaError::TooLarge(error.to_string()),
            error => ReplicaError::Invalid(error.to_string()),
        }
    }
}
