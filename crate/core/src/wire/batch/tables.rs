//! What both ends of a batch know at each commit: what came before it.

use minicbor::{Decode, Encode};

use crate::base::id::{AuthorId, CommitId, DocId};
use crate::commit::commit::Commit;
use crate::commit::header::After;
use crate::wire::batch::record::Record;

/// The last commit of a batch, from which the next batch on the same link may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Last {
    #[n(0)]
    author: AuthorId,
    #[n(1)]
    seq: u64,
    #[n(2)]
    id: CommitId,
    #[n(3)]
    time: u64,
    #[n(4)]
    doc: Option<DocId>,
}

impl Last {
    /// Of a commit.
    pub fn of(commit: &Commit) -> Self {
        let header = commit.header();
        let doc = header.items.last().and_then(|item| item.doc);
        Self { author: header.author, seq: header.seq, id: commit.id(), time: header.time, doc }
    }

    /// Of the records of a frame, if there is a commit that was checked.
    pub fn of_records(records: &[Record]) -> Option<Self> {
        records.iter().rev().find_map(|record| match record {
            Record::Checked(commit) => Some(Self::of(commit)),
            Record::Encoded(_) => None,
        })
    }

    /// Tells it from others that a link may have brought: against accidents alone, since who brings commits can
    /// say what they like of their own.
    pub fn check(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.id.0;
        [a, b, c, d]
    }
}

/// What was written, or read, so far.
#[derive(Default)]
pub(super) struct Tables {
    pub authors: Vec<AuthorId>,
    /// Of each author the last commit here, if there is one.
    pub chains: Vec<Option<(u64, CommitId)>>,
    pub docs: Vec<DocId>,
    pub names: Vec<After>,
    pub time: u64,
    /// The author of the commit before, by its place.
    pub author: Option<usize>,
}

impl Tables {
    pub fn new(last: Option<&Last>) -> Self {
        let mut tables = Self::default();
        if let Some(last) = last {
            tables.docs.extend(last.doc);
            tables.push_author(last.author);
            tables.is_here(0, (last.seq, last.id), last.time);
        }
        tables
    }

    pub fn push_author(&mut self, author: AuthorId) {
        self.authors.push(author);
        self.chains.push(None);
    }

    /// A commit is written, or read.
    pub fn is_here(&mut self, author: usize, (seq, id): (u64, CommitId), time: u64) {
        self.chains[author] = Some((seq, id));
        self.names.push(After { author: self.authors[author], seq, short: id.short() });
        self.time = time;
        self.author = Some(author);
    }

    /// Number and predecessor of a commit that follows its author's last one.
    pub fn follows(&self, author: usize) -> Option<(u64, CommitId)> {
        let (seq, id) = (*self.chains.get(author)?)?;
        Some((seq.checked_add(1)?, id))
    }
}
