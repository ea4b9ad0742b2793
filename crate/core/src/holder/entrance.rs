//! Who may come in, and what whoever came in may do.

use crate::base::id::LinkId;
use crate::base::time::Millis;
use crate::holder::gate::Granting;
use crate::holder::greeting::terms_of;
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::notice::Notice;
use crate::link::link::Phase;
use crate::link::session::{End, Grant, Renewal, renew_at};
use crate::wire::access::{Claims, Refusal, Right};
use crate::wire::bodies::Terms;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

/// How long after a token the next one is verified on a link.
const RENEW_WAIT: Millis = 1_000;

impl Holder {
    /// The verdict on the token that a link was greeted with, or on its renewal.
    pub(super) fn judge(&mut self, id: LinkId, verdict: Result<Claims, Refusal>) {
        let now = self.now;
        let Some(link) = self.links.get(id) else { return };
        let is_relay = match &link.phase {
            Phase::Authorizing { hello, .. } => hello.region.is_some(),
            Phase::Up(session) => session.is_mesh,
            _ => return,
        };
        let before = link.grant().map(|grant| grant.subject.clone());
        let grant = match verdict.and_then(|claims| grant_of(claims, &self.space, is_relay, now)) {
            Ok(grant) => grant,
            Err(refusal) => return self.close(id, refusal.code, refusal.reason),
        };
        if let Some(before) = before {
            self.gate.count_out(&before);
        }
        let connections = self.links.len() - self.links.mesh_len();
        if let Err(refusal) = self.gate.count_in(&grant.subject, connections, now) {
            self.forget_grant(id);
            return self.close(id, refusal.code, refusal.reason);
        }
        let Some(link) = self.links.get_mut(id) else { return };
        match core::mem::replace(&mut link.phase, Phase::Arriving { since: now }) {
            Phase::Authorizing { hello, .. } => {
                link.phase = Phase::Checking { hello: hello.clone(), grant: Some(grant.clone()), since: now };
                self.let_in(id, *hello, Some(grant));
            }
            Phase::Up(mut session) => {
                let terms = terms_of(Some(&grant), now);
                if let End::Accepter(accepted) = &mut session.end {
                    accepted.grant = Some(grant);
                    accepted.renewal = match accepted.renewal.take() {
                        Some(Renewal::Asked(Some(next))) => Some(Renewal::Waits(next)),
                        _ => None,
                    };
                }
                link.phase = Phase::Up(session);
                self.send(id, &Frame::Terms(terms));
                self.verify_renewal(id);
            }
            phase => link.phase = phase,
        }
    }

    /// Whose token let a link in, once it did.
    pub fn subject(&self, id: LinkId) -> Option<&str> {
        self.links.get(id)?.grant().map(|grant| grant.subject.as_str())
    }

    /// Nobody is counted for this link any more.
    fn forget_grant(&mut self, id: LinkId) {
        let session = self.links.session_mut(id).and_then(|session| session.accepted());
        if let Some(accepted) = session {
            accepted.grant = None;
        }
    }

    pub(super) fn token_came(&mut self, id: LinkId, token: String) {
        let is_comer = self.links.get(id).is_some_and(|link| !link.is_dialer());
        if !is_comer {
            return self.close(id, CloseCode::OutOfOrder, "a token from whoever was dialled");
        }
        if !self.is_relay() {
            // A replica lets everybody in; whoever dials tells all it is linked to.
            return;
        }
        if token.len() > self.limits.token_bytes_max {
            return self.close(id, CloseCode::TooLarge, "a token over the limit");
        }
        let Some(accepted) = self.links.session_mut(id).and_then(|session| session.accepted()) else {
            return;
        };
        // One is verified at a time, and of those that come meanwhile the newest counts.
        match &mut accepted.renewal {
            Some(Renewal::Asked(next)) => *next = Some(token),
            renewal => *renewal = Some(Renewal::Waits(token)),
        }
        self.verify_renewal(id);
    }

    /// Has another token verified, where it is time to.
    pub(super) fn verify_renewal(&mut self, id: LinkId) {
        let now = self.now;
        let Some(accepted) = self.links.session_mut(id).and_then(|session| session.accepted()) else {
            return;
        };
        if accepted.renew_at > now {
            return;
        }
        match accepted.renewal.take() {
            Some(Renewal::Waits(token)) => {
                accepted.renewal = Some(Renewal::Asked(None));
                accepted.renew_at = now + RENEW_WAIT;
                self.effects.push_back(Effect::Authorize(id, Some(token)));
            }
            other => accepted.renewal = other,
        }
    }

    pub(super) fn terms_came(&mut self, id: LinkId, terms: Terms) {
        let now = self.now;
        let is_muted = terms.read_only || self.reads_only;
        let Some(session) = self.links.session_mut(id) else { return };
        let Some(dialed) = session.dialed() else {
            return self.close(id, CloseCode::OutOfOrder, "terms from whoever dialled");
        };
        dialed.renew_at = renew_at(&terms, now);
        if core::mem::replace(&mut session.send.is_muted, is_muted) != is_muted {
            session.moved(now);
        }
        self.notices.push_back(Notice::LinkChanged);
        self.feed(id);
    }

    // Credit.

    /// Those bytes of a commit are done with: grants more once that is worth a frame, and no faster
    /// than the caps allow.
    pub(super) fn done_with(&mut self, id: LinkId, bytes: usize) {
        let Some(session) = self.links.session_mut(id) else { return };
        session.receive.owe(bytes as u64);
        self.grant_more(id);
    }

    pub(super) fn grant_more(&mut self, id: LinkId) {
        let now = self.now;
        let Some(session) = self.links.session_mut(id) else { return };
        if !session.is_grant_due(&self.limits) {
            return;
        }
        let subject = session.grant().map(|grant| grant.subject.clone()).filter(|_| !session.is_mesh);
        if let Some(subject) = subject {
            match self.gate.pace(&subject, session.receive.owed, session.receive.grant_at, now) {
                Granting::At(at) => {
                    session.receive.grant_at = at;
                    return;
                }
                Granting::Now { next_at } => session.receive.grant_at = next_at,
            }
        }
        let grant = session.receive.grant();
        self.send(id, &Frame::Credit(grant));
    }
}

fn grant_of(claims: Claims, space: &str, is_relay: bool, now: Millis) -> Result<Grant, Refusal> {
    let Some(right) = claims.right_in(space) else {
        return Err(Refusal::denied("this token is not for this space"));
    };
    if is_relay && !(claims.is_relay && right == Right::Write) {
        return Err(Refusal::denied("this token is not a relay's"));
    }
    if claims.expires_at.is_some_and(|at| at <= now) {
        return Err(Refusal::expired("the token has expired"));
    }
    Ok(Grant { subject: claims.subject, right, expires_at: claims.expires_at })
}
