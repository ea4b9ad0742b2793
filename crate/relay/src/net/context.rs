//! What all connections share.

use tokio_util::task::TaskTracker;

use crate::access::AccessPolicy;
use crate::metrics::Metrics;
use crate::queues::Inboxes;

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
}
