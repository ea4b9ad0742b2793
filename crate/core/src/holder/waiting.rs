//! The waiting room: commits whose causes are not all in the log, and the questions for those.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::{AuthorId, CommitId, LinkId};
use crate::base::limits;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::holder::holder::Holder;
use crate::holder::work::{Incoming, Named, Origin, PATIENCE};
use crate::link::link::Wanted;
use crate::wire::bodies::{ChainRange, Want};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

/// A commit whose causes are not all in the log.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) commit: Commit,
    pub(super) origins: Vec<Origin>,
    pub(super) missing: Vec<ChainRange>,
    pub(super) came_at: Millis,
}

#[derive(Clone, Debug, Default)]
pub(super) struct WaitingRoom {
    pub(super) commits: BTreeMap<CommitId, Waiting>,
    pub(super) by_cause: BTreeMap<(AuthorId, u64), BTreeSet<CommitId>>,
    pub(super) bytes: usize,
    /// What other relays have named and is not in the log, with what is missing of its chain. Bound
    /// by those links' credit.
    named: BTreeMap<CommitId, Vec<(Named, ChainRange)>>,
}

impl Holder {
    pub(super) fn wait(&mut self, mut incoming: Incoming, missing: Vec<ChainRange>) {
        let id = incoming.commit.id();
        match &mut incoming.origin {
            Origin::Stream(link, _, bytes) => {
                // The room has a bound of its own: the link's credit is for what comes next.
                let (link, bytes) = (*link, core::mem::take(bytes));
                self.done_with(link, bytes);
                self.touched.insert(link);
            }
            Origin::Answer(link) => {
                if let Some(wanted) = self.links.get_mut(link).and_then(|l| l.wanted.as_mut()) {
                    wanted.useful |= !self.waiting.commits.contains_key(&id);
                }
            }
            _ => {}
        }
        let size = incoming.commit.size();
        let room = &mut self.waiting;
        if let Some(waiting) = room.commits.get_mut(&id) {
            waiting.origins.push(incoming.origin);
            return;
        }
        if room.commits.len() >= limits::WAITING_COMMITS_MAX || room.bytes + size > limits::WAITING_BYTES_MAX
        {
            self.evict_waiting();
        }
        let room = &mut self.waiting;
        if room.commits.len() >= limits::WAITING_COMMITS_MAX || room.bytes + size > limits::WAITING_BYTES_MAX
        {
            if let Origin::Stream(link, ..) | Origin::Answer(link) = incoming.origin {
                self.close(link, CloseCode::Quota, "too many commits wait for their causes");
            }
            return;
        }
        for range in &missing {
            room.by_cause.entry((range.author, range.to)).or_default().insert(id);
        }
        room.bytes += size;
        let came_at = self.now;
        let waiting = Waiting { commit: incoming.commit, origins: vec![incoming.origin], missing, came_at };
        room.commits.insert(id, waiting);
    }

    /// Those that waited for this commit are looked at again, next.
    pub(super) fn release(&mut self, author: AuthorId, seq: u64) {
        let Some(ids) = self.waiting.by_cause.remove(&(author, seq)) else {
            return;
        };
        for id in ids {
            let Some(waiting) = self.waiting.remove(&id) else {
                continue;
            };
            for origin in waiting.origins.into_iter().rev() {
                let incoming = Incoming { origin, commit: waiting.commit.clone() };
                self.inbox.push_front(incoming);
            }
        }
    }

    /// Makes room: what came by links that are gone will be sent again.
    pub(super) fn evict_waiting(&mut self) {
        let is_gone = |waiting: &Waiting| !waiting.origins.iter().any(|origin| self.is_there(origin));
        let gone = self.waiting.commits.iter().filter(|(_, waiting)| is_gone(waiting)).map(|(id, _)| *id);
        for id in gone.collect::<Vec<_>>() {
            self.waiting.remove(&id);
        }
    }

