//! A writer that makes branches, by the dozen.

use eyot_core::base::id::{CommitId, DocId};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;

use crate::actor::actor::{Actor, Deed};
use crate::base::rng::Rng;

impl Actor {
    /// Makes some branches, and brings each to one relay, in any order.
    pub fn bring_forks(&mut self, rng: &mut Rng, deeds: &mut Vec<Deed>) {
        let mut made: Vec<_> = (0..rng.between(1, 8)).filter_map(|_| self.branch(rng)).collect();
        for commit in &made {
            self.learn(commit.clone());
        }
        for i in (1..made.len()).rev() {
            made.swap(i, rng.below(i as u64 + 1) as usize);
        }
        let links: Vec<_> = self.lines.keys().copied().collect();
        for commit in made {
            if let Some(link) = rng.pick(&links) {
                self.bring(*link, commit.encode(), deeds);
            }
        }
    }

    /// A commit beside or after one that it knows, of its own chain mostly.
    pub fn branch(&self, rng: &mut Rng) -> Option<Commit> {
        let is_own = rng.chance(850);
        let of_author: Vec<_> =
            self.heard.iter().filter(|commit| (commit.header().author == self.author) == is_own).collect();
        let place = match rng.pick(&of_author) {
            None if !is_own => return None,
            None => (self.author, 1, self.start),
            Some(commit) if rng.chance(400) => {
                (commit.header().author, commit.header().seq, commit.header().prev)
            }
            Some(commit) => (commit.header().author, commit.header().seq + 1, commit.id()),
        };
        let mut after: Vec<After> = Vec::new();
        for _ in 0..rng.below(3) {
            let name = rng.pick(&self.heard)?.name();
            if name.author != place.0 && !after.iter().any(|other| other.author == name.author) {
                after.push(name);
            }
        }
        after.sort_unstable();
        after.truncate(self.limits.after_max);
        let items = (0..rng.below(3)).map(|_| self.item(rng)).collect();
        Commit::new(place, after, rng.below(1 << 40), items, &self.limits).ok()
    }

    /// Bytes that no engine can read, or those of another commit, for any document.
    fn item(&self, rng: &mut Rng) -> (DocId, Kind, Vec<u8>) {
        let heard = rng.pick(&self.heard).and_then(|commit| commit.header().items.first().cloned());
        let doc = heard.and_then(|item| item.doc).filter(|_| rng.chance(500));
        let doc = doc.unwrap_or_else(|| DocId(rng.bytes()));
        let bytes = (0..rng.between(1, 40)).map(|_| rng.next() as u8).collect();
        (doc, if rng.chance(500) { Kind::Change } else { Kind::Import }, bytes)
    }

    /// A commit of another space.
    pub fn stranger(&self, rng: &mut Rng) -> Option<Commit> {
        let place = (self.author, 1, CommitId(rng.bytes()));
        Commit::new(place, Vec::new(), 0, vec![self.item(rng)], &self.limits).ok()
    }
}
