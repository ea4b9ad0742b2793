//! Laws of who is there.

use eyot_core::base::id::PresenceId;
use eyot_core::base::time::Millis;
use eyot_core::holder::presences::PRESENT_FOR;
use eyot_core::wire::frame::Frame;

use crate::actor::noise::OF_ACTOR;
use crate::base::ids::ProcessId;
use crate::laws::watch;
use crate::parts::process::Machine;
use crate::world::world::World;

/// Over how many processes something may come.
const HOPS_MAX: Millis = 10;
/// How long a process may wait until it says what is new.
const SLOT: Millis = 260;

impl World {
    /// A replica is told of another one.
    pub fn present_seen(&mut self, by: ProcessId, id: PresenceId, state: Option<Vec<u8>>) {
        let seen = self.shown.seen.entry(by).or_default();
        let number =
            state.as_ref().and_then(|state| Some(u64::from_be_bytes(state.as_slice().try_into().ok()?)));
        match (state, number) {
            (Some(_), Some(number)) => {
                seen.insert(id, number);
                self.count("presences seen");
                self.check_seen(by);
            }
            (Some(state), None) if state.first() == Some(&OF_ACTOR) => {}
            (Some(state), None) => self.fail(format!("{by:?} sees {state:?}, which nobody shows")),
            (None, _) => {
                seen.remove(&id);
            }
        }
    }

    /// Law: what a replica sees of another was shown by that one not longer ago than ten seconds and the time it
    /// was on its way.
    pub fn check_seen(&mut self, by: ProcessId) {
        let oldest = PRESENT_FOR + HOPS_MAX * (self.shown.latest + SLOT) + watch::EVERY;
        let now = self.now;
        let Some(seen) = self.shown.seen.get(&by) else { return };
        let too_old = seen.iter().find_map(|(id, number)| match self.shown.last_shown(*id, *number, now) {
            None => Some(format!("{by:?} sees {number} of {id:?}, which has never shown it")),
            Some(at) if at + oldest < now => {
                Some(format!("{by:?} sees {number} of {id:?}, which is {} ms old", now - at))
            }
            Some(_) => None,
        });
        if let Some(failure) = too_old {
            self.fail(failure);
        }
    }

    /// Law: nobody keeps more than so many.
    pub fn check_presences(&mut self) {
        let most = self.plan.limits.presences_max;
        let over = self.processes.iter().find_map(|(id, process)| {
            let kept = match &process.machine {
                Machine::Relay(relay) => relay.present(),
                Machine::Replica(replica) => replica.present(),
                Machine::Asleep(_) | Machine::Actor(_) => 0,
            };
            (kept > most).then(|| format!("{id:?} keeps {kept} presences"))
        });
        if let Some(failure) = over {
            self.fail(failure);
        }
        let live: Vec<_> = self.shown.seen.keys().copied().collect();
        for id in live {
            if self.processes.contains_key(&id) {
                self.check_seen(id);
            }
        }
    }

    /// How long a frame of this was on its way.
    pub fn note_late(&mut self, frame: &Frame, sent_at: Millis) {
        if matches!(frame, Frame::Present(_)) {
            self.shown.latest = self.shown.latest.max(self.now - sent_at);
        }
    }

    /// Law: in a healed world each replica sees what every other one shows, where there is room for all.
    pub fn check_all_are_seen(&mut self) -> Result<(), String> {
        let limits = self.plan.limits;
        let current = &self.shown.current;
        let has_room = limits.presences_max >= current.len() && limits.presence_bytes_per_second > 10_000;
        for by in current.keys().filter(|_| has_room) {
            for (id, number) in current.iter().filter(|(id, _)| *id != by) {
                let seen = self.shown.seen.get(by);
                if !seen.is_some_and(|seen| seen.values().any(|seen| seen == number)) {
                    return Err(format!("{by:?} does not see what {id:?} shows: {number}, but {seen:?}"));
                }
            }
        }
        if has_room && current.len() > 1 {
            self.count("healed worlds in which all see each other");
        }
        Ok(())
    }
}
