//! What replicas have shown of themselves, and what they have seen of each other.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::id::PresenceId;
use eyot_core::base::time::Millis;

use crate::base::ids::ProcessId;

#[derive(Default)]
pub struct Shown {
    /// By its number, which is what was shown.
    said: BTreeMap<u64, Said>,
    /// What each shows now.
    pub current: BTreeMap<ProcessId, u64>,
    /// What each knows of others.
    pub seen: BTreeMap<ProcessId, BTreeMap<PresenceId, u64>>,
    /// Under which id each has shown something. A process that finds its id taken draws another one, which is not
    /// known here.
    ids: BTreeMap<PresenceId, BTreeSet<ProcessId>>,
    /// How long a frame of this was on its way, at most.
    pub latest: Millis,
    /// All have left.
    pub is_over: bool,
}

struct Said {
    /// A process, and clones of it.
    by: BTreeSet<ProcessId>,
    /// Those who show it now.
    holders: BTreeSet<ProcessId>,
    /// Since when nobody shows it.
    until: Millis,
}

impl Shown {
    /// What is to be shown next, by that one.
    pub fn next(&mut self, by: ProcessId, now: Millis) -> u64 {
        self.ends(by, now);
        let number = self.said.len() as u64 + 1;
        let by_it = BTreeSet::from([by]);
        self.said.insert(number, Said { by: by_it.clone(), holders: by_it, until: now });
        self.current.insert(by, number);
        number
    }

    pub fn known_as(&mut self, by: ProcessId, id: PresenceId) {
        self.ids.entry(id).or_default().insert(by);
    }

    /// A process shows nothing any more.
    pub fn ends(&mut self, by: ProcessId, now: Millis) {
        let Some(said) = self.current.remove(&by).and_then(|number| self.said.get_mut(&number)) else {
            return;
        };
        said.holders.remove(&by);
        said.until = now;
    }

    /// A process goes on as two.
    pub fn cloned(&mut self, from: ProcessId, to: ProcessId) {
        if let Some(number) = self.current.get(&from).copied() {
            self.current.insert(to, number);
            if let Some(said) = self.said.get_mut(&number) {
                said.by.insert(to);
                said.holders.insert(to);
            }
        }
        let seen = self.seen.get(&from).cloned().unwrap_or_default();
        self.seen.insert(to, seen);
        for processes in self.ids.values_mut().filter(|processes| processes.contains(&from)) {
            processes.insert(to);
        }
    }

    /// When somebody last showed this; none: nobody who is known by that id ever has.
    pub fn last_shown(&self, id: PresenceId, number: u64, now: Millis) -> Option<Millis> {
        let said = self.said.get(&number)?;
        // Others hear of it before it is known here under which id it shows something for the first time.
        let has_id = |process: &ProcessId| self.ids.values().any(|processes| processes.contains(process));
        let is_first = !said.by.iter().any(has_id);
        let is_of = is_first || self.ids.get(&id).is_none_or(|known| !known.is_disjoint(&said.by));
        is_of.then_some(if said.holders.is_empty() { said.until } else { now })
    }
}
