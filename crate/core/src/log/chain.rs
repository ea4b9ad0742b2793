//! The index of chains: at which position of the log each commit of an author is.
//!
//! The `t` entry of an author holds its tips and the positions of its last 32 to 63 commits; those
//! before are in `c` entries of 32, and those of later branches of a fork in an `s` entry each. What
//! was read is kept in memory for the chains lately used.

use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::id::{AuthorId, CommitId, ShortId};
use crate::base::id_map::IdMap;
use crate::commit::vector::Tip;
use crate::log::keys::{author_of_key, branch_key, branches_scan, chain_key, chunk_key};
use crate::storage::request::{Corrupt, StorageRequest};

/// Commits in one `c` entry, and the fewest kept in the `t` entry once there are more.
pub(super) const CHUNK: usize = 32;

/// Which commit is at a position of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Slot {
    #[n(0)]
    pub id: ShortId,
    #[n(1)]
    pub log_seq: u64,
}

/// A `t` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Chain {
    #[n(0)]
    pub tips: Vec<Tip>,
    /// Tips that no commit in the log comes after. Kept where commits are made.
    #[n(1)]
    pub uncovered: Vec<Tip>,
    /// How many commits of the first branch are in `c` entries.
    #[n(2)]
    spilled: u64,
    /// The first branch's commits after those.
    #[n(3)]
    recent: Vec<Slot>,
}

/// A [`Chain`] and what else of it has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct HotChain {
    pub chain: Chain,
    chunks: IdMap<u64, Vec<Slot>>,
    /// Commits of later branches; `None` until read. Read for forked authors alone.
    branches: Option<IdMap<u64, Vec<Slot>>>,
}

/// Slots that were looked up.
pub(super) enum Lookup {
    Slots(Vec<Slot>),
    /// Storage must be asked first.
    Reads(StorageRequest),
}

/// The chains of which more than the tips is in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct HotChains {
    chains: IdMap<AuthorId, HotChain>,
}

impl HotChains {
    pub fn contains(&self, author: &AuthorId) -> bool {
        self.chains.contains_key(author)
    }

    pub fn get_mut(&mut self, author: &AuthorId) -> Option<&mut HotChain> {
        self.chains.get_mut(author)
    }

    /// Forgets what can be read again, where that is more than so many chains.
    pub fn shrink(&mut self, chains_max: usize) {
        if self.chains.len() > chains_max {
            self.chains.clear();
        }
    }

    /// A chain of which nothing is in storage.
    pub fn begin(&mut self, author: AuthorId) {
        self.chains.get_or_default(author).branches = Some(IdMap::new());
    }

    /// What must be read before a commit of this author can be indexed.
    pub fn needed_to_append(&self, author: &AuthorId, tips: &[Tip]) -> Option<StorageRequest> {
        match self.chains.get(author) {
            None if !tips.is_empty() => Some(StorageRequest::Get(vec![chain_key(author)])),
            Some(hot) if tips.len() > 1 && hot.branches.is_none() => Some(branches_scan(author)),
            _ => None,
        }
    }

    /// The commits in the log that have this number.
    pub fn find(&self, author: &AuthorId, seq: u64) -> Lookup {
        let Some(hot) = self.chains.get(author) else {
            return Lookup::Reads(StorageRequest::Get(vec![chain_key(author)]));
        };
        let mut slots = Vec::new();
        let spilled = hot.chain.spilled;
        if seq > spilled {
            slots.extend(hot.chain.recent.get((seq - spilled - 1) as usize));
        } else if seq > 0 {
            let number = (seq - 1) / CHUNK as u64;
            match hot.chunks.get(&number) {
                Some(chunk) => slots.extend(chunk.get(((seq - 1) % CHUNK as u64) as usize)),
                None => return Lookup::Reads(StorageRequest::Get(vec![chunk_key(author, number)])),
            }
        }
        if hot.chain.tips.len() > 1 {
            match &hot.branches {
                Some(branches) => slots.extend(branches.get(&seq).into_iter().flatten()),
                None => return Lookup::Reads(branches_scan(author)),
            }
        }
        Lookup::Slots(slots)
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
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in a scan of an author's later branches, which began at `from`.
    pub fn learn_branches(&mut self, from: &[u8], entries: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Corrupt> {
        let Some((author, _)) = author_of_key(from) else { return Ok(()) };
        let Some(hot) = self.chains.get_mut(&author) else { return Ok(()) };
        let mut branches = IdMap::<u64, Vec<Slot>>::new();
        for (key, value) in entries {
            let Some((_, rest)) = author_of_key(key) else { continue };
            let Some(seq) = rest.first_chunk() else { continue };
            branches.get_or_default(u64::from_be_bytes(*seq)).push(from_cbor(value)?);
        }
        hot.branches = Some(branches);
        Ok(())
    }
}

impl HotChain {
    /// Takes note of a commit that was appended. What else than the `t` entry changes is put.
    pub fn append(&mut self, tip: &Tip, prev: &CommitId, log_seq: u64, puts: &mut Vec<(Vec<u8>, Vec<u8>)>) {
        let slot = Slot { id: tip.id.short(), log_seq };
        let chain = &mut self.chain;
        let continues_first = match chain.recent.last() {
            Some(last) => last.id == prev.short(),
            None => tip.seq == chain.spilled + 1,
        };
        if continues_first && tip.seq == chain.spilled + chain.recent.len() as u64 + 1 {
            chain.recent.push(slot);
            if chain.recent.len() == 2 * CHUNK {
                let chunk: Vec<_> = chain.recent.drain(..CHUNK).collect();
                let number = chain.spilled / CHUNK as u64;
                puts.push((chunk_key(&tip.author, number), to_cbor(&chunk)));
                chain.spilled += CHUNK as u64;
            }
            return;
        }
        puts.push((branch_key(&tip.author, tip.seq, &slot.id), to_cbor(&slot)));
        // Of an author forked before, a map that was not read would lack the other branches.
        if self.branches.is_none() && chain.tips.len() <= 1 {
            self.branches = Some(IdMap::new());
        }
        if let Some(branches) = &mut self.branches {
            branches.get_or_default(tip.seq).push(slot);
        }
    }
}
