//! The waiting room: commits whose causes are not all in the log, and commits that other relays have
//! named and that have not come.

use crate::base::id::{AuthorId, CommitId, LinkId, ShortId};
use crate::base::id_map::{IdMap, IdSet};
use crate::base::limits::Limits;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::holder::pending::{Incoming, Missing, Named, Origin};
use crate::wire::bodies::ChainRange;

/// A commit whose causes are not all in the log.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub commit: Commit,
    pub origins: Vec<Origin>,
    missing: Vec<ChainRange>,
    came_at: Millis,
}

#[derive(Clone, Debug, Default)]
pub(super) struct WaitingRoom {
    commits: IdMap<CommitId, Waiting>,
    by_cause: IdMap<(AuthorId, u64), IdSet<CommitId>>,
    /// How many commits wait of each author and number.
    places: IdMap<(AuthorId, u64), usize>,
    bytes: usize,
    /// What other relays have named and is not in the log, with what is missing of its chain. Bound
    /// by those links' credit.
    named: IdMap<CommitId, Vec<(Named, ChainRange)>>,
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

    /// Takes a commit in, or gives it back where there is no room for one more.
    pub fn enter(
        &mut self,
        incoming: Incoming,
        missing: Vec<ChainRange>,
        now: Millis,
        limits: &Limits,
    ) -> Result<(), Box<Incoming>> {
        let Incoming { commit, origins } = incoming;
        if let Some(waiting) = self.commits.get_mut(&commit.id()) {
            // One copy may have bytes that the other lacks.
            self.bytes -= waiting.commit.size();
            waiting.commit.complete(&commit);
            self.bytes += waiting.commit.size();
            waiting.origins.extend(origins);
            return Ok(());
        }
        let is_full = self.commits.len() >= limits.waiting_commits_max
            || self.bytes + commit.size() > limits.waiting_bytes_max;
        if is_full {
            return Err(Box::new(Incoming { commit, origins }));
        }
        for range in &missing {
            self.by_cause.get_or_default((range.author, range.to)).insert(commit.id());
        }
        self.bytes += commit.size();
        *self.places.get_or_default(place(&commit)) += 1;
        let id = commit.id();
        self.commits.insert(id, Waiting { commit, origins, missing, came_at: now });
        Ok(())
    }

    /// The commits that waited for this one, in an order to be put before everything else, last first.
    pub fn release(&mut self, author: AuthorId, seq: u64) -> Vec<Incoming> {
        let ids = self.by_cause.remove(&(author, seq)).unwrap_or_default();
        let waiting = ids.into_iter().filter_map(|id| self.leave(&id));
        waiting.map(|Waiting { commit, origins, .. }| Incoming { origins, commit }).collect()
    }

    /// All that waits, in order: what was read of the log before is void.
    pub fn release_all(&mut self) -> Vec<Incoming> {
        let waiting = core::mem::take(&mut self.commits);
        self.by_cause.clear();
        self.places.clear();
        self.bytes = 0;
        let mut waiting: Vec<_> = waiting.into_values().collect();
        waiting.sort_by_key(|waiting| (waiting.came_at, waiting.commit.header().seq));
        waiting.into_iter().map(|Waiting { commit, origins, .. }| Incoming { origins, commit }).collect()
    }

