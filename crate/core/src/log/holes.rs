//! Holes: commits in the log whose bytes are not all here, and whose absence no delete in the log
//! explains.
//!
//! A commit is appended as soon as its causes are there, with its bytes or without. Where somebody
//! says that a document was deleted and the delete is not in this log, the item is a hole: it does not
//! count as stored for whoever brought it, and everybody is asked for the bytes.

use minicbor::{Decode, Encode};

use crate::base::id::{AuthorId, CommitId, DocId, LogId};
use crate::base::id_map::{IdMap, IdSet};
use crate::commit::commit::Commit;
use crate::commit::vector::Tip;

/// A commit that lacks bytes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hole {
    /// The commit.
    #[n(0)]
    pub tip: Tip,
    /// The documents whose items lack their bytes.
    #[n(1)]
    pub docs: Vec<DocId>,
    /// The logs that it was brought from, each with a number: up to there everything that came from
    /// that log is whole. With `LACKS` the commit lacks bytes in that log too.
    #[n(2)]
    pub bringers: Vec<(LogId, u64)>,
    /// Those of them that have only named it, or another commit that comes after it.
    #[n(3)]
    pub named: Vec<LogId>,
}

/// What a log that a commit comes from says of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It has all of them, or deletes in their place. Up to this number everything from it is whole.
    Whole(u64),
    /// The same, by a name.
    Named(u64),
    /// It lacks some too.
    Lacks,
}

impl Word {
    fn number(self) -> u64 {
        match self {
            Word::Whole(number) | Word::Named(number) => number,
            Word::Lacks => LACKS,
        }
    }
}

/// Of a bringer: it has brought the commit without all bytes, and will bring it again once it has them.
const LACKS: u64 = u64::MAX;

/// All holes of a log, by position.
#[derive(Clone, Debug, Default)]
pub struct Holes {
    by_seq: IdMap<u64, Hole>,
    seqs: IdMap<CommitId, u64>,
    by_doc: IdMap<DocId, IdSet<u64>>,
    by_author: IdSet<(AuthorId, u64)>,
    /// By the log that brought them: the numbers up to which everything is whole, each with how many
    /// holes say so.
    whole: IdMap<LogId, IdMap<u64, usize>>,
}

impl Holes {
    /// How many commits lack bytes.
    pub fn len(&self) -> usize {
        self.by_seq.len()
    }

    /// Whether no commit does.
    pub fn is_empty(&self) -> bool {
        self.by_seq.is_empty()
    }

    /// The commits that lack bytes.
    pub fn tips(&self) -> impl Iterator<Item = &Tip> {
        self.by_seq.values().map(|hole| &hole.tip)
    }

    /// Of those after this position so many, with their positions.
    pub fn tips_after(&self, seq: u64, most: usize) -> Vec<(u64, Tip)> {
        self.by_seq.range(seq + 1..).take(most).map(|(seq, hole)| (*seq, hole.tip)).collect()
    }

    /// The position of a commit that lacks bytes.
    pub fn seq_of(&self, id: &CommitId) -> Option<u64> {
        self.seqs.get(id).copied()
    }

    /// The positions of those of an author's chain up to that number, of whatever branch.
    pub fn of_chain(&self, author: AuthorId, through: u64) -> Vec<u64> {
        let seqs = self.by_author.range((author, 0)..=(author, u64::MAX)).map(|(_, seq)| *seq);
        seqs.filter(|seq| self.by_seq.get(seq).is_some_and(|hole| hole.tip.seq <= through)).collect()
    }

    /// What is known of the commit at that position.
    pub fn get(&self, seq: u64) -> Option<&Hole> {
        self.by_seq.get(&seq)
    }

    /// Up to which number everything that came from that log is whole, if not all is. The holes at these
    /// positions do not count.
    pub fn whole_of(&self, log: &LogId, except: &IdSet<u64>) -> Option<u64> {
        let counts = self.whole.get(log)?;
        if except.is_empty() {
            return counts.keys().next().copied();
        }
        let counted = self.by_seq.iter().filter(|(seq, _)| !except.contains(seq));
        counted.filter_map(|(_, hole)| hole.whole_in(log)).min()
    }

