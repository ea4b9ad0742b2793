//! Links that go, and what happens when nothing does: deadlines.

use crate::base::id::LinkId;
use crate::base::time::Millis;
use crate::holder::disk::Disk;
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::work::{
    COMER_WAIT, DIAL_WAIT, DISK_RETRY, HELLO_WAIT, LogState, Notice, Pending, QUIET_WAIT, SILENCE_MAX,
    WANT_WAIT,
};
use crate::link::link::{Link, Phase};
use crate::storage::request::{StorageRequest, WriteBatch};
use crate::wire::bodies::Quiet;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    pub(super) fn gone(&mut self, id: LinkId, why: Option<(u16, String)>) {
        if self.links.contains_key(&id) {
            self.note_peer(id);
            let grant = self.links.remove(&id).and_then(|link| link.grant);
            if let Some(grant) = grant {
                self.count_out(id, grant.subject);
            }
            self.mesh.remove(&id);
            self.bringers.remove(&id);
            self.waiting.forget_names(id);
            // What it brought and its causes would be asked of nobody any more.
            self.evict_waiting();
            self.named.retain(|named| named.link != id);
            self.touched.remove(&id);
            self.notices.push_back(Notice::LinkClosed(id, why));
            self.save_peers_later();
        }
    }

    pub(super) fn save_peers_later(&mut self) {
        if self.is_settled() {
            self.save_peers();
        }
    }

    pub(super) fn check_deadlines(&mut self) {
        let now = self.now;
        let mut silent = Vec::new();
        let mut quiet = Vec::new();
        let mut granted = Vec::new();
        let expired: Vec<_> = self.expiries.range(..=(now, LinkId(u64::MAX))).copied().collect();
        for id in &self.busy {
            let Some(link) = self.links.get_mut(id) else { continue };
            let is_late = match &link.phase {
                Phase::Dialing => link.opened_at + DIAL_WAIT <= now,
                Phase::Up => {
                    let due = link.wanted.as_ref().map(|wanted| wanted.asked_at + WANT_WAIT);
                    due.is_some_and(|at| at <= now) || link.answer_due().is_some_and(|at| at <= now)
                }
                _ => link.opened_at + link.hello_wait() <= now,
            };
            if link.grant_due().is_some_and(|at| at <= now) {
                granted.push(*id);
            }
            if is_late {
                silent.push(*id);
            } else if link.quiet_due().is_some_and(|at| at <= now) {
                link.moved_at = now;
                link.asked = true;
                quiet.push((*id, link.receive.read.seq));
            }
        }
        for id in granted {
            self.grant_due(id);
        }
        for (at, id) in expired {
            self.expiries.remove(&(at, id));
            // Unless it was renewed.
            if self.links.get(&id).is_some_and(|link| link.expires_at() == Some(at)) {
                self.close(id, CloseCode::Expired, "the token has expired");
            }
        }
        for id in silent {
            self.close(id, CloseCode::GoingAway, "the other side has gone silent");
        }
        for (id, read) in quiet {
            let quiet = Quiet { head: self.stored, read, digest: self.log.vector().digest() };
            self.send(id, &Frame::Quiet(quiet));
        }
        if let Disk::Failing { kept, guard, retry_at, .. } = &mut self.disk
            && *retry_at <= now
            && self.writing == 0
            && self.state == LogState::Open
        {
            *retry_at = now + DISK_RETRY;
            let puts = kept.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            let batch = WriteBatch { guard: guard.clone(), puts, deletes: Vec::new() };
            self.writing += 1;
            self.request(Pending::Flush, StorageRequest::Write(batch));
        }
    }

    /// One deadline for all that waits for time. A relay's links have none: whoever dialled
    /// watches them.
    pub(super) fn schedule(&mut self) {
        self.busy.retain(|id| self.links.get(id).is_some_and(Link::is_busy));
        let busy = self.busy.iter().filter_map(|id| self.links.get(id));
        let links = busy.filter_map(|link| match &link.phase {
            Phase::Dialing => Some(link.opened_at + DIAL_WAIT),
            Phase::Up => {
                let want = link.wanted.as_ref().map(|wanted| wanted.asked_at + WANT_WAIT);
                [want, link.answer_due(), link.quiet_due(), link.grant_due()].into_iter().flatten().min()
            }
            _ => Some(link.opened_at + link.hello_wait()),
        });
        let disk = match &self.disk {
            Disk::Failing { retry_at, .. } => Some(*retry_at),
            Disk::Healthy => None,
        };
        let patience = self.patience_ends();
        let expiry = self.expiries.first().map(|(at, _)| *at);
        let next = links.chain(disk).chain(patience).chain(expiry).chain(self.owner_deadline).min();
        // While the log is not known nothing can be done in time; what comes then looks again.
        let next = next.filter(|_| self.state == LogState::Open);
        if next != self.deadline {
            self.deadline = next;
            self.effects.push_back(Effect::SetTimer(next));
        }
    }

    pub(super) fn nonce(&mut self) -> u64 {
        self.next_nonce += 1;
        self.next_nonce
    }
}

impl Link {
    /// When the other side's token no longer lets it in.
    pub(super) fn expires_at(&self) -> Option<Millis> {
        self.grant.as_ref()?.expires_at
    }

    /// How long the other side may take for its greeting. Whoever comes has less time than whoever
    /// was called.
    fn hello_wait(&self) -> Millis {
        if self.is_dialer() { HELLO_WAIT } else { COMER_WAIT }
    }

    /// When a dialler asks whether both sides hold the same.
    fn quiet_due(&self) -> Option<Millis> {
        // Who may not bring what it holds need not ask whether both hold the same.
        let is_asking =
            self.is_dialer() && self.is_up() && !self.agreed && !self.exchanging && !self.send.is_muted;
        is_asking.then_some(self.moved_at + QUIET_WAIT)
    }

    /// When a dialler that has sent what is not acknowledged gives the link up.
    fn answer_due(&self) -> Option<Millis> {
        let is_waiting = self.is_dialer() && !self.send.is_muted && (!self.agreed || self.exchanging);
        is_waiting.then_some(self.heard_at.max(self.opened_at) + SILENCE_MAX)
    }
}
