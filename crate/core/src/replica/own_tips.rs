//! The commits of this holder's processes that a receipt may name, by their log seqs. A receipt names a commit by its
//! author, number and id: so the ids are kept here, of a bounded number of commits.

use std::collections::VecDeque;

use minicbor::{Decode, Encode};

use crate::base::id::{AuthorId, CommitId};
use crate::commit::vector::Tip;

/// Beyond that every second commit of a run of one author's is forgotten: what the next one says holds for it.
const KEPT_MAX: usize = 1_024;

#[derive(Clone, Debug, Default)]
pub(crate) struct OwnTips {
    /// In the order of the log.
    tips: VecDeque<(u64, Option<OwnTip>)>,
    /// How many chains there were.
    chains: u64,
    /// Up to there some were forgotten of which nothing can be said by others.
    floor: u64,
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(array)]
struct OwnTip {
    #[n(0)]
    tip: Tip,
    /// Those of one chain come after one another, with no fork between them.
    #[n(1)]
    chain: u64,
}

/// The same in storage.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct StoredTips {
    #[n(0)]
    floor: u64,
    #[n(1)]
    chains: u64,
    #[n(2)]
    tips: Vec<(u64, Option<OwnTip>)>,
}

impl OwnTips {
    /// A commit is in the log, which comes after the commit `prev` of its author.
    pub fn push(&mut self, log_seq: u64, tip: Tip, prev: &CommitId) {
        let chain = self.chain_ending_at(prev).unwrap_or_else(|| {
            self.chains += 1;
            self.chains
        });
        self.tips.push_back((log_seq, Some(OwnTip { tip, chain })));
        if self.tips.len() > KEPT_MAX {
            self.forget();
        }
    }

    /// No receipt can speak for the commit that is in the log there.
    pub fn push_unnamed(&mut self, log_seq: u64) {
        self.tips.push_back((log_seq, None));
        if self.tips.len() > KEPT_MAX {
            self.forget();
        }
    }

    /// The chain whose last commit this is. A commit that another one comes after already is where a fork begins.
    fn chain_ending_at(&self, id: &CommitId) -> Option<u64> {
        let chain_at = |at: usize| self.tips.get(at).and_then(|(_, own)| own.map(|own| own.chain));
        let at = self.tips.iter().rposition(|(_, own)| own.is_some_and(|own| own.tip.id == *id))?;
        let chain = chain_at(at);
        let goes_on = (at + 1..self.tips.len()).any(|later| chain_at(later) == chain);
        chain.filter(|_| !goes_on)
    }

    fn forget(&mut self) {
        let chain = |at: usize| self.tips.get(at).and_then(|(_, own)| own.map(|own| own.chain));
        let is_implied = |at: usize| {
            at % 2 == 1 && chain(at).is_some() && chain(at - 1) == chain(at) && chain(at) == chain(at + 1)
        };
        let kept: VecDeque<_> =
            (0..self.tips.len()).filter(|at| !is_implied(*at)).map(|at| self.tips[at]).collect();
        self.tips = kept;
        // Room for some more, or each commit would have all of them looked at.
        while self.tips.len() > KEPT_MAX / 4 * 3 {
            self.floor = self.tips.pop_front().map_or(self.floor, |(log_seq, _)| log_seq);
        }
    }

    /// As it is kept apart from the log.
    pub fn to_stored(&self) -> StoredTips {
        StoredTips { floor: self.floor, chains: self.chains, tips: self.tips.iter().copied().collect() }
    }

