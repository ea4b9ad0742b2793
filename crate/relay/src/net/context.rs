//! What all connections share.

use std::sync::Arc;
use std::time::Duration;

use eyot_core::wire::access::Refusal;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::door::Door;
use crate::access::{AccessPolicy, Admitted};
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

impl ConnectionContext {
    /// Who comes to a space with a token; none where no tokens are asked for.
    ///
    /// # Errors
    /// Its bearer may not come in.
    pub async fn admit(&self, token: Option<&str>, space: &str) -> Result<Option<Admitted>, Refusal> {
        match &self.policy {
            AccessPolicy::Open => Ok(None),
            // Apart, or connections without tokens would have room for it, too.
            AccessPolicy::Tokens(tokens) => Box::pin(tokens.admit(token, space)).await.map(Some),
        }
    }
}
