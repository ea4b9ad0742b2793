//! What a space may use of its shard and of the process.

use std::sync::Arc;
use std::time::Instant;

use eyot_core::base::id::RequestId;
use eyot_core::base::time::Millis;
use tokio::sync::mpsc;

use crate::access::{AccessPolicy, TicketKey};
use crate::base::{Config, MachineId};
use crate::metrics::Metrics;
use crate::queues::{DialQueue, WaitingBytes};
use crate::storage::{FilesGone, Store};

/// What all shards share.
#[derive(Debug)]
pub struct ShardContext {
    /// Settings of this relay.
    pub config: Arc<Config>,
    /// Who may connect.
    pub policy: AccessPolicy,
    /// Signs tickets for replicas that are to link to each other.
    pub ticket_key: Arc<TicketKey>,
    /// Metrics of this relay.
    pub metrics: Metrics,
    /// Links to be dialled.
    pub dials: DialQueue,
    /// What waits in all outboxes.
    pub waiting_bytes: WaitingBytes,
    /// Told when the files of this relay are gone.
    pub failure: mpsc::UnboundedSender<FilesGone>,
}

/// What a space may use while it handles one event.
pub(super) struct SpaceContext<'a> {
    pub(super) shard: &'a ShardContext,
    /// The shard's database.
    pub(super) store: &'a mut Store,
    /// Writes of all the shard's spaces that wait for the commit.
    pub(super) writes: &'a mut Vec<PendingWrite>,
    /// Given to the next machine that is loaded.
    pub(super) next_machine: &'a mut MachineId,
    pub(super) now: Millis,
}

/// A write that is in the transaction but not committed.
pub(super) struct PendingWrite {
    pub(super) space: Arc<str>,
    pub(super) machine: MachineId,
    pub(super) request: RequestId,
    /// When the frames came in whose commits it may hold.
    pub(super) received_at: Vec<Instant>,
}
