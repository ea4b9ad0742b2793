//! The vector: the tips held, one for each author, two or more where an author is forked. It names
//! a state of a space exactly.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::base::hash::hash32;
use crate::base::id::{AuthorId, CommitId};

/// The last commit of a chain that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Tip {
    /// The chain's author.
    #[n(0)]
    pub author: AuthorId,
    /// The commit's number.
    #[n(1)]
    pub seq: u64,
    /// The commit's id.
    #[n(2)]
    pub id: CommitId,
}

/// The sum, modulo 2^256, of a hash of each tip: equal sets of tips have equal digests, whatever
/// the order they came in, and a tip is added or taken away in constant time (AdHash: Bellare and
/// Micciancio, "A New Paradigm for Collision-free Hashing", 1997).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Digest(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

impl Digest {
    fn add(&mut self, tip: &Tip) {
        self.combine(hash_tip(tip), false);
    }

    fn remove(&mut self, tip: &Tip) {
        self.combine(hash_tip(tip), true);
    }

    fn combine(&mut self, other: [u8; 32], negate: bool) {
        let mut carry = u16::from(negate);
        for (byte, other) in self.0.iter_mut().zip(other) {
            let other = if negate { !other } else { other };
            let sum = u16::from(*byte) + u16::from(other) + carry;
            *byte = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
    }
}

fn hash_tip(tip: &Tip) -> [u8; 32] {
    hash32(&[&tip.author.0, &tip.seq.to_be_bytes(), &tip.id.0])
}

/// The tips held and their digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vector {
    tips: BTreeMap<AuthorId, Vec<Tip>>,
    digest: Digest,
    len: usize,
}

impl Vector {
    /// Of these tips.
    pub fn from_tips(tips: impl IntoIterator<Item = Tip>) -> Self {
        let mut vector = Self::default();
        for tip in tips {
            vector.insert(tip);
        }
        vector
    }

    /// The tips of an author: none, one, or the branches of a fork.
    pub fn of(&self, author: &AuthorId) -> &[Tip] {
        self.tips.get(author).map_or(&[], Vec::as_slice)
    }

    /// The highest number held of an author; 0 for none.
    pub fn seq(&self, author: &AuthorId) -> u64 {
        self.of(author).iter().map(|tip| tip.seq).max().unwrap_or(0)
    }

    /// All tips, by author.
    pub fn tips(&self) -> impl Iterator<Item = &Tip> {
        self.tips.values().flatten()
    }

    /// How many tips there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Equal for equal vectors, different for different ones.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Authors with more than one tip.
    pub fn forked(&self) -> impl Iterator<Item = &AuthorId> {
        self.tips.iter().filter(|(_, tips)| tips.len() > 1).map(|(author, _)| author)
    }

    /// Takes a commit in: it replaces the tip that it continues, or begins a branch.
    pub fn advance(&mut self, tip: Tip, prev: Option<&CommitId>) {
        let tips = self.tips.entry(tip.author).or_default();
        if let Some(old) = tips.iter_mut().find(|old| Some(&old.id) == prev) {
            self.digest.remove(old);
            *old = tip;
            tips.sort_unstable();
        } else {
            tips.push(tip);
            tips.sort_unstable();
            self.len += 1;
        }
        self.digest.add(&tip);
    }

    fn insert(&mut self, tip: Tip) {
        let tips = self.tips.entry(tip.author).or_default();
        if !tips.contains(&tip) {
            tips.push(tip);
            tips.sort_unstable();
            self.len += 1;
            self.digest.add(&tip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tip(author: u8, seq: u64, id: u8) -> Tip {
        Tip { author: AuthorId([author; 16]), seq, id: CommitId([id; 32]) }
    }

    #[test]
    fn the_digest_depends_on_the_tips_alone() {
        let mut walked = Vector::default();
        walked.advance(tip(1, 1, 1), None);
        walked.advance(tip(2, 1, 9), None);
        walked.advance(tip(1, 2, 2), Some(&CommitId([1; 32])));
        let told = Vector::from_tips([tip(2, 1, 9), tip(1, 2, 2)]);
        assert_eq!(walked, told);
        assert_eq!(walked.digest(), told.digest());
    }

    #[test]
    fn a_fork_is_two_tips_and_another_digest() {
        let mut vector = Vector::from_tips([tip(1, 2, 2)]);
        let before = vector.digest();
        vector.advance(tip(1, 2, 3), Some(&CommitId([1; 32])));
        assert_eq!(vector.of(&AuthorId([1; 16])).len(), 2);
        assert_eq!(vector.forked().count(), 1);
        assert_ne!(vector.digest(), before);
    }
}
