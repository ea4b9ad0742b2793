//! One who makes commits of one document.

use std::collections::BTreeMap;

use eyot_core::base::id::{AuthorId, CommitId, DocId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::header::After;
use eyot_core::document::budget::Budget;
use eyot_core::document::document::Document;
use eyot_core::document::stripped::strip::Context;
use eyot_core::document::value::Op;

pub const DOC: DocId = DocId([1; 16]);
const CHAIN_START: CommitId = CommitId([0; 32]);

/// An open document, and who writes in it.
pub struct Author {
    id: AuthorId,
    pub document: Document,
    /// The last commit of each author, by their ids.
    tips: BTreeMap<AuthorId, (u64, CommitId)>,
    /// The commits that no other comes after.
    heads: Vec<After>,
}

impl Author {
    pub fn new(number: u8) -> Self {
        let id = AuthorId([number; 16]);
        let document = Document::new(id, Budget::default());
        Self { id, document, tips: BTreeMap::new(), heads: Vec::new() }
    }

    /// From now on it is another who writes, and has all that is here.
    pub fn write_as(&mut self, number: u8) {
        self.id = AuthorId([number; 16]);
        self.document.set_author(self.id);
    }

    pub fn commit(&mut self, ops: &[Op]) -> Commit {
        let mut change = self.document.change(ops, None, 1).unwrap().expect("each edit changes something");
        let mut after = std::mem::take(&mut self.heads);
        after.retain(|after| after.author != self.id);
        after.sort_unstable();
        let (seq, prev) = self.tips.get(&self.id).map_or((1, None), |(seq, id)| (seq + 1, Some(*id)));
        let context = Context { author: self.id, seq, prev, after: &after, time: 1000 };
        let (kind, item) = self.document.item(&mut change, &context);
        let place = (self.id, seq, prev.unwrap_or(CHAIN_START));
        let commit = Commit::new(place, after, 1000, vec![(DOC, kind, item)], &Limits::PROTOCOL).unwrap();
        self.note(&commit);
        self.document.committed(DOC, &commit, &change);
        commit
    }

    pub fn take<'a>(&mut self, commits: impl IntoIterator<Item = &'a Commit> + Clone) {
        commits.clone().into_iter().for_each(|commit| self.note(commit));
        self.document.apply_commits(DOC, commits);
    }

    fn note(&mut self, commit: &Commit) {
        let header = commit.header();
        self.tips.insert(header.author, (header.seq, commit.id()));
        self.heads.retain(|head| head.author != header.author);
        self.heads.push(commit.name());
    }
}
