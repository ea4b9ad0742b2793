//! The commits that this process made: their chain, and where they are in the log. And where those
//! of other processes that share the log are.

use std::collections::BTreeSet;

use crate::base::id::{AuthorId, CommitId, DocId};
use crate::base::id_map::{IdMap, IdSet};
use crate::base::limits::Limits;
use crate::commit::commit::Commit;
use crate::commit::error::CommitError;
use crate::commit::header::After;
use crate::commit::kind::Kind;
use crate::commit::vector::Tip;
use crate::log::log::Log;
use crate::log::rows::Entry;
use crate::replica::event::ReplicaError;
use crate::replica::own_tips::OwnTips;

#[derive(Clone, Debug)]
pub(crate) struct OwnCommits {
    author: AuthorId,
    /// All processes of this holder that have written.
    authors: IdSet<AuthorId>,
    /// Of these the ones of which storage says so apart from the log.
    written: IdSet<AuthorId>,
    /// And those of which it is to say so.
    unwritten: IdSet<AuthorId>,
    /// The ids that this process has given up, each with the number of the last commit that it made under it.
    former: Vec<(AuthorId, u64)>,
    /// Seq and id of the last commit of the author's chain.
    prev: Option<(u64, CommitId)>,
    /// Tips that commits of this process come after which are not in the log yet.
    covered: BTreeSet<Tip>,
    /// How many commits this process has made. They are numbered from 1.
    made: u64,
    /// How many of them, from the first, storage holds.
    saved: u64,
    /// The log seq of each commit of this process, by its number minus 1; none until it is in the log.
    log_seqs: Vec<Option<u64>>,
    /// The numbers of those that are not in the log yet.
    pending: IdMap<CommitId, u64>,
    /// Of these the ones whose position in the log lacks bytes, with the documents of which.
    lacking: IdMap<CommitId, Vec<DocId>>,
    /// The numbers of those that are in a log in memory only, while storage fails.
    in_memory: IdMap<CommitId, u64>,
    /// Log seqs of all commits made by processes of this holder, in rising order.
    holder_seqs: Vec<u64>,
    /// Of these the ones that receipts may name.
    tips: OwnTips,
    /// How many of them were known before the log was read from its start again.
    holder_known: usize,
}

/// What an entry of the log is to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// The last commit of this process that was not in the log yet.
    LastPending,
    /// Somebody else writes under this process's author id: it was cloned while it ran.
    Impostor,
    /// Nothing is to be done for it.
    Other,
}

impl OwnCommits {
    pub fn new(author: AuthorId) -> Self {
        Self {
            author,
            authors: IdSet::from([author]),
            written: IdSet::new(),
            unwritten: IdSet::new(),
            former: Vec::new(),
            prev: None,
            covered: BTreeSet::new(),
            made: 0,
            saved: 0,
            log_seqs: Vec::new(),
            pending: IdMap::new(),
            lacking: IdMap::new(),
            in_memory: IdMap::new(),
            holder_seqs: Vec::new(),
            tips: OwnTips::default(),
            holder_known: 0,
        }
    }

    pub fn author(&self) -> AuthorId {
        self.author
    }

    /// Begins a chain of its own under another author id.
    pub fn set_author(&mut self, author: AuthorId) {
        if let Some((seq, _)) = self.prev.take() {
            self.former.push((self.author, seq));
        }
        self.author = author;
        self.authors.insert(author);
    }

    /// Whether a commit may be of this process. Where it has given up the id, it may also be of who has it now.
    fn may_have_made(&self, author: AuthorId, seq: u64) -> bool {
        author == self.author || self.former.iter().any(|(former, last)| *former == author && seq <= *last)
    }

    /// Whether this is the actor of a process of this holder.
    pub fn is_own(&self, actor: &[u8]) -> bool {
        AuthorId::from_slice(actor).is_some_and(|author| self.authors.contains(&author))
    }

