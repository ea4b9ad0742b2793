//! The waiting room: commits whose causes are not all in the log, and commits that other relays have
//! named and that have not come.
//!
//! It is indexed by what is awaited and by who is to be asked for it: a commit that comes touches those
//! that wait for it and no others, and one that comes again is held once.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::{AuthorId, CommitId, LinkId, ShortId};
use crate::base::limits::Limits;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::commit::header::After;
use crate::holder::pending::{Incoming, Named, Origin};
use crate::log::log::Cause;
use crate::wire::bodies::ChainRange;

/// A commit whose causes are not all in the log.
#[derive(Clone, Debug)]
struct Waiting {
    commit: Commit,
    origins: Vec<Origin>,
    missing: BTreeSet<After>,
    came_at: Millis,
}

/// A commit that is awaited.
#[derive(Clone, Debug)]
struct Awaited {
    range: ChainRange,
    /// The commits that wait for it.
    waiters: BTreeSet<CommitId>,
    /// Who should have it.
    links: BTreeMap<LinkId, Ask>,
}

/// How a link comes to be asked for an awaited commit.
#[derive(Clone, Copy, Debug)]
struct Ask {
    since: Millis,
    /// How many commits and names, which this link brought, it is awaited for.
    count: usize,
}

/// What came by a link, and what to ask it for.
#[derive(Clone, Debug, Default)]
struct OfLink {
    commits: BTreeSet<CommitId>,
    named: BTreeSet<CommitId>,
    /// What does not wait in this room itself: of that the causes are asked for.
    asks: BTreeSet<(Millis, After)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct WaitingRoom {
    commits: BTreeMap<CommitId, Waiting>,
    bytes: usize,
    awaited: BTreeMap<After, Awaited>,
    links: BTreeMap<LinkId, OfLink>,
    /// What other relays have named and is not in the log. Bound by those links' credit.
    named: BTreeMap<CommitId, Vec<Named>>,
}

impl WaitingRoom {
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.named.is_empty()
    }

    /// Whether so little room is left that nothing may wait for its time.
    pub fn is_half_full(&self, limits: &Limits) -> bool {
        2 * self.commits.len() >= limits.waiting_commits_max || 2 * self.bytes >= limits.waiting_bytes_max
    }

    pub fn contains(&self, id: &CommitId) -> bool {
        self.commits.contains_key(id)
    }

    /// Takes a commit in; false where there is no room for one more.
    pub fn enter(&mut self, incoming: Incoming, causes: Vec<Cause>, now: Millis, limits: &Limits) -> bool {
        let Incoming { commit, origins } = incoming;
        let id = commit.id();
        if self.commits.contains_key(&id) {
            self.brought_again(id, origins);
            return true;
        }
        let is_full = self.commits.len() >= limits.waiting_commits_max
            || self.bytes + commit.size() > limits.waiting_bytes_max;
        if is_full {
            return false;
        }
        self.bytes += commit.size();
        let name = commit.name();
        let missing: BTreeSet<After> = causes.iter().map(|cause| cause.name).collect();
        for cause in causes {
            self.await_one(cause).waiters.insert(id);
        }
        self.commits.insert(id, Waiting { commit, origins: Vec::new(), missing, came_at: now });
        self.brought_again(id, origins);
        // From now on its causes are asked for.
        for (link, ask) in self.asks_for(&name) {
            self.of(link).asks.remove(&(ask.since, name));
        }
        true
    }

    /// Takes note of who else has brought a commit that waits.
    fn brought_again(&mut self, id: CommitId, origins: Vec<Origin>) {
        for origin in origins {
            let Some(waiting) = self.commits.get_mut(&id) else { return };
            let is_known = match (&origin, origin.link()) {
                (Origin::Answer(link), _) => waiting.origins.iter().any(|other| other.link() == Some(*link)),
                _ => false,
            };
            if is_known {
                continue;
            }
            waiting.origins.push(origin);
            let Some(link) = origin.link() else { continue };
            let (since, missing) = (waiting.came_at, waiting.missing.clone());
            if self.of(link).commits.insert(id) {
                for name in missing {
                    self.ask(link, name, since);
                }
            }
        }
    }

