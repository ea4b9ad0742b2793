//! Who is there: what was heard last of each replica, for as long as that counts.
//!
//! Whoever holds this says on what is newer than what was there before, on each link what that link has not
//! brought. Nothing proves who has said it. It is dropped when it is too old, also counted over all who have passed
//! it on. How long it was on its way nobody knows, so each link makes it older: it can't go round for ever, where all
//! who have passed it on have dropped it by the time it comes again.

use std::sync::Arc;

use crate::base::id::{LinkId, PresenceId};
use crate::base::id_map::IdMap;
use crate::base::time::Millis;
use crate::wire::presence::Presence;

/// How long what a replica has said of itself counts.
pub const PRESENT_FOR: Millis = 10_000;
/// So much older is what comes over a link.
const WAY: Millis = 250;
/// What is said of a replica by others may have a number that is higher by so much.
const LEAP_MAX: u64 = 1_000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Presences {
    held: IdMap<PresenceId, Held>,
    /// That of this replica.
    own: Option<PresenceId>,
    /// Rises with each change. Each link knows up to which it was told.
    pub version: u64,
    /// Nothing expires before.
    expires_at: Option<Millis>,
    /// Whose shown state has changed.
    changed: Vec<PresenceId>,
    /// Somebody is there who was not.
    has_newcomer: bool,
    /// Another one says that it is this replica, or that this one is gone: the highest number of those.
    contested: Option<Contest>,
}

#[derive(Clone, Debug)]
struct Held {
    number: u64,
    /// Empty: it shows nothing. None: it is gone, and what is older is not believed.
    state: Option<Arc<[u8]>>,
    expires_at: Millis,
    from: Source,
    /// Another link that has brought the same.
    also: Option<LinkId>,
    version: u64,
}

/// Who has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// This process.
    Own,
    /// A process that shares the log.
    #[cfg_attr(not(feature = "documents"), expect(dead_code))]
    Shared,
    /// A replica, or the relay of this one.
    Link(LinkId),
    /// The relay of another region.
    Region(LinkId),
}

/// What somebody else says of this replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contest {
    /// It is gone.
    Gone(u64),
    /// Another process has its id: a copy, or one that lies.
    Doubled,
}

impl Source {
    pub fn link(self) -> Option<LinkId> {
        match self {
            Source::Link(link) | Source::Region(link) => Some(link),
            Source::Own | Source::Shared => None,
        }
    }
}

