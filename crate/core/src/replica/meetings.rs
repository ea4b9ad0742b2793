//! How a replica meets others by way of its relay: it announces its key, is told of others, and says something to
//! them. What it says, and what links come of it, is the host's.

use crate::base::id::PeerKey;
use crate::base::time::Millis;
use crate::replica::event::Event;
use crate::replica::replica::Replica;
use crate::wire::frame::Frame;
use crate::wire::meeting::{Announce, Introduction, Signal};

impl Replica {
    /// Lets relays tell others that this replica is there under this key, and this one of others, again each
    /// time that this is called; or not any more.
    pub fn announce(&mut self, key: Option<PeerKey>, now: Millis) {
        let now = self.observe(now);
        self.holder.catch_up(now);
        let known_by = self.announced.on.take().filter(|link| self.holder.session(*link).is_some());
        self.announced.key = key;
        // What is said to it until it hears of this is not told.
        if let (None, Some(relay)) = (key, known_by)
            && self.announced.may_say(1, self.holder.limits(), now)
        {
            self.holder.send(relay, &Frame::Announce(Announce { key, terms: None }));
        }
        self.advance();
    }

    /// Says something to the replica of that key, by way of relays, which may lose it. False: there is no
    /// relay, or too much was said.
    pub fn signal(&mut self, key: PeerKey, region: String, bytes: Vec<u8>, now: Millis) -> bool {
        let now = self.observe(now);
        self.holder.catch_up(now);
        let is_small = bytes.len() <= self.holder.limits().signal_bytes_max;
        let relay = self.announced.on.filter(|link| self.holder.session(*link).is_some());
        let is_said = is_small && relay.is_some() && self.announced.may_say(1, self.holder.limits(), now);
        if let (true, Some(relay)) = (is_said, relay) {
            let bytes = bytes.into();
            self.holder.send(relay, &Frame::Signal(Signal { key, region, bytes, from: None }));
        }
        self.advance();
        is_said
    }

    pub(super) fn introduced(&mut self, Introduction { key, region, ticket, .. }: Introduction) {
        if self.announced.key.is_some() {
            self.tell(Event::Introduced { key, region, ticket: ticket.into() });
        }
    }

    pub(super) fn signalled(&mut self, Signal { key, region, bytes, .. }: Signal) {
        if self.announced.key.is_some() {
            self.tell(Event::Signalled { key, region, bytes: bytes.into() });
        }
    }
}
