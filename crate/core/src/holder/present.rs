//! Who is there: what links say of that, and what they are told.
//!
//! All links are told together, at most four times a second, of what is new by then. Who is told has no queue:
//! what was said meanwhile is not said any more.

use std::sync::Arc;

use crate::base::id::LinkId;
use crate::base::limits::Limits;
use crate::base::mutation::Mutation;
use crate::base::pace::Rate;
use crate::base::time::Millis;
use crate::holder::holder::{Holder, LogState};
use crate::holder::notice::Notice;
use crate::holder::presences::{PRESENT_FOR, Source};
use crate::holder::showing::{GRACE, SLOT, Showing};
use crate::link::session::Session;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;
use crate::wire::presence::{Presence, Present};

/// See [`Mutation::PresenceForAnHour`].
const HOUR: Millis = 3_600_000;
/// What one of them costs beside what is shown.
const COST_BYTES: usize = 64;

impl Holder {
    /// Of how many replicas is known that they are there, or were a moment ago.
    pub fn present(&self) -> usize {
        self.showing.presences.len()
    }

    /// Whether somebody is there in this region, so far as this relay knows: other regions are to know.
    pub fn has_present_here(&self) -> bool {
        self.showing.presences.has_from(|from| matches!(from, Source::Link(_)))
    }

    pub(super) fn present_came(&mut self, id: LinkId, present: Present) {
        let limits = self.limits.clone();
        let is_over =
            |said: &Presence| said.state.as_ref().is_some_and(|it| it.len() > limits.presence_bytes_max);
        if present.all.len() > limits.presences_max || present.all.iter().any(is_over) {
            return self.close(id, CloseCode::TooLarge, "more is shown of who is there than may be");
        }
        if !self.pay_for_presence(id, &present) {
            return;
        }
        let Some(session) = self.links.session_mut(id) else { return };
        let from = if session.is_mesh { Source::Region(id) } else { Source::Link(id) };
        if !session.shows_presence {
            session.shows_presence = true;
            self.showing.is_due = true;
        }
        self.showing.tells_until = self.now + GRACE;
        self.showing.has_new_link |= present.all.is_empty();
        self.hear_present(present.all, from);
    }

    pub(super) fn hear_present(&mut self, all: Vec<Presence>, from: Source) {
        let (most, now) = (self.limits.presences_max, self.now);
        let is_kept = self.limits.is_mutated(Mutation::PresenceForAnHour);
        let until = now + if is_kept { HOUR } else { PRESENT_FOR };
        for said in all {
            self.showing.is_due |= self.showing.presences.take(said, from, most, until);
        }
    }

    /// What is said of who is there has a rate, from whoever came in and from other replicas. What is beyond is
    /// dropped: it will be said again.
    fn pay_for_presence(&mut self, id: LinkId, present: &Present) -> bool {
        let (rate, now) = (presence_rate(&self.limits), self.now);
        let Some(link) = self.links.get_mut(id) else { return false };
        let is_believed = link.is_dialer() || link.session().is_some_and(|session| session.is_mesh);
        if link.peer.is_none() && is_believed {
            return true;
        }
        let states = present.all.iter().filter_map(|said| said.state.as_ref());
        let shown: usize = states.map(|state| state.len()).sum();
        let cost = COST_BYTES * (1 + present.all.len()) + shown;
        link.presences.take(cost as u64, rate, now)
    }

    /// A link is up: it is told of all who are there, and those behind this holder are to say so again.
    pub(super) fn presence_link_up(&mut self, id: LinkId) {
        let is_mesh = self.links.session(id).is_some_and(|session| session.is_mesh);
        let showing = &mut self.showing;
        showing.is_due |= is_mesh || !showing.presences.is_empty();
        showing.has_new_link = true;
        showing.tells_until = self.now + GRACE;
        showing.asks |= is_mesh;
    }

    /// The other side has read: it is told what there was no room for (seed 621234).
    pub(super) fn presence_link_has_read(&mut self, id: LinkId) {
        let has_room = |session: &Session| session.unread.room(&self.limits) > 0;
        let session = self.links.session(id).filter(|session| session.presences_wait);
        self.showing.is_due |= session.is_some_and(has_room);
    }

