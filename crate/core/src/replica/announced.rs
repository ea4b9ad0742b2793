//! Under which key relays know this replica, and how much it has said by way of them.

use crate::base::id::{LinkId, PeerKey};
use crate::base::limits::Limits;
use crate::base::pace::{Pace, Rate};
use crate::base::time::Millis;
use crate::holder::holder::Holder;
use crate::holder::meetings::{ANNOUNCE_COST, signals_rate};
use crate::wire::frame::Frame;
use crate::wire::meeting::Announce;

/// A relay takes twice as much at once: what was sent bit by bit may arrive together.
const BURST_SHARE: u64 = 2;

#[derive(Clone, Debug, Default)]
pub(crate) struct Announced {
    pub key: Option<PeerKey>,
    /// The link on which it was announced last.
    pub on: Option<LinkId>,
    signals: Pace,
}

impl Announced {
    /// Announces the key to the relay that is linked, if it does not know it.
    pub fn run(&mut self, relay: Option<LinkId>, holder: &mut Holder, now: Millis) {
        if relay == self.on || self.key.is_none() {
            return;
        }
        self.on = None;
        let Some(relay) = relay else { return };
        if self.may_say(ANNOUNCE_COST, holder.limits(), now) {
            self.on = Some(relay);
            holder.send(relay, &Frame::Announce(Announce { key: self.key, terms: None }));
        }
    }

    /// Whether so much may be said now; it is counted then.
    pub fn may_say(&mut self, cost: u64, limits: &Limits, now: Millis) -> bool {
        self.signals.take(cost, rate(limits), now)
    }
}

fn rate(limits: &Limits) -> Rate {
    let of_relay = signals_rate(limits);
    Rate { burst: of_relay.burst / BURST_SHARE, ..of_relay }
}