    /// What following the log up to some position has come to: who has written, and where that is in the log.
    pub fn begin_with(&mut self, authors: IdSet<AuthorId>, seqs: Vec<u64>, tips: OwnTips) {
        self.tips = tips;
        self.authors.extend(authors.iter().copied());
        self.written = authors;
        self.holder_seqs = seqs;
    }

    /// Log seqs of all commits made by processes of this holder.
    pub fn seqs(&self) -> &[u64] {
        &self.holder_seqs
    }

    /// Processes of this holder of which storage does not say apart from the log that they have written.
    pub fn take_unwritten_authors(&mut self) -> IdSet<AuthorId> {
        self.written.extend(self.unwritten.iter().copied());
        core::mem::take(&mut self.unwritten)
    }

    /// What was taken could not be written.
    pub fn put_back_unwritten_authors(&mut self, authors: IdSet<AuthorId>) {
        for author in authors.iter() {
            self.written.remove(author);
        }
        self.unwritten.extend(authors.iter().copied());
    }

    /// How many commits this process has made: the number of the last one.
    pub fn made(&self) -> u64 {
        self.made
    }

    pub fn saved(&self) -> u64 {
        self.saved
    }

    pub fn set_saved(&mut self, number: u64) {
        self.saved = number;
    }

    /// How many of this process's commits storage does not hold yet.
    pub fn unsaved(&self) -> u64 {
        self.made - self.saved
    }

    /// Whether commits of this process are not in the log yet.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What the next commit comes after, without what an earlier one of this process names.
    pub fn causes(&self, log: &Log) -> Vec<After> {
        log.uncovered()
            .filter(|tip| tip.author != self.author && !self.covered.contains(tip))
            .map(|tip| After { author: tip.author, seq: tip.seq, short: tip.id.short() })
            .collect()
    }

    /// Author and number of the next commit, and the commit before it.
    pub fn next(&self, log: &Log) -> (AuthorId, u64, CommitId) {
        let start = log.chain_start().expect("a replica knows what its space is");
        let (seq, prev) = self.prev.map_or((1, start), |(seq, id)| (seq + 1, id));
        (self.author, seq, prev)
    }

    /// The next commit of the chain, to be appended to the log. Its number is [`OwnCommits::made`].
    ///
    /// # Errors
    /// [`ReplicaError`]: the chain is as it was.
    pub fn make(
        &mut self,
        after: Vec<After>,
        items: Vec<(DocId, Kind, Vec<u8>)>,
        host_now: u64,
        log: &Log,
        limits: &Limits,
    ) -> Result<Commit, ReplicaError> {
        let place = self.next(log);
        let commit = Commit::new(place, after, host_now, items, limits).map_err(|error| match error {
            CommitError::TooLarge(what) => {
                ReplicaError::TooLarge(format!("a commit may not hold this much: {what}"))
            }
            other => ReplicaError::Invalid(other.to_string()),
        })?;
        let header = commit.header();
        self.prev = Some((header.seq, commit.id()));
        // What a header names is in ascending order.
        let is_named = |tip: &Tip| {
            let name = After { author: tip.author, seq: tip.seq, short: tip.id.short() };
            header.after.binary_search(&name).is_ok()
        };
        self.covered.extend(log.uncovered().copied().filter(is_named));
        self.made += 1;
        self.log_seqs.push(None);
        self.pending.insert(commit.id(), self.made);
        Ok(commit)
    }

    /// An entry of the log is followed. `in_memory`: the log's end is in memory only.
    pub fn logged(&mut self, entry: &Entry, in_memory: bool) -> Ownership {
        let had_pending = self.has_pending();
        let is_impostor = self.has_come(entry, in_memory);
        self.deletes(entry, in_memory);
        if had_pending && !self.has_pending() {
            self.covered.clear();
            return Ownership::LastPending;
        }
        if is_impostor { Ownership::Impostor } else { Ownership::Other }
    }

