//! Finding commits by their place in a chain, piece by piece: each step costs one read at most, and
//! nothing of the log's own index is used for it or kept.

use std::collections::VecDeque;

use crate::base::id::{AuthorId, ShortId};
use crate::base::id_map::IdSet;
use crate::commit::vector::Vector;
use crate::log::chain::{HotChains, Lookup};
use crate::storage::request::{Corrupt, StorageAnswer, StorageRequest};
use crate::wire::bodies::ChainRange;

/// A search for parts of chains under way.
#[derive(Clone, Debug)]
pub struct Finding {
    left: VecDeque<Part>,
    /// What was read of the chain that is looked at.
    chain: HotChains,
    of: Option<AuthorId>,
    in_order: IdSet<u64>,
    from_ends: Vec<u64>,
    /// Less is looked for than was asked for.
    pub is_cut: bool,
}

/// A part of a chain that is still to be looked up: upwards, or downwards where a branch is meant.
#[derive(Clone, Copy, Debug)]
struct Part {
    author: AuthorId,
    from: u64,
    to: u64,
    /// Of the commits with this number only that one.
    branch: Option<(u64, ShortId)>,
    is_forked: bool,
}

impl Finding {
    /// Of these ranges what is held, merged, and no more than `most` commits: of each range its share,
    /// from the end that is needed first.
    pub fn new(ranges: &[ChainRange], held: &Vector, most: usize) -> Self {
        let mut parts: Vec<_> = ranges.iter().map(|range| Part::of(range, held)).collect();
        parts.retain(|part| part.from <= part.to);
        parts.sort_unstable_by_key(|part| (part.author, part.branch, part.from));
        let mut merged: Vec<Part> = Vec::new();
        for part in parts {
            let is_joined = |last: &&mut Part| {
                (last.author, last.branch) == (part.author, part.branch) && part.from <= last.to + 1
            };
            match merged.last_mut().filter(is_joined) {
                Some(last) => last.to = last.to.max(part.to),
                None => merged.push(part),
            }
        }
        let share = (most / merged.len().max(1)).max(1) as u64;
        let mut is_cut = false;
        for part in merged.iter_mut().filter(|part| part.to - part.from >= share) {
            is_cut = true;
            match part.branch {
                Some(_) => part.from = part.to - share + 1,
                None => part.to = part.from + share - 1,
            }
        }
        Self {
            left: merged.into(),
            chain: HotChains::default(),
            of: None,
            in_order: IdSet::new(),
            from_ends: Vec::new(),
            is_cut,
        }
    }

    /// Looks on as far as it goes without a read; the read that is needed.
    pub fn go_on(&mut self) -> Option<StorageRequest> {
        while let Some(part) = self.left.front_mut() {
            if self.of != Some(part.author) {
                self.of = Some(part.author);
                self.chain = HotChains::default();
            }
            while part.from <= part.to {
                let seq = if part.branch.is_some() { part.to } else { part.from };
                let slots = match self.chain.find(&part.author, seq, part.is_forked) {
                    Lookup::Found(slots) => slots,
                    Lookup::Reads(read) => return Some(read),
                };
                let meant = part.branch.filter(|(last, _)| *last == seq).map(|(_, id)| id);
                let found = slots.iter().filter(|slot| meant.is_none_or(|id| id == slot.id));
                let found = found.map(|slot| slot.log_seq);
                if part.branch.is_some() {
                    self.from_ends.extend(found);
                    part.to -= 1;
                } else {
                    self.in_order.extend(found);
                    part.from += 1;
                }
            }
            self.left.pop_front();
        }
        None
    }

    /// Takes in what was read.
    ///
    /// # Errors
    /// Storage holds what this code did not write.
    pub fn learn(&mut self, request: &StorageRequest, answer: StorageAnswer) -> Result<(), Corrupt> {
        match (request, answer) {
            (StorageRequest::Get(keys), StorageAnswer::Values(values)) => {
                for (key, value) in keys.iter().zip(values) {
                    self.chain.learn(key, value.as_deref())?;
                }
                Ok(())
            }
            (StorageRequest::Scan { from, .. }, StorageAnswer::Scanned { entries, .. }) => {
                self.chain.learn_branches(from, &entries)
            }
            (_, StorageAnswer::Failed(reason)) => Err(Corrupt(reason)),
            _ => Err(Corrupt("storage gave an answer of another kind than was asked for".into())),
        }
    }

    /// The positions of what was found: in log order, so that causes come first. Where a branch of a
    /// fork is meant its last commit comes first and those before it follow: whoever asks does not know
    /// where the branch begins, and an answer that is cut must not bring the same commits each time.
    pub fn found(&mut self) -> VecDeque<u64> {
        let in_order = core::mem::take(&mut self.in_order);
        in_order.into_iter().chain(core::mem::take(&mut self.from_ends)).collect()
    }
}

impl Part {
    fn of(range: &ChainRange, held: &Vector) -> Self {
        Self {
            author: range.author,
            from: range.from.max(1),
            to: range.to.min(held.seq(&range.author)),
            branch: range.branch.map(|id| (range.to, id)),
            is_forked: held.of(&range.author).len() > 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::CommitId;
    use crate::commit::vector::Tip;

    fn range(author: u8, from: u64, to: u64) -> ChainRange {
        ChainRange { author: AuthorId([author; 16]), from, to, branch: None }
    }

    fn held() -> Vector {
        Vector::from_tips([1, 2].map(|author| Tip {
            author: AuthorId([author; 16]),
            seq: 100,
            id: CommitId([author; 32]),
        }))
    }

    fn parts(ranges: &[ChainRange], most: usize) -> (Vec<(u8, u64, u64)>, bool) {
        let finding = Finding::new(ranges, &held(), most);
        let parts = finding.left.iter().map(|part| (part.author.0[0], part.from, part.to));
        (parts.collect(), finding.is_cut)
    }

    #[test]
    fn ranges_that_overlap_are_looked_up_once_and_what_is_not_held_not_at_all() {
        let ranges = [range(1, 5, 20), range(1, 5, 20), range(3, 1, 9), range(1, 21, 200), range(2, 0, 3)];
        assert_eq!(parts(&ranges, 1000), (vec![(1, 5, 100), (2, 1, 3)], false));
        assert_eq!(parts(&[range(1, 101, u64::MAX), range(1, 9, 8)], 1000), (vec![], false));
    }

    #[test]
    fn of_more_than_may_be_asked_for_each_range_has_its_share() {
        assert_eq!(parts(&[range(1, 1, 100), range(2, 50, 52)], 20), (vec![(1, 1, 10), (2, 50, 52)], true));
        let branch = ChainRange { branch: Some(ShortId([1; 16])), ..range(1, 1, 100) };
        assert_eq!(parts(&[branch], 10), (vec![(1, 91, 100)], true));
    }
}
