//! Authors that edit documents and give each other their commits, in any causal order.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::automerge::transaction::CommitOptions;
use eyot_core::automerge::{ActorId, Author, AutoCommit, Change, TextEncoding};
use eyot_core::base::id::{AuthorId, CommitId, DocId};
use eyot_core::base::limits::Limits as WireLimits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::commit::ItemBytes;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;
use eyot_core::document::stripped::changes::Changes;
use eyot_core::document::stripped::limits::Limits;
use eyot_core::document::stripped::strip::{Context, RebuildError, rebuild, strip};

use crate::edits::edit;
use crate::rng::Rng;

/// What a first commit names before it.
const CHAIN_START: CommitId = CommitId([0; 32]);

const DOCUMENTS: usize = 2;

/// One process that writes.
pub struct Writer {
    author: AuthorId,
    docs: Vec<AutoCommit>,
    changes: Vec<Changes>,
    /// The commits in its log.
    held: BTreeSet<CommitId>,
    /// Those of them that no other comes after.
    heads: BTreeSet<CommitId>,
    tip: Option<(u64, CommitId)>,
}

#[derive(Default)]
pub struct World {
    pub writers: Vec<Writer>,
    pub commits: BTreeMap<CommitId, Commit>,
    /// The chunk that each item of a commit must rebuild to, by its document.
    chunks: BTreeMap<(CommitId, DocId), Vec<u8>>,
    /// Bytes of stripped items, and of what they rebuild to.
    pub bytes: (usize, usize),
    pub stripped: usize,
    pub imported: usize,
}

fn doc_id(index: usize) -> DocId {
    DocId([index as u8; 16])
}

impl World {
    pub fn new(writers: u8, rng: &mut Rng) -> Self {
        let writers = (0..writers)
            .map(|number| {
                let author = AuthorId([number + 1; 16]);
                let doc = |_| {
                    // With an author of Automerge's kind a change has extra bytes.
                    let name = rng.chance(30).then(|| Author::from(&b"somebody"[..]));
                    AutoCommit::new_with_encoding(TextEncoding::Utf16CodeUnit)
                        .with_author(name)
                        .with_actor(ActorId::from(&author.0[..]))
                };
                Writer {
                    author,
                    docs: (0..DOCUMENTS).map(doc).collect(),
                    changes: vec![Changes::new(); DOCUMENTS],
                    held: BTreeSet::new(),
                    heads: BTreeSet::new(),
                    tip: None,
                }
            })
            .collect();
        Self { writers, ..Self::default() }
    }

    /// A process is cloned: from here on two write under one author.
    pub fn clone_writer(&mut self, index: usize) {
        let Writer { author, docs, changes, held, heads, tip } = &mut self.writers[index];
        let docs = docs.iter_mut().map(|doc| doc.fork().with_actor(ActorId::from(&author.0[..]))).collect();
        let clone = Writer {
            author: *author,
            docs,
            changes: changes.clone(),
            held: held.clone(),
            heads: heads.clone(),
            tip: *tip,
        };
        self.writers.push(clone);
    }

    /// One writer edits one or more documents and makes a commit of it.
    pub fn write(&mut self, index: usize, rng: &mut Rng) {
        let writer = &mut self.writers[index];
        let time = rng.next() >> (20 + rng.below(40));
        let after = writer.after(&self.commits);
        let (seq, prev) = writer.tip.map_or((1, None), |(seq, id)| (seq + 1, Some(id)));
        let context = Context { author: writer.author, seq, prev, after: &after, time };
        let mut made = Vec::new();
        for document in 0..DOCUMENTS {
            if rng.chance(40) {
                let message = rng.chance(10).then(|| "what was done 🙂".to_owned());
                let options =
                    || CommitOptions { message: message.clone(), time: Some(context.seconds() as i64) };
                let doc = &mut writer.docs[document];
                edit(doc, rng);
                if doc.commit_with(options()).is_none() {
                    doc.empty_change(options());
                }
                let change = doc.get_last_local_change().expect("it was just made");
                let changes = &writer.changes[document];
                let item = strip(&change, &context, changes, &Limits::default());
                let item = item.unwrap_or_else(|| panic!("a change made here was not stripped: {change:?}"));
                self.bytes.0 += item.len();
                self.bytes.1 += change.raw_bytes().len();
                self.stripped += 1;
                made.push((document, Kind::Change, item, change));
            } else if rng.chance(3) {
                let change = import(&mut writer.docs[document], rng);
                assert_eq!(strip(&change, &context, &writer.changes[document], &Limits::default()), None);
                self.imported += 1;
                made.push((document, Kind::Import, change.raw_bytes().to_vec(), change));
            }
        }
        let items = made.iter().map(|(document, kind, item, _)| (doc_id(*document), *kind, item.clone()));
        let commit = Commit::new(
            (writer.author, seq, prev.unwrap_or(CHAIN_START)),
            after.clone(),
            time,
            items.collect(),
            &WireLimits::PROTOCOL,
        )
        .unwrap();
        for (document, _, _, change) in &made {
            self.chunks.insert((commit.id(), doc_id(*document)), change.raw_bytes().to_vec());
            writer.changes[*document].insert(writer.author, seq, &commit.id(), [change]);
        }
        writer.tip = Some((seq, commit.id()));
        writer.hold(&commit, &self.commits);
        self.commits.insert(commit.id(), commit);
    }

