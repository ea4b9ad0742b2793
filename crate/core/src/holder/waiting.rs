//! The waiting room: commits whose causes are not all in the log, and the questions for those.

use super::{Holder, Incoming, Origin};
use crate::commit::Commit;
use crate::frame::{ChainRange, CloseCode, Frame, Want};
use crate::id::{AuthorId, CommitId};
use crate::io::LinkId;
use crate::limits;
use crate::link::Wanted;
use std::collections::{BTreeMap, BTreeSet};

/// A commit whose causes are not all in the log.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) commit: Commit,
    pub(super) origins: Vec<Origin>,
    pub(super) missing: Vec<ChainRange>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct WaitingRoom {
    pub(super) commits: BTreeMap<CommitId, Waiting>,
    pub(super) by_cause: BTreeMap<(AuthorId, u64), BTreeSet<CommitId>>,
    pub(super) bytes: usize,
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
        let waiting = Waiting { commit: incoming.commit, origins: vec![incoming.origin], missing };
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
        let gone: Vec<_> = self
            .waiting
            .commits
            .iter()
            .filter(|(_, waiting)| {
                !waiting.origins.iter().any(|origin| match origin {
                    Origin::Stream(link, ..) | Origin::Answer(link) => self.links.contains_key(link),
                    Origin::Own(_) | Origin::Again { .. } => true,
                })
            })
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.waiting.remove(&id);
        }
    }

    pub(super) fn ask_for_missing(&mut self) {
        let answered: Vec<_> = self
            .links
            .iter_mut()
            .filter(|(_, link)| link.wanted.as_ref().is_some_and(|wanted| wanted.answered))
            .filter_map(|(id, link)| Some((*id, link.wanted.take()?)))
            .collect();
        let asked: BTreeSet<_> =
            self.links.iter().filter(|(_, link)| link.wanted.is_some()).map(|(id, _)| *id).collect();
        let mut missing: BTreeMap<LinkId, BTreeSet<ChainRange>> = BTreeMap::new();
        for waiting in self.waiting.commits.values() {
            for origin in &waiting.origins {
                let (Origin::Stream(link, ..) | Origin::Answer(link)) = origin else {
                    continue;
                };
                if !asked.contains(link) && self.links.contains_key(link) {
                    let ranges = missing.entry(*link).or_default();
                    for range in &waiting.missing {
                        if ranges.len() < limits::WANT_MAX && !self.waiting.holds(range.author, range.to) {
                            ranges.insert(*range);
                        }
                    }
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
            }
            self.send(id, &Frame::Want(Want { nonce, ranges }));
        }
    }
}

impl WaitingRoom {
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
