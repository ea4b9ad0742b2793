//! The frames by which a replica learns through others what regions have stored: who may send them, and what they
//! cost.

use crate::base::id::LinkId;
use crate::holder::holder::Holder;
use crate::holder::meetings::signals_rate;
use crate::holder::notice::Notice;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;
use crate::wire::receipt::{Inquiry, Receipt, receipt_bytes_max};

/// A question costs as much as so many signals: signatures are made for it, and others are asked.
pub(crate) const INQUIRY_COST: u64 = 8;

impl Holder {
    pub(super) fn inquiry_came(&mut self, id: LinkId, inquiry: Inquiry) {
        if inquiry.authors.len() > self.limits.inquiry_authors_max {
            return self.close(id, CloseCode::TooLarge, "a question for too many authors");
        }
        let Some(session) = self.links.session(id) else { return };
        if self.is_relay() {
            if session.is_mesh {
                return self.close(id, CloseCode::OutOfOrder, "relays tell each other what they have stored");
            }
            if self.pay_for_signal(id, INQUIRY_COST) {
                self.notices.push_back(Notice::Inquired(id, inquiry));
            }
            return;
        }
        if !session.is_peer() {
            return self.close(id, CloseCode::OutOfOrder, "only replicas ask each other");
        }
        // What is too much is not asked: it comes again.
        let (rate, now) = (signals_rate(&self.limits), self.now);
        if self.links.get_mut(id).is_some_and(|link| link.signals.take(INQUIRY_COST, rate, now)) {
            self.notices.push_back(Notice::Inquired(id, inquiry));
        }
    }

    pub(super) fn receipt_came(&mut self, id: LinkId, receipt: Receipt) {
        if self.is_relay() {
            return self.close(id, CloseCode::OutOfOrder, "a relay has no use for receipts");
        }
        let most = receipt_bytes_max(self.limits.inquiry_authors_max, self.limits.region_bytes_max);
        if receipt.bytes.len() > most {
            return self.close(id, CloseCode::TooLarge, "a receipt over the limit");
        }
        self.notices.push_back(Notice::Receipt(receipt));
    }

    /// Sends such a frame, unless too much is unread there: it is asked for again.
    pub fn send_receipt(&mut self, id: LinkId, frame: &Frame) {
        let limits = self.limits.clone();
        if self.links.session(id).is_some_and(|session| session.unread.room(&limits) > 0) {
            self.send(id, frame);
        }
    }
}
