//! What of a commit is in the log: whether it may be appended, what it waits for, and where it is.

use crate::base::id::AuthorId;
use crate::base::mutation::Mutation;
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::header::After;
use crate::commit::vector::Tip;
use crate::log::chain::{CHUNK, Lookup};
use crate::log::keys::chain_key;
use crate::log::log::Log;
use crate::storage::request::StorageRequest;
use crate::wire::bodies::ChainRange;

/// Whether a commit may be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is in the log already.
    Held,
    /// It is in the log at that position without some of its bytes, which this copy has.
    Fills(u64),
    /// All that it comes after is in the log.
    Ready,
    /// The cause with this index is not in the log yet; all before it are.
    Waits(usize),
    /// Storage must be asked first.
    Reads(Vec<StorageRequest>),
    /// It begins a chain of another space or partition.
    Foreign,
}

/// Whether a commit is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It is.
    Held,
    /// It is not.
    Missing,
    /// Storage must be asked first.
    Reads(StorageRequest),
}

impl Log {
    /// Whether this commit may be appended now. So many of its causes are known to be in the log: they
    /// are looked up in their order, each once.
    pub fn admit(&self, commit: &Commit, known: usize) -> Admission {
        let header = commit.header();
        if let Some(seq) = self.holes.seq_of(&commit.id()) {
            return if self.fills(seq, commit) { Admission::Fills(seq) } else { Admission::Held };
        }
        let mut reads = Vec::new();
        let held = self.vector.seq(&header.author);
        if self.vector.has(&commit.tip()) {
            return Admission::Held;
        }
        let is_foreign = header.seq == 1 && self.chain_start != Some(header.prev);
        if is_foreign && !self.limits.is_mutated(Mutation::AnyChainStart) {
            return Admission::Foreign;
        }
        if header.seq <= held {
            if self.limits.is_mutated(Mutation::DropSecondBranch) {
                return Admission::Held;
            }
            match self.is_indexed(&commit.name()) {
                Lookup::Found(true) => return Admission::Held,
                Lookup::Found(false) => {}
                Lookup::Reads(read) => reads.push(read),
            }
        }
        // Appending changes the chain's entry, so it must be known.
        if held > 0 && !self.hot.contains(&header.author) {
            reads.push(StorageRequest::Get(vec![chain_key(&header.author)]));
        }
        let own_reads = reads.len();
        for (at, cause) in header.causes().enumerate().skip(known) {
            match self.look_up(&cause) {
                Holding::Held => {}
                Holding::Reads(read) => reads.push(read),
                Holding::Missing if self.may_be_without(&cause, header.author) => {}
                Holding::Missing if reads.len() == own_reads => return Admission::Waits(at),
                // What is before it is known once it was read.
                Holding::Missing => break,
            }
            if reads.len() >= self.limits.commit_reads_max {
                break;
            }
        }
        for after in &header.after {
            if reads.len() >= self.limits.commit_reads_max {
                break;
            }
            // It is covered by this commit, which changes the chain's entry.
            let is_first = |tip: &Tip| self.number_of(tip).is_none();
            if self.uncovered_tip(after).as_ref().is_some_and(is_first) && !self.hot.contains(&after.author) {
                reads.push(StorageRequest::Get(vec![chain_key(&after.author)]));
            }
        }
        if reads.is_empty() { Admission::Ready } else { Admission::Reads(reads) }
    }

    /// See [`Mutation::AppendWithoutCauses`].
    fn may_be_without(&self, cause: &After, author: AuthorId) -> bool {
        cause.author != author && self.limits.is_mutated(Mutation::AppendWithoutCauses)
    }

    /// Whether the commit of that tip is in the log, with its bytes or without.
    pub fn holds(&self, tip: &Tip) -> Holding {
        self.look_up(&After { author: tip.author, seq: tip.seq, short: tip.id.short() })
    }

    /// Whether a commit of that name is missing, as far as that can be told from the tips.
    pub fn is_beyond_tips(&self, name: &After) -> bool {
        name.seq > self.vector.seq(&name.author)
    }

    fn fills(&self, seq: u64, commit: &Commit) -> bool {
        let Some(hole) = self.holes.get(seq) else { return false };
        commit.items().any(|(item, bytes)| {
            matches!(bytes, ItemBytes::Present(_))
                && item.len > 0
                && item.doc.is_some_and(|doc| hole.docs.contains(&doc))
        })
    }

    fn is_indexed(&self, name: &After) -> Lookup<bool> {
        let is_forked = self.vector.of(&name.author).len() > 1;
        self.hot.holds(&name.author, name.seq, name.short, is_forked)
    }

    fn look_up(&self, name: &After) -> Holding {
        if self.is_beyond_tips(name) {
            return Holding::Missing;
        }
        if self.vector.named(&name.author, name.seq, name.short).is_some() {
            return Holding::Held;
        }
        match self.is_indexed(name) {
            Lookup::Reads(read) => Holding::Reads(read),
            Lookup::Found(true) => Holding::Held,
            Lookup::Found(false) => Holding::Missing,
        }
    }

    /// What to ask for to get a commit that is not in the log, as far as that can be told from the tips:
    /// the rest of its chain, or, where as many commits of its author are held, another branch, from below.
    pub fn range_to(&self, name: &After) -> ChainRange {
        let After { author, seq, .. } = *name;
        let held = self.vector.seq(&author);
        if held < seq {
            return ChainRange { author, from: held + 1, to: seq, branch: None };
        }
        self.range_from_end(name)
    }

    /// The same, the last commit first, for where those that come first are known.
    pub fn range_from_end(&self, name: &After) -> ChainRange {
        let After { author, seq, short } = *name;
        let from = seq.saturating_sub(CHUNK as u64).max(1);
        ChainRange { author, from, to: seq, branch: Some(short) }
    }
}