    /// From there.
    pub fn from_stored(stored: StoredTips) -> Self {
        Self { floor: stored.floor, chains: stored.chains, tips: stored.tips.into() }
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The authors of what is after that log seq, the earliest first.
    pub fn authors_after(&self, log_seq: u64, most: usize) -> Vec<AuthorId> {
        let mut authors = Vec::new();
        for (_, own) in self.after(log_seq) {
            if let Some(OwnTip { tip, .. }) = own
                && authors.len() < most
                && !authors.contains(&tip.author)
            {
                authors.push(tip.author);
            }
        }
        authors
    }

    /// Up to which log seq all own commits are stored by who has stored them up to `log_seq`, and the chains that end
    /// with these commits.
    pub fn stored(&self, log_seq: u64, ends: &[Tip]) -> u64 {
        if log_seq < self.floor {
            return log_seq;
        }
        // An end that is not here may be of another branch of a fork.
        let own = self.tips.iter().filter_map(|(_, own)| own.as_ref());
        let known: Vec<_> = own.filter(|own| ends.contains(&own.tip)).collect();
        let is_stored =
            |own: &OwnTip| known.iter().any(|end| end.chain == own.chain && own.tip.seq <= end.tip.seq);
        let stored = self.after(log_seq).take_while(|(_, own)| own.is_some_and(|own| is_stored(&own)));
        stored.last().map_or(log_seq, |(stored, _)| *stored)
    }

    fn after(&self, log_seq: u64) -> impl Iterator<Item = &(u64, Option<OwnTip>)> {
        self.tips.range(self.tips.partition_point(|(seq, _)| *seq <= log_seq)..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tip(author: u8, seq: u64) -> Tip {
        Tip { author: AuthorId([author; 16]), seq, id: id(author, seq) }
    }

    fn id(author: u8, seq: u64) -> CommitId {
        let mut id = [author; 32];
        id[..8].copy_from_slice(&seq.to_be_bytes());
        CommitId(id)
    }

    /// Commits with these authors and numbers, at every second place of the log.
    fn tips(of: &[(u8, u64)]) -> OwnTips {
        let mut tips = OwnTips::default();
        for (at, (author, seq)) in of.iter().enumerate() {
            tips.push(2 * at as u64 + 2, tip(*author, *seq), &id(*author, seq - 1));
        }
        tips
    }

    #[test]
    fn a_chain_is_stored_up_to_the_commit_that_is_named() {
        let tips = tips(&[(1, 1), (1, 2), (1, 3)]);
        assert_eq!(tips.stored(0, &[tip(1, 2)]), 4);
        assert_eq!(tips.stored(0, &[]), 0);
        assert_eq!(tips.stored(6, &[tip(1, 2)]), 6, "more is known already");
    }

    #[test]
    fn what_comes_after_a_commit_of_another_process_counts_once_that_one_is_stored() {
        let tips = tips(&[(1, 1), (2, 1), (1, 2)]);
        assert_eq!(tips.authors_after(0, 4), [tip(1, 1).author, tip(2, 1).author]);
        assert_eq!(tips.stored(0, &[tip(1, 2)]), 2);
        assert_eq!(tips.stored(0, &[tip(1, 2), tip(2, 1)]), 6);
    }

    #[test]
    fn another_branch_of_a_fork_says_nothing() {
        let tips = tips(&[(1, 1), (1, 2)]);
        let other = Tip { id: CommitId([9; 32]), ..tip(1, 2) };
        assert_eq!(tips.stored(0, &[other]), 0);
    }

    /// A copy of this process goes on under its author id, and comes in here (seed 731443): what says that the longer
    /// branch is stored says nothing of the other one.
    #[test]
    fn of_two_branches_that_are_here_each_is_stored_where_its_own_end_is_named() {
        let mut tips = tips(&[(1, 1), (1, 2)]);
        let other = Tip { id: id(9, 2), ..tip(1, 2) };
        tips.push(6, other, &id(1, 1));
        tips.push(8, tip(1, 3), &id(9, 2));
        assert_eq!(tips.stored(0, &[tip(1, 3)]), 0);
        assert_eq!(tips.stored(4, &[tip(1, 3)]), 8);
        assert_eq!(tips.stored(0, &[tip(1, 3), tip(1, 2)]), 8);
    }

    #[test]
    fn a_commit_that_no_receipt_can_name_is_never_passed() {
        let mut tips = tips(&[(1, 1)]);
        tips.push_unnamed(5);
        tips.push(6, tip(1, 2), &id(1, 1));
        assert_eq!(tips.stored(0, &[tip(1, 2)]), 2);
        assert_eq!(tips.stored(5, &[tip(1, 2)]), 6);
    }

    #[test]
    fn of_very_many_commits_some_are_kept_and_the_last_one_speaks_for_all() {
        let many: Vec<_> = (1..=20_000).map(|seq| (1, seq)).collect();
        let tips = tips(&many);
        assert!(tips.tips.len() <= KEPT_MAX);
        assert_eq!(tips.stored(0, &[tip(1, 20_000)]), 40_000);
    }

    #[test]
    fn of_very_many_runs_the_first_are_forgotten_and_wait_for_a_relay() {
        let many: Vec<_> = (1..=2_000).flat_map(|seq| [(1, seq), (2, seq)]).collect();
        let tips = tips(&many);
        assert!(tips.tips.len() <= KEPT_MAX);
        let ends = [tip(1, 2_000), tip(2, 2_000)];
        assert_eq!(tips.stored(0, &ends), 0);
        assert_eq!(tips.stored(tips.floor, &ends), 8_000);
    }
}
