//! The changes in a document's commits: what an item holds is rebuilt, regenerated or read, in the
//! order of the log.
//!
//! A commit whose bytes are not all here, or that refers to such a commit, is kept and tried again
//! when what it waits for is here.

use std::collections::BTreeMap;

use automerge::Change;

use crate::base::id::DocId;
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::header::After;
use crate::commit::kind::Kind;
use crate::document::budget::Budget;
use crate::document::genesis::Genesis;
use crate::document::source::Source;
use crate::document::stripped::changes::Changes;
use crate::document::stripped::limits::Limits;
use crate::document::stripped::strip::{Context, RebuildError, rebuild, strip};

/// What the commits of a document hold.
#[derive(Clone, Default)]
pub(super) struct Commits {
    changes: Changes,
    /// Commits that refer to a change of this commit, which is not known yet.
    waiting: BTreeMap<After, Vec<Commit>>,
}

/// What a commit holds of the document.
enum Held {
    /// These changes, and so many chunks that can't be read.
    Changes { changes: Vec<(Change, Source)>, refused: usize },
    /// Some of it is not here.
    Hole,
    /// What can't be rebuilt before the change of this commit is known.
    Waits(After),
}

impl Commits {
    /// The changes that come with a commit: its own, and those of commits that waited for it. And how
    /// many chunks can't be read.
    pub fn take(&mut self, commit: &Commit, doc: DocId, budget: &Budget) -> (Vec<(Change, Source)>, usize) {
        let (mut arrived, mut refused_in_all) = (Vec::new(), 0);
        let mut commits = vec![commit.clone()];
        while let Some(commit) = commits.pop() {
            match self.read(&commit, doc, budget) {
                Held::Changes { changes, refused } => {
                    let header = commit.header();
                    if refused == 0 {
                        let own = changes.iter().map(|(change, _)| change);
                        self.changes.insert(header.author, header.seq, &commit.id(), own);
                    }
                    refused_in_all += refused;
                    arrived.extend(changes);
                    commits.extend(self.waiting.remove(&commit.name()).into_iter().flatten());
                }
                Held::Hole => {}
                Held::Waits(name) => self.waiting.entry(name).or_default().push(commit),
            }
        }
        (arrived, refused_in_all)
    }

    /// Commits that wait for the change of another.
    pub fn waiting(&self) -> usize {
        self.waiting.values().map(Vec::len).sum()
    }

    /// The item of a change that is made here, in a commit of which this is known; where it can't be
    /// rebuilt to the byte, the whole change.
    pub fn item(&self, change: &mut Change, context: &Context<'_>) -> (Kind, Vec<u8>) {
        match strip(change, context, &self.changes, &Limits::default()) {
            Some(stripped) => (Kind::Change, stripped),
            None => (Kind::Import, change.bytes().into_owned()),
        }
    }

    fn read(&self, commit: &Commit, doc: DocId, budget: &Budget) -> Held {
        let author = Source::Commit(commit.header().author);
        let (mut changes, mut refused) = (Vec::new(), 0);
        for (item, bytes) in commit.items().filter(|(item, _)| item.doc == Some(doc)) {
            let ItemBytes::Present(bytes) = bytes else { return Held::Hole };
            let (chunks, source) = match item.known_kind() {
                Some(Kind::Change) => {
                    let context = Context::from(commit.header());
                    match rebuild(bytes, &context, &self.changes, &Limits::default()) {
                        Ok(chunk) => (vec![chunk], author),
                        Err(RebuildError::Missing(name)) => return Held::Waits(name),
                        Err(_) => {
                            refused += 1;
                            continue;
                        }
                    }
                }
                Some(Kind::Import) => (vec![bytes.clone()], author),
                Some(Kind::Genesis) => {
                    let genesis = Genesis::decode(bytes).ok().filter(|genesis| genesis.doc() == doc);
                    (genesis.map(|genesis| genesis.changes()).unwrap_or_default(), Source::Genesis)
                }
                Some(Kind::Delete) => continue,
                // Of a later version: it can't be told what a change after it depends on.
                None => {
                    refused += 1;
                    continue;
                }
            };
            for chunk in chunks {
                let parsed = budget.parse(&chunk);
                refused += parsed.refused;
                changes.extend(parsed.changes.into_iter().map(|change| (change, source)));
            }
        }
        Held::Changes { changes, refused }
    }
}