    /// Whether the commit at that position limits what is whole of that log.
    pub fn limits(&self, seq: u64, log: &LogId) -> bool {
        self.by_seq.get(&seq).is_some_and(|hole| hole.whole_in(log).is_some())
    }

    pub(super) fn insert(&mut self, seq: u64, hole: Hole) {
        self.seqs.insert(hole.tip.id, seq);
        self.by_author.insert((hole.tip.author, seq));
        for doc in &hole.docs {
            self.by_doc.get_or_default(*doc).insert(seq);
        }
        for (log, whole) in hole.bringers.iter().filter(|(_, whole)| *whole != LACKS) {
            *self.whole.get_or_default(*log).get_or_default(*whole) += 1;
        }
        self.by_seq.insert(seq, hole);
    }

    /// The commit was brought from that log too, or named there, by a link that has read the log up to
    /// `read`; whether that says anything new. A name says the least, because it may be of another branch:
    /// whoever then brings the commit without all bytes has said nothing of them until it brings it again.
    pub(super) fn brought(&mut self, seq: u64, (log, word): (LogId, Word), read: u64) -> bool {
        let Some(mut hole) = self.remove(seq) else { return false };
        let is_new = hole.note(log, word) | hole.is_after(log, read);
        self.insert(seq, hole);
        is_new
    }

    pub(super) fn remove(&mut self, seq: u64) -> Option<Hole> {
        let hole = self.by_seq.remove(&seq)?;
        self.seqs.remove(&hole.tip.id);
        self.by_author.remove(&(hole.tip.author, seq));
        for doc in &hole.docs {
            if let Some(seqs) = self.by_doc.get_mut(doc) {
                seqs.remove(&seq);
                if seqs.is_empty() {
                    self.by_doc.remove(doc);
                }
            }
        }
        for (log, whole) in hole.bringers.iter().filter(|(_, whole)| *whole != LACKS) {
            self.forget_bringer(log, *whole);
        }
        Some(hole)
    }

    fn forget_bringer(&mut self, log: &LogId, whole: u64) {
        let Some(counts) = self.whole.get_mut(log) else { return };
        if let Some(count) = counts.get_mut(&whole) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&whole);
            }
        }
        if counts.is_empty() {
            self.whole.remove(log);
        }
    }

    /// The document is deleted: its bytes are missed no more. The positions of the holes that are
    /// closed by it, or smaller now.
    pub(super) fn close(&mut self, doc: &DocId) -> IdSet<u64> {
        let seqs = self.by_doc.get(doc).cloned().unwrap_or_default();
        for seq in &seqs {
            let Some(mut hole) = self.remove(*seq) else { continue };
            hole.docs.retain(|other| other != doc);
            if !hole.docs.is_empty() {
                self.insert(*seq, hole);
            }
        }
        seqs
    }
}

impl Hole {
    /// Up to which number everything from that log is whole, as far as this commit says.
    fn whole_in(&self, log: &LogId) -> Option<u64> {
        let known = self.bringers.iter().find(|(other, _)| other == log);
        known.map(|(_, whole)| *whole).filter(|whole| *whole != LACKS)
    }

    /// The commit comes after this number in that log. Two copies of one log may have it at different places
    /// until one of them takes another id; whether this is the first of them.
    fn is_after(&mut self, log: LogId, read: u64) -> bool {
        let known = self.bringers.iter_mut().find(|(other, whole)| *other == log && *whole != LACKS);
        let Some(known) = known.filter(|(_, whole)| *whole > read) else { return false };
        known.1 = read;
        true
    }

    fn note(&mut self, log: LogId, word: Word) -> bool {
        let was_named = self.named.contains(&log);
        let known = self.bringers.iter_mut().find(|(other, _)| *other == log);
        match (known, word) {
            (None, word) => {
                self.bringers.push((log, word.number()));
                if matches!(word, Word::Named(_)) {
                    self.named.push(log);
                }
                return true;
            }
            (Some(known), Word::Lacks) if was_named => known.1 = LACKS,
            (Some(known), Word::Whole(whole)) if known.1 == LACKS => known.1 = whole,
            (Some(_), Word::Whole(_)) if was_named => {}
            _ => return false,
        }
        self.named.retain(|other| *other != log);
        true
    }

