//! The index of chains: at which position of the log each commit of an author is.
//!
//! The `t` entry of an author holds the tip of its first branch and the positions of its last 32 to 63
//! commits; those before are in `c` entries of 32. Where an author is forked, each commit of its later
//! branches is in an `s` entry and the tip of each in an `f` entry, so that a fork costs what it adds,
//! however many there are. What was read is kept in memory for the chains lately used.

use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::id::{AuthorId, ShortId};
use crate::base::id_map::{IdMap, IdSet};
use crate::commit::vector::Tip;
use crate::log::keys::{
    author_of_key, branch_commit_key, branch_commits_at, branch_commits_scan, chain_key, chunk_key,
};
use crate::storage::request::{Corrupt, StorageRequest};

/// Commits in one `c` entry, and the fewest kept in the `t` entry once there are more.
pub(super) const CHUNK: usize = 32;

/// Entries kept in memory for each chain that is, on average.
const ENTRIES_PER_CHAIN: usize = 16;

/// Which commit is at a position of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Slot {
    #[n(0)]
    pub id: ShortId,
    #[n(1)]
    pub log_seq: u64,
}

/// The end of a branch: an `f` entry, and a part of a `t` entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct BranchEnd {
    #[n(0)]
    pub tip: Tip,
    /// Whether no commit in the log comes after it. Kept where commits are made.
    #[n(1)]
    pub is_uncovered: bool,
}

/// A `t` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Chain {
    /// Of the first branch. Absent in memory only, before the first commit.
    #[n(0)]
    pub end: Option<BranchEnd>,
    /// How many commits of the first branch are in `c` entries.
    #[n(1)]
    spilled: u64,
    /// The first branch's commits after those.
    #[n(2)]
    recent: Vec<Slot>,
}

/// A [`Chain`] and what else of it has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct HotChain {
    chain: Chain,
    chunks: IdMap<u64, Vec<Slot>>,
    /// Commits of later branches that were looked up, with their positions where they are there.
    branches: IdMap<(u64, ShortId), Option<u64>>,
    /// Numbers of which all commits of later branches are in `branches`.
    whole: IdSet<u64>,
}

/// What became of a lookup.
pub(super) enum Lookup<T> {
    Found(T),
    /// Storage must be asked first.
    Reads(StorageRequest),
}

/// The chains of which more than the tips is in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct HotChains {
    chains: IdMap<AuthorId, HotChain>,
    /// How many entries were taken into them.
    entries: usize,
}

impl HotChain {
    /// The `t` entry, with its end as it is now.
    pub fn ending(&self, end: impl Fn(Tip) -> BranchEnd) -> Chain {
        let mut chain = self.chain.clone();
        chain.end = chain.end.map(|before| end(before.tip));
        chain
    }
}

impl HotChains {
    pub fn contains(&self, author: &AuthorId) -> bool {
        self.chains.contains_key(author)
    }

    pub fn get(&self, author: &AuthorId) -> Option<&HotChain> {
        self.chains.get(author)
    }

    /// Forgets what can be read again, where that is more than of so many chains.
    pub fn shrink(&mut self, chains_max: usize) {
        if self.chains.len() > chains_max || self.entries > chains_max * ENTRIES_PER_CHAIN {
            self.chains.clear();
            self.entries = 0;
        }
    }

    /// A chain of which nothing is in storage.
    pub fn begin(&mut self, author: AuthorId) {
        self.chains.get_or_default(author);
    }

    /// Whether the commit with this number and short id is in the log, where its number is at most the
    /// highest that is held of its author.
    pub fn holds(&self, author: &AuthorId, seq: u64, short: ShortId, is_forked: bool) -> Lookup<bool> {
        match self.in_first_branch(author, seq) {
            Lookup::Reads(read) => return Lookup::Reads(read),
            Lookup::Found(Some(slot)) if slot.id == short => return Lookup::Found(true),
            Lookup::Found(_) if !is_forked => return Lookup::Found(false),
            Lookup::Found(_) => {}
        }
        let Some(hot) = self.chains.get(author) else { return Lookup::Found(false) };
        match hot.branches.get(&(seq, short)) {
            Some(found) => Lookup::Found(found.is_some()),
            None if hot.whole.contains(&seq) => Lookup::Found(false),
            None => Lookup::Reads(StorageRequest::Get(vec![branch_commit_key(author, seq, &short)])),
        }
    }

    /// The commits in the log that have this number.
    pub fn find(&self, author: &AuthorId, seq: u64, is_forked: bool) -> Lookup<Vec<Slot>> {
        let mut slots: Vec<Slot> = match self.in_first_branch(author, seq) {
            Lookup::Reads(read) => return Lookup::Reads(read),
            Lookup::Found(slot) => slot.into_iter().collect(),
        };
        if let Some(hot) = self.chains.get(author).filter(|_| is_forked) {
            if !hot.whole.contains(&seq) {
                return Lookup::Reads(branch_commits_scan(author, seq));
            }
            let of_seq = hot.branches.range((seq, ShortId([0; 16]))..=(seq, ShortId([255; 16])));
            slots.extend(of_seq.filter_map(|((_, id), at)| Some(Slot { id: *id, log_seq: (*at)? })));
        }
        Lookup::Found(slots)
    }

