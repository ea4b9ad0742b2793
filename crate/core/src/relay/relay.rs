//! The relay: a holder that never opens a document. It stores and forwards.

use crate::base::id::LinkId;
use crate::base::limits::Limits;
use crate::base::time::{Clock, Millis};
use crate::commit::vector::Vector;
use crate::holder::caps::{Caps, RelayCounters};
use crate::holder::holder::{Holder, HolderConfig};
use crate::holder::io::{Effect, Input};
use crate::holder::notice::Notice;
use crate::holder::role::Role;
use crate::relay::mesh::Mesh;
use crate::relay::region::{RegionView, RelayPeer};
use crate::wire::access::Claims;

/// How a relay is made.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The space it serves.
    pub space: String,
    /// Where it is.
    pub region: String,
    /// The relays of the same space in other regions.
    pub peers: Vec<RelayPeer>,
    /// What lets this relay in at those.
    pub token: Option<String>,
    /// What it keeps for others at most.
    pub caps: Caps,
    /// Those of the protocol, outside of simulations.
    pub limits: Limits,
    /// 32 random bytes.
    pub seed: [u8; 32],
}

/// The relay of one space in one region.
///
/// All it knows is in storage, so it may be dropped whenever nothing is under way and made again
/// later; connections outlive it with what [`Relay::attachment`] gives.
pub struct Relay {
    holder: Holder,
    mesh: Mesh,
    clock: Clock,
    now: Millis,
    failure: Option<String>,
}

impl Relay {
    /// Begins to load.
    pub fn new(config: RelayConfig, now: Millis) -> Self {
        let region = config.region;
        let peers = config.peers;
        let others = peers.iter().map(|peer| peer.region.clone());
        let all = [region.clone()].into_iter().chain(others).collect();
        let config = HolderConfig {
            space: config.space,
            descriptor: None,
            role: Role::relay(region.clone(), all),
            token: config.token,
            caps: Some(config.caps),
            limits: config.limits,
            seed: config.seed,
        };
        let holder = Holder::new(config, now);
        Self { holder, mesh: Mesh::new(region, peers), clock: Clock::new(now), now, failure: None }
    }

    /// Takes one input; drain [`Relay::poll_effect`] before the next.
    pub fn handle(&mut self, input: Input, now: Millis) {
        let now = self.observe(now);
        self.holder.catch_up(now);
        let input = match input {
            Input::Authorized(link, Ok(claims)) => {
                let expires_at = claims.expires_at.map(|at| self.clock.at_host(at));
                Input::Authorized(link, Ok(Claims { expires_at, ..claims }))
            }
            Input::Signed(number, signature) => {
                self.mesh.signed(number, signature.as_ref(), &mut self.holder, now);
                return self.settle();
            }
            input => input,
        };
        self.holder.handle(input, now);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            while let Some(notice) = self.holder.poll_notice() {
                self.notice(notice);
            }
            if !self.holder.is_open() {
                return;
            }
            self.mesh.run(&mut self.holder, self.clock, self.now);
            if !self.holder.has_notices() {
                return;
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            // Nothing may be acknowledged from memory.
            Notice::Failed(_, reason) | Notice::SaveFailed(_, reason) => self.failure = Some(reason),
            Notice::LinkClosed(link, why) => {
                self.mesh.link_closed(link, why.map(|(code, _)| code), &mut self.holder, self.now);
            }
            Notice::Opened => self.mesh.opened(&self.holder),
            Notice::Agreed(link) => self.holder.agrees_with(link, self.clock.host()),
            Notice::FreshAsked(link, nonce) => self.mesh.asked(link, nonce, &mut self.holder),
            Notice::FreshAnswer(link, nonce, head) => self.mesh.answered(link, nonce, &head),
            Notice::Announced(link, announce) => {
                self.mesh.announced(link, announce, &mut self.holder, (self.clock, self.now));
            }
            Notice::Introduced(link, introduction) => {
                self.mesh.meetings.introduced(link, introduction, &mut self.holder);
            }
            Notice::Inquired(link, inquiry) => {
                self.mesh.inquired(link, &inquiry, &self.holder, self.now);
            }
            Notice::Signalled(link, signal) => {
                self.mesh.meetings.signalled(link, signal, &mut self.holder, self.now);
            }
            _ => {}
        }
    }

    /// The next effect, until there is none.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.holder.poll_effect().map(|effect| match effect {
            Effect::SetTimer(Some(at)) => Effect::SetTimer(Some(self.clock.to_host(at))),
            effect => effect,
        })
    }

    fn observe(&mut self, host: Millis) -> Millis {
        self.now = self.clock.observe(host);
        self.now
    }

    /// What lets this relay in at those of other regions.
    pub fn token(&self) -> Option<&str> {
        self.holder.token()
    }

    /// Whose token let a link in, once it did.
    pub fn subject(&self, link: LinkId) -> Option<&str> {
        self.holder.subject(link)
    }

    /// What a link needs to go on after this relay was dropped and made again. Empty while the link
    /// could not: it must be closed then. An older attachment costs only bytes sent twice.
    pub fn attachment(&self, link: LinkId) -> Vec<u8> {
        self.holder.attachment(link).unwrap_or_default()
    }

    /// A link that was open when this relay was dropped.
    pub fn resume(&mut self, link: LinkId, attachment: &[u8], now: Millis) {
        let now = self.observe(now);
        self.holder.resume_link(link, attachment, now);
        let session = self.holder.session_mut(link).and_then(|session| session.accepted());
        if let Some(key) = session.and_then(|accepted| accepted.announced) {
            self.mesh.meetings.resumed(link, key);
        }
    }

    /// How the other regions are doing.
    pub fn regions(&self) -> Vec<RegionView> {
        self.mesh.views(&self.holder)
    }

    /// What was done since this machine was made.
    pub fn counters(&self) -> RelayCounters {
        self.holder.counters()
    }

    /// Whether nothing is under way on any link or in storage, and every other region that can be
    /// reached has all that is held here: the machine may be dropped after [`Relay::suspend`].
    pub fn is_idle(&self) -> bool {
        self.holder.is_at_rest() && self.mesh.is_idle(&self.holder, self.clock, self.now)
    }

    /// Whether the bytes of all documents that are deleted are gone from storage.
    pub fn is_scrubbed(&self) -> bool {
        !self.holder.log().deleted().has_unscrubbed()
    }

    /// Closes what was dialled, so that this machine can be dropped. Links that were accepted go on
    /// by their attachments.
    pub fn suspend(&mut self, now: Millis) {
        self.observe(now);
        self.mesh.suspend(&mut self.holder);
    }

    /// What is held.
    pub fn vector(&self) -> &Vector {
        self.holder.log().vector()
    }

    /// How many commits are stored.
    pub fn stored(&self) -> u64 {
        self.holder.stored().seq
    }

    /// Of how many replicas it knows that they are there.
    pub fn present(&self) -> usize {
        self.holder.present()
    }

    /// Why this relay cannot go on, if it cannot: its storage failed or holds what it did not write.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}
