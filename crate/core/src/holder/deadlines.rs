//! Links that go, and what happens when nothing does.

use crate::base::id::LinkId;
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::notice::Notice;
use crate::link::timers::Timer;
use crate::wire::bodies::Head;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    /// A link is gone; why, where that was said. Only takes note: what follows from it is done by the
    /// next pump.
    pub(super) fn gone(&mut self, id: LinkId, why: Option<(u16, String)>) {
        if !self.links.contains(id) {
            return;
        }
        self.note_peer(id);
        let link = self.links.remove(id);
        if let Some(session) = link.as_ref().and_then(|link| link.session()).filter(|link| !link.is_mesh)
            && let Some(grant) = session.grant()
        {
            self.gate.charge_unpaid(&grant.subject, session.receive.unpaid(), self.now);
        }
        if let Some(grant) = link.as_ref().and_then(|link| link.grant()) {
            self.gate.count_out(&grant.subject);
            if !self.intake.is_clear() {
                self.gate.remember(id, grant.subject.clone());
            }
        }
        self.presence_link_gone(id);
        self.bringers.remove(&id);
        self.touched.remove(&id);
        self.intake.named.retain(|named| named.link != id);
        // What it brought and its causes would be asked of nobody any more.
        self.intake.waiting.link_gone(id);
        self.save_peers_due = true;
        self.notices.push_back(Notice::LinkClosed(id, why));
    }

    /// Does what is due.
    pub(super) fn check_timers(&mut self) {
        self.links.next_timer(&self.limits);
        self.take_turns();
        for id in self.links.due(self.now) {
            self.ring(id);
        }
        self.retry_disk();
    }

    fn ring(&mut self, id: LinkId) {
        let now = self.now;
        loop {
            let timer = self.links.get(id).and_then(|link| link.next_timer(&self.limits));
            match timer.filter(|(at, _)| *at <= now) {
                None => return,
                Some((_, Timer::Greeting)) => {
                    return self.close(id, CloseCode::GoingAway, "the other side has not greeted in time");
                }
                Some((_, Timer::Want | Timer::Silence | Timer::Piece)) => {
                    return self.close(id, CloseCode::GoingAway, "the other side has gone silent");
                }
                Some((_, Timer::Expiry)) => {
                    return self.close(id, CloseCode::Expired, "the token has expired");
                }
                Some((_, Timer::Quiet)) => self.ask_whether_equal(id),
                Some((_, Timer::Comparison)) => self.compare_although_moving(id),
                Some((_, Timer::Grant)) => self.grant_more(id),
                Some((_, Timer::Turn)) => {
                    if let Some(session) = self.links.session_mut(id) {
                        session.work_at = None;
                    }
                    self.feed(id);
                }
                Some((_, Timer::Renewal)) => self.verify_renewal(id),
                Some((_, Timer::Ping)) => self.ask_whether_there(id),
                Some((_, Timer::Later)) => self.say_what_waits(id),
            }
        }
    }

    /// Another replica has said nothing for a while. Whatever it says shows that it is there.
    fn ask_whether_there(&mut self, id: LinkId) {
        let (nonce, now) = (self.nonce(), self.now);
        if let Some(session) = self.links.session_mut(id) {
            session.pinged_at = Some(now);
            self.send(id, &Frame::Head(Head { nonce, at: None }));
        }
    }

    /// One deadline for all that waits for time.
    pub(super) fn schedule(&mut self) {
        for id in core::mem::take(&mut self.overfull) {
            self.close(id, CloseCode::GoingAway, "this connection reads too slowly");
        }
        let links = self.links.next_timer(&self.limits);
        let patience = self.patience_ends();
        let scrub = self.scrub_pace.due().filter(|_| self.is_settled() && self.is_scrub_due());
        let is_admitting = !self.intake.inbox.is_empty() && self.writing == 0 && self.intake.lookups == 0;
        let admission = is_admitting.then(|| self.admitting.next());
        let turn = self.turns.next();
        // A write under way has its answer first.
        let retry = self.disk.retry_at().filter(|_| self.writing == 0);
        let present = self.showing.next(self.now);
        let all = [links, patience, scrub, retry, self.owner_deadline, turn, admission, present];
        let next = all.into_iter().flatten().min();
        // While the log is not known nothing can be done in time; what comes then looks again.
        let next = next.filter(|_| self.is_open());
        if next != self.deadline {
            self.deadline = next;
            self.effects.push_back(Effect::SetTimer(next));
        }
    }
}