    /// The commits for which nothing more is awaited now that this one is in the log, to be looked at
    /// next, the last first.
    pub fn release(&mut self, name: &After) -> Vec<Incoming> {
        let Some(awaited) = self.awaited.remove(name) else { return Vec::new() };
        for (link, ask) in awaited.links {
            self.of(link).asks.remove(&(ask.since, *name));
            self.forget_if_empty(link);
        }
        let mut released = Vec::new();
        for id in awaited.waiters {
            let Some(waiting) = self.commits.get_mut(&id) else { continue };
            waiting.missing.remove(name);
            if waiting.missing.is_empty() {
                released.extend(self.leave(&id));
            }
        }
        released
    }

    /// All that waits, in order: what was read of the log before is void.
    pub fn release_all(&mut self) -> Vec<Incoming> {
        let mut waiting: Vec<_> = core::mem::take(&mut self.commits).into_values().collect();
        self.bytes = 0;
        self.awaited.clear();
        self.links.clear();
        // What was named is looked up again.
        self.named.clear();
        waiting.sort_by_key(|waiting| (waiting.came_at, waiting.commit.header().seq));
        waiting.into_iter().map(|Waiting { commit, origins, .. }| Incoming { origins, commit }).collect()
    }

    /// What other relays have named and is awaited.
    pub fn all_named(&self) -> Vec<Named> {
        self.named.values().flatten().copied().collect()
    }

    /// A link is gone: what came by it alone will be sent again.
    pub fn link_gone(&mut self, link: LinkId) {
        let Some(of_link) = self.links.get(&link) else { return };
        let (commits, named) = (of_link.commits.clone(), of_link.named.clone());
        for id in commits {
            let Some(waiting) = self.commits.get_mut(&id) else { continue };
            waiting.origins.retain(|origin| origin.link() != Some(link));
            let (is_over, missing) = (waiting.origins.is_empty(), waiting.missing.clone());
            for name in missing {
                self.ask_no_more(link, &name);
            }
            self.of(link).commits.remove(&id);
            if is_over {
                self.leave(&id);
            }
        }
        for id in named {
            let Some(by) = self.named.get_mut(&id) else { continue };
            let gone: Vec<_> = by.extract_if(.., |named| named.link == link).collect();
            if by.is_empty() {
                self.named.remove(&id);
            }
            for named in gone {
                self.ask_no_more(link, &name_of(&named));
            }
        }
        self.links.remove(&link);
    }

