//! What regions have stored of the commits of a replica that reaches no relay, but others that do: it asks them, they
//! ask their relay, and the receipt that comes back is signed by that one. And what a replica does with such questions
//! of others.

use crate::base::id::{InquiryId, LinkId};
use crate::base::mutation::Mutation;
use crate::base::time::Millis;
use crate::holder::receipts::INQUIRY_COST;
use crate::replica::event::Event;
use crate::replica::inquiries::{ANSWERS_MAX, OWN_MAX, PASSED, PASSED_FOR, Passed, WAIT_MAX, WAIT_MIN};
use crate::replica::replica::Replica;
use crate::wire::frame::Frame;
use crate::wire::receipt::{Inquiry, Receipt, Statement, space_of};

impl Replica {
    /// Takes in a receipt. The host has found that a relay of this space has signed it:
    /// see [`Event::Receipt`].
    pub fn take_receipt(&mut self, receipt: &[u8], now: Millis) {
        let now = self.observe(now);
        self.holder.catch_up(now);
        if let Some(statement) = Statement::read(receipt) {
            self.stored_by_receipt(statement);
        }
        self.advance();
    }

    fn stored_by_receipt(&mut self, statement: Statement) {
        let Statement { id, space, partition, region, log, tips } = statement;
        let is_of_space =
            space == space_of(self.holder.space()) && partition == self.holder.log().marker().partition;
        // What was signed for another question may not be so any more. A relay that is linked says it itself.
        if !is_of_space || !self.inquiries.is_own(id) || self.has_relay() {
            return;
        }
        let known = self.regions().get(&region);
        if known.is_none() && self.regions().len() >= self.holder.limits().regions_max {
            return;
        }
        let acked = known.filter(|known| known.log == Some(log)).map_or(0, |known| known.acked);
        let is_for_all = self.holder.limits().is_mutated(Mutation::ReceiptForAll);
        let stored =
            if is_for_all { self.own.last_of_holder() } else { self.own.tips().stored(acked, &tips) };
        if stored > acked {
            self.inquiries.hurry();
        }
        if let Some(regions) = self.holder.role_mut().regions_mut() {
            regions.stored(region, log, stored);
        }
        self.tell(Event::Status);
    }

    /// Asks what regions have stored, where there is something to know and nobody else says it.
    pub(super) fn run_receipts(&mut self) {
        if self.dialer.relays() == 0 || self.has_relay() || self.leader().is_some() {
            return self.inquiries.hurry();
        }
        let peers = peers_up(self, None);
        if peers.is_empty() {
            return self.inquiries.hurry();
        }
        let acked = self.regions().values().map(|region| region.acked).min().unwrap_or(0);
        let authors = self.own.tips().authors_after(acked, self.holder.limits().inquiry_authors_max);
        if authors.is_empty() {
            return self.inquiries.hurry();
        }
        let now = self.now;
        let due = self.inquiries.due();
        if due <= now {
            let id = InquiryId(self.holder.rng().bytes16());
            let inquiries = &mut self.inquiries;
            inquiries.asked.push_back((id, 0));
            if inquiries.asked.len() > OWN_MAX {
                inquiries.asked.pop_front();
            }
            inquiries.asked_at = now;
            inquiries.wait = (2 * inquiries.wait).clamp(WAIT_MIN, WAIT_MAX);
            let hops = self.holder.limits().inquiry_hops_max;
            let frame = Frame::Inquiry(Inquiry { id, authors, hops });
            for link in peers {
                self.holder.send_receipt(link, &frame);
            }
        }
        self.holder.hasten_owner(self.inquiries.due());
    }

    /// Another replica asks: its question goes to the relay, or to others.
    pub(super) fn inquired(&mut self, from: LinkId, inquiry: Inquiry) {
        let Inquiry { id, authors, hops } = inquiry;
        let now = self.now;
        let inquiries = &mut self.inquiries;
        let is_known = inquiries.is_own(id) || inquiries.passed.iter().any(|passed| passed.id == id);
        let hops = hops.min(self.holder.limits().inquiry_hops_max);
        if is_known || hops == 0 || !inquiries.pace.take(1, PASSED, now) {
            return;
        }
        let relay = self.dialer.relay_up(&self.holder);
        match relay {
            Some(relay) if self.announced.may_say(INQUIRY_COST, self.holder.limits(), now) => {
                let frame = Frame::Inquiry(Inquiry { id, authors, hops: 0 });
                self.holder.send_receipt(relay, &frame);
            }
            None if hops > 1 => {
                let frame = Frame::Inquiry(Inquiry { id, authors, hops: hops - 1 });
                for link in peers_up(self, Some(from)) {
                    self.holder.send_receipt(link, &frame);
                }
            }
            _ => return,
        }
        let inquiries = &mut self.inquiries;
        inquiries.passed.retain(|passed| passed.at + PASSED_FOR > now);
        if inquiries.passed.len() >= self.holder.limits().inquiries_max {
            inquiries.passed.pop_front();
        }
        inquiries.passed.push_back(Passed { id, from, at: now, answers: 0 });
    }

    /// An answer goes to who has asked. Nobody here has checked it.
    pub(super) fn receipt_came(&mut self, receipt: Receipt) {
        let now = self.now;
        if let Some((_, answers)) = self.inquiries.asked.iter_mut().find(|(own, _)| *own == receipt.id) {
            *answers += 1;
            // The host has to check each.
            if *answers <= ANSWERS_MAX {
                self.tell(Event::Receipt { bytes: receipt.bytes.into() });
            }
            return;
        }
        let passed = self.inquiries.passed.iter_mut().find(|passed| passed.id == receipt.id);
        let Some(passed) = passed.filter(|passed| passed.at + PASSED_FOR > now) else { return };
        passed.answers += 1;
        if passed.answers <= ANSWERS_MAX {
            let from = passed.from;
            self.holder.send_receipt(from, &Frame::Receipt(receipt));
        }
    }

    /// Whether a relay says itself what is stored.
    fn has_relay(&self) -> bool {
        self.dialer.relay_up(&self.holder).is_some()
    }
}

/// The other replicas that are linked.
fn peers_up(replica: &Replica, except: Option<LinkId>) -> Vec<LinkId> {
    let sessions = replica.holder.links().sessions().map(|(link, _)| link);
    sessions.filter(|link| replica.peers.contains(*link) && Some(*link) != except).collect()
}