    fn is_there(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Stream(link, ..) | Origin::Answer(link) => self.links.contains_key(link),
            Origin::Own(_) | Origin::Again { .. } => true,
        }
    }

    /// Whether something waits that a link which is there may yet bring, and would not bring again.
    pub(super) fn waits_for_links(&self) -> bool {
        let mut origins = self.waiting.commits.values().flat_map(|waiting| &waiting.origins);
        !self.waiting.named.is_empty() || origins.any(|origin| self.is_there(origin))
    }

    pub(super) fn ask_for_missing(&mut self) {
        let answered: Vec<_> = self
            .busy
            .iter()
            .filter_map(|id| {
                let link = self.links.get_mut(id)?;
                Some((*id, link.wanted.take_if(|wanted| wanted.answered)?))
            })
            .collect();
        let is_asked = |id: &LinkId| self.links.get(id).is_some_and(|link| link.wanted.is_some());
        let asked: BTreeSet<_> = self.busy.iter().copied().filter(is_asked).collect();
        let mut missing: BTreeMap<LinkId, BTreeSet<ChainRange>> = BTreeMap::new();
        for (link, came_at, ranges) in self.waiting.missing() {
            let Some(held) = self.links.get(&link) else { continue };
            // Between relays what is missing is most likely on its way from where it was made.
            if asked.contains(&link) || (held.is_mesh && came_at + PATIENCE > self.now) {
                continue;
            }
            let wanted = missing.entry(link).or_default();
            for range in ranges {
                if wanted.len() < limits::WANT_MAX && !self.waiting.holds(range.author, range.to) {
                    wanted.insert(self.still_missing(range));
                }
            }
        }
        for (id, wanted) in answered {
            if missing.contains_key(&id) && !wanted.useful {
                self.withheld += 1;
                self.close(id, CloseCode::Withheld, "the causes of commits were not sent");
                missing.remove(&id);
            }
        }
        for (id, ranges) in missing {
            let ranges: Vec<_> = ranges.into_iter().collect();
            if ranges.is_empty() {
                continue;
            }
            let nonce = self.nonce();
            let now = self.now;
            if let Some(link) = self.links.get_mut(&id) {
                link.wanted = Some(Wanted { nonce, asked_at: now, bytes: 0, answered: false, useful: false });
                self.busy.insert(id);
            }
            self.send(id, &Frame::Want(Want { nonce, ranges }));
        }
    }

    /// What of this is not in the log by now, as far as that can be told from its tips.
    fn still_missing(&self, range: &ChainRange) -> ChainRange {
        let held = self.log.vector().seq(&range.author);
        let from = if held < range.to { range.from.max(held + 1) } else { range.from };
        ChainRange { from, ..*range }
    }

    /// When what is missing between relays has had its time.
    pub(super) fn patience_ends(&self) -> Option<Millis> {
        let is_mesh = |link: &LinkId| self.links.get(link).is_some_and(|link| link.is_mesh);
        let ends = self.waiting.missing().filter(|(link, ..)| is_mesh(link));
        ends.map(|(_, came_at, _)| came_at + PATIENCE).filter(|end| *end > self.now).min()
    }
}

impl WaitingRoom {
    /// What is missing, by the link that should have it, and since when.
    fn missing(&self) -> impl Iterator<Item = (LinkId, Millis, &[ChainRange])> {
        let commits = self.commits.values().flat_map(|waiting| {
            waiting.origins.iter().filter_map(|origin| match origin {
                Origin::Stream(link, ..) | Origin::Answer(link) => {
                    Some((*link, waiting.came_at, waiting.missing.as_slice()))
                }
                Origin::Own(_) | Origin::Again { .. } => None,
            })
        });
        let named = self.named.values().flatten();
        commits.chain(named.map(|(named, range)| (named.link, named.came_at, core::slice::from_ref(range))))
    }

    pub(super) fn wait_for(&mut self, named: Named, missing: ChainRange) {
        self.named.entry(named.tip.id).or_default().push((named, missing));
    }

    pub(super) fn take_named(&mut self, id: &CommitId) -> Vec<Named> {
        self.named.remove(id).into_iter().flatten().map(|(named, _)| named).collect()
    }

    pub(super) fn forget_names(&mut self, link: LinkId) {
        self.named.retain(|_, by| {
            by.retain(|(named, _)| named.link != link);
            !by.is_empty()
        });
    }

    pub(super) fn remove(&mut self, id: &CommitId) -> Option<Waiting> {
        let waiting = self.commits.remove(id)?;
        self.bytes -= waiting.commit.size();
        for range in &waiting.missing {
            if let Some(ids) = self.by_cause.get_mut(&(range.author, range.to)) {
                ids.remove(id);
                if ids.is_empty() {
                    self.by_cause.remove(&(range.author, range.to));
                }
            }
        }
        Some(waiting)
    }

    /// Whether a commit of that author and number waits itself: its own causes are asked for.
    pub(super) fn holds(&self, author: AuthorId, seq: u64) -> bool {
        self.commits.values().any(|waiting| {
            let header = waiting.commit.header();
            header.author == author && header.seq == seq
        })
    }
}
