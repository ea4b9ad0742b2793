//! The waiting room: commits whose causes are not all in the log, and commits that other relays have
//! named and that have not come.
//!
//! A commit awaits one of its causes at a time, the first that is missing, and is looked at again when
//! that is in the log. So it takes the same room here however many it names. The room is indexed by what
//! is awaited and by who is to be asked for it: a commit that comes touches those that wait for it and no
//! others, and one that comes again is held once.

use crate::base::hash::hash32;
use crate::base::id::{CommitId, LinkId};
use crate::base::id_map::{IdMap, IdSet, Key, padded};
use crate::base::limits::Limits;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::commit::header::After;
use crate::holder::pending::{Incoming, Named, Origin};

/// A commit whose causes are not all in the log.
#[derive(Clone, Debug)]
struct Waiting {
    commit: Commit,
    origins: Vec<Origin>,
    name: NameKey,
    /// The cause that is awaited.
    awaits: NameKey,
    /// How many of its causes are before that one: they are in the log.
    known: usize,
    came_at: Millis,
}

/// A name for short, as it serves as a key.
#[derive(Clone, Copy, Debug)]
struct NameKey([u8; 24]);

impl NameKey {
    fn of(name: &After) -> Self {
        let hash = hash32(&[&name.author.0, &name.seq.to_be_bytes(), &name.short.0]);
        let mut key = [0; 24];
        key.copy_from_slice(&hash[..24]);
        Self(key)
    }
}

impl Key for NameKey {
    fn bytes(&self) -> [u8; 32] {
        padded(&[&self.0])
    }
}

impl Key for (Millis, NameKey) {
    fn bytes(&self) -> [u8; 32] {
        padded(&[&self.0.to_be_bytes(), &self.1.0])
    }
}

/// A commit that is awaited.
#[derive(Clone, Debug)]
struct Awaited {
    name: After,
    /// The commits that wait for it.
    waiters: IdSet<CommitId>,
    /// Who should have it.
    links: IdMap<LinkId, Ask>,
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
    commits: IdSet<CommitId>,
    named: IdSet<CommitId>,
    /// What does not wait in this room itself: of that the causes are asked for.
    asks: IdSet<(Millis, NameKey)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct WaitingRoom {
    commits: IdMap<CommitId, Waiting>,
    bytes: usize,
    awaited: IdMap<NameKey, Awaited>,
    links: IdMap<LinkId, OfLink>,
    /// What other relays have named and is not in the log. Bound by those links' credit.
    named: IdMap<CommitId, Vec<Named>>,
}

impl WaitingRoom {
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.named.is_empty()
    }

    #[cfg(feature = "documents")]
    pub fn len(&self) -> usize {
        self.commits.len()
    }

    /// How often something was named that has not come.
    #[cfg(feature = "documents")]
    pub fn named_len(&self) -> usize {
        self.named.values().map(Vec::len).sum()
    }

    /// Whether so little room is left that nothing may wait for its time.
    pub fn is_half_full(&self, limits: &Limits) -> bool {
        2 * self.commits.len() >= limits.waiting_commits_max || 2 * self.bytes >= limits.waiting_bytes_max
    }

    pub fn contains(&self, id: &CommitId) -> bool {
        self.commits.contains_key(id)
    }

    /// Whether a commit waits that this link has brought.
    pub fn has_brought(&self, link: LinkId, id: &CommitId) -> bool {
        self.links.get(&link).is_some_and(|of_link| of_link.commits.contains(id))
    }

    /// Takes a commit in, of which a cause is missing; false where there is no room for one more. What no
    /// link brought has room always: nobody would bring it again.
    pub fn enter(&mut self, incoming: Incoming, now: Millis, limits: &Limits) -> bool {
        let Incoming { commit, origins, known } = incoming;
        let id = commit.id();
        if let Some(waiting) = self.commits.get_mut(&id) {
            // One copy may have bytes that the other lacks.
            self.bytes -= waiting.commit.size();
            waiting.commit.complete(&commit);
            self.bytes += waiting.commit.size();
            self.brought_again(id, origins);
            return true;
        }
        let is_full = self.commits.len() >= limits.waiting_commits_max
            || self.bytes + commit.size() > limits.waiting_bytes_max;
        if is_full && origins.iter().all(|origin| origin.link().is_some()) {
            return false;
        }
        let Some(awaits) = commit.header().causes().nth(known) else { return true };
        self.bytes += commit.size();
        let (name, key) = (NameKey::of(&commit.name()), NameKey::of(&awaits));
        self.awaited_of(key, awaits).waiters.insert(id);
        let waiting = Waiting { commit, origins: Vec::new(), name, awaits: key, known, came_at: now };
        self.commits.insert(id, waiting);
        self.brought_again(id, origins);
        // From now on its causes are asked for.
        for (link, ask) in self.asks_for(name) {
            self.of(link).asks.remove(&(ask.since, name));
        }
        true
    }

