//! The vector: the tips held, one for each author, two or more where an author is forked. It names
//! a state of a space exactly.
//!
//! Tips lie in a tree by the nibbles of their author's id, and those of one author by the nibbles of
//! their commit's id. A node with more than `LEAF_TIPS_MAX` tips is a branch; so the tree depends on
//! the set of tips alone, and the hash of its root is a digest of the set (R. Merkle, "A Digital
//! Signature Based on a Conventional Encryption Function", 1987). A sum of hashes would be cheaper to
//! keep, but one modulo 2^256 falls to the generalised birthday attack (D. Wagner, 2002) at a million
//! tips, and one that does not (LtHash) takes 2 kB of state and hashes 2 kB for every tip. Here a
//! digest costs, for each tip that moved since the last one, one leaf of at most 16 tips and 512 bytes
//! for each of the log16(n) branches above it. That is so for the branches of a forked author too.

use std::cell::Cell;
use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use crate::base::hash::hash32;
use crate::base::id::{AuthorId, CommitId, ShortId};
use crate::base::id_map::IdMap;
use crate::commit::digest::Digest;

/// More tips than this in a leaf make it a branch.
const LEAF_TIPS_MAX: usize = 16;

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
    /// The tips of authors with a fork. They are in the tree too, but not beside one another.
    forked: IdMap<AuthorId, BTreeSet<Tip>>,
}

/// The tips of one author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tips<'a> {
    /// Nothing of it is held.
    None,
    /// Its chain has one end.
    One(&'a Tip),
    /// It is forked.
    Several(&'a BTreeSet<Tip>),
}

#[derive(Clone, Debug)]
enum Node {
    /// Tips in ascending order.
    Leaf(Vec<Tip>),
    /// Tips of several authors, by the next nibble of the author's id.
    Authors(Box<Branch>),
    /// Tips of one author, by the next nibble of the commit's id.
    Commits(AuthorId, Box<Branch>),
}

#[derive(Clone, Debug)]
struct Branch {
    children: [Node; 16],
    len: usize,
    /// Its hash, until something below it changes.
    hash: Cell<Option<[u8; 32]>>,
}

/// How many nibbles of the author's and of the commit's id lead to a node.
#[derive(Clone, Copy, Default)]
struct Depth {
    author: usize,
    commit: usize,
}

impl<'a> Tips<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Tips::None => 0,
            Tips::One(_) => 1,
            Tips::Several(tips) => tips.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tip of an author that is not forked.
    pub fn single(&self) -> Option<&'a Tip> {
        match self {
            Tips::One(tip) => Some(tip),
            Tips::None | Tips::Several(_) => None,
        }
    }

    /// Them, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &'a Tip> {
        let (one, several) = match *self {
            Tips::None => (None, None),
            Tips::One(tip) => (Some(tip), None),
            Tips::Several(tips) => (None, Some(tips)),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }
}

impl Vector {
    /// Of these tips.
    pub fn from_tips(tips: impl IntoIterator<Item = Tip>) -> Self {
        let mut vector = Self::default();
        for tip in tips {
            vector.advance(tip, None);
        }
        vector
    }

