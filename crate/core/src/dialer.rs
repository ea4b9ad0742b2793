//! Links a replica to one of its relays, and again when that fails.

use minicbor::{Decode, Encode};

use crate::frame::CloseCode;
use crate::holder::Holder;
use crate::io::{LinkId, Millis};
use crate::link::Side;
use crate::status::State;

/// The wait after a first failure; it doubles with each.
const BACKOFF_MIN: Millis = 250;
/// The longest wait.
const BACKOFF_MAX: Millis = 30_000;
/// The shortest wait after the relay has refused.
const REFUSED_WAIT: Millis = 10_000;

/// The relay that is linked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RelayStatus {
    /// Its address.
    #[n(0)]
    pub url: String,
    /// Its region.
    #[n(1)]
    pub region: String,
    /// The time its greeting took, in milliseconds.
    #[n(2)]
    pub rtt: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    relays: Vec<String>,
    next_relay: usize,
    pub online: bool,
    /// Whether a relay was caught up with since the start.
    pub was_live: bool,
    link: Option<LinkId>,
    is_greeted: bool,
    is_live: bool,
    failures: u32,
    dial_at: Millis,
    refused: Option<(u16, String)>,
}

impl Dialer {
    pub fn new(relays: Vec<String>) -> Self {
        Self {
            relays,
            next_relay: 0,
            online: true,
            was_live: false,
            link: None,
            is_greeted: false,
            is_live: false,
            failures: 0,
            dial_at: 0,
            refused: None,
        }
    }

    pub fn relays(&self) -> usize {
        self.relays.len()
    }

    pub fn set_online(&mut self, online: bool, holder: &mut Holder, now: Millis) {
        self.online = online;
        self.failures = 0;
        self.dial_at = now;
        if let (false, Some(link)) = (online, self.link) {
            holder.close(link, CloseCode::GoingAway, "going offline");
        }
    }

    /// Dials when it is time to.
    pub fn run(&mut self, holder: &mut Holder, now: Millis) {
        let is_wanted = self.online && self.link.is_none() && !self.relays.is_empty();
        if is_wanted && self.dial_at <= now {
            let url = self.relays[self.next_relay % self.relays.len()].clone();
            self.link = Some(holder.dial(url, now));
        }
        let waits = self.online && self.link.is_none() && !self.relays.is_empty();
        holder.set_owner_deadline(waits.then_some(self.dial_at));
    }

    pub fn link_changed(&mut self, holder: &Holder) {
        let Some(link) = self.link.and_then(|link| holder.link(link)) else {
            return;
        };
        if link.is_up() {
            self.refused = None;
            self.is_greeted = true;
        }
        if !self.is_live && link.is_caught_up(holder.stored()) {
            self.is_live = true;
            self.was_live = true;
            // A relay that greets but stores nothing, its disk being full, is not to be hammered.
            self.failures = 0;
        }
    }

    pub fn link_closed(
        &mut self,
        link: LinkId,
        why: Option<(u16, String)>,
        holder: &mut Holder,
        now: Millis,
    ) {
        if self.link != Some(link) {
            return;
        }
        self.link = None;
        self.is_greeted = false;
        self.is_live = false;
        let backoff = BACKOFF_MIN.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_MAX);
        let jittered = backoff / 2 + holder.rng().below(backoff / 2 + 1);
        self.failures += 1;
        self.next_relay += 1;
        self.dial_at = now + jittered;
        let is_refusal = |code: u16| {
            [CloseCode::Denied, CloseCode::Incompatible, CloseCode::Quota, CloseCode::TooLarge]
                .iter()
                .any(|refusal| *refusal as u16 == code)
        };
        match why {
            Some((code, reason)) if is_refusal(code) => {
                self.dial_at = now + jittered.max(REFUSED_WAIT);
                self.refused = Some((code, reason));
            }
            _ => {}
        }
    }

    pub fn is_up(&self, holder: &Holder) -> bool {
        self.link.and_then(|link| holder.link(link)).is_some_and(|link| link.is_up())
    }

    /// The link to a relay, once it is up.
    pub fn relay_up(&self, holder: &Holder) -> Option<LinkId> {
        self.link
            .filter(|link| holder.link(*link).is_some_and(|link| link.is_up() && link.region().is_some()))
    }

    pub fn relay(&self, holder: &Holder) -> Option<RelayStatus> {
        let link = holder.link(self.link?)?;
        let Side::Dialer { url } = &link.side else { return None };
        let region = link.peer.as_ref()?.region.clone().unwrap_or_default();
        Some(RelayStatus { url: url.clone(), region, rtt: link.rtt? })
    }

    pub fn state(&self) -> State {
        if self.relays.is_empty() {
            State::Local
        } else if !self.online {
            State::Offline
        } else if self.is_live {
            State::Live
        } else if self.refused.as_ref().is_some_and(|(code, _)| *code == CloseCode::Denied as u16) {
            State::Denied
        } else if self.is_greeted {
            State::Syncing
        } else if self.failures > 0 {
            State::Offline
        } else {
            State::Connecting
        }
    }

    pub fn error(&self) -> Option<(&'static str, String)> {
        let (code, reason) = self.refused.as_ref()?;
        let name = if *code == CloseCode::Denied as u16 {
            "denied"
        } else if *code == CloseCode::Incompatible as u16 {
            "incompatible"
        } else if *code == CloseCode::TooLarge as u16 {
            "too-large"
        } else {
            "quota"
        };
        Some((name, reason.clone()))
    }
}