    /// The commit of an entry is in the log. Whether somebody else writes under this process's author id.
    fn has_come(&mut self, entry: &Entry, in_memory: bool) -> bool {
        let id = entry.commit.id();
        // Where bytes are missing it counts once they are there, and the log has it once more then; or once
        // the log has the deletes that explain why they are not.
        if entry.commit.has_holes() {
            if self.pending.contains_key(&id) {
                self.lacking.insert(id, entry.commit.holes().map(|(doc, _)| doc).collect());
            }
            return false;
        }
        if entry.again && !self.pending.contains_key(&id) {
            return false;
        }
        let header = entry.commit.header();
        // Another process that shares the log may have got a commit of this one from a relay before.
        if entry.own || self.may_have_made(header.author, header.seq) {
            self.authors.insert(header.author);
            if !self.written.contains(&header.author) {
                self.unwritten.insert(header.author);
            }
            self.holder_seqs.push(entry.at.seq);
            let tip = Tip { author: header.author, seq: header.seq, id };
            self.tips.push(entry.at.seq, tip, &header.prev);
        }
        if self.is_in_log(id, entry.at.seq, in_memory) {
            return false;
        }
        let is_known = entry.own && self.prev.is_some_and(|(seq, _)| header.seq <= seq);
        header.author == self.author && !is_known
    }

    /// Documents are deleted by an entry: what lacks bytes of these alone lacks nothing from there on.
    fn deletes(&mut self, entry: &Entry, in_memory: bool) {
        if self.lacking.is_empty() {
            return;
        }
        for doc in entry.commit.header().deletes() {
            for lacking in self.lacking.values_mut() {
                lacking.retain(|other| *other != doc);
            }
        }
        let whole: Vec<_> =
            self.lacking.iter().filter(|(_, docs)| docs.is_empty()).map(|(id, _)| *id).collect();
        for id in whole {
            self.holder_seqs.push(entry.at.seq);
            // The commit may be held by who does not have the delete.
            self.tips.push_unnamed(entry.at.seq);
            self.is_in_log(id, entry.at.seq, in_memory);
        }
    }

    /// A commit is in the log with all its bytes, from that position on. Whether it is one of this process that
    /// was not.
    fn is_in_log(&mut self, id: CommitId, log_seq: u64, in_memory: bool) -> bool {
        self.lacking.remove(&id);
        let Some(number) = self.pending.remove(&id) else { return false };
        self.log_seqs[number as usize - 1] = Some(log_seq);
        if in_memory {
            self.in_memory.insert(id, number);
        }
        true
    }

    /// Storage holds what was in memory only.
    pub fn storage_recovered(&mut self) {
        self.in_memory.clear();
    }

    /// The log is followed from its start again: what was in memory only will get another log seq.
    pub fn log_restarts(&mut self) {
        let in_storage = self.holder_seqs.len() - self.in_memory.len();
        self.holder_known = self.holder_known.max(in_storage);
        for (id, number) in core::mem::take(&mut self.in_memory) {
            self.log_seqs[number as usize - 1] = None;
            self.pending.insert(id, number);
        }
        self.holder_seqs.clear();
        self.tips.clear();
        self.lacking.clear();
    }

    /// The log was followed to its end, and nothing is to be appended to it. A commit that was in memory only
    /// may be in it as one of others now: another process of this holder has it from a relay.
    pub fn log_is_read(&mut self) {
        self.holder_known = 0;
    }

    /// How many commits of this holder's processes a holder lacks that has stored the log up to there.
    pub fn missing(&self, log_seq: u64) -> u64 {
        let logged = self.holder_seqs.len() - self.holder_seqs.partition_point(|seq| *seq <= log_seq);
        let not_read_again = self.holder_known.saturating_sub(self.holder_seqs.len());
        (logged + not_read_again + self.pending.len()) as u64
    }

    /// The commits of this holder's processes that receipts may name.
    pub fn tips(&self) -> &OwnTips {
        &self.tips
    }

    /// The log seq of the last commit that a process of this holder made; 0 where there is none.
    pub fn last_of_holder(&self) -> u64 {
        self.holder_seqs.last().copied().unwrap_or(0)
    }