    /// The tips of an author: none, one, or the branches of a fork.
    pub fn of(&self, author: &AuthorId) -> Tips<'_> {
        if let Some(tips) = self.forked.get(author) {
            return Tips::Several(tips);
        }
        let mut node = &self.root;
        for depth in 0.. {
            match node {
                Node::Authors(branch) => node = &branch.children[nibble(&author.0, depth)],
                Node::Leaf(tips) => {
                    let at = tips.partition_point(|tip| tip.author < *author);
                    return tips.get(at).filter(|tip| tip.author == *author).map_or(Tips::None, Tips::One);
                }
                Node::Commits(..) => break,
            }
        }
        Tips::None
    }

    /// The highest number held of an author; 0 for none.
    pub fn seq(&self, author: &AuthorId) -> u64 {
        match self.of(author) {
            Tips::None => 0,
            Tips::One(tip) => tip.seq,
            Tips::Several(tips) => tips.last().map_or(0, |tip| tip.seq),
        }
    }

    /// Whether this is a tip.
    pub fn has(&self, tip: &Tip) -> bool {
        match self.of(&tip.author) {
            Tips::None => false,
            Tips::One(other) => other == tip,
            Tips::Several(tips) => tips.contains(tip),
        }
    }

    /// The tip of that author with that number and short id.
    pub fn named(&self, author: &AuthorId, seq: u64, short: ShortId) -> Option<&Tip> {
        match self.of(author) {
            Tips::None => None,
            Tips::One(tip) => Some(tip).filter(|tip| tip.seq == seq && tip.id.short() == short),
            Tips::Several(tips) => {
                let (mut first, mut last) = ([0; 32], [255; 32]);
                first[..16].copy_from_slice(&short.0);
                last[..16].copy_from_slice(&short.0);
                let [first, last] = [first, last].map(|id| Tip { author: *author, seq, id: CommitId(id) });
                tips.range(first..=last).next()
            }
        }
    }

    /// All tips, author by author.
    pub fn tips(&self) -> impl Iterator<Item = &Tip> {
        self.root.tips()
    }

    /// Of the tips after this one so many.
    pub fn tips_after(&self, after: Option<&Tip>, most: usize) -> Vec<Tip> {
        let mut tips = Vec::new();
        self.root.collect(after, Depth::default(), most, &mut tips);
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
        if self.has(&tip) {
            return;
        }
        let before = prev.zip(tip.seq.checked_sub(1));
        let before = before.and_then(|(prev, seq)| self.named(&tip.author, seq, prev.short())).copied();
        if let Some(tips) = self.forked.get_mut(&tip.author) {
            if let Some(before) = &before {
                tips.remove(before);
            }
            tips.insert(tip);
        } else if before.is_none()
            && let Some(other) = self.of(&tip.author).single().copied()
        {
            self.forked.insert(tip.author, BTreeSet::from([other, tip]));
        }
        match before {
            Some(before) => self.root.replace(&before, tip, Depth::default()),
            None => {
                self.root.insert(tip, Depth::default());
                self.len += 1;
            }
        }
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
    /// A branch that these tips are below, which are of several authors or of one.
    fn branch(tips: Vec<Tip>, depth: Depth) -> Self {
        let (first, last) = (tips[0].author, tips[tips.len() - 1].author);
        let mut node = if first == last {
            Node::Commits(first, Box::new(Branch::new()))
        } else {
            Node::Authors(Box::new(Branch::new()))
        };
        for tip in tips {
            node.insert(tip, depth);
        }
        node
    }

    /// Puts a tip beside the others.
    fn insert(&mut self, tip: Tip, depth: Depth) {
        match self {
            Node::Leaf(tips) => {
                if let Err(at) = tips.binary_search(&tip) {
                    tips.insert(at, tip);
                }
                // Beyond the end of an id there is nothing to tell tips apart by.
                if tips.len() > LEAF_TIPS_MAX && depth.commit < 2 * size_of::<CommitId>() {
                    *self = Node::branch(core::mem::take(tips), depth);
                }
            }
            Node::Commits(author, _) if *author != tip.author => {
                // The node of one author goes down as it is.
                let author = *author;
                let mut branch = Branch::new();
                let below = core::mem::take(self);
                branch.len = below.len();
                branch.children[nibble(&author.0, depth.author)] = below;
                *self = Node::Authors(Box::new(branch));
                self.insert(tip, depth);
            }
            Node::Authors(branch) => branch.child(&tip.author.0, depth.author).insert(tip, depth.of_author()),
            Node::Commits(_, branch) => branch.child(&tip.id.0, depth.commit).insert(tip, depth.of_commit()),
        }
        if let Node::Authors(branch) | Node::Commits(_, branch) = self {
            branch.count();
        }
    }

    /// Puts a tip of the same author in the place of one.
    fn replace(&mut self, before: &Tip, tip: Tip, depth: Depth) {
        match self {
            Node::Leaf(tips) => {
                if let Ok(at) = tips.binary_search(before) {
                    tips.remove(at);
                }
                if let Err(at) = tips.binary_search(&tip) {
                    tips.insert(at, tip);
                }
            }
            Node::Authors(branch) => {
                branch.child(&tip.author.0, depth.author).replace(before, tip, depth.of_author());
            }
            Node::Commits(_, branch) => {
                let [from, to] = [before, &tip].map(|tip| nibble(&tip.id.0, depth.commit));
                if from == to {
                    branch.child(&tip.id.0, depth.commit).replace(before, tip, depth.of_commit());
                } else {
                    branch.child(&before.id.0, depth.commit).remove(before, depth.of_commit());
                    branch.child(&tip.id.0, depth.commit).insert(tip, depth.of_commit());
                }
            }
        }
    }

    /// Takes out a tip of an author that has others below this node.
    fn remove(&mut self, tip: &Tip, depth: Depth) {
        match self {
            Node::Leaf(tips) => tips.retain(|other| other != tip),
            Node::Authors(branch) => {
                branch.child(&tip.author.0, depth.author).remove(tip, depth.of_author());
            }
            Node::Commits(_, branch) => {
                branch.child(&tip.id.0, depth.commit).remove(tip, depth.of_commit());
                branch.count();
            }
        }
        if matches!(self, Node::Commits(_, branch) if branch.len <= LEAF_TIPS_MAX) {
            let mut tips: Vec<_> = self.tips().copied().collect();
            tips.sort_unstable();
            *self = Node::Leaf(tips);
        }
    }

    fn tips(&self) -> impl Iterator<Item = &Tip> {
        let mut nodes = vec![self];
        let leaves = core::iter::from_fn(move || {
            loop {
                match nodes.pop()? {
                    Node::Leaf(tips) => return Some(tips.as_slice()),
                    Node::Authors(branch) | Node::Commits(_, branch) => {
                        nodes.extend(branch.children.iter().rev());
                    }
                }
            }
        });
        leaves.flatten()
    }

    /// Adds the tips after this one, in the order of [`Node::tips`], until there are so many.
    fn collect(&self, after: Option<&Tip>, depth: Depth, most: usize, tips: &mut Vec<Tip>) {
        let (branch, first, below) = match self {
            Node::Leaf(leaf) => {
                let start = after.map_or(0, |after| leaf.partition_point(|tip| tip <= after));
                tips.extend(leaf[start..].iter().take(most - tips.len()));
                return;
            }
            Node::Authors(branch) => {
                (branch, after.map(|after| nibble(&after.author.0, depth.author)), depth.of_author())
            }
            Node::Commits(author, branch) => {
                let after = after.filter(|after| after.author >= *author);
                if after.is_some_and(|after| after.author > *author) {
                    return;
                }
                (branch, after.map(|after| nibble(&after.id.0, depth.commit)), depth.of_commit())
            }
        };
        for (number, child) in branch.children.iter().enumerate().skip(first.unwrap_or(0)) {
            if tips.len() == most {
                return;
            }
            // What is in later children comes after in any case.
            child.collect(after.filter(|_| Some(number) == first), below, most, tips);
        }
    }

    fn len(&self) -> usize {
        match self {
            Node::Leaf(tips) => tips.len(),
            Node::Authors(branch) | Node::Commits(_, branch) => branch.len,
        }
    }

    /// SHA-256(0 ‖ author, seq most significant byte first, id of each tip), or
    /// SHA-256(1 ‖ nibble, hash of each child that is not empty), with 2 in place of 1 where the nibble
    /// is one of the commit's id.
    fn hash(&self) -> [u8; 32] {
        let (kind, branch) = match self {
            Node::Leaf(tips) => {
                let mut bytes = vec![0];
                for tip in tips {
                    bytes.extend(tip.author.0);
                    bytes.extend(tip.seq.to_be_bytes());
                    bytes.extend(tip.id.0);
                }
                return hash32(&[&bytes]);
            }
            Node::Authors(branch) => (1, branch),
            Node::Commits(_, branch) => (2, branch),
        };
        branch.hash.get().unwrap_or_else(|| {
            let mut bytes = vec![kind];
            for (nibble, child) in (0u8..).zip(&branch.children).filter(|(_, child)| child.len() > 0) {
                bytes.push(nibble);
                bytes.extend(child.hash());
            }
            let hash = hash32(&[&bytes]);
            branch.hash.set(Some(hash));
            hash
        })
    }
}

