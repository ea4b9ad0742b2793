//! The changes in a document's commits: what an item holds is rebuilt, regenerated or read, in the
//! order of the log.
//!
//! A commit whose bytes are not all here, or that refers to such a commit, is kept and tried again
//! when what it waits for is here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use automerge::Change;

use crate::base::id::{CommitId, DocId};
use crate::base::id_map::IdMap;
use crate::commit::commit::{Commit, ItemBytes};
use crate::commit::header::After;
use crate::commit::kind::Kind;
use crate::document::budget::{Allowance, Refused};
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
    /// What was not taken, by commit.
    refused: IdMap<CommitId, Refused>,
    refused_in_all: Refused,
    waiting_in_all: u64,
}

/// What a commit holds of the document.
enum Held {
    /// These changes, and so many that are not taken.
    Changes { changes: Vec<(Change, Source)>, refused: Refused },
    /// Some of it is not here.
    Hole,
    /// What can't be rebuilt before the change of this commit is known.
    Waits(After),
}

impl Commits {
    /// The changes that come with a commit: its own, and those of commits that waited for it.
    /// `allowance` says what a commit may hold once so many bytes have come.
    pub fn take(
        &mut self,
        commit: &Commit,
        doc: DocId,
        allowance: impl Fn(u64) -> Allowance,
    ) -> Vec<(Change, Source)> {
        let mut arrived = Vec::new();
        let mut bytes = 0;
        let mut commits = vec![Cow::Borrowed(commit)];
        while let Some(commit) = commits.pop() {
            // All it holds was taken, as far as its author has written in the document.
            if self.changes.holds(&commit.name()) {
                continue;
            }
            // What was too large still is: it is not inflated again.
            if self.refused.get(&commit.id()).is_some_and(|refused| refused.too_large > 0) {
                continue;
            }
            match self.read(&commit, doc, allowance(bytes)) {
                Held::Changes { changes, refused } => {
                    let header = commit.header();
                    if refused.is_empty() {
                        let own = changes.iter().map(|(change, _)| change);
                        self.changes.insert(header.author, header.seq, &commit.id(), own);
                    } else {
                        let before = self.refused.insert(commit.id(), refused);
                        self.refused_in_all.add(refused);
                        self.refused_in_all.remove(before.unwrap_or_default());
                    }
                    bytes += changes.iter().map(|(change, _)| change.raw_bytes().len() as u64).sum::<u64>();
                    arrived.extend(changes);
                    let waiting = self.waiting.remove(&commit.name()).unwrap_or_default();
                    self.waiting_in_all -= waiting.len() as u64;
                    commits.extend(waiting.into_iter().map(Cow::Owned));
                }
                Held::Hole => {}
                Held::Waits(name) => {
                    let waiting = self.waiting.entry(name).or_default();
                    if waiting.iter().all(|waiting| waiting.id() != commit.id()) {
                        waiting.push(commit.into_owned());
                        self.waiting_in_all += 1;
                    }
                }
            }
        }
        arrived
    }

    /// A change that was made here is all that this commit holds of the document. False: others wait for it, and
    /// it is to be taken like any other.
    pub fn note_own(&mut self, commit: &Commit, change: &Change) -> bool {
        let is_awaited = self.waiting.contains_key(&commit.name());
        if !is_awaited {
            let header = commit.header();
            self.changes.insert(header.author, header.seq, &commit.id(), [change]);
        }
        !is_awaited
    }

    /// What was not taken.
    pub fn refused(&self) -> Refused {
        self.refused_in_all
    }

    /// Commits that wait for the change of another.
    pub fn waiting(&self) -> u64 {
        self.waiting_in_all
    }

    /// The item of a change that is made here, in a commit of which this is known; where it can't be
    /// rebuilt to the byte, the whole change.
    pub fn item(&self, change: &mut Change, context: &Context<'_>) -> (Kind, Vec<u8>) {
        match strip(change, context, &self.changes, &Limits::default()) {
            Some(stripped) => (Kind::Change, stripped),
            None => (Kind::Import, change.bytes().into_owned()),
        }
    }

    fn read(&self, commit: &Commit, doc: DocId, mut allowance: Allowance) -> Held {
        let author = Source::Commit(commit.header().author);
        let (mut changes, mut refused) = (Vec::new(), Refused::default());
        for (item, bytes) in commit.items().filter(|(item, _)| item.doc == Some(doc)) {
            let ItemBytes::Present(bytes) = bytes else { return Held::Hole };
            let (chunks, source) = match item.known_kind() {
                Some(Kind::Change) => {
                    let context = Context::from(commit.header());
                    match rebuild(bytes, &context, &self.changes, &Limits::default()) {
                        Ok(chunk) => (vec![chunk], author),
                        Err(RebuildError::Missing(name)) => return Held::Waits(name),
                        Err(_) => {
                            refused.malformed += 1;
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
                    refused.malformed += 1;
                    continue;
                }
            };
            for chunk in chunks {
                let parsed = allowance.parse(&chunk);
                refused.add(parsed.refused);
                changes.extend(parsed.changes.into_iter().map(|change| (change, source)));
            }
        }
        if refused.too_large > 0 {
            // Whole or not at all.
            refused.too_large += changes.len() as u64;
            changes.clear();
        }
        Held::Changes { changes, refused }
    }
}