    pub(super) fn new(commit: &Commit, bringer: Option<(LogId, Word)>) -> Self {
        let mut docs: Vec<_> = commit.holes().map(|(doc, _)| doc).collect();
        docs.sort_unstable();
        docs.dedup();
        Self {
            tip: commit.tip(),
            docs,
            bringers: bringer.into_iter().map(|(log, word)| (log, word.number())).collect(),
            named: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holes() -> Holes {
        let tip = Tip { author: AuthorId([1; 16]), seq: 1, id: CommitId([1; 32]) };
        let mut holes = Holes::default();
        holes.insert(5, Hole { tip, docs: vec![DocId([2; 16])], bringers: Vec::new(), named: Vec::new() });
        holes
    }

    #[test]
    fn what_is_said_to_be_whole_ends_before_what_came_as_whole_and_is_not() {
        let (mut holes, log) = (holes(), LogId([3; 16]));
        assert!(holes.brought(5, (log, Word::Whole(7)), 9));
        assert_eq!(holes.whole_of(&log, &IdSet::new()), Some(7));
        assert!(!holes.brought(5, (log, Word::Whole(9)), 9));
        // A copy of that log may lack the bytes.
        assert!(!holes.brought(5, (log, Word::Lacks), 9));
        assert_eq!(holes.whole_of(&log, &IdSet::new()), Some(7));
        holes.remove(5);
        assert_eq!(holes.whole_of(&log, &IdSet::new()), None);
    }

    #[test]
    fn who_has_named_a_commit_and_brings_it_without_its_bytes_has_said_nothing_of_them() {
        let (mut holes, log) = (holes(), LogId([3; 16]));
        assert!(holes.brought(5, (log, Word::Named(7)), 9));
        assert_eq!(holes.whole_of(&log, &IdSet::new()), Some(7));
        assert!(holes.brought(5, (log, Word::Lacks), 9));
        assert_eq!(holes.whole_of(&log, &IdSet::new()), None);
        assert!(!holes.brought(5, (log, Word::Named(7)), 9));
        // Until it brings them after all.
        assert!(holes.brought(5, (log, Word::Whole(8)), 9));
        assert_eq!(holes.whole_of(&log, &IdSet::new()), Some(8));
        holes.close(&DocId([2; 16]));
        assert_eq!(holes.whole_of(&log, &IdSet::new()), None);
    }

    /// A clone that came first had the commit after its 90th place, this one has it after its 20th (seed 444100).
    #[test]
    fn of_two_copies_of_a_log_the_one_that_has_the_commit_first_says_what_is_whole() {
        let (mut holes, log) = (holes(), LogId([3; 16]));
        assert!(holes.brought(5, (log, Word::Whole(90)), 150));
        assert!(holes.brought(5, (log, Word::Whole(20)), 20));
        assert_eq!(holes.whole_of(&log, &IdSet::new()), Some(20));
        assert!(!holes.brought(5, (log, Word::Named(90)), 150));
        assert_eq!(holes.whole_of(&log, &IdSet::new()), Some(20));
        // Nothing is said of what no copy has.
        holes.remove(5);
        assert!(!holes.brought(5, (log, Word::Whole(20)), 20));
        assert_eq!(holes.whole_of(&log, &IdSet::new()), None);
    }

    #[test]
    fn the_holes_of_a_chain_are_found_up_to_a_number() {
        let mut holes = Holes::default();
        for (author, seq, at) in [(1, 1, 5), (1, 2, 4), (1, 3, 9), (2, 1, 7)] {
            let tip = Tip { author: AuthorId([author; 16]), seq, id: CommitId([at; 32]) };
            let hole = Hole { tip, docs: vec![DocId([at; 16])], bringers: Vec::new(), named: Vec::new() };
            holes.insert(u64::from(at), hole);
        }
        assert_eq!(holes.of_chain(AuthorId([1; 16]), 2), [4, 5]);
        holes.remove(4);
        assert_eq!(holes.of_chain(AuthorId([1; 16]), 9), [5, 9]);
        assert!(holes.of_chain(AuthorId([3; 16]), 9).is_empty());
    }
}