impl Branch {
    fn new() -> Self {
        Self { children: core::array::from_fn(|_| Node::default()), len: 0, hash: Cell::new(None) }
    }

    /// The child by that nibble, to be changed.
    fn child(&mut self, id: &[u8], depth: usize) -> &mut Node {
        self.hash.set(None);
        &mut self.children[nibble(id, depth)]
    }

    fn count(&mut self) {
        self.len = self.children.iter().map(Node::len).sum();
    }
}

impl Depth {
    fn of_author(self) -> Self {
        Self { author: self.author + 1, ..self }
    }

    fn of_commit(self) -> Self {
        Self { commit: self.commit + 1, ..self }
    }
}

fn nibble(id: &[u8], depth: usize) -> usize {
    let byte = id[depth / 2];
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
    /// Found by fuzzing: no log holds such tips, whose ids say that they are one commit.
    #[test]
    fn tips_of_one_id_and_many_numbers_are_kept() {
        let tips = || (1..=40).map(|seq| tip([1; 16], seq, 7));
        let vector = Vector::from_tips(tips());
        assert_eq!(vector.len(), 40);
        assert_eq!(vector.tips().copied().collect::<Vec<_>>(), tips().collect::<Vec<_>>());
    }

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
            let held = tip(author(number), 2, 2);
            assert_eq!(walked.of(&AuthorId(author(number))), Tips::One(&held));
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

    /// Law: the branches of one author are no exception, however many there are.
    #[test]
    fn vectors_with_many_branches_that_grew_apart_to_the_same_tips_are_equal() {
        // The ids of branches share long beginnings, as those of authors do.
        let branch = |seq: u64, number: u32| {
            let mut id = [seq as u8; 32];
            let at = if number.is_multiple_of(3) { 0 } else { 14 };
            id[at..at + 2].copy_from_slice(&(number as u16).to_be_bytes());
            Tip { author: AuthorId([7; 16]), seq, id: CommitId(id) }
        };
        for others in [0, 1, 40] {
            let mut walked = Vector::default();
            for number in 0..300 {
                walked.advance(branch(1, number), None);
            }
            for number in 0..others {
                walked.advance(tip(author(number), 1, 1), None);
            }
            for number in (0..300).rev() {
                let before = branch(1, number);
                walked.advance(branch(2, number), Some(&before.id));
                assert!(!walked.has(&before));
            }
            let tips = (0..300).map(|number| branch(2, number));
            let tips = tips.chain((0..others).map(|number| tip(author(number), 1, 1)));
            let told = Vector::from_tips(tips);
            assert_eq!(walked, told);
            assert_eq!((walked.len(), walked.digest()), (300 + others as usize, told.digest()));
            assert_eq!(walked.of(&AuthorId([7; 16])).len(), 300);
            assert_eq!(walked.seq(&AuthorId([7; 16])), 2);
            let named = branch(2, 17);
            assert_eq!(walked.named(&named.author, 2, named.id.short()), Some(&named));
            assert_eq!(walked.named(&named.author, 1, named.id.short()), None);
        }
    }

    /// A digest is made from what changed: of many branches too it hashes a few leaves.
    #[test]
    fn tips_are_told_in_parts_that_come_to_all_of_them() {
        let authors = (0..500).map(|number| tip(author(number), 1, 1));
        let branches = (0..=255).map(|id| tip([7; 16], 1, id));
        let vector = Vector::from_tips(authors.chain(branches));
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
    fn no_leaf_has_more_tips_than_a_leaf_may_have() {
        fn most(node: &Node) -> usize {
            match node {
                Node::Leaf(tips) => tips.len(),
                Node::Authors(branch) | Node::Commits(_, branch) => {
                    branch.children.iter().map(most).max().unwrap_or(0)
                }
            }
        }
        let ids = (0..3_000u32).map(|number| CommitId(hash32(&[&number.to_be_bytes()])));
        let vector = Vector::from_tips(ids.map(|id| Tip { author: AuthorId([1; 16]), seq: 1, id }));
        assert_eq!(vector.len(), 3_000);
        assert!(most(&vector.root) <= LEAF_TIPS_MAX);
    }
}
