//! The relay: a holder that never opens a document. It stores and forwards.

use crate::holder::{Holder, Identity, Notice};
use crate::io::{Effect, Input, LinkId, Millis};
use crate::vector::Vector;

/// How a relay is made.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The space it serves.
    pub space: String,
    /// Where it is.
    pub region: String,
    /// 32 random bytes.
    pub seed: [u8; 32],
}

/// The relay of one space in one region.
///
/// All it knows is in storage, so it may be dropped whenever nothing is under way and made again
/// later; connections outlive it with what [`Relay::attachment`] gives.
pub struct Relay {
    holder: Holder,
    failure: Option<String>,
}

impl Relay {
    /// Begins to load.
    pub fn new(config: RelayConfig, now: Millis) -> Self {
        let identity = Identity { space: config.space, region: Some(config.region), token: None };
        Self { holder: Holder::new(identity, config.seed, now), failure: None }
    }

    /// Takes one input; drain [`Relay::poll_effect`] before the next.
    pub fn handle(&mut self, input: Input, now: Millis) {
        match input {
            Input::LinkOpened(link) => self.holder.link_opened(link, now),
            Input::Received(link, frame) => self.holder.received(link, frame, now),
            Input::LinkClosed(link) => self.holder.link_closed(link, now),
            Input::Storage(id, answer) => self.holder.storage(id, answer, now),
            Input::Timer => self.holder.timer(now),
            Input::Broadcast(_) | Input::Online(_) => {}
        }
        while let Some(notice) = self.holder.poll_notice() {
            match notice {
                Notice::Corrupt(reason) => self.failure = Some(reason),
                Notice::SaveFailed(_, reason) => {
                    // Nothing may be acknowledged from memory.
                    self.failure = Some(reason);
                }
                _ => {}
            }
        }
    }

    /// The next effect, until there is none.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.holder.poll_effect()
    }

    /// What a link needs to go on after this relay was dropped and made again. Empty while the link
    /// could not: it must be closed then. An older attachment costs only bytes sent twice.
    pub fn attachment(&self, link: LinkId) -> Vec<u8> {
        self.holder.link(link).and_then(|link| link.attachment()).unwrap_or_default()
    }

    /// A link that was open when this relay was dropped.
    pub fn resume(&mut self, link: LinkId, attachment: &[u8], now: Millis) {
        self.holder.resume_link(link, attachment, now);
    }

    /// What is held.
    pub fn vector(&self) -> &Vector {
        self.holder.log().vector()
    }

    /// How many commits are stored.
    pub fn stored(&self) -> u64 {
        self.holder.stored().seq
    }

    /// Why this relay cannot go on, if it cannot: its storage failed or holds what it did not write.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}