    /// A writer gets some commits that it lacks, each after its causes, in random order.
    pub fn receive(&mut self, index: usize, most: usize, rng: &mut Rng) {
        for _ in 0..most {
            let writer = &self.writers[index];
            let ready: Vec<_> = self
                .commits
                .values()
                .filter(|commit| {
                    // A process that meets the other branch of its own author takes a new id.
                    commit.header().author != writer.author
                        && !writer.held.contains(&commit.id())
                        && causes(commit, &self.commits).iter().all(|cause| writer.held.contains(cause))
                })
                .map(Commit::id)
                .collect();
            if ready.is_empty() {
                return;
            }
            self.take(index, ready[rng.below(ready.len())]);
        }
    }

    fn take(&mut self, index: usize, id: CommitId) {
        let commit = self.commits[&id].clone();
        let writer = &mut self.writers[index];
        let context = Context::from(commit.header());
        for (item, bytes) in commit.items() {
            let ItemBytes::Present(bytes) = bytes else { panic!("nothing is deleted here") };
            let document = usize::from(item.doc.unwrap().0[0]);
            let changes = &mut writer.changes[document];
            let chunk = match item.known_kind() {
                Some(Kind::Change) => rebuild(bytes, &context, changes, &Limits::default()).unwrap(),
                _ => bytes.clone(),
            };
            assert_eq!(chunk, self.chunks[&(id, item.doc.unwrap())], "to the byte");
            let change = Change::from_bytes(chunk).unwrap();
            changes.insert(context.author, context.seq, &id, [&change]);
            // Automerge refuses the other branch of a fork, and queues what depends on it.
            let _ = writer.docs[document].apply_changes([change]);
        }
        writer.hold(&commit, &self.commits);
    }

    /// Every item that refers to something says what it is while nothing is known.
    pub fn check_missing(&self) {
        for commit in self.commits.values() {
            let context = Context::from(commit.header());
            for (item, bytes) in commit.items() {
                let ItemBytes::Present(bytes) = bytes else { panic!("nothing is deleted here") };
                if item.known_kind() == Some(Kind::Change) {
                    match rebuild(bytes, &context, &Changes::new(), &Limits::default()) {
                        Err(RebuildError::Missing(commit)) => {
                            let named = |id: &CommitId| self.commits[id].header().seq == commit.seq;
                            assert!(self.commits.keys().filter(|id| id.short() == commit.short).all(named));
                        }
                        Ok(chunk) => assert_eq!(chunk, self.chunks[&(commit.id(), item.doc.unwrap())]),
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    }
}

/// An item of kind 1, what it must rebuild to, and what is known by then.
pub struct Sample<'a> {
    pub context: Context<'a>,
    pub item: &'a [u8],
    pub chunk: &'a [u8],
    pub changes: &'a Changes,
}

impl World {
    /// All stripped items; what is known is all that the first writer has.
    pub fn samples(&self) -> Vec<Sample<'_>> {
        let mut samples = Vec::new();
        for commit in self.commits.values() {
            for (item, bytes) in commit.items() {
                if let (Some(Kind::Change), ItemBytes::Present(bytes)) = (item.known_kind(), bytes) {
                    samples.push(Sample {
                        context: Context::from(commit.header()),
                        item: bytes,
                        chunk: &self.chunks[&(commit.id(), item.doc.unwrap())],
                        changes: &self.writers[0].changes[usize::from(item.doc.unwrap().0[0])],
                    });
                }
            }
        }
        samples
    }
}

impl Writer {
    fn after(&self, commits: &BTreeMap<CommitId, Commit>) -> Vec<After> {
        let headers = self.heads.iter().map(|id| (commits[id].header(), id));
        let mut after: Vec<_> = headers
            .filter(|(header, _)| header.author != self.author)
            .map(|(header, id)| After { author: header.author, seq: header.seq, short: id.short() })
            .collect();
        after.sort_unstable();
        after
    }

    fn hold(&mut self, commit: &Commit, commits: &BTreeMap<CommitId, Commit>) {
        self.held.insert(commit.id());
        for cause in causes(commit, commits) {
            self.heads.remove(&cause);
        }
        self.heads.insert(commit.id());
    }
}

/// The commits that this one names.
fn causes(commit: &Commit, commits: &BTreeMap<CommitId, Commit>) -> Vec<CommitId> {
    let header = commit.header();
    let by_short = |after: &After| *commits.keys().find(|id| id.short() == after.short).unwrap();
    (header.seq > 1).then_some(header.prev).into_iter().chain(header.after.iter().map(by_short)).collect()
}

/// A change of somebody who writes without eyot, taken into this document.
fn import(doc: &mut AutoCommit, rng: &mut Rng) -> Change {
    let len = 1 + rng.below(40);
    let mut other = doc.fork().with_actor(ActorId::from(rng.bytes(len)));
    edit(&mut other, rng);
    if other.commit().is_none() {
        other.empty_change(CommitOptions::default());
    }
    let change = other.get_last_local_change().expect("it was just made");
    doc.apply_changes([change.clone()]).unwrap();
    change
}
