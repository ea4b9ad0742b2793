//! The relay: a holder that never opens a document. It stores and forwards.

use crate::access::Claims;
use crate::clock::Clock;
use crate::holder::{Holder, Identity, Notice};
use crate::io::{Effect, Input, LinkId, Millis};
use crate::mesh::Mesh;
use crate::vector::Vector;

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
    /// 32 random bytes.
    pub seed: [u8; 32],
}

/// A relay of the same space in another region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayPeer {
    /// Its region.
    pub region: String,
    /// Its address, as [`Effect::Dial`] will give it.
    pub url: String,
}

/// What a relay of a space takes from others at most. A subject is a token's; where tokens are not
/// asked for, everybody is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of commits a second from one connection; more waits. A commit counts as 256 bytes more
    /// than it has.
    pub connection_bytes_per_second: u64,
    /// The same for all connections of a subject together.
    pub subject_bytes_per_second: u64,
    /// Bytes of commits stored in the space.
    pub space_bytes_max: u64,
    /// Bytes of commits stored that a subject brought.
    pub subject_bytes_max: u64,
    /// Authors whose commits are stored in the space.
    pub space_authors_max: u64,
    /// Authors that a subject brought.
    pub subject_authors_max: u64,
    /// Connections to the space.
    pub space_connections_max: u64,
    /// Connections of a subject to the space.
    pub subject_connections_max: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            connection_bytes_per_second: 16 << 20,
            subject_bytes_per_second: 64 << 20,
            space_bytes_max: 16 << 30,
            subject_bytes_max: 16 << 30,
            space_authors_max: 1_000_000,
            subject_authors_max: 1_000_000,
            space_connections_max: 100_000,
            subject_connections_max: 100_000,
        }
    }
}

/// How another region is doing, seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionView {
    /// Its name.
    pub region: String,
    /// Whether there is a link to it.
    pub is_linked: bool,
    /// How many of this log's commits it is not known to have stored.
    pub behind: u64,
}

/// What a relay has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayCounters {
    /// Commits stored.
    pub commits_in: u64,
    /// Commits sent, counted once for each link.
    pub commits_out: u64,
    /// Branches begun by authors that already had one: their changes are quarantined where they clash.
    pub forks: u64,
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
        let others = config.peers.iter().map(|peer| peer.region.clone());
        let identity = Identity {
            space: config.space,
            regions: [region.clone()].into_iter().chain(others).collect(),
            region: Some(region.clone()),
            token: config.token,
            read_only: false,
        };
        let holder = Holder::new(identity, config.seed, now).with_caps(config.caps);
        Self { holder, mesh: Mesh::new(region, config.peers), clock: Clock::new(now), now, failure: None }
    }

    /// Takes one input; drain [`Relay::poll_effect`] before the next.
    pub fn handle(&mut self, input: Input, now: Millis) {
        let now = self.observe(now);
        self.holder.catch_up(now);
        match input {
            Input::LinkOpened(link) => self.holder.link_opened(link, now),
            Input::Received(link, frame) => self.holder.received(link, frame, now),
            Input::LinkClosed(link) => self.holder.link_closed(link, now),
            Input::Storage(id, answer) => self.holder.storage(id, answer, now),
            Input::Timer => self.holder.timer(now),
            Input::Authorized(link, verdict) => {
                let verdict = verdict.map(|claims| Claims {
                    expires_at: claims.expires_at.map(|at| self.clock.at_host(at)),
                    ..claims
                });
                self.holder.authorized(link, verdict, now);
            }
            Input::Broadcast(_) | Input::Online(_) | Input::Probed(..) | Input::Pong(_) => {}
        }
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
            Notice::Corrupt(reason) | Notice::SaveFailed(_, reason) => self.failure = Some(reason),
            Notice::LinkClosed(link, why) => {
                self.mesh.link_closed(link, why.map(|(code, _)| code), &mut self.holder, self.now);
            }
            Notice::Opened => self.mesh.opened(&self.holder),
            Notice::Agreed(link) => self.holder.agrees_with(link, self.clock.host()),
            Notice::FreshAsked(link, nonce) => self.mesh.asked(link, nonce, &mut self.holder),
            Notice::FreshAnswer(link, nonce, head) => self.mesh.answered(link, nonce, &head),
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

    /// What a link needs to go on after this relay was dropped and made again. Empty while the link
    /// could not: it must be closed then. An older attachment costs only bytes sent twice.
    pub fn attachment(&self, link: LinkId) -> Vec<u8> {
        self.holder.link(link).and_then(|link| link.attachment()).unwrap_or_default()
    }

    /// A link that was open when this relay was dropped.
    pub fn resume(&mut self, link: LinkId, attachment: &[u8], now: Millis) {
        let now = self.observe(now);
        self.holder.resume_link(link, attachment, now);
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

    /// Why this relay cannot go on, if it cannot: its storage failed or holds what it did not write.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}
