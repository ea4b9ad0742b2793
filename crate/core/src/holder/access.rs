//! Who may come in, and what whoever came in may do.

use crate::base::id::LinkId;
use crate::base::limits;
use crate::base::time::Millis;
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::work::Notice;
use crate::link::link::{Grant, Phase};
use crate::wire::access::{Claims, Refusal, Right};
use crate::wire::bodies::Terms;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    /// The verdict on the token that a link was greeted with, or on its renewal.
    pub fn authorized(&mut self, id: LinkId, verdict: Result<Claims, Refusal>, now: Millis) {
        self.now = now;
        self.judge(id, verdict);
        self.pump();
    }

    fn judge(&mut self, id: LinkId, verdict: Result<Claims, Refusal>) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        let is_relay = link.region().is_some();
        let grant = verdict.and_then(|claims| grant(claims, &self.identity.space, is_relay));
        let grant = match grant {
            Ok(grant) => grant,
            Err(refusal) => return self.close(id, refusal.code, refusal.reason),
        };
        if grant.expires_at.is_some_and(|at| at <= now) {
            return self.close(id, CloseCode::Expired, "the token has expired");
        }
        let before = self.links.get_mut(&id).and_then(|link| link.grant.take());
        if let Some(before) = before {
            self.count_out(id, before.subject);
        }
        if let Err(refusal) = self.count_in(&grant.subject) {
            return self.close(id, refusal.code, refusal.reason);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        self.expiries.extend(grant.expires_at.map(|at| (at, id)));
        link.grant = Some(grant);
        match core::mem::replace(&mut link.phase, Phase::Opened) {
            Phase::Authorizing(hello) => self.let_in(id, *hello),
            phase => {
                link.phase = phase;
                if link.is_up() {
                    let terms = link.terms(false, now);
                    self.send(id, &Frame::Terms(terms));
                }
            }
        }
    }

    pub(super) fn token_came(&mut self, id: LinkId, token: String) {
        let is_comer = self.links.get(&id).is_some_and(|link| !link.is_dialer());
        if !self.is_relay() || !is_comer {
            return self.close(id, CloseCode::OutOfOrder, "tokens are for relays");
        }
        if token.len() > limits::TOKEN_BYTES_MAX {
            return self.close(id, CloseCode::TooLarge, "a token over the limit");
        }
        self.effects.push_back(Effect::Authorize(id, Some(token)));
    }

    pub(super) fn terms_came(&mut self, id: LinkId, terms: Terms) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id).filter(|link| link.is_dialer()) else {
            return self.close(id, CloseCode::OutOfOrder, "terms from whoever dialled");
        };
        let is_muted = terms.read_only || self.identity.read_only;
        if core::mem::replace(&mut link.send.is_muted, is_muted) != is_muted {
            link.moved(now);
        }
        link.renew_at = terms.renew_at(now);
        self.notices.push_back(Notice::LinkChanged);
        self.feed(id);
    }
}

fn grant(claims: Claims, space: &str, is_relay: bool) -> Result<Grant, Refusal> {
    let Some(right) = claims.right_in(space) else {
        return Err(Refusal::denied("this token is not for this space"));
    };
    if is_relay && !(claims.is_relay && right == Right::Write) {
        return Err(Refusal::denied("this token is not a relay's"));
    }
    Ok(Grant { subject: claims.subject, right, expires_at: claims.expires_at })
}
