//! What all connections share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::door::Door;
use crate::access::AccessPolicy;
use crate::metrics::Metrics;
use crate::queues::{Inboxes, WaitingBytes};

/// What all connections share.
#[derive(Debug)]
pub struct ConnectionContext {
    /// Who may connect.
    pub policy: AccessPolicy,
    /// Metrics of this relay.
    pub metrics: Metrics,
    /// The inboxes of the shards.
    pub inboxes: Inboxes,
    /// The tasks of all connections, accepted and dialled.
    pub tasks: TaskTracker,
    /// Who has come and is not in yet.
    pub door: Arc<Door>,
    /// A permit for each connection that may still come in.
    pub places: Arc<Semaphore>,
    /// How long a comer may take for its request, and then for its greeting.
    pub comer_wait: Duration,
    /// What waits in all outboxes.
    pub waiting_bytes: WaitingBytes,
}