    pub(super) fn presence_link_gone(&mut self, id: LinkId) {
        let links = &self.links;
        // Two who had it from each other, too, would go on believing each other.
        let is_up = |other| !self.role.is_relay() && links.session(other).is_some();
        self.showing.is_due |= self.showing.presences.link_gone(id, is_up);
    }

    /// Tells links what is new, where it is time to.
    pub(super) fn tell_presences(&mut self) {
        let now = self.now;
        self.showing.presences.expire(now);
        if self.state == LogState::Open && self.showing.is_due && self.showing.slot_at <= now {
            self.showing.is_due = false;
            self.showing.slot_at = now + SLOT;
            self.ask_who_is_there();
            self.tell_links_of_presences();
            #[cfg(feature = "documents")]
            self.share_presences();
        }
        let changed = self.showing.presences.take_changed();
        if !self.is_relay() {
            self.notices.extend(changed.into_iter().map(|(id, state)| Notice::Present(id, state)));
        }
    }

    /// A relay that is linked to another region asks those here who have said nothing because nobody was there.
    fn ask_who_is_there(&mut self) {
        if !core::mem::take(&mut self.showing.asks) || self.has_present_here() {
            return;
        }
        let clients = self.links.sessions().filter(|(_, session)| !session.is_mesh && session.shows_presence);
        for id in clients.map(|(id, _)| id).collect::<Vec<_>>() {
            self.send(id, &Frame::Present(Present { all: Vec::new() }));
        }
    }

    fn tell_links_of_presences(&mut self) {
        let (now, limits) = (self.now, self.limits.clone());
        let (Showing { presences, .. }, is_relay) = (&self.showing, self.role.is_relay());
        let is_alone =
            !is_relay && self.showing.tells_until < now && !presences.has_from(|from| from.link().is_some());
        // Most links were told the same before.
        let mut shared: Option<(u64, Vec<Arc<[u8]>>)> = None;
        let mut frames: Vec<(LinkId, Vec<Arc<[u8]>>)> = Vec::new();
        for (id, session) in self.links.sessions_mut() {
            let told = session.presences_told;
            let is_told = !is_relay || session.is_mesh || session.shows_presence;
            // Who is alone says so once: when somebody comes, all is told that is new by then.
            let is_enough = told == presences.version || (told > 0 && is_alone);
            if !is_told || is_enough {
                continue;
            }
            session.presences_wait = session.unread.room(&limits) == 0;
            if session.presences_wait {
                continue;
            }
            session.presences_told = presences.version;
            let is_mesh = session.is_mesh;
            // Regions are all linked to each other.
            let is_for = |from: Source, also: Option<LinkId>| {
                from != Source::Link(id)
                    && also != Some(id)
                    && !(is_mesh && matches!(from, Source::Region(_)))
                    && from != Source::Region(id)
            };
            if !presences.any_since(told, |from, also| !is_for(from, also)) {
                let (_, same) = shared
                    .take()
                    .filter(|(version, _)| *version == told)
                    .unwrap_or_else(|| (told, frames_of(presences.since(told, now, |_, _| true), &limits)));
                frames.push((id, same.clone()));
                shared = Some((told, same));
            } else {
                frames.push((id, frames_of(presences.since(told, now, is_for), &limits)));
            }
        }
        for (id, frames) in frames {
            for frame in frames {
                self.send_encoded(id, frame);
            }
        }
    }
}

/// As few frames as may be.
fn frames_of(all: Vec<Presence>, limits: &Limits) -> Vec<Arc<[u8]>> {
    let mut frames = Vec::new();
    let (mut some, mut bytes) = (Vec::new(), COST_BYTES);
    for said in all {
        let count = COST_BYTES + said.state.as_ref().map_or(0, |state| state.len());
        if bytes + count > limits.frame_bytes_max && !some.is_empty() {
            frames.push(encoded(core::mem::take(&mut some)));
            bytes = COST_BYTES;
        }
        bytes += count;
        some.push(said);
    }
    if !some.is_empty() {
        frames.push(encoded(some));
    }
    frames
}

fn encoded(all: Vec<Presence>) -> Arc<[u8]> {
    Frame::Present(Present { all }).encode().into()
}

/// How much may come in on a link of who is there.
fn presence_rate(limits: &Limits) -> Rate {
    Rate { per_second: limits.presence_bytes_per_second, burst: limits.presence_bytes_burst }
}