    /// The log seq that must be stored for this process's commit of that number to be; none until it
    /// is in the log. Number 0 is before all.
    pub fn log_seq(&self, number: u64) -> Option<u64> {
        number.checked_sub(1).map_or(Some(0), |index| self.log_seqs[index as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::LogId;
    use crate::base::position::{Marker, Position};
    use crate::commit::descriptor::Descriptor;
    use crate::log::log::Keeping;

    /// It was in memory only while storage failed, and another process of this holder has it from a relay
    /// (seed 1194).
    #[test]
    fn a_commit_that_is_in_the_log_as_one_of_others_now_is_not_counted_for_ever() {
        let start = Descriptor::plain("space").chain_start(0);
        let place = (AuthorId([2; 16]), 1, start);
        let commit = Commit::new(place, Vec::new(), 0, Vec::new(), &Limits::PROTOCOL).expect("small");
        let at = Position::START.then(&commit.id());
        let entry = Entry { at, commit, own: true, again: false };
        let mut own = OwnCommits::new(AuthorId([1; 16]));
        own.logged(&entry, true);
        own.log_restarts();
        assert_eq!(own.missing(0), 1, "the log is being read again");
        own.logged(&Entry { own: false, ..entry }, false);
        own.log_is_read();
        assert_eq!(own.missing(0), 0);
    }

    /// It was in memory only while storage failed, a copy of this process went on under its author id, and others had
    /// the commit: it counted as stored in regions that never had it (seed 1005673).
    #[test]
    fn a_commit_that_was_made_under_an_id_given_up_since_is_counted_where_it_comes_from_others() {
        let limits = Limits::PROTOCOL;
        let marker = Marker::new(LogId([9; 16]), [9; 32], 0);
        let log = Log::new(marker, Some(Descriptor::plain("space")), Keeping::Uncovered, limits.into());
        let mut own = OwnCommits::new(AuthorId([1; 16]));
        let commit = own.make(Vec::new(), Vec::new(), 0, &log, &limits).expect("small");
        own.set_author(AuthorId([2; 16]));
        let at = Position::START.then(&commit.id());
        own.logged(&Entry { at, commit, own: false, again: false }, false);
        assert_eq!((own.missing(0), own.missing(1)), (1, 0));
    }

    /// Its storage was full, and another process of this holder has got the commit from a relay, without the
    /// bytes of a document whose delete came later (seed 205800).
    #[test]
    fn a_commit_that_is_in_the_log_without_bytes_is_stored_once_the_log_has_the_delete() {
        let limits = Limits::PROTOCOL;
        let marker = Marker::new(LogId([9; 16]), [9; 32], 0);
        let space = Descriptor::plain("space");
        let log = Log::new(marker, Some(space.clone()), Keeping::Uncovered, limits.into());
        let doc = DocId([3; 16]);
        let mut own = OwnCommits::new(AuthorId([1; 16]));
        let items = vec![(doc, Kind::Change, vec![7])];
        let made = own.make(Vec::new(), items, 0, &log, &limits).expect("small");
        let delete = After { author: AuthorId([2; 16]), seq: 1, short: CommitId([4; 32]).short() };
        let mut lacks = made.clone();
        assert!(lacks.justify(|_| Some(delete)) && lacks.justify(|_| None));
        let entry = |at: u64, commit: &Commit| {
            let at = Position { seq: at, ..Position::START };
            Entry { at, commit: commit.clone(), own: false, again: false }
        };
        assert_eq!(own.logged(&entry(1, &lacks), false), Ownership::Other);
        assert!(own.has_pending());
        let place = (AuthorId([2; 16]), 1, space.chain_start(0));
        let items = vec![(doc, Kind::Delete, Vec::new())];
        let deletes = Commit::new(place, Vec::new(), 0, items, &limits).expect("small");
        assert_eq!(own.logged(&entry(2, &deletes), false), Ownership::LastPending);
        assert_eq!(own.log_seq(1), Some(2), "whoever has the log up to the delete has all of it");
        assert_eq!((own.missing(1), own.missing(2)), (1, 0));
    }
}
