//! The open links of a space. Links that were accepted stay open while the space is unloaded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eyot_core::base::id::LinkId;
use eyot_core::wire::access::Claims;
use eyot_core::wire::close::CloseCode;

use crate::base::{LinkOrigin, MachineId};
use crate::metrics::Metrics;
use crate::queues::{Outbox, Outgoing};

/// The links of one space.
#[derive(Default)]
pub(super) struct Links(BTreeMap<LinkId, Link>);

struct Link {
    outbox: Arc<Outbox>,
    origin: LinkOrigin,
    /// While the space is unloaded: what the core needs to resume the link.
    attachment: Option<Box<[u8]>>,
    /// Whether the link's first `Hello` was looked at.
    is_greeted: bool,
    /// What the token of that `Hello` allows, until the core asks for it.
    claims: Option<Claims>,
}

impl Links {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, id: LinkId) -> bool {
        self.0.contains_key(&id)
    }

    /// Adds a link that another holder has opened, with what its token allows.
    pub(super) fn accept(
        &mut self,
        id: LinkId,
        outbox: Arc<Outbox>,
        claims: Option<Claims>,
        metrics: &Metrics,
    ) {
        metrics.connections.inc();
        let origin = LinkOrigin::Accepted;
        let link = Link { outbox, origin, attachment: None, is_greeted: false, claims };
        self.0.insert(id, link);
    }

    /// Adds a link that is being dialled.
    pub(super) fn dial(&mut self, id: LinkId, outbox: Arc<Outbox>, machine: MachineId) {
        let origin = LinkOrigin::Dialled(machine);
        self.0.insert(id, Link { outbox, origin, attachment: None, is_greeted: true, claims: None });
    }

    /// What the token of the link's greeting allows. A token that renews it is another matter.
    pub(super) fn take_claims(&mut self, id: LinkId) -> Option<Claims> {
        self.0.get_mut(&id)?.claims.take()
    }

    /// Puts something into the link's outbox, if the link is open; whether it is.
    pub(super) fn push(&self, id: LinkId, outgoing: Outgoing) -> bool {
        let link = self.0.get(&id);
        if let Some(link) = link {
            link.outbox.push(outgoing);
        }
        link.is_some()
    }

    /// Removes a link and returns its outbox.
    pub(super) fn remove(&mut self, id: LinkId, metrics: &Metrics) -> Option<Arc<Outbox>> {
        let link = self.0.remove(&id)?;
        if link.origin == LinkOrigin::Accepted {
            metrics.connections.dec();
        }
        Some(link.outbox)
    }

    /// Closes and removes a link. The reason is sent in a `Bye` frame first.
    pub(super) fn close(&mut self, id: LinkId, code: CloseCode, reason: &str, metrics: &Metrics) {
        if let Some(outbox) = self.remove(id, metrics) {
            outbox.close(code as u16, reason);
        }
    }

    /// Closes and removes all links.
    pub(super) fn close_all(&mut self, code: CloseCode, reason: &str, metrics: &Metrics) {
        while let Some(id) = self.0.keys().next().copied() {
            self.close(id, code, reason, metrics);
        }
    }

    /// On the first call for a link, sets the delay of what is sent on it.
    pub(super) fn greet(&mut self, id: LinkId, delay: impl FnOnce() -> Option<Duration>) {
        if let Some(link) = self.0.get_mut(&id).filter(|link| !link.is_greeted) {
            link.is_greeted = true;
            link.outbox.set_delay(delay());
        }
    }

    // While the space is unloaded.

    /// Keeps for each accepted link what the core needs to resume it.
    pub(super) fn save_attachments(&mut self, attachment: impl Fn(LinkId) -> Vec<u8>) {
        for (id, link) in self.0.iter_mut().filter(|(_, link)| link.origin == LinkOrigin::Accepted) {
            link.attachment = Some(attachment(*id).into());
        }
    }

    /// The attachments that were saved.
    pub(super) fn take_attachments(&mut self) -> Vec<(LinkId, Box<[u8]>)> {
        self.0.iter_mut().filter_map(|(id, link)| Some((*id, link.attachment.take()?))).collect()
    }

    /// Closes links that can't be resumed. They have no attachment, or an empty one.
    pub(super) fn close_without_attachment(&mut self, metrics: &Metrics) {
        let is_lost = |link: &Link| link.attachment.as_ref().is_none_or(|attachment| attachment.is_empty());
        let lost: Vec<_> = self.0.iter().filter(|(_, link)| is_lost(link)).map(|(id, _)| *id).collect();
        for id in lost {
            self.close(id, CloseCode::GoingAway, "this relay was moved; connect again", metrics);
        }
    }
}
