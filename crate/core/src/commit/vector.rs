//! The vector: the tips held, one for each author, two or more where an author is forked. It names
//! a state of a space exactly.
//!
//! Tips lie in a tree by the nibbles of their author's id. A node with more than `LEAF_TIPS_MAX`
//! tips of several authors is a branch; so the tree depends on the set of tips alone, and the hash of
//! its root is a digest of the set (R. Merkle, "A Digital Signature Based on a Conventional Encryption
//! Function", 1987). A sum of hashes would be cheaper to keep, but one modulo 2^256 falls to the
//! generalised birthday attack (D. Wagner, 2002) at a million tips, and one that does not (LtHash)
//! takes 2 kB of state and hashes 2 kB for every tip. Here a digest costs, for each tip that moved
//! since the last one, one leaf of at most 16 tips and 512 bytes for each of the log16(n) branches
//! above it.

use std::cell::Cell;

use minicbor::{Decode, Encode};

use crate::base::hash::hash32;
use crate::base::id::{AuthorId, CommitId};
use crate::commit::digest::Digest;

/// More tips than this in a leaf make it a branch, unless all are one author's.
const LEAF_TIPS_MAX: usize = 16;
/// Nibbles in an author's id.
const DEPTH_MAX: usize = 32;

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

/// The tips held and their digest.
#[derive(Clone, Debug, Default)]
pub struct Vector {
    root: Node,
    len: usize,
}

#[derive(Clone, Debug)]
enum Node {
    /// Tips in ascending order.
    Leaf(Vec<Tip>),
    Branch(Box<Branch>),
}

#[derive(Clone, Debug)]
struct Branch {
    children: [Node; 16],
    /// Its hash, until something below it changes.
    hash: Cell<Option<[u8; 32]>>,
}

impl Vector {
    /// Of these tips.
    pub fn from_tips(tips: impl IntoIterator<Item = Tip>) -> Self {
        let mut vector = Self::default();
        for tip in tips {
            vector.len += usize::from(vector.root.insert(tip, None, 0));
        }
        vector
    }

    /// The tips of an author: none, one, or the branches of a fork.
    pub fn of(&self, author: &AuthorId) -> &[Tip] {
        let mut node = &self.root;
        for depth in 0.. {
            match node {
                Node::Branch(branch) => node = &branch.children[nibble(author, depth)],
                Node::Leaf(tips) => {
                    let start = tips.partition_point(|tip| tip.author < *author);
                    let end = tips.partition_point(|tip| tip.author <= *author);
                    return &tips[start..end];
                }
            }
        }
        &[]
    }

    /// The highest number held of an author; 0 for none.
    pub fn seq(&self, author: &AuthorId) -> u64 {
        self.of(author).iter().map(|tip| tip.seq).max().unwrap_or(0)
    }

    /// All tips, by author.
    pub fn tips(&self) -> impl Iterator<Item = &Tip> {
        let mut nodes = vec![&self.root];
        let leaves = core::iter::from_fn(move || {
            loop {
                match nodes.pop()? {
                    Node::Leaf(tips) => return Some(tips.as_slice()),
                    Node::Branch(branch) => nodes.extend(branch.children.iter().rev()),
                }
            }
        });
        leaves.flatten()
    }

    /// Of the tips after this one so many.
    pub fn tips_after(&self, after: Option<&Tip>, most: usize) -> Vec<Tip> {
        let mut tips = Vec::new();
        self.root.collect(after, 0, most, &mut tips);
        tips
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
        Digest::of_tree(self.root.hash())
    }

    /// Takes a commit in: it replaces the tip that it continues, or begins a branch.
    pub fn advance(&mut self, tip: Tip, prev: Option<&CommitId>) {
        self.len += usize::from(self.root.insert(tip, prev, 0));
    }
}

impl PartialEq for Vector {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.tips().eq(other.tips())
    }
}

impl Eq for Vector {}

impl Default for Node {
    fn default() -> Self {
        Node::Leaf(Vec::new())
    }
}

impl Node {
    /// Puts a tip in the place of the one that it continues, or beside the others; whether there is
    /// one more now.
    fn insert(&mut self, tip: Tip, prev: Option<&CommitId>, depth: usize) -> bool {
        match self {
            Node::Branch(branch) => {
                branch.hash.set(None);
                branch.children[nibble(&tip.author, depth)].insert(tip, prev, depth + 1)
            }
            Node::Leaf(tips) => {
                let is_more = insert_into(tips, tip, prev);
                if tips.len() > LEAF_TIPS_MAX && depth < DEPTH_MAX && has_several_authors(tips) {
                    let mut branch =
                        Branch { children: core::array::from_fn(|_| Node::default()), hash: Cell::new(None) };
                    for tip in core::mem::take(tips) {
                        branch.children[nibble(&tip.author, depth)].insert(tip, None, depth + 1);
                    }
                    *self = Node::Branch(Box::new(branch));
                }
                is_more
            }
        }
    }

