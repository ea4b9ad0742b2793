//! The queue of links that shards want to be dialled.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::outbox::Outbox;
use crate::base::LinkKey;

/// A link that the relay of a space wants to the same space in another region.
#[derive(Debug)]
pub struct DialRequest {
    /// The space.
    pub space: Arc<str>,
    /// What the link is called towards the shard.
    pub link: LinkKey,
    /// Base URL of the other relay.
    pub url: String,
    /// The token that the other relay is to let this one in for.
    pub token: Option<String>,
    /// Filled by the shard from now on, whether or not the link is open yet.
    pub outbox: Arc<Outbox>,
}

/// Sends requests to the task that dials.
#[derive(Clone, Debug)]
pub struct DialQueue(mpsc::UnboundedSender<DialRequest>);

impl DialQueue {
    /// A queue and its receiver.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<DialRequest>) {
        let (requests, receiver) = mpsc::unbounded_channel();
        (Self(requests), receiver)
    }

    /// Adds a request. It is dropped if the process is stopping.
    pub fn push(&self, request: DialRequest) {
        let _ = self.0.send(request);
    }
}