    /// Takes note of who else has brought a commit that waits.
    fn brought_again(&mut self, id: CommitId, origins: Vec<Origin>) {
        for origin in origins {
            let Some(waiting) = self.commits.get_mut(&id) else { return };
            let is_known = |other: &Origin| other.brought() == origin.brought();
            if matches!(origin, Origin::Answer(..)) && waiting.origins.iter().any(is_known) {
                continue;
            }
            waiting.origins.push(origin);
            let Some(link) = origin.link() else { continue };
            let (since, awaits) = (waiting.came_at, waiting.awaits);
            if self.of(link).commits.insert(id) {
                self.ask(link, awaits, since);
            }
        }
    }

    /// The commits for which nothing more is awaited now that this one is in the log, to be looked at
    /// next, the last first.
    pub fn release(&mut self, name: &After) -> Vec<Incoming> {
        let name = NameKey::of(name);
        let Some(awaited) = self.awaited.remove(&name) else { return Vec::new() };
        for (link, ask) in awaited.links {
            self.of(link).asks.remove(&(ask.since, name));
            self.forget_if_empty(link);
        }
        let released = awaited.waiters.into_iter().filter_map(|id| self.leave(&id));
        released.map(|incoming| Incoming { known: incoming.known + 1, ..incoming }).collect()
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
        waiting.into_iter().map(|Waiting { commit, origins, .. }| Incoming::new(origins, commit)).collect()
    }

    /// What other relays have named and is awaited.
    pub fn all_named(&self) -> Vec<Named> {
        self.named.values().flatten().copied().collect()
    }