    fn collect(&self, after: Option<&Tip>, depth: usize, most: usize, tips: &mut Vec<Tip>) {
        match self {
            Node::Leaf(leaf) => {
                let start = after.map_or(0, |after| leaf.partition_point(|tip| tip <= after));
                tips.extend(leaf[start..].iter().take(most - tips.len()));
            }
            Node::Branch(branch) => {
                let first = after.map_or(0, |after| nibble(&after.author, depth));
                for (number, child) in branch.children.iter().enumerate().skip(first) {
                    if tips.len() == most {
                        return;
                    }
                    // What is in later children comes after in any case.
                    child.collect(after.filter(|_| number == first), depth + 1, most, tips);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Node::Leaf(tips) if tips.is_empty())
    }

    /// SHA-256(0 ‖ author, seq most significant byte first, id of each tip), or
    /// SHA-256(1 ‖ nibble, hash of each child that is not empty).
    fn hash(&self) -> [u8; 32] {
        let mut bytes = Vec::new();
        match self {
            Node::Leaf(tips) => {
                bytes.push(0);
                for tip in tips {
                    bytes.extend(tip.author.0);
                    bytes.extend(tip.seq.to_be_bytes());
                    bytes.extend(tip.id.0);
                }
                hash32(&[&bytes])
            }
            Node::Branch(branch) => branch.hash.get().unwrap_or_else(|| {
                bytes.push(1);
                for (nibble, child) in (0u8..).zip(&branch.children).filter(|(_, child)| !child.is_empty()) {
                    bytes.push(nibble);
                    bytes.extend(child.hash());
                }
                let hash = hash32(&[&bytes]);
                branch.hash.set(Some(hash));
                hash
            }),
        }
    }
}

fn insert_into(tips: &mut Vec<Tip>, tip: Tip, prev: Option<&CommitId>) -> bool {
    let start = tips.partition_point(|other| other.author < tip.author);
    let end = tips.partition_point(|other| other.author <= tip.author);
    let prev = prev.map(CommitId::short);
    let before = tips[start..end].iter().position(|other| Some(other.id.short()) == prev);
    if let Some(before) = before {
        tips.remove(start + before);
    }
    match tips.binary_search(&tip) {
        Ok(_) => false,
        Err(at) => {
            tips.insert(at, tip);
            before.is_none()
        }
    }
}

fn has_several_authors(tips: &[Tip]) -> bool {
    tips.first().map(|tip| tip.author) != tips.last().map(|tip| tip.author)
}

fn nibble(author: &AuthorId, depth: usize) -> usize {
    let byte = author.0[depth / 2];
    usize::from(if depth.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tip(author: [u8; 16], seq: u64, id: u8) -> Tip {
        Tip { author: AuthorId(author), seq, id: CommitId([id; 32]) }
    }

    /// Authors that share long beginnings, and some that share none.
    fn author(number: u32) -> [u8; 16] {
        let mut author = [0; 16];
        author[if number.is_multiple_of(3) { 0 } else { 14 }..][..2]
            .copy_from_slice(&(number as u16).to_be_bytes());
        author
    }

    /// Law: the digest depends on the set of tips alone.
    #[test]
    fn vectors_that_grew_apart_to_the_same_tips_are_equal() {
        let mut walked = Vector::default();
        for number in 0..500u32 {
            walked.advance(tip(author(number), 1, 1), None);
        }
        for number in (0..500u32).rev() {
            walked.advance(tip(author(number), 2, 2), Some(&CommitId([1; 32])));
        }
        let told = Vector::from_tips((0..500).map(|number| tip(author(number * 7 % 500), 2, 2)));
        assert_eq!(walked, told);
        assert_eq!(walked.len(), 500);
        assert_eq!(walked.digest(), told.digest());
        assert!(walked.tips().is_sorted());
        for number in 0..500 {
            assert_eq!(walked.of(&AuthorId(author(number))), [tip(author(number), 2, 2)]);
        }
    }

    #[test]
    fn every_tip_counts_in_the_digest() {
        let whole = Vector::from_tips((0..100).map(|number| tip(author(number), 1, 1)));
        for number in 0..100 {
            let mut other = whole.clone();
            other.digest();
            other.advance(tip(author(number), 2, 2), Some(&CommitId([1; 32])));
            assert_ne!(other.digest(), whole.digest());
            let fewer = Vector::from_tips((0..100).filter(|n| *n != number).map(|n| tip(author(n), 1, 1)));
            assert_ne!(fewer.digest(), whole.digest());
        }
    }

    #[test]
    fn a_fork_is_two_tips_and_another_digest() {
        let mut vector = Vector::from_tips([tip([1; 16], 2, 2)]);
        let before = vector.digest();
        vector.advance(tip([1; 16], 2, 3), Some(&CommitId([1; 32])));
        assert_eq!(vector.of(&AuthorId([1; 16])).len(), 2);
        assert_ne!(vector.digest(), before);
    }

    #[test]
    fn tips_are_told_in_parts_that_come_to_all_of_them() {
        let vector = Vector::from_tips((0..500).map(|number| tip(author(number), 1, 1)));
        let mut told = Vec::new();
        while told.len() < vector.len() {
            let part = vector.tips_after(told.last(), 7);
            assert!(!part.is_empty() && part.len() <= 7);
            told.extend(part);
        }
        assert!(told.iter().eq(vector.tips()));
        assert!(vector.tips_after(told.last(), 7).is_empty());
    }

    #[test]
    fn an_author_with_many_branches_stays_in_one_leaf() {
        let mut vector = Vector::from_tips((0..=255).map(|id| tip([1; 16], 1, id)));
        assert_eq!(vector.of(&AuthorId([1; 16])).len(), 256);
        vector.advance(tip([2; 16], 1, 1), None);
        assert_eq!(vector.of(&AuthorId([1; 16])).len(), 256);
        assert_eq!(vector.len(), 257);
    }
}