    /// Makes room: what came only by links that are gone will be sent again.
    pub fn evict(&mut self, is_there: impl Fn(&Origin) -> bool) {
        let gone = self.commits.iter().filter(|(_, waiting)| !waiting.origins.iter().any(&is_there));
        for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.leave(&id);
        }
    }

    /// Whether something waits that came by a link which would not bring it again.
    pub fn waits_for(&self, is_there: impl Fn(&Origin) -> bool) -> bool {
        let mut origins = self.commits.values().flat_map(|waiting| &waiting.origins);
        !self.named.is_empty() || origins.any(is_there)
    }

    /// Whether something waits that came by that link.
    pub fn waits_for_link(&self, link: LinkId) -> bool {
        let came_by = |origin: &Origin| origin.link() == Some(link);
        self.commits.values().any(|waiting| waiting.origins.iter().any(came_by))
            || self.named.values().flatten().any(|(named, _)| named.link == link)
    }

    /// What is missing, by the link that should have it, and since when.
    pub fn missing(&self) -> impl Iterator<Item = Missing<'_>> {
        let commits = self.commits.values().flat_map(|waiting| {
            let links = waiting.origins.iter().filter_map(Origin::link);
            links.map(|link| Missing { link, came_at: waiting.came_at, ranges: &waiting.missing })
        });
        let named = self.named.values().flatten().map(|(named, range)| Missing {
            link: named.link,
            came_at: named.came_at,
            ranges: core::slice::from_ref(range),
        });
        commits.chain(named)
    }

    /// Whether a commit of that author and number waits itself: its own causes are asked for. Of a fork
    /// only a commit of the branch that is meant counts.
    pub fn holds(&self, author: AuthorId, seq: u64, branch: Option<ShortId>) -> bool {
        self.places.contains_key(&(author, seq)) && branch.is_none_or(|branch| self.holds_branch(branch))
    }

    fn holds_branch(&self, branch: ShortId) -> bool {
        let [mut first, mut last] = [[0; 32], [255; 32]];
        first[..16].copy_from_slice(&branch.0);
        last[..16].copy_from_slice(&branch.0);
        self.commits.range(CommitId(first)..=CommitId(last)).next().is_some()
    }

    pub fn wait_for(&mut self, named: Named, missing: ChainRange) {
        self.named.get_or_default(named.tip.id).push((named, missing));
    }

    pub fn take_named(&mut self, id: &CommitId) -> Vec<Named> {
        self.named.remove(id).into_iter().flatten().map(|(named, _)| named).collect()
    }

    /// What was named by a number that is in the log by now, of another branch: it is to be looked up again.
    pub fn take_passed(&mut self, held: impl Fn(&AuthorId) -> u64) -> Vec<Named> {
        let mut passed = Vec::new();
        self.named.retain(|_, by| {
            by.retain(|(named, range)| {
                let is_passed = range.branch.is_none() && range.to <= held(&range.author);
                if is_passed {
                    passed.push(*named);
                }
                !is_passed
            });
            !by.is_empty()
        });
        passed
    }

    pub fn forget_names(&mut self, link: LinkId) {
        self.named.retain(|_, by| {
            by.retain(|(named, _)| named.link != link);
            !by.is_empty()
        });
    }

    fn leave(&mut self, id: &CommitId) -> Option<Waiting> {
        let waiting = self.commits.remove(id)?;
        self.bytes -= waiting.commit.size();
        let place = place(&waiting.commit);
        if let Some(count) = self.places.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                self.places.remove(&place);
            }
        }
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
}

fn place(commit: &Commit) -> (AuthorId, u64) {
    (commit.header().author, commit.header().seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::descriptor::Descriptor;

    #[test]
    fn a_commit_of_another_branch_that_waits_does_not_stand_in_for_the_one_that_is_missing() {
        let author = AuthorId([1; 16]);
        let start = Descriptor::plain("space").chain_start(0);
        let limits = Limits::PROTOCOL;
        let branch =
            |time| Commit::new((author, 1, start), Vec::new(), time, Vec::new(), &limits).expect("small");
        let (waits, missing) = (branch(1), branch(2));
        let mut room = WaitingRoom::default();
        let cause = ChainRange { author: AuthorId([2; 16]), from: 1, to: 1, branch: None };
        let incoming = Incoming { commit: waits.clone(), origins: Vec::new() };
        assert!(room.enter(incoming, vec![cause], 0, &limits).is_ok());
        assert!(room.holds(author, 1, None));
        assert!(room.holds(author, 1, Some(waits.id().short())));
        assert!(!room.holds(author, 1, Some(missing.id().short())));
    }
}