    fn in_first_branch(&self, author: &AuthorId, seq: u64) -> Lookup<Option<Slot>> {
        let Some(hot) = self.chains.get(author) else {
            return Lookup::Reads(StorageRequest::Get(vec![chain_key(author)]));
        };
        let spilled = hot.chain.spilled;
        if seq > spilled {
            return Lookup::Found(hot.chain.recent.get((seq - spilled - 1) as usize).copied());
        }
        let Some(before) = seq.checked_sub(1) else { return Lookup::Found(None) };
        let number = before / CHUNK as u64;
        match hot.chunks.get(&number) {
            Some(chunk) => Lookup::Found(chunk.get((before % CHUNK as u64) as usize).copied()),
            None => Lookup::Reads(StorageRequest::Get(vec![chunk_key(author, number)])),
        }
    }

    /// Takes in the value of a key.
    pub fn learn(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Corrupt> {
        let Some((author, rest)) = author_of_key(key) else { return Ok(()) };
        match key[0] {
            b't' => {
                let chain = value.map(from_cbor).transpose()?.unwrap_or_default();
                self.chains.get_or_insert_with(author, || HotChain { chain, ..HotChain::default() });
            }
            b'c' => {
                let chunk: Vec<Slot> = value.map(from_cbor).transpose()?.unwrap_or_default();
                if let (Some(hot), Ok(number)) = (self.chains.get_mut(&author), rest.try_into()) {
                    hot.chunks.insert(u64::from_be_bytes(number), chunk);
                    self.entries += 1;
                }
            }
            b's' => {
                let log_seq = value.map(from_cbor::<u64>).transpose()?;
                if let (Some(hot), Some(place)) = (self.chains.get_mut(&author), branch_commits_at(rest)) {
                    // What was appended since is not taken back.
                    let known = hot.branches.get_or_insert_with(place, || log_seq);
                    *known = known.or(log_seq);
                    self.entries += 1;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in a scan of the commits of later branches with a number, which began at `from`.
    pub fn learn_branches(&mut self, from: &[u8], entries: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Corrupt> {
        for (key, value) in entries {
            self.learn(key, Some(value))?;
        }
        let Some((author, rest)) = author_of_key(from) else { return Ok(()) };
        if let (Some(hot), Some(seq)) = (self.chains.get_mut(&author), rest.first_chunk()) {
            hot.whole.insert(u64::from_be_bytes(*seq));
        }
        Ok(())
    }

    /// Takes note of a commit that was appended to the first branch of its author, or to a later one.
    /// What else than the ends of branches changes is put.
    pub fn append(
        &mut self,
        tip: &Tip,
        is_first_branch: bool,
        log_seq: u64,
        puts: &mut Vec<(Vec<u8>, Vec<u8>)>,
    ) {
        let Some(hot) = self.chains.get_mut(&tip.author) else { return };
        let slot = Slot { id: tip.id.short(), log_seq };
        let chain = &mut hot.chain;
        if is_first_branch {
            chain.end = Some(BranchEnd { tip: *tip, is_uncovered: false });
            // It is there where the entry was read after another process had appended the commit.
            if tip.seq <= chain.spilled + chain.recent.len() as u64 {
                return;
            }
            chain.recent.push(slot);
            if chain.recent.len() == 2 * CHUNK {
                let chunk: Vec<_> = chain.recent.drain(..CHUNK).collect();
                let number = chain.spilled / CHUNK as u64;
                puts.push((chunk_key(&tip.author, number), to_cbor(&chunk)));
                chain.spilled += CHUNK as u64;
            }
            return;
        }
        puts.push((branch_commit_key(&tip.author, tip.seq, &slot.id), to_cbor(&log_seq)));
        hot.branches.insert((tip.seq, slot.id), Some(log_seq));
        self.entries += 1;
    }
}

/// Whether this entry of the index tells of a commit after that position of the log. What can't be read tells
/// of none: whoever takes it in says so.
#[cfg_attr(not(feature = "documents"), allow(dead_code))]
pub fn names_later(key: &[u8], value: &[u8], log_seq: u64) -> bool {
    let is_later = |slots: Vec<Slot>| slots.last().is_some_and(|slot| slot.log_seq > log_seq);
    match key.first() {
        Some(b't') => from_cbor(value).is_ok_and(|chain: Chain| is_later(chain.recent)),
        Some(b'c') => from_cbor(value).is_ok_and(is_later),
        Some(b's') => from_cbor(value).is_ok_and(|at: u64| at > log_seq),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::CommitId;

    fn tip(seq: u64) -> Tip {
        Tip { author: AuthorId([1; 16]), seq, id: CommitId([seq as u8; 32]) }
    }

    /// A process reads the entry after another one has written, and then follows what was written (seeds
    /// 3081 and 5058).
    #[test]
    fn a_commit_that_was_read_along_is_not_indexed_twice() {
        let key = chain_key(&tip(1).author);
        let mut written = HotChains::default();
        written.begin(tip(1).author);
        for seq in 1..=3 {
            written.append(&tip(seq), true, seq + 10, &mut Vec::new());
        }
        let entry = to_cbor(&written.chains.get(&tip(1).author).expect("it was begun").chain);
        let mut read = HotChains::default();
        read.learn(&key, Some(&entry)).expect("it is a chain");
        for seq in 3..=5 {
            read.append(&tip(seq), true, seq + 10, &mut Vec::new());
        }
        for seq in 1..=5 {
            let Lookup::Found(found) = read.find(&tip(1).author, seq, false) else { panic!("all was read") };
            assert_eq!(found, [Slot { id: tip(seq).id.short(), log_seq: seq + 10 }]);
        }
    }
}