impl Presences {
    pub fn len(&self) -> usize {
        self.held.len()
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether somebody is there who is said to be by a link of this kind.
    pub fn has_from(&self, is_it: impl Fn(Source) -> bool) -> bool {
        self.held.values().any(|held| held.state.is_some() && is_it(held.from))
    }

    /// Takes in what was said, where it is newer than what is known; whether it is. Had it been said just now, it
    /// would count until then.
    pub fn take(&mut self, said: Presence, from: Source, most: usize, until: Millis) -> bool {
        let Presence { id, number, age, state } = said;
        let age = if from.link().is_some() { age.saturating_add(WAY) } else { age };
        let state: Option<Arc<[u8]>> = state.map(|state| Vec::from(state).into());
        if self.own == Some(id) && from != Source::Own {
            self.hear_of_own(number, state.is_none());
            return false;
        }
        if age >= PRESENT_FOR {
            return false;
        }
        let before = self.held.get_mut(&id);
        if let Some(held) = before {
            let is_end = state.is_none() && held.state.is_some() && held.from == from;
            let are_two = state.is_some() && held.state.is_some() && state != held.state;
            if number == held.number && from != held.from && are_two {
                // Two processes have one id and count in step. The one that is not believed hears so.
                held.number = held.number.saturating_add(1);
                self.version += 1;
                held.version = self.version;
                return true;
            }
            if number < held.number || (number == held.number && !is_end) {
                if number == held.number && state.is_some() && from != held.from {
                    held.also = from.link();
                }
                return false;
            }
        } else if state.is_none() || !self.make_room(from, most) {
            return false;
        }
        let before = self.held.get(&id).and_then(|held| held.state.clone());
        self.has_newcomer |= before.is_none() && state.is_some() && from != Source::Own;
        self.version += 1;
        let expires_at = until - age;
        self.expires_at = Some(self.expires_at.map_or(expires_at, |at| at.min(expires_at)));
        let version = self.version;
        self.note_change(id, before.as_ref(), state.as_ref());
        self.held.insert(id, Held { number, state, expires_at, from, also: None, version });
        true
    }

    /// Somebody else says something of this replica. What it has said itself may come back.
    fn hear_of_own(&mut self, number: u64, is_gone: bool) {
        let Some(said) = self.own.and_then(|own| self.held.get(&own)).map(|held| held.number) else { return };
        // Nobody could count on from a number that is far too high.
        let is_near = number <= said.saturating_add(LEAP_MAX);
        if is_gone && is_near && number >= said {
            self.contested = Some(Contest::Gone(number));
        } else if number > said {
            self.contested = Some(Contest::Doubled);
        }
    }

    fn note_change(&mut self, id: PresenceId, before: Option<&Arc<[u8]>>, now: Option<&Arc<[u8]>>) {
        let shown = |state: Option<&Arc<[u8]>>| state.filter(|state| !state.is_empty()).cloned();
        if shown(before) != shown(now) {
            self.changed.push(id);
        }
    }

    /// Whether there is room for one more from there. Whoever is gone makes room, and whoever has brought most of
    /// all: so nobody fills this up alone.
    fn make_room(&mut self, from: Source, most: usize) -> bool {
        if self.held.len() < most {
            return true;
        }
        let gone = self.held.iter().find(|(_, held)| held.state.is_none()).map(|(id, _)| *id);
        let fullest = || {
            let mut sources: Vec<_> = self.held.iter().map(|(id, held)| (held.from, *id)).collect();
            sources.sort_unstable();
            let most = sources.chunk_by(|one, next| one.0 == next.0).max_by_key(|brought| brought.len())?;
            let brought = sources.iter().filter(|(source, _)| *source == from).count();
            let may = from == Source::Own || most.len() > brought + 1;
            may.then_some(most[0].1)
        };
        let Some(id) = gone.or_else(fullest) else { return false };
        self.remove(id);
        true
    }

    fn remove(&mut self, id: PresenceId) {
        if let Some(held) = self.held.remove(&id) {
            self.note_change(id, held.state.as_ref(), None);
        }
    }

    /// A link is gone, and with it who was there by it, but not by another one.
    pub fn link_gone(&mut self, link: LinkId, is_up: impl Fn(LinkId) -> bool) -> bool {
        let mut ended = Vec::new();
        for (id, held) in self.held.iter_mut().filter(|(_, held)| held.from == Source::Link(link)) {
            match held.also.take().filter(|also| is_up(*also)) {
                Some(also) => held.from = Source::Link(also),
                None if held.state.is_some() => ended.push((*id, held.state.take())),
                None => {}
            }
        }
        for (id, before) in &ended {
            self.version += 1;
            self.note_change(*id, before.as_ref(), None);
            if let Some(held) = self.held.get_mut(id) {
                held.version = self.version;
            }
        }
        !ended.is_empty()
    }

    /// Drops what is too old; when there is something to drop next.
    pub fn expire(&mut self, now: Millis) -> Option<Millis> {
        if self.expires_at.is_some_and(|at| at <= now) {
            let old = self.held.iter().filter(|(_, held)| held.expires_at <= now).map(|(id, _)| *id);
            for id in old.collect::<Vec<_>>() {
                self.remove(id);
            }
            self.expires_at = self.held.values().map(|held| held.expires_at).min();
        }
        self.expires_at
    }

    /// What is newer than a version, and is to be said there.
    pub fn since(
        &self,
        version: u64,
        now: Millis,
        is_for: impl Fn(Source, Option<LinkId>) -> bool,
    ) -> Vec<Presence> {
        // Who knows of nobody need not hear of who is gone.
        let is_news = |held: &Held| held.version > version && (version > 0 || held.state.is_some());
        let newer = self.held.iter().filter(|(_, held)| is_news(held) && is_for(held.from, held.also));
        let said = newer.map(|(id, held)| Presence {
            id: *id,
            number: held.number,
            age: PRESENT_FOR.saturating_sub(held.expires_at.saturating_sub(now)),
            state: held.state.as_ref().map(|state| state.to_vec().into()),
        });
        said.collect()
    }

    /// Whether something is newer than a version, of that kind.
    pub fn any_since(&self, version: u64, is_it: impl Fn(Source, Option<LinkId>) -> bool) -> bool {
        self.held.values().any(|held| held.version > version && is_it(held.from, held.also))
    }

    /// Whose shown state has changed since this was last asked, and what it is.
    pub fn take_changed(&mut self) -> Vec<(PresenceId, Option<Arc<[u8]>>)> {
        let changed = core::mem::take(&mut self.changed);
        let shown = |id: PresenceId| {
            let state = self.held.get(&id).and_then(|held| held.state.clone());
            (id, state.filter(|state| !state.is_empty()))
        };
        changed.into_iter().filter(|id| self.own != Some(*id)).map(shown).collect()
    }
}

#[cfg(feature = "documents")]
impl Presences {
    /// The id of this replica from now on.
    pub fn set_own(&mut self, id: PresenceId) {
        if let Some(before) = self.own.replace(id) {
            self.held.remove(&before);
        }
    }