    /// A link is gone: what came by it alone will be sent again.
    pub fn link_gone(&mut self, link: LinkId) {
        let Some(of_link) = self.links.remove(&link) else { return };
        for id in of_link.commits {
            let Some(waiting) = self.commits.get_mut(&id) else { continue };
            waiting.origins.retain(|origin| origin.link() != Some(link));
            let (is_over, awaits) = (waiting.origins.is_empty(), waiting.awaits);
            self.ask_never_more(link, &awaits);
            if is_over {
                self.leave(&id);
            }
        }
        for id in of_link.named {
            let Some(by) = self.named.get_mut(&id) else { continue };
            let gone: Vec<_> = by.extract_if(.., |named| named.link == link).collect();
            if by.is_empty() {
                self.named.remove(&id);
            }
            for named in gone {
                self.ask_never_more(link, &NameKey::of(&name_of(&named)));
            }
        }
        // What left the room was to be asked for again as long as the link waited for it.
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
    pub fn to_ask(&self, link: LinkId, since: Millis) -> impl Iterator<Item = &After> {
        let asks = self.links.get(&link).into_iter().flat_map(|of_link| &of_link.asks);
        let names = asks.take_while(move |(at, _)| *at <= since);
        names.filter_map(|(_, name)| self.awaited.get(name)).map(|awaited| &awaited.name)
    }

    /// The causes, behind this one, of a commit that awaits this one: they were not looked up yet.
    pub fn causes_behind(&self, name: &After) -> impl Iterator<Item = After> {
        let awaited = self.awaited.get(&NameKey::of(name));
        let waiter = awaited.and_then(|awaited| self.commits.get(awaited.waiters.first()?));
        waiter.into_iter().flat_map(|waiting| waiting.commit.header().causes().skip(waiting.known + 1))
    }

    /// Since when the first is awaited of what to ask that link for that is awaited since then or later.
    pub fn awaited_since(&self, link: LinkId, then: Millis) -> Option<Millis> {
        let asks = &self.links.get(&link)?.asks;
        asks.range((then, NameKey([0; 24]))..).next().map(|(at, _)| *at)
    }

    /// A relay has named a commit that is not in the log.
    pub fn wait_for(&mut self, named: Named) {
        let name = name_of(&named);
        let key = NameKey::of(&name);
        self.awaited_of(key, name);
        self.named.get_or_default(named.tip.id).push(named);
        self.of(named.link).named.insert(named.tip.id);
        self.ask(named.link, key, named.came_at);
    }

    /// A commit is in the log: what has been said of it.
    pub fn take_named(&mut self, id: &CommitId) -> Vec<Named> {
        let by = self.named.remove(id).unwrap_or_default();
        for named in &by {
            self.ask_no_more(named.link, &NameKey::of(&name_of(named)));
            self.of(named.link).named.remove(id);
            self.forget_if_empty(named.link);
        }
        by
    }

    fn leave(&mut self, id: &CommitId) -> Option<Incoming> {
        let Waiting { commit, origins, name, awaits, known, .. } = self.commits.remove(id)?;
        self.bytes -= commit.size();
        let links: IdSet<LinkId> = origins.iter().filter_map(Origin::link).collect();
        if let Some(awaited) = self.awaited.get_mut(&awaits) {
            awaited.waiters.remove(id);
        }
        for link in links {
            self.ask_no_more(link, &awaits);
            self.of(link).commits.remove(id);
            self.forget_if_empty(link);
        }
        self.forget_if_not_awaited(&awaits);
        // Where it is awaited itself, it is to be asked for again.
        for (link, ask) in self.asks_for(name) {
            self.of(link).asks.insert((ask.since, name));
        }
        Some(Incoming { origins, commit, known })
    }

    fn awaited_of(&mut self, key: NameKey, name: After) -> &mut Awaited {
        self.awaited.get_or_insert_with(key, || Awaited { name, waiters: IdSet::new(), links: IdMap::new() })
    }

    fn forget_if_not_awaited(&mut self, name: &NameKey) {
        if self.awaited.get(name).is_some_and(|one| one.waiters.is_empty() && one.links.is_empty()) {
            self.awaited.remove(name);
        }
    }

    fn ask(&mut self, link: LinkId, name: NameKey, since: Millis) {
        let Some(is_here) = self.awaited.get(&name).map(|awaited| self.has_named(&awaited.name)) else {
            return;
        };
        let Some(awaited) = self.awaited.get_mut(&name) else { return };
        let ask = awaited.links.get_or_insert_with(link, || Ask { since, count: 0 });
        ask.count += 1;
        if ask.count == 1 && !is_here {
            self.of(link).asks.insert((since, name));
        }
    }

    fn ask_no_more(&mut self, link: LinkId, name: &NameKey) {
        let Some(awaited) = self.awaited.get_mut(name) else { return };
        let Some(ask) = awaited.links.get_mut(&link) else { return };
        ask.count -= 1;
        if ask.count == 0 {
            let since = ask.since;
            self.of(link).asks.remove(&(since, *name));
            self.ask_never_more(link, name);
        }
    }

    /// For nothing that this link brought it is awaited any more.
    fn ask_never_more(&mut self, link: LinkId, name: &NameKey) {
        if let Some(awaited) = self.awaited.get_mut(name) {
            awaited.links.remove(&link);
            self.forget_if_not_awaited(name);
        }
    }

    fn asks_for(&self, name: NameKey) -> Vec<(LinkId, Ask)> {
        let awaited = self.awaited.get(&name);
        awaited.into_iter().flat_map(|awaited| &awaited.links).map(|(link, ask)| (*link, *ask)).collect()
    }

    /// Whether the commit of that name waits itself.
    pub fn has_named(&self, name: &After) -> bool {
        let (mut first, mut last) = ([0; 32], [255; 32]);
        first[..16].copy_from_slice(&name.short.0);
        last[..16].copy_from_slice(&name.short.0);
        let mut named = self.commits.range(CommitId(first)..=CommitId(last));
        named.any(|(_, waiting)| waiting.commit.name() == *name)
    }

    fn of(&mut self, link: LinkId) -> &mut OfLink {
        self.links.get_or_default(link)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{AuthorId, ShortId};
    use crate::base::limits::COMMIT_COST_BYTES;
    use crate::commit::vector::Tip;
    use crate::holder::pending::Brought;
    use crate::link::receiving::FrameNumber;

    const LINK: LinkId = LinkId(1);

    fn commit(author: u8, after: &[After]) -> Commit {
        let place = (AuthorId([author; 16]), 1, CommitId([0; 32]));
        Commit::new(place, after.to_vec(), 0, Vec::new(), &Limits::PROTOCOL).unwrap()
    }

    fn enter(room: &mut WaitingRoom, commit: &Commit, link: LinkId, now: Millis) {
        let origin = Origin::Stream(link, FrameNumber::default(), COMMIT_COST_BYTES, Brought::All);
        let incoming = Incoming::new(vec![origin], commit.clone());
        assert!(room.enter(incoming, now, &Limits::PROTOCOL));
    }

    fn asked(room: &WaitingRoom, link: LinkId) -> Vec<AuthorId> {
        room.to_ask(link, Millis::MAX).map(|name| name.author).collect()
    }

    #[test]
    fn a_commit_that_comes_a_thousand_times_is_held_once() {
        let mut room = WaitingRoom::default();
        let waits = commit(2, &[commit(1, &[]).name()]);
        for _ in 0..1_000 {
            enter(&mut room, &waits, LINK, 0);
        }
        assert_eq!((room.commits.len(), room.bytes), (1, waits.size()));
        assert_eq!(room.release(&commit(1, &[]).name()).len(), 1);
        assert_eq!((room.bytes, room.is_empty()), (0, true));
        assert!(room.awaited.is_empty() && room.links.is_empty());
    }

    /// What is made here was lost (seed 202590).
    #[test]
    fn there_is_always_room_for_what_no_link_brought() {
        let limits = Limits { waiting_commits_max: 1, ..Limits::PROTOCOL };
        let mut room = WaitingRoom::default();
        let cause = commit(1, &[]).name();
        enter(&mut room, &commit(2, &[cause]), LINK, 0);
        let made = |author| Incoming::new(vec![Origin::Again { own: true }], commit(author, &[cause]));
        assert!(room.enter(made(3), 0, &limits));
        let stream = Origin::Stream(LINK, FrameNumber::default(), COMMIT_COST_BYTES, Brought::All);
        assert!(!room.enter(Incoming::new(vec![stream], commit(4, &[cause])), 0, &limits));
        assert_eq!(room.release(&cause).len(), 2);
    }

    #[test]
    fn what_comes_touches_those_that_wait_for_it_and_no_others() {
        let mut room = WaitingRoom::default();
        let causes: Vec<_> = (1..100).map(|author| commit(author, &[]).name()).collect();
        for cause in &causes {
            enter(&mut room, &commit(100 + cause.author.0[0], &[*cause]), LINK, 0);
        }
        // Another branch of an author whose commit is awaited.
        let other = After { short: ShortId([9; 16]), ..causes[0] };
        assert!(room.release(&other).is_empty());
        for cause in &causes {
            assert_eq!(room.release(cause).len(), 1);
        }
        assert!(room.is_empty() && room.awaited.is_empty() && room.links.is_empty());
    }

    #[test]
    fn a_commit_takes_the_same_room_however_many_it_names_and_looks_each_up_once() {
        let mut room = WaitingRoom::default();
        let causes: Vec<_> = (1..100).map(|author| commit(author, &[]).name()).collect();
        enter(&mut room, &commit(250, &causes), LINK, 0);
        for (at, cause) in causes.iter().enumerate() {
            assert_eq!((room.awaited.len(), room.to_ask(LINK, 0).count()), (1, 1));
            assert!(room.causes_behind(cause).eq(causes[at + 1..].iter().copied()));
            let released = room.release(cause).pop().unwrap();
            assert_eq!(released.known, at + 1);
            assert!(room.is_empty() && room.awaited.is_empty() && room.links.is_empty());
            if at + 1 < causes.len() {
                assert!(room.enter(released, 0, &Limits::PROTOCOL));
            }
        }
    }

    #[test]
    fn whoever_brought_a_commit_is_asked_for_what_does_not_wait_itself() {
        let mut room = WaitingRoom::default();
        let first = commit(1, &[]);
        let second = commit(2, &[first.name()]);
        let third = commit(3, &[second.name()]);
        enter(&mut room, &third, LINK, 5);
        assert_eq!(asked(&room, LINK), [second.header().author]);
        assert_eq!((room.awaited_since(LINK, 5), room.awaited_since(LINK, 6)), (Some(5), None));
        enter(&mut room, &second, LinkId(2), 7);
        assert_eq!(asked(&room, LINK), []);
        assert_eq!(asked(&room, LinkId(2)), [first.header().author]);
        // It will be sent again, and until then it is asked for.
        room.link_gone(LinkId(2));
        assert_eq!(asked(&room, LINK), [second.header().author]);
        assert!(!room.waits_for_link(LinkId(2)));
        room.link_gone(LINK);
        assert!(room.is_empty() && room.awaited.is_empty() && room.links.is_empty());
    }

    #[test]
    fn of_a_link_that_is_gone_nothing_is_kept() {
        let mut room = WaitingRoom::default();
        let mut cause = commit(1, &[]);
        for author in 2..50 {
            let waits = commit(author, &[cause.name()]);
            enter(&mut room, &waits, LINK, u64::from(author));
            cause = waits;
        }
        assert_eq!(room.to_ask(LINK, Millis::MAX).count(), 1);
        room.link_gone(LINK);
        assert!(room.is_empty() && room.awaited.is_empty() && room.links.is_empty());
    }

    #[test]
    fn what_was_named_is_asked_for_until_it_has_come() {
        let mut room = WaitingRoom::default();
        let named = commit(1, &[]);
        let tip: Tip = named.tip();
        for link in [LINK, LinkId(2)] {
            let named = Named { link, frame: FrameNumber::default(), tip, came_at: 3 };
            room.wait_for(named);
        }
        enter(&mut room, &commit(2, &[named.name()]), LINK, 4);
        assert_eq!(room.links_to_ask().collect::<Vec<_>>(), [LINK, LinkId(2)]);
        assert_eq!(room.release(&named.name()).len(), 1);
        assert_eq!(room.links_to_ask().count(), 0);
        assert_eq!(room.take_named(&named.id()).len(), 2);
        assert!(room.is_empty() && room.awaited.is_empty() && room.links.is_empty());
    }
}