    /// Whether something waits that came by that link.
    pub fn waits_for_link(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// The links that should have something that is awaited.
    pub fn links_to_ask(&self) -> impl Iterator<Item = LinkId> {
        self.links.iter().filter(|(_, of_link)| !of_link.asks.is_empty()).map(|(link, _)| *link)
    }

    /// What to ask that link for that is awaited since then or before, what is awaited longest first.
    pub fn to_ask(&self, link: LinkId, since: Millis) -> impl Iterator<Item = &ChainRange> {
        let asks = self.links.get(&link).into_iter().flat_map(|of_link| &of_link.asks);
        let due = asks.take_while(move |(at, _)| *at <= since);
        due.filter_map(|(_, name)| self.awaited.get(name)).map(|awaited| &awaited.range)
    }

    /// Since when the first is awaited of what to ask that link for that is awaited since then or later.
    pub fn awaited_since(&self, link: LinkId, then: Millis) -> Option<Millis> {
        let first = After { author: AuthorId([0; 16]), seq: 0, short: ShortId([0; 16]) };
        let asks = &self.links.get(&link)?.asks;
        asks.range((then, first)..).next().map(|(at, _)| *at)
    }

    /// A relay has named a commit that is not in the log.
    pub fn wait_for(&mut self, named: Named, cause: Cause) {
        let name = cause.name;
        self.await_one(cause);
        self.named.entry(named.tip.id).or_default().push(named);
        self.of(named.link).named.insert(named.tip.id);
        self.ask(named.link, name, named.came_at);
    }

    /// A commit is in the log: what has been said of it.
    pub fn take_named(&mut self, id: &CommitId) -> Vec<Named> {
        let by = self.named.remove(id).unwrap_or_default();
        for named in &by {
            self.ask_no_more(named.link, &name_of(named));
            self.of(named.link).named.remove(id);
            self.forget_if_empty(named.link);
        }
        by
    }

    fn leave(&mut self, id: &CommitId) -> Option<Incoming> {
        let Waiting { commit, origins, missing, .. } = self.commits.remove(id)?;
        self.bytes -= commit.size();
        let links: BTreeSet<LinkId> = origins.iter().filter_map(Origin::link).collect();
        for name in &missing {
            if let Some(awaited) = self.awaited.get_mut(name) {
                awaited.waiters.remove(id);
            }
            for link in &links {
                self.ask_no_more(*link, name);
            }
            self.forget_if_not_awaited(name);
        }
        for link in links {
            self.of(link).commits.remove(id);
            self.forget_if_empty(link);
        }
        // Where it is awaited itself, it is to be asked for again.
        let name = commit.name();
        for (link, ask) in self.asks_for(&name) {
            self.of(link).asks.insert((ask.since, name));
        }
        Some(Incoming { origins, commit })
    }

    fn await_one(&mut self, cause: Cause) -> &mut Awaited {
        let Cause { name, range } = cause;
        let new = Awaited { range, waiters: BTreeSet::new(), links: BTreeMap::new() };
        self.awaited.entry(name).or_insert(new)
    }

    fn forget_if_not_awaited(&mut self, name: &After) {
        if self.awaited.get(name).is_some_and(|one| one.waiters.is_empty() && one.links.is_empty()) {
            self.awaited.remove(name);
        }
    }

    fn ask(&mut self, link: LinkId, name: After, since: Millis) {
        let is_here = self.has_named(&name);
        let Some(awaited) = self.awaited.get_mut(&name) else { return };
        let ask = awaited.links.entry(link).or_insert(Ask { since, count: 0 });
        ask.count += 1;
        if ask.count == 1 && !is_here {
            self.of(link).asks.insert((since, name));
        }
    }

    fn ask_no_more(&mut self, link: LinkId, name: &After) {
        let Some(awaited) = self.awaited.get_mut(name) else { return };
        let Some(ask) = awaited.links.get_mut(&link) else { return };
        ask.count -= 1;
        if ask.count == 0 {
            let since = ask.since;
            awaited.links.remove(&link);
            self.of(link).asks.remove(&(since, *name));
            self.forget_if_not_awaited(name);
        }
    }

    fn asks_for(&self, name: &After) -> Vec<(LinkId, Ask)> {
        let awaited = self.awaited.get(name);
        awaited.into_iter().flat_map(|awaited| &awaited.links).map(|(link, ask)| (*link, *ask)).collect()
    }

    /// Whether the commit of that name waits itself.
    fn has_named(&self, name: &After) -> bool {
        let (mut first, mut last) = ([0; 32], [255; 32]);
        first[..16].copy_from_slice(&name.short.0);
        last[..16].copy_from_slice(&name.short.0);
        let mut named = self.commits.range(CommitId(first)..=CommitId(last));
        named.any(|(_, waiting)| waiting.commit.name() == *name)
    }

    fn of(&mut self, link: LinkId) -> &mut OfLink {
        self.links.entry(link).or_default()
    }

    fn forget_if_empty(&mut self, link: LinkId) {
        if self.links.get(&link).is_some_and(|of_link| {
            of_link.commits.is_empty() && of_link.named.is_empty() && of_link.asks.is_empty()
        }) {
            self.links.remove(&link);
        }
    }
}

fn name_of(named: &Named) -> After {
    After { author: named.tip.author, seq: named.tip.seq, short: named.tip.id.short() }
}