    /// Whether somebody else is there.
    pub fn has_others(&self) -> bool {
        self.held.iter().any(|(id, held)| held.state.is_some() && self.own != Some(*id))
    }

    /// Whether somebody has come since this was last asked.
    pub fn take_newcomer(&mut self) -> bool {
        core::mem::take(&mut self.has_newcomer)
    }

    /// What others say of this replica that is not so, since this was last asked.
    pub fn take_contest(&mut self) -> Option<Contest> {
        self.contested.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither heard of the other, and one of them was seen by nobody (seed 420173).
    #[test]
    fn of_two_processes_with_one_id_that_count_in_step_one_hears_of_the_other() {
        let id = PresenceId([1; 16]);
        let said = |state: u8| Presence { id, number: 4, age: 0, state: Some(vec![state].into()) };
        let (first, second) = (Source::Link(LinkId(1)), Source::Link(LinkId(2)));
        let mut presences = Presences::default();
        assert!(presences.take(said(7), first, 10, 10_000));
        let told = presences.version;
        assert!(!presences.take(said(7), second, 10, 10_000), "the same by another way is no news");
        assert!(presences.take(said(8), second, 10, 10_000));
        let news = presences.since(told, 0, |from, _| from != second);
        assert_eq!(news, [Presence { number: 5, age: WAY, ..said(7) }]);
    }

    /// Each had dropped it by the time it came again, so it was news for ever (seed 808973).
    #[test]
    fn what_nobody_repeats_does_not_go_round_in_a_ring_of_slow_links() {
        let mut ring = [Presences::default(), Presences::default(), Presences::default()];
        let from = Source::Link(LinkId(1));
        let state = Some(vec![7].into());
        let mut said = Presence { id: PresenceId([1; 16]), number: 7, age: PRESENT_FOR - 1_000, state };
        let mut now = 0;
        for hop in 0.. {
            let holder = &mut ring[hop % 3];
            holder.expire(now);
            let told = holder.version;
            if !holder.take(said.clone(), from, 10, now + PRESENT_FOR) {
                break;
            }
            assert!(hop < 10, "it goes round");
            said = holder.since(told, now, |_, _| true).remove(0);
            now += 500;
        }
        ring.iter_mut().for_each(|holder| {
            holder.expire(now + PRESENT_FOR);
            assert!(holder.is_empty());
        });
    }

    /// With a number that can't be counted on from, a liar would silence somebody for good.
    #[cfg(feature = "documents")]
    #[test]
    fn who_is_said_to_be_gone_under_a_number_out_of_reach_takes_another_id() {
        let id = PresenceId([1; 16]);
        let said = |number, state: Option<u8>| Presence {
            id,
            number,
            age: 0,
            state: state.map(|state| vec![state].into()),
        };
        let mut presences = Presences::default();
        presences.set_own(id);
        assert!(presences.take(said(4, Some(7)), Source::Own, 10, 10_000));
        for (number, contest) in
            [(4, Contest::Gone(4)), (1_004, Contest::Gone(1_004)), (1_005, Contest::Doubled)]
        {
            presences.take(said(number, None), Source::Link(LinkId(1)), 10, 10_000);
            assert_eq!(presences.take_contest(), Some(contest));
        }
        presences.take(said(u64::MAX, None), Source::Link(LinkId(1)), 10, 10_000);
        assert_eq!(presences.take_contest(), Some(Contest::Doubled));
    }

    /// Whoever has brought most makes room, also where a number could not rise.
    #[test]
    fn a_link_that_has_brought_most_makes_room_for_another() {
        let said = |id: u8| Presence {
            id: PresenceId([id; 16]),
            number: u64::MAX,
            age: 0,
            state: Some(vec![id].into()),
        };
        let (many, few) = (Source::Link(LinkId(1)), Source::Link(LinkId(2)));
        let mut presences = Presences::default();
        for id in 0..4 {
            assert!(presences.take(said(id), many, 4, 10_000));
        }
        assert!(!presences.take(said(9), many, 4, 10_000), "not for more of its own");
        assert!(presences.take(said(5), few, 4, 10_000));
        assert!(presences.take(said(6), few, 4, 10_000));
        assert!(!presences.take(said(7), few, 4, 10_000), "each has two");
        let other = Presence { state: Some(vec![0].into()), ..said(5) };
        assert!(presences.take(other, many, 4, 10_000), "two with one id");
    }
}
