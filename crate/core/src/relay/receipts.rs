//! Replicas without a relay ask by way of others what the regions have stored of their commits. A relay signs that
//! for its own region, and for those of which it knows it.
//!
//! What it held when it was asked is what is signed, once it is stored: so no question reads storage. Nothing of this
//! is kept; who gets no answer asks again.

use crate::base::id::{InquiryId, LinkId, LogId};
use crate::base::time::{Clock, Millis};
use crate::commit::vector::Tip;
use crate::holder::holder::Holder;
use crate::relay::region::mesh_session;
use crate::relay::stored::met_lately;
use crate::wire::frame::Frame;
use crate::wire::receipt::{Inquiry, Receipt, Statement, receipt, space_of};
use crate::wire::ticket::SIGNATURE_BYTES;

/// How long a region may take until it has stored what was asked for.
const WAITS_FOR: Millis = 10_000;

#[derive(Default)]
pub(super) struct Receipts {
    asked: Vec<Asked>,
    /// Those that are being signed.
    signing: Vec<Signing>,
}

struct Asked {
    link: LinkId,
    id: InquiryId,
    since: Millis,
    /// The ends of the chains, as they were then, and that of the log.
    tips: Vec<Tip>,
    end: u64,
    /// The regions for which nothing was signed yet.
    regions: Vec<String>,
}

struct Signing {
    number: u64,
    link: LinkId,
    id: InquiryId,
    to_sign: Vec<u8>,
}

impl Receipts {
    /// Whether somebody waits for that region.
    pub fn wants(&self, region: &str) -> bool {
        self.asked.iter().any(|asked| asked.regions.iter().any(|other| other == region))
    }

    pub fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.signing.is_empty()
    }

    /// When a question is given up.
    pub fn deadline(&self) -> Option<Millis> {
        self.asked.first().map(|asked| asked.since + WAITS_FOR)
    }

    /// A client asks. `regions`: all that there are.
    pub fn asked(
        &mut self,
        link: LinkId,
        inquiry: &Inquiry,
        regions: Vec<String>,
        holder: &Holder,
        now: Millis,
    ) {
        let log = holder.log();
        let is_whole = |tip: &Tip| log.holes().of_chain(tip.author, tip.seq).is_empty();
        let most = holder.limits().inquiry_authors_max;
        let mut tips = Vec::new();
        for author in &inquiry.authors {
            tips.extend(log.vector().of(author).iter().filter(|tip| is_whole(tip)).take(most));
        }
        tips.truncate(most);
        if tips.is_empty() {
            return;
        }
        if self.asked.len() >= holder.limits().meetings_max {
            self.asked.remove(0);
        }
        self.asked.push(Asked { link, id: inquiry.id, since: now, tips, end: log.head().seq, regions });
    }

    /// Has signed what is known by now, and gives up what has waited too long.
    pub fn go_on(&mut self, own_region: &str, holder: &mut Holder, clock: Clock, now: Millis) {
        let Self { asked, signing } = self;
        for Asked { link, id, tips, end, regions, .. } in asked.iter_mut() {
            regions.retain(|region| {
                if signing.len() >= holder.limits().meetings_max {
                    return true;
                }
                let Some((log, stored)) = stored_by(region, own_region, holder, clock) else { return true };
                if stored < *end {
                    return true;
                }
                let statement = Statement {
                    id: *id,
                    space: space_of(holder.space()),
                    partition: holder.log().marker().partition,
                    region: region.clone(),
                    log,
                    tips: tips.clone(),
                };
                let to_sign = statement.to_sign();
                let number = holder.sign(to_sign.clone());
                signing.push(Signing { number, link: *link, id: *id, to_sign });
                false
            });
        }
        asked.retain(|asked| {
            let is_there = holder.session(asked.link).is_some();
            is_there && !asked.regions.is_empty() && asked.since + WAITS_FOR > now
        });
    }

    /// The host has signed something, or can't.
    pub fn signed(&mut self, number: u64, signature: Option<&[u8; SIGNATURE_BYTES]>, holder: &mut Holder) {
        let Some(at) = self.signing.iter().position(|signing| signing.number == number) else { return };
        let Signing { link, id, to_sign, .. } = self.signing.swap_remove(at);
        if let Some(signature) = signature {
            let bytes = receipt(&to_sign, signature).into();
            holder.send_receipt(link, &Frame::Receipt(Receipt { id, bytes }));
        }
    }
}

/// How much of this relay's log a region has stored, and under which log id.
fn stored_by(region: &str, own_region: &str, holder: &Holder, clock: Clock) -> Option<(LogId, u64)> {
    if region == own_region {
        return Some((holder.log().marker().log, holder.stored().seq));
    }
    let linked =
        mesh_session(holder, region).map(|(_, session)| (session.peer.log, session.send.whole_acked));
    linked.or_else(|| met_lately(holder, region, clock))
}
