//! The frames by which replicas meet: who may send them, and what they cost.

use crate::base::id::LinkId;
use crate::base::limits::Limits;
use crate::base::pace::Rate;
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::notice::Notice;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;
use crate::wire::meeting::{Announce, Introduction, Signal};

/// An announcement costs as much as so many signals: signatures are made for it, and others are told.
pub(crate) const ANNOUNCE_COST: u64 = 16;

impl Holder {
    pub(super) fn announce_came(&mut self, id: LinkId, announce: Announce) {
        if !self.is_relay() {
            return self.close(id, CloseCode::OutOfOrder, "only relays introduce replicas to each other");
        }
        let cost = if announce.key.is_some() { ANNOUNCE_COST } else { 1 };
        if self.pay_for_signal(id, cost) {
            self.notices.push_back(Notice::Announced(id, announce));
        }
    }

    pub(super) fn introduction_came(&mut self, id: LinkId, introduction: Introduction) {
        if self.is_relay() && !self.links.session(id).is_some_and(|session| session.is_mesh) {
            return self.close(id, CloseCode::OutOfOrder, "only relays introduce replicas to each other");
        }
        self.notices.push_back(Notice::Introduced(id, introduction));
    }

    pub(super) fn signal_came(&mut self, id: LinkId, signal: Signal) {
        if signal.bytes.len() > self.limits.signal_bytes_max {
            return self.close(id, CloseCode::TooLarge, "a signal over the limit");
        }
        if self.pay_for_signal(id, 1) {
            self.notices.push_back(Notice::Signalled(id, signal));
        }
    }

    /// What replicas say has a rate. Whom this holder has dialled is believed, and so are other relays: those
    /// have taken it from whoever said it.
    pub(super) fn pay_for_signal(&mut self, id: LinkId, cost: u64) -> bool {
        let (rate, now) = (signals_rate(&self.limits), self.now);
        let Some(link) = self.links.get_mut(id) else { return false };
        if link.is_dialer() || link.session().is_some_and(|session| session.is_mesh) {
            return true;
        }
        if link.signals.take(cost, rate, now) {
            return true;
        }
        self.close(id, CloseCode::Flow, "too many signals");
        false
    }

    /// Sends such a frame, unless so many were sent there that it is dropped: all of them can be said again.
    pub fn send_meeting(&mut self, id: LinkId, frame: &Frame) {
        let (rate, now) = (signals_rate(&self.limits), self.now);
        let limits = self.limits.clone();
        let Some(link) = self.links.get_mut(id) else { return };
        let Some(session) = link.session().filter(|session| session.unread.room(&limits) > 0) else { return };
        if session.is_mesh || link.signalled.take(1, rate, now) {
            self.send(id, frame);
        }
    }

    /// Has the host sign this. The answer has the number that is given.
    pub fn sign(&mut self, bytes: Vec<u8>) -> u64 {
        let number = self.nonce();
        self.effects.push_back(Effect::Sign(number, bytes));
        number
    }
}

/// How many signals may come from a replica, and go to one.
pub(crate) fn signals_rate(limits: &Limits) -> Rate {
    Rate { per_second: limits.signals_per_second, burst: limits.signals_burst }
}
