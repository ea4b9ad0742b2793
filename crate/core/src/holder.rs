//! The holder: what a replica and a relay have in common. It keeps the log in storage, admits
//! commits in causal order, and replicates over its links.
//!
//! One thing at a time: commits come in through one inbox, are staged into one write, and only when
//! that write is durable are they acknowledged, sent on and told to the owner. What comes in
//! meanwhile is in the next write, so load makes writes larger, not more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::commit::{Commit, CommitError, Position, to_cbor};
use crate::frame::{
    Ack, Answer, Bye, ChainRange, CloseCode, Commits, Cursor, Frame, Head, Hello, Piece, Quiet, VERSION,
    VERSION_MIN, VectorPart, Want,
};
use crate::id::{AuthorId, CommitId, LogId, hash32};
use crate::io::{Effect, LinkId, Millis, RequestId, StorageAnswer, StorageRequest, WriteBatch};
use crate::limits;
use crate::link::{FrameNumber, Link, Peer, Phase, Side, Wanted, fits, pieces};
use crate::log::{self, Admission, Entry, Log, PeerRecord};
use crate::store::MemoryStore;
use crate::vector::{Digest, Tip, Vector};

/// How long the other side may take for its `Hello`.
const HELLO_WAIT: Millis = 10_000;
/// How long a link must be still before the two sides compare digests.
const QUIET_WAIT: Millis = 2_000;
/// How long an answer to a `Want` may take.
const WANT_WAIT: Millis = 15_000;
/// How long a link may say nothing while an answer is due.
const SILENCE_MAX: Millis = 20_000;
/// How long after a failed write storage is tried again.
const DISK_RETRY: Millis = 5_000;

/// What the owner needs to hear.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    /// The log is known; links may be opened.
    Opened,
    /// Storage holds something this code cannot read.
    Corrupt(String),
    /// These commits are in the log now, in this order.
    Appended(Vec<Entry>),
    /// So many of the process's own commits, from the first, are durable.
    Saved(u64),
    /// Own commits up to this could not be written; the holder goes on from memory.
    SaveFailed(u64, String),
    /// Storage works again.
    DiskRecovered,
    /// The answer to [`Holder::ask_storage`].
    Storage(OwnerRequest, StorageAnswer),
    /// Something about a link changed: it came up, moved or went.
    LinkChanged,
    /// The link is gone; why, where it was said.
    LinkClosed(LinkId, Option<(u16, String)>),
    /// The end of a peer's log, asked for with [`Holder::ask_heads`].
    HeadOf(LinkId, u64, Position),
    /// Another process moved the log on; it is to be followed from storage.
    LogMoved,
    /// What this process had beyond storage now has other places in the log.
    Reloaded,
}

/// Reads that the owner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerRequest {
    /// The log, from where the owner has got to.
    Follow,
    /// A document's commits, from this one of the log on.
    Document(crate::id::DocId, u64),
}

/// Where a commit came from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// This process made it; its number among those it made.
    Own(u64),
    /// It was in storage's place in memory, or in a write that another process overtook.
    Again { own: bool },
    /// The stream of a link, which spent so many bytes of credit on it.
    Stream(LinkId, FrameNumber, usize),
    /// An answer on a link.
    Answer(LinkId),
}

#[derive(Clone, Debug)]
struct Incoming {
    origin: Origin,
    commit: Commit,
}

#[derive(Clone, Debug)]
enum Pending {
    Meta,
    MetaAgain,
    Load { range: usize },
    Peers,
    Lookup,
    Append(InFlight),
    Records,
    Flush,
    CheckCursor { link: LinkId, cursor: Cursor, which: Which },
    Feed(LinkId),
    FindFor(LinkId, Want),
    AnswerRead(AnswerJob),
    Owner(OwnerRequest),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Seen,
    Read,
}

#[derive(Clone, Debug)]
struct AnswerJob {
    link: LinkId,
    nonce: u64,
    left: BTreeSet<u64>,
    bytes: u64,
    read_bytes: usize,
}

/// A write under way.
#[derive(Clone, Debug)]
struct InFlight {
    batch: WriteBatch,
    entries: Vec<Entry>,
    origins: Vec<Origin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Loading,
    Open,
    Failed,
}

/// Where writes go.
#[derive(Clone, Debug)]
enum Disk {
    Healthy,
    /// Storage has failed. Writes are kept here, and shadow what storage holds, until they can be
    /// written after all.
    Failing {
        kept: MemoryStore,
        guard: Option<log::Guard>,
        /// How much of the log is in storage.
        since: u64,
        reason: String,
        retry_at: Millis,
    },
}

/// A commit whose causes are not all in the log.
#[derive(Clone, Debug)]
struct Waiting {
    commit: Commit,
    origins: Vec<Origin>,
    missing: Vec<ChainRange>,
}

#[derive(Clone, Debug, Default)]
struct WaitingRoom {
    commits: BTreeMap<CommitId, Waiting>,
    by_cause: BTreeMap<(AuthorId, u64), BTreeSet<CommitId>>,
    bytes: usize,
}

/// How links greet.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub space: String,
    pub region: Option<String>,
    pub token: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Holder {
    pub identity: Identity,
    now: Millis,
    rng: Rng,
    state: State,
    log: Log,
    /// The end of what is durable (or in memory where storage has failed).
    stored: Position,
    disk: Disk,
    links: BTreeMap<LinkId, Link>,
    peers: BTreeMap<LogId, PeerRecord>,
    dirty_peers: BTreeSet<LogId>,
    inbox: VecDeque<Incoming>,
    waiting: WaitingRoom,
    /// Frames that came before the log was known.
    early: Vec<(LinkId, Vec<u8>)>,
    /// Links that received something since the last write, to be acknowledged after the next.
    touched: BTreeSet<LinkId>,
    /// Writes under way.
    writing: u32,
    lookups: usize,
    saved: u64,
    /// Whether more of them are in the log than the owner was told.
    saved_more: bool,
    /// Commits in the inbox that storage refused before.
    again: usize,
    pending: BTreeMap<RequestId, (Pending, StorageRequest)>,
    next_request: u64,
    next_nonce: u64,
    next_link: u64,
    pub withheld: u64,
    /// Writes made to memory, whose answers are due.
    done: VecDeque<(Pending, StorageRequest)>,
    /// Another process moved the log on while this one was writing.
    moved: bool,
    /// A write of commits is under way.
    appending: bool,
    /// The owner has followed the log further than this knows it.
    lagging: bool,
    effects: VecDeque<Effect>,
    notices: VecDeque<Notice>,
    deadline: Option<Millis>,
    owner_deadline: Option<Millis>,
}

impl Holder {
    pub fn new(identity: Identity, seed: [u8; 32], now: Millis) -> Self {
        let mut rng = Rng::new(seed);
        let log = Log::new(LogId(rng.bytes16()));
        let mut holder = Self {
            identity,
            now,
            rng,
            state: State::Loading,
            stored: log.head(),
            log,
            disk: Disk::Healthy,
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            dirty_peers: BTreeSet::new(),
            inbox: VecDeque::new(),
            waiting: WaitingRoom::default(),
            early: Vec::new(),
            touched: BTreeSet::new(),
            writing: 0,
            lookups: 0,
            saved: 0,
            saved_more: false,
            again: 0,
            pending: BTreeMap::new(),
            next_request: 0,
            next_nonce: 0,
            next_link: 1 << 32,
            withheld: 0,
            done: VecDeque::new(),
            moved: false,
            appending: false,
            lagging: false,
            effects: VecDeque::new(),
            notices: VecDeque::new(),
            deadline: None,
            owner_deadline: None,
        };
        holder.load();
        holder
    }

    // What the owner may look at.

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn stored(&self) -> Position {
        self.stored
    }

    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub fn is_failed(&self) -> bool {
        self.state == State::Failed
    }

    pub fn disk_failed(&self) -> bool {
        matches!(self.disk, Disk::Failing { .. })
    }

    /// How much of the log is in storage.
    pub fn on_disk(&self) -> u64 {
        match &self.disk {
            Disk::Healthy => self.stored.seq,
            Disk::Failing { since, .. } => *since,
        }
    }

    pub fn links(&self) -> impl Iterator<Item = (&LinkId, &Link)> {
        self.links.iter()
    }

    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    pub fn peers(&self) -> impl Iterator<Item = &PeerRecord> {
        self.peers.values()
    }

    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Nothing is being written, and nothing waits to be.
    pub fn is_settled(&self) -> bool {
        self.writing == 0 && self.inbox.is_empty() && self.lookups == 0
    }

    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub fn push_effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// What lets this holder in, for the links that are opened from now on.
    pub fn set_token(&mut self, token: String) {
        self.identity.token = Some(token);
    }

    /// The owner's own deadline, beside those of links and storage.
    pub fn set_owner_deadline(&mut self, at: Option<Millis>) {
        self.owner_deadline = at;
        self.schedule();
    }

    // What the owner may ask.

    /// Takes in a commit that this process made: the `number`-th.
    pub fn append_own(&mut self, commit: Commit, number: u64, now: Millis) {
        self.now = now;
        self.inbox.push_back(Incoming { origin: Origin::Own(number), commit });
        self.pump();
    }

    /// Reads storage for the owner; the answer is a [`Notice::Storage`].
    pub fn ask_storage(&mut self, what: OwnerRequest, request: StorageRequest) {
        self.request(Pending::Owner(what), request);
    }

    pub fn dial(&mut self, url: String, now: Millis) -> LinkId {
        let id = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(id, Link::new(Side::Dialer { url: url.clone() }, now));
        self.effects.push_back(Effect::Dial(id, url));
        self.schedule();
        id
    }

    /// Asks every holder dialled for the end of its log; gives the question's number.
    pub fn ask_heads(&mut self) -> u64 {
        let nonce = self.nonce();
        let up: Vec<_> = self.links.iter().filter(|(_, link)| link.is_up()).map(|(id, _)| *id).collect();
        for link in up {
            self.send(link, &Frame::Head(Head { nonce, at: None }));
        }
        nonce
    }

    /// Closes a link, saying why.
    pub fn close(&mut self, id: LinkId, code: CloseCode, reason: impl Into<String>) {
        let reason = reason.into();
        if self.links.contains_key(&id) {
            self.send(id, &Frame::Bye(Bye { code: code as u16, reason: reason.clone() }));
            self.effects.push_back(Effect::Close(id, code as u16, reason.clone()));
            self.gone(id, Some((code as u16, reason)));
        }
    }

    /// Writes what is known of peers, so that the next start resumes where this one stopped.
    pub fn save_peers(&mut self) {
        if !self.dirty_peers.is_empty() && self.state == State::Open && self.writing == 0 {
            let (puts, deletes) = self.take_peers();
            self.write(Pending::Records, WriteBatch { guard: None, puts, deletes });
            self.pump();
        }
    }

    /// Another process of this holder has written.
    pub fn log_moved(&mut self, now: Millis) {
        self.now = now;
        self.moved = true;
        self.pump();
    }

    /// Takes in commits another process appended, that the owner read from storage.
    pub fn follow(&mut self, entries: &[Entry]) {
        // What is being written comes after these, or will be refused for them.
        let may_follow = self.state == State::Open && !self.appending;
        for entry in entries.iter().filter(|_| may_follow) {
            if entry.at.seq == self.log.head().seq + 1 {
                self.log.follow(entry);
                self.release(entry.commit.header().author, entry.commit.header().seq);
            }
        }
        self.lagging |= entries.last().is_some_and(|last| last.at.seq > self.log.head().seq);
        if !may_follow {
            return;
        }
        if self.log.head().seq > self.stored.seq {
            self.stored = self.log.head();
            self.feed_all();
        }
        self.pump();
    }

    // Inputs.

    pub fn link_opened(&mut self, id: LinkId, now: Millis) {
        self.now = now;
        match self.links.get_mut(&id) {
            Some(link) => {
                link.phase = Phase::Opened;
                link.opened_at = now;
                link.heard_at = now;
            }
            None => {
                self.links.insert(id, Link::new(Side::Accepter, now));
            }
        }
        self.pump();
    }

    pub fn link_closed(&mut self, id: LinkId, now: Millis) {
        self.now = now;
        self.gone(id, None);
        self.pump();
    }

    pub fn resume_link(&mut self, id: LinkId, attachment: &[u8], now: Millis) {
        self.now = now;
        match Link::resume(attachment, now) {
            Some(link) => {
                self.links.insert(id, link);
                self.pump();
            }
            None => self.link_opened(id, now),
        }
    }

    pub fn received(&mut self, id: LinkId, bytes: Vec<u8>, now: Millis) {
        self.now = now;
        let Some(link) = self.links.get_mut(&id) else { return };
        link.heard_at = now;
        if !link.is_up() && bytes.len() > limits::HELLO_BYTES_MAX {
            return self.close(id, CloseCode::TooLarge, "a greeting over the limit");
        }
        if self.state == State::Failed {
            return self.close(id, CloseCode::Storage, "this holder's storage has failed");
        }
        if self.state == State::Loading {
            if !link.is_up() && self.early.iter().any(|(other, _)| *other == id) {
                return self.close(id, CloseCode::OutOfOrder, "a frame before the greeting");
            }
            self.early.push((id, bytes));
            return;
        }
        let frame = match Frame::decode(&bytes) {
            Ok(frame) => frame,
            Err(error @ crate::frame::FrameError::TooLarge(_)) => {
                return self.close(id, CloseCode::TooLarge, error.to_string());
            }
            Err(error) => return self.close(id, CloseCode::Malformed, error.to_string()),
        };
        self.frame(id, frame);
        self.pump();
    }

    pub fn timer(&mut self, now: Millis) {
        self.now = now;
        self.deadline = None;
        self.check_deadlines();
        self.pump();
    }

    pub fn storage(&mut self, id: RequestId, answer: StorageAnswer, now: Millis) {
        self.now = now;
        let Some((pending, request)) = self.pending.remove(&id) else {
            return;
        };
        let answer = self.shadowed(&request, answer);
        if let Err(error) = self.answered(pending, request, answer) {
            self.fails(&error);
        }
        self.pump();
    }

    fn is_relay(&self) -> bool {
        self.identity.region.is_some()
    }

    fn stop(&mut self, reason: String) {
        self.state = State::Failed;
        let links: Vec<_> = self.links.keys().copied().collect();
        for link in links {
            self.close(link, CloseCode::Storage, "this holder's storage has failed");
        }
        self.notices.push_back(Notice::Corrupt(reason));
    }

    fn fails(&mut self, error: &CommitError) {
        self.stop(error.to_string());
    }

    // Opening.

    fn load(&mut self) {
        self.request(Pending::Meta, StorageRequest::Get(vec![log::META_KEY.to_vec()]));
    }

    fn load_range(&mut self, range: usize, from: Option<Vec<u8>>) {
        let [first, second] = log::load_range();
        let (start, to) = if range == 0 { first } else { second };
        let from = from.unwrap_or(start);
        let scan = StorageRequest::Scan { from, to, bytes_max: limits::READ_BYTES };
        self.request(Pending::Load { range }, scan);
    }

    fn opened(&mut self) {
        self.stored = self.log.head();
        self.state = State::Open;
        self.notices.push_back(Notice::Opened);
        for (link, bytes) in core::mem::take(&mut self.early) {
            self.received(link, bytes, self.now);
        }
    }

    // Storage.

    fn request(&mut self, pending: Pending, request: StorageRequest) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, (pending, request.clone()));
        self.effects.push_back(Effect::Storage(id, request));
    }

    fn write(&mut self, pending: Pending, batch: WriteBatch) {
        self.writing += 1;
        match &mut self.disk {
            Disk::Healthy => self.request(pending, StorageRequest::Write(batch)),
            Disk::Failing { kept, .. } => {
                let batch = WriteBatch { guard: None, ..batch };
                kept.write(&batch);
                self.done.push_back((pending, StorageRequest::Write(batch)));
            }
        }
    }

    /// What storage would have said, had the writes it refused been made.
    fn shadowed(&self, request: &StorageRequest, answer: StorageAnswer) -> StorageAnswer {
        let Disk::Failing { kept, since, .. } = &self.disk else {
            return answer;
        };
        match (request, answer) {
            (StorageRequest::Get(keys), answer) => {
                let stored = match answer {
                    StorageAnswer::Values(values) => values,
                    _ => vec![None; keys.len()],
                };
                let kept = keys.iter().map(|key| kept.get(key).cloned());
                StorageAnswer::Values(kept.zip(stored).map(|(kept, stored)| kept.or(stored)).collect())
            }
            (StorageRequest::Scan { from, to, .. }, answer) => {
                let (stored, more) = match answer {
                    StorageAnswer::Scanned { entries, more } => (entries, more),
                    _ => (Vec::new(), false),
                };
                let end = match stored.last() {
                    Some((last, _)) if more => [last.as_slice(), &[0]].concat(),
                    _ => to.clone(),
                };
                // What other processes have appended since is taken in once storage works again.
                let is_known = |key: &[u8]| log::row_seq(key).is_none_or(|seq| seq <= *since);
                let mut merged: BTreeMap<_, _> =
                    stored.into_iter().filter(|(key, _)| is_known(key)).collect();
                merged.extend(kept.range(from, &end).map(|(k, v)| (k.clone(), v.clone())));
                StorageAnswer::Scanned { entries: merged.into_iter().collect(), more }
            }
            (StorageRequest::Write(_), answer) => answer,
        }
    }

    fn answered(
        &mut self,
        pending: Pending,
        request: StorageRequest,
        answer: StorageAnswer,
    ) -> Result<(), CommitError> {
        match (pending, answer) {
            (Pending::Meta, StorageAnswer::Values(values)) => {
                if let Some(value) = values.into_iter().next().flatten() {
                    self.log = Log::open(log::read_meta(&value)?);
                }
                self.load_range(0, None);
            }
            (Pending::MetaAgain, StorageAnswer::Values(values)) => {
                let meta = values.into_iter().next().flatten();
                let head = meta.map(|value| log::read_meta(&value)).transpose()?;
                if head.is_none_or(|meta| meta.head == self.log.head()) {
                    self.opened();
                } else {
                    // Another process wrote while the tips were read: they may be past the end.
                    self.log = Log::new(self.log.id());
                    self.load();
                }
            }
            (Pending::Meta, StorageAnswer::Failed(reason)) => {
                let guard = Some((log::META_KEY.to_vec(), None));
                self.disk_fails(WriteBatch { guard, ..WriteBatch::default() }, reason.clone());
                self.notices.push_back(Notice::SaveFailed(0, reason));
                self.opened();
            }
            (Pending::Load { range }, StorageAnswer::Scanned { entries, more }) => {
                for (key, value) in &entries {
                    self.log.load(key, value)?;
                }
                match entries.last() {
                    Some((last, _)) if more => self.load_range(range, Some(after(last))),
                    _ if range == 0 => self.load_range(1, None),
                    _ => self.load_peers(None),
                }
            }
            (Pending::Peers, StorageAnswer::Scanned { entries, more }) => {
                for (_, value) in &entries {
                    let peer = log::read_peer(value)?;
                    self.peers.entry(peer.cursor.log).or_insert(peer);
                }
                match entries.last() {
                    Some((last, _)) if more => self.load_peers(Some(after(last))),
                    _ => {
                        let get = StorageRequest::Get(vec![log::META_KEY.to_vec()]);
                        self.request(Pending::MetaAgain, get);
                    }
                }
            }
            (Pending::Load { .. } | Pending::Peers | Pending::MetaAgain, StorageAnswer::Failed(reason)) => {
                return Err(CommitError::Malformed(reason));
            }
            (Pending::Lookup, answer) => {
                self.lookups -= 1;
                self.learn(&request, answer)?;
            }
            (Pending::Append(flight), StorageAnswer::Written) => {
                if let Disk::Failing { reason, .. } = &self.disk {
                    let reason = reason.clone();
                    self.not_saved(&flight, reason);
                }
                self.appended(flight);
            }
            (Pending::Append(_), StorageAnswer::Failed(reason)) if self.is_relay() => {
                // A relay acknowledges nothing from memory: it stops.
                self.stop(reason);
            }
            (Pending::Append(flight), StorageAnswer::Failed(reason)) => {
                self.disk_fails(flight.batch.clone(), reason.clone());
                self.not_saved(&flight, reason);
                self.appended(flight);
            }
            (Pending::Append(flight), StorageAnswer::GuardFailed) => {
                let incoming = flight.entries.into_iter().zip(flight.origins).rev();
                for (entry, origin) in incoming {
                    self.inbox.push_front(Incoming { origin, commit: entry.commit });
                }
                self.writing -= 1;
                self.reload();
            }
            (Pending::Flush, StorageAnswer::Written) => {
                self.disk = Disk::Healthy;
                self.writing -= 1;
                self.notices.push_back(Notice::DiskRecovered);
            }
            (Pending::Flush, StorageAnswer::GuardFailed) => self.overtaken()?,
            (Pending::Flush, _) => {
                self.writing -= 1;
                let now = self.now;
                if let Disk::Failing { retry_at, .. } = &mut self.disk {
                    *retry_at = now + DISK_RETRY;
                }
            }
            (Pending::Records, StorageAnswer::Failed(_) | StorageAnswer::GuardFailed) => {
                // The next write takes them along again where it matters.
                self.writing -= 1;
            }
            (Pending::Records, _) => self.writing -= 1,
            (Pending::CheckCursor { link, cursor, which }, answer) => {
                self.cursor_read(link, cursor, which, answer)?;
            }
            (Pending::Feed(link), answer) => self.feed_read(link, answer)?,
            (Pending::FindFor(link, want), answer) => {
                self.lookups -= 1;
                self.learn(&request, answer)?;
                self.answer_want(link, want);
            }
            (Pending::AnswerRead(job), answer) => self.answer_read(job, answer)?,
            (Pending::Owner(what), answer) => {
                self.notices.push_back(Notice::Storage(what, answer));
            }
            (_, answer) => {
                return Err(CommitError::Malformed(format!("storage answered {answer:?}")));
            }
        }
        Ok(())
    }

    fn load_peers(&mut self, from: Option<Vec<u8>>) {
        let (start, to) = log::peers_range();
        let from = from.unwrap_or(start);
        let scan = StorageRequest::Scan { from, to, bytes_max: limits::READ_BYTES };
        self.request(Pending::Peers, scan);
    }

    fn learn(&mut self, request: &StorageRequest, answer: StorageAnswer) -> Result<(), CommitError> {
        match (request, answer) {
            (StorageRequest::Get(keys), StorageAnswer::Values(values)) => {
                for (key, value) in keys.iter().zip(values) {
                    self.log.learn(key, value.as_deref())?;
                }
                Ok(())
            }
            (StorageRequest::Scan { from, .. }, StorageAnswer::Scanned { entries, .. }) => {
                self.log.learn_branches(from, &entries)
            }
            (_, answer) => Err(CommitError::Malformed(format!("storage answered {answer:?}"))),
        }
    }

    /// Own commits are in memory alone.
    fn not_saved(&mut self, flight: &InFlight, reason: String) {
        let own = flight.origins.iter().filter_map(|origin| match origin {
            Origin::Own(number) => Some(*number),
            _ => None,
        });
        if let Some(last) = own.max() {
            self.notices.push_back(Notice::SaveFailed(last, reason));
        }
    }

    fn disk_fails(&mut self, batch: WriteBatch, reason: String) {
        let mut kept = MemoryStore::default();
        kept.write(&WriteBatch { guard: None, puts: batch.puts, deletes: batch.deletes });
        let retry_at = self.now + DISK_RETRY;
        self.disk = Disk::Failing { kept, guard: batch.guard, since: self.stored.seq, reason, retry_at };
    }

    /// Storage works again, but another process has written meanwhile: what was kept in memory
    /// comes in once more, after that.
    fn overtaken(&mut self) -> Result<(), CommitError> {
        let links: Vec<_> = self.links.keys().copied().collect();
        for link in links {
            self.close(link, CloseCode::LogReplaced, "this replica's storage was changed meanwhile");
        }
        if let Disk::Failing { kept, since, .. } = core::mem::replace(&mut self.disk, Disk::Healthy) {
            // Acknowledgements of places in the log that others have now say nothing.
            for peer in self.peers.values_mut().filter(|peer| peer.acked > since) {
                peer.acked = since;
                self.dirty_peers.insert(peer.cursor.log);
            }
            let rows = kept.range(b"b", b"c").map(|(k, v)| (k.clone(), v.clone())).collect();
            for entry in log::read_rows(rows, false)?.entries {
                self.again += 1;
                let origin = Origin::Again { own: entry.own };
                self.inbox.push_back(Incoming { origin, commit: entry.commit });
            }
        }
        self.notices.push_back(Notice::Reloaded);
        self.notices.push_back(Notice::DiskRecovered);
        self.writing -= 1;
        self.reload();
        Ok(())
    }

    /// Another process has written: what is in memory of the log is read again.
    fn reload(&mut self) {
        self.appending = false;
        self.lagging = false;
        self.moved = true;
        self.state = State::Loading;
        self.log = Log::new(self.log.id());
        self.load();
    }

    // The inbox.

    /// Admits what has come in, as far as it goes without waiting for storage.
    fn pump(&mut self) {
        loop {
            self.step();
            let Some((pending, request)) = self.done.pop_front() else {
                break;
            };
            if let Err(error) = self.answered(pending, request, StorageAnswer::Written) {
                self.fails(&error);
            }
        }
        self.tell_saved();
        self.schedule();
    }

    fn step(&mut self) {
        if self.state != State::Open || self.writing > 0 || self.lookups > 0 {
            return;
        }
        if self.lagging {
            return self.reload();
        }
        if !self.disk_failed() && core::mem::take(&mut self.moved) {
            self.notices.push_back(Notice::LogMoved);
        }
        let mut origins = Vec::new();
        let mut reads = BTreeSet::new();
        while let Some(incoming) = self.inbox.pop_front() {
            match self.log.admit(&incoming.commit) {
                Admission::Held => self.settle(&incoming.origin, &incoming.commit),
                Admission::Waits(missing) => self.wait(incoming, missing),
                Admission::Reads(more) => {
                    reads.extend(more.into_iter().map(ReadKey));
                    self.inbox.push_front(incoming);
                    break;
                }
                Admission::Ready => {
                    let header = incoming.commit.header();
                    let (author, seq) = (header.author, header.seq);
                    let own = matches!(incoming.origin, Origin::Own(_) | Origin::Again { own: true });
                    self.log.stage(incoming.commit, own);
                    origins.push(incoming.origin);
                    self.release(author, seq);
                    if self.log.staged_bytes() >= limits::WRITE_BYTES_MAX {
                        break;
                    }
                }
            }
        }
        if let Some(staged) = self.log.take_staged() {
            let (peers, deletes) = self.take_peers();
            let puts = staged.puts.into_iter().chain(peers).collect();
            let batch = WriteBatch { guard: Some(staged.guard), puts, deletes };
            let kept = InFlight { batch: batch.clone(), entries: staged.entries, origins };
            self.appending = true;
            self.write(Pending::Append(kept), batch);
        } else if !reads.is_empty() {
            for ReadKey(read) in self.more_reads(reads) {
                self.lookups += 1;
                self.request(Pending::Lookup, read);
            }
        } else {
            self.acknowledge();
            self.ask_for_missing();
            self.greet_all();
        }
        self.start_passes();
    }

    /// What the commits behind the first in the inbox will ask for is read along with it.
    fn more_reads(&self, mut reads: BTreeSet<ReadKey>) -> BTreeSet<ReadKey> {
        for incoming in self.inbox.iter().take(1000) {
            if let Admission::Reads(more) = self.log.admit(&incoming.commit) {
                reads.extend(more.into_iter().map(ReadKey));
            }
        }
        reads
    }

    fn appended(&mut self, flight: InFlight) {
        self.writing -= 1;
        self.appending = false;
        let before = self.stored;
        self.stored = flight.entries.last().map_or(before, |last| last.at);
        for (entry, origin) in flight.entries.iter().zip(&flight.origins) {
            self.settle(origin, &entry.commit);
            let from = match origin {
                Origin::Stream(link, ..) | Origin::Answer(link) => Some(*link),
                _ => None,
            };
            if let Some(link) = from.and_then(|link| self.links.get_mut(&link)) {
                link.send.came_from_peer(entry.at.seq);
            }
        }
        self.push_live(before, &flight.entries);
        self.acknowledge();
        self.notices.push_back(Notice::Appended(flight.entries));
    }

    /// The commit is in the log: whoever sent it need not send it again.
    fn settle(&mut self, origin: &Origin, commit: &Commit) {
        match origin {
            Origin::Stream(id, frame, bytes) => {
                if let Some(link) = self.links.get_mut(id) {
                    link.receive.settle(*frame, &commit.id());
                    self.touched.insert(*id);
                    self.done_with(*id, *bytes);
                }
            }
            Origin::Answer(id) => {
                self.touched.insert(*id);
            }
            Origin::Own(number) => {
                self.saved = self.saved.max(*number);
                self.saved_more = true;
            }
            Origin::Again { .. } => {
                self.again -= 1;
                self.saved_more = true;
            }
        }
    }

    /// Own commits have come into the log; they are saved once all that storage refused are there.
    fn tell_saved(&mut self) {
        if self.saved_more && self.again == 0 && !self.disk_failed() {
            self.saved_more = false;
            self.notices.push_back(Notice::Saved(self.saved));
        }
    }

    fn done_with(&mut self, id: LinkId, bytes: usize) {
        let grant = self.links.get_mut(&id).and_then(|link| link.receive.settle_bytes(bytes));
        if let Some(grant) = grant {
            self.send(id, &Frame::Credit(grant));
        }
    }

    // The waiting room.

    fn wait(&mut self, mut incoming: Incoming, missing: Vec<ChainRange>) {
        let id = incoming.commit.id();
        match &mut incoming.origin {
            Origin::Stream(link, _, bytes) => {
                // The room has a bound of its own: the link's credit is for what comes next.
                let (link, bytes) = (*link, core::mem::take(bytes));
                self.done_with(link, bytes);
                self.touched.insert(link);
            }
            Origin::Answer(link) => {
                if let Some(wanted) = self.links.get_mut(link).and_then(|l| l.wanted.as_mut()) {
                    wanted.useful |= !self.waiting.commits.contains_key(&id);
                }
            }
            _ => {}
        }
        let size = incoming.commit.size();
        let room = &mut self.waiting;
        if let Some(waiting) = room.commits.get_mut(&id) {
            waiting.origins.push(incoming.origin);
            return;
        }
        if room.commits.len() >= limits::WAITING_COMMITS_MAX || room.bytes + size > limits::WAITING_BYTES_MAX
        {
            self.evict_waiting();
        }
        let room = &mut self.waiting;
        if room.commits.len() >= limits::WAITING_COMMITS_MAX || room.bytes + size > limits::WAITING_BYTES_MAX
        {
            if let Origin::Stream(link, ..) | Origin::Answer(link) = incoming.origin {
                self.close(link, CloseCode::Quota, "too many commits wait for their causes");
            }
            return;
        }
        for range in &missing {
            room.by_cause.entry((range.author, range.to)).or_default().insert(id);
        }
        room.bytes += size;
        let waiting = Waiting { commit: incoming.commit, origins: vec![incoming.origin], missing };
        room.commits.insert(id, waiting);
    }

    /// Those that waited for this commit are looked at again, next.
    fn release(&mut self, author: AuthorId, seq: u64) {
        let Some(ids) = self.waiting.by_cause.remove(&(author, seq)) else {
            return;
        };
        for id in ids {
            let Some(waiting) = self.waiting.remove(&id) else {
                continue;
            };
            for origin in waiting.origins.into_iter().rev() {
                let incoming = Incoming { origin, commit: waiting.commit.clone() };
                self.inbox.push_front(incoming);
            }
        }
    }

    /// Makes room: what came by links that are gone will be sent again.
    fn evict_waiting(&mut self) {
        let gone: Vec<_> = self
            .waiting
            .commits
            .iter()
            .filter(|(_, waiting)| {
                !waiting.origins.iter().any(|origin| match origin {
                    Origin::Stream(link, ..) | Origin::Answer(link) => self.links.contains_key(link),
                    Origin::Own(_) | Origin::Again { .. } => true,
                })
            })
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.waiting.remove(&id);
        }
    }

    fn ask_for_missing(&mut self) {
        let answered: Vec<_> = self
            .links
            .iter_mut()
            .filter(|(_, link)| link.wanted.as_ref().is_some_and(|wanted| wanted.answered))
            .filter_map(|(id, link)| Some((*id, link.wanted.take()?)))
            .collect();
        let asked: BTreeSet<_> =
            self.links.iter().filter(|(_, link)| link.wanted.is_some()).map(|(id, _)| *id).collect();
        let mut missing: BTreeMap<LinkId, BTreeSet<ChainRange>> = BTreeMap::new();
        for waiting in self.waiting.commits.values() {
            for origin in &waiting.origins {
                let (Origin::Stream(link, ..) | Origin::Answer(link)) = origin else {
                    continue;
                };
                if !asked.contains(link) && self.links.contains_key(link) {
                    let ranges = missing.entry(*link).or_default();
                    for range in &waiting.missing {
                        if ranges.len() < limits::WANT_MAX && !self.waiting.holds(range.author, range.to) {
                            ranges.insert(*range);
                        }
                    }
                }
            }
        }
        for (id, wanted) in answered {
            if missing.contains_key(&id) && !wanted.useful {
                self.withheld += 1;
                self.close(id, CloseCode::Withheld, "the causes of commits were not sent");
                missing.remove(&id);
            }
        }
        for (id, ranges) in missing {
            let ranges: Vec<_> = ranges.into_iter().collect();
            if ranges.is_empty() {
                continue;
            }
            let nonce = self.nonce();
            let now = self.now;
            if let Some(link) = self.links.get_mut(&id) {
                link.wanted = Some(Wanted { nonce, asked_at: now, bytes: 0, answered: false, useful: false });
            }
            self.send(id, &Frame::Want(Want { nonce, ranges }));
        }
    }

    // Greeting.

    fn greet_all(&mut self) {
        let opened: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.is_dialer() && matches!(link.phase, Phase::Opened))
            .map(|(id, _)| *id)
            .collect();
        for id in opened {
            let cursors = self.peers.values().rev().take(64).map(|peer| peer.cursor).collect();
            let hello = self.hello(cursors, false, self.peers.is_empty());
            if let Some(link) = self.links.get_mut(&id) {
                let told = hello.tips.is_some();
                link.phase = Phase::Greeted { digest: hello.digest, head: self.stored, told };
                link.opened_at = self.now;
            }
            self.send(id, &Frame::Hello(hello));
        }
    }

    fn hello(&self, cursors: Vec<Cursor>, resumed: bool, with_tips: bool) -> Hello {
        let vector = self.log.vector();
        let is_small = vector.len() <= limits::HELLO_TIPS_MAX;
        Hello {
            version_min: VERSION_MIN,
            version_max: VERSION,
            space: self.identity.space.clone(),
            log: self.log.id(),
            region: self.identity.region.clone(),
            token: self.identity.token.clone(),
            cursors,
            digest: (self.stored == self.log.head()).then(|| vector.digest()),
            resumed,
            tips: (with_tips && is_small).then(|| vector.tips().copied().collect()),
            credit: limits::CREDIT_BYTES,
            head: self.stored,
        }
    }

    fn hello_came(&mut self, id: LinkId, hello: Hello) {
        if hello.version_min > VERSION || hello.version_max < VERSION_MIN {
            return self.close(id, CloseCode::Incompatible, "no protocol version in common");
        }
        if hello.space != self.identity.space {
            return self.close(id, CloseCode::Denied, "this link is for another space");
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        link.peer = Some(Peer { log: hello.log, region: hello.region.clone() });
        link.send.grant(hello.credit);
        match &link.phase {
            Phase::Opened if !link.is_dialer() => {
                let known = hello.cursors.iter().find(|cursor| cursor.log == self.log.id()).copied();
                link.phase = Phase::Checking(Box::new(hello));
                match known {
                    Some(cursor) => self.check_cursor(id, cursor, Which::Seen),
                    None => self.greet_back(id, None),
                }
            }
            Phase::Greeted { digest, head, told } => {
                let (digest, head, told) = (*digest, *head, *told);
                link.rtt = Some(self.now.saturating_sub(link.opened_at));
                self.up_as_dialer(id, hello, digest, head, told);
            }
            _ => self.close(id, CloseCode::OutOfOrder, "a second greeting"),
        }
    }

    /// Is this a position that this log had? Asked of `seen` first, then of `read`.
    fn check_cursor(&mut self, id: LinkId, cursor: Cursor, which: Which) {
        let at = match which {
            Which::Seen => cursor.seen,
            Which::Read => cursor.read,
        };
        if at == self.stored || at == Position::START {
            self.cursor_checked(id, cursor, which, true);
        } else if at.seq > self.stored.seq || at.seq == 0 {
            self.cursor_checked(id, cursor, which, false);
        } else {
            let request = log::rows_after(at.seq - 1, 0);
            self.request(Pending::CheckCursor { link: id, cursor, which }, request);
        }
    }

    fn cursor_read(
        &mut self,
        link: LinkId,
        cursor: Cursor,
        which: Which,
        answer: StorageAnswer,
    ) -> Result<(), CommitError> {
        let at = match which {
            Which::Seen => cursor.seen,
            Which::Read => cursor.read,
        };
        let rows = rows_of(answer)?;
        if let Some(bytes) = rows.bytes_needed {
            let request = log::rows_after(at.seq - 1, bytes);
            self.request(Pending::CheckCursor { link, cursor, which }, request);
            return Ok(());
        }
        let is_ours = rows.entries.iter().any(|entry| entry.at == at);
        self.cursor_checked(link, cursor, which, is_ours);
        Ok(())
    }

    fn cursor_checked(&mut self, id: LinkId, cursor: Cursor, which: Which, is_ours: bool) {
        if !self.links.get(&id).is_some_and(|link| matches!(link.phase, Phase::Checking(_))) {
            return;
        }
        match (is_ours, which) {
            (true, Which::Seen) => self.check_cursor(id, cursor, Which::Read),
            (true, Which::Read) => self.greet_back(id, Some(cursor.read)),
            (false, _) => {
                if cursor.log == self.log.id() {
                    self.renew_log(id);
                }
                self.greet_back(id, None);
            }
        }
    }

    /// This log is not what it was: an older copy was put back. What was acknowledged under its id
    /// is void, and whoever is connected must hear so.
    fn renew_log(&mut self, except: LinkId) {
        let id = LogId(self.rng.bytes16());
        let (guard, put) = self.log.renew(id);
        let batch = WriteBatch { guard: Some(guard), puts: vec![put], deletes: Vec::new() };
        self.write(Pending::Records, batch);
        let others: Vec<_> = self
            .links
            .iter()
            .filter(|(id, link)| **id != except && link.peer.is_some())
            .map(|(id, _)| *id)
            .collect();
        for link in others {
            self.close(link, CloseCode::LogReplaced, "this holder's log was replaced by an older copy");
        }
    }

    fn greet_back(&mut self, id: LinkId, resume: Option<Position>) {
        let digest = self.log.vector().digest();
        let Some(link) = self.links.get_mut(&id) else { return };
        let Phase::Checking(hello) = core::mem::replace(&mut link.phase, Phase::Up) else {
            return;
        };
        link.moved(self.now);
        let is_equal = hello.digest == Some(digest) && self.stored == self.log.head();
        let from = if is_equal { Some(self.stored) } else { resume };
        let reply = self.hello(Vec::new(), from.is_some(), from.is_none());
        let told = reply.tips.is_some();
        self.send(id, &Frame::Hello(reply));
        match from {
            Some(from) => self.start_stream(id, from),
            None => self.reconcile(id, told, hello.tips),
        }
    }

    fn up_as_dialer(&mut self, id: LinkId, hello: Hello, digest: Option<Digest>, head: Position, told: bool) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Side::Dialer { url } = link.side.clone() else {
            return;
        };
        link.phase = Phase::Up;
        link.moved(self.now);
        // Whatever was met at this address before under another log is gone.
        for peer in self.peers.values().filter(|peer| peer.url == url) {
            self.dirty_peers.insert(peer.cursor.log);
        }
        self.peers.retain(|log, peer| peer.url != url || *log == hello.log);
        let known = self.peers.remove(&hello.log).filter(|_| hello.resumed);
        let start = Cursor { log: hello.log, read: Position::START, seen: Position::START };
        let (mut cursor, mut acked) = known.map_or((start, 0), |peer| (peer.cursor, peer.acked));
        if hello.resumed && hello.digest.is_some() && hello.digest == digest {
            // Both hold the same: nothing to stream either way.
            cursor.read = hello.head;
            cursor.seen = hello.head;
            acked = head.seq;
        }
        link.their_head = hello.head.seq;
        link.receive.read = cursor.read;
        link.send.seen = cursor.seen;
        link.send.acked = acked;
        let region = hello.region.clone().unwrap_or_default();
        self.peers.insert(hello.log, PeerRecord { cursor, acked, url, region });
        self.dirty_peers.insert(hello.log);
        if hello.resumed {
            // Of a position, only the number matters to where a stream begins.
            self.start_stream(id, Position { seq: acked, ..head });
        } else {
            self.reconcile(id, told, hello.tips);
        }
    }

    fn start_stream(&mut self, id: LinkId, from: Position) {
        if let Some(link) = self.links.get_mut(&id) {
            link.send.start(from);
        }
        self.notices.push_back(Notice::LinkChanged);
        self.feed(id);
    }

    /// Both sides say what they hold (`told`: this side has), and send what the other lacks.
    fn reconcile(&mut self, id: LinkId, told: bool, tips: Option<Vec<Tip>>) {
        if !told {
            self.send_vector(id, false);
        }
        match tips {
            Some(tips) => self.start_pass(id, Vector::from_tips(tips)),
            None => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.exchanging = true;
                }
            }
        }
        self.notices.push_back(Notice::LinkChanged);
    }

    fn send_vector(&mut self, id: LinkId, answer: bool) {
        let tips: Vec<_> = self.log.vector().tips().copied().collect();
        let mut parts = tips.chunks(limits::VECTOR_FRAME_TIPS_MAX).peekable();
        if parts.peek().is_none() {
            let part = VectorPart { tips: Vec::new(), last: true, answer };
            self.send(id, &Frame::Vector(part));
        }
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            self.send(id, &Frame::Vector(VectorPart { tips: part.to_vec(), last, answer }));
        }
    }

    fn vector_came(&mut self, id: LinkId, part: VectorPart) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.their_tips.extend(part.tips);
        if link.their_tips.len() > limits::VECTOR_TIPS_MAX {
            return self.close(id, CloseCode::TooLarge, "a vector of too many tips");
        }
        if part.last {
            let tips = core::mem::take(&mut link.their_tips);
            if part.answer {
                self.send_vector(id, false);
            }
            self.start_pass(id, Vector::from_tips(tips));
        }
    }

    fn start_pass(&mut self, id: LinkId, theirs: Vector) {
        if let Some(link) = self.links.get_mut(&id) {
            link.exchanging = true;
            link.theirs = Some(theirs);
        }
        self.start_passes();
    }

    /// Begins the passes that wait for the vector to say what is stored and nothing more.
    fn start_passes(&mut self) {
        if self.appending || self.state != State::Open {
            return;
        }
        let mut begun = Vec::new();
        for (id, link) in &mut self.links {
            if let Some(theirs) = link.theirs.take() {
                link.exchanging = false;
                link.send.start_filtered(&theirs, self.log.vector(), self.stored);
                link.moved(self.now);
                begun.push(*id);
            }
        }
        for id in begun {
            self.feed(id);
        }
    }

    // Frames.

    fn frame(&mut self, id: LinkId, frame: Frame) {
        let Some(link) = self.links.get_mut(&id) else { return };
        match frame {
            Frame::Hello(hello) => return self.hello_came(id, hello),
            Frame::Bye(bye) => {
                self.effects.push_back(Effect::Close(id, 1000, String::new()));
                return self.gone(id, Some((bye.code, bye.reason)));
            }
            Frame::Unknown => return,
            _ if !link.is_up() => {
                return self.close(id, CloseCode::OutOfOrder, "a frame before the greeting");
            }
            _ => {}
        }
        match frame {
            Frame::Commits(commits) => self.commits_came(id, commits),
            Frame::Piece(piece) => self.piece_came(id, piece),
            Frame::Ack(ack) => self.ack_came(id, ack),
            Frame::Credit(bytes) => {
                link.send.grant(bytes);
                self.feed(id);
            }
            Frame::Vector(part) => self.vector_came(id, part),
            Frame::Quiet(quiet) => self.quiet_came(id, quiet),
            Frame::Agree => link.agreed = link.asked,
            Frame::Want(want) => self.want_came(id, want),
            Frame::Answer(answer) => self.answer_came(id, answer),
            Frame::Head(Head { nonce, at: None }) => {
                let at = Some(self.stored);
                self.send(id, &Frame::Head(Head { nonce, at }));
            }
            Frame::Head(Head { nonce, at: Some(at) }) => {
                self.notices.push_back(Notice::HeadOf(id, nonce, at));
            }
            Frame::Hello(_) | Frame::Bye(_) | Frame::Unknown => {}
        }
    }

    fn commits_came(&mut self, id: LinkId, frame: Commits) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.moved(self.now);
        // Credit for a commit in pieces was spent piece by piece.
        let whole = core::mem::take(&mut link.receive.whole);
        let in_pieces = whole.iter().map(|record| (record.as_slice(), 0));
        let records = frame.records.iter().map(|record| (record.as_slice(), record.len()));
        let mut commits = Vec::with_capacity(frame.records.len());
        for (record, bytes) in in_pieces.chain(records) {
            match Commit::decode(record) {
                Ok(commit) => commits.push((commit, bytes)),
                Err(error) => return self.close_for(id, &error),
            }
        }
        if link.receive.spend(commits.iter().map(|(_, bytes)| bytes).sum()).is_err() {
            return self.close(id, CloseCode::Quota, "more was sent than was granted");
        }
        let number = link.receive.frame(frame.to, commits.iter().map(|(commit, _)| commit.id()));
        self.touched.insert(id);
        self.inbox.extend(
            commits
                .into_iter()
                .map(|(commit, bytes)| Incoming { origin: Origin::Stream(id, number, bytes), commit }),
        );
    }

    fn piece_came(&mut self, id: LinkId, piece: Piece) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.moved(self.now);
        let receive = &mut link.receive;
        let (partial, whole) = if piece.answer {
            (&mut receive.partial_answer, &mut receive.whole_answer)
        } else {
            (&mut receive.partial, &mut receive.whole)
        };
        partial.extend_from_slice(&piece.bytes);
        if partial.len() > limits::COMMIT_BYTES_MAX + limits::HEADER_BYTES_MAX {
            return self.close(id, CloseCode::TooLarge, "a commit over the limit");
        }
        if piece.last {
            whole.push(core::mem::take(partial));
        }
        if piece.answer {
            self.answer_grows(id, piece.bytes.len());
        } else if receive.spend(piece.bytes.len()).is_err() {
            self.close(id, CloseCode::Quota, "more was sent than was granted");
        } else {
            self.done_with(id, piece.bytes.len());
        }
    }

    /// An answer has credit of its own, and no more than that.
    fn answer_grows(&mut self, id: LinkId, bytes: usize) {
        let most = limits::ANSWER_BYTES + (limits::COMMIT_BYTES_MAX + limits::FRAME_BYTES_MAX) as u64;
        let wanted = self.links.get_mut(&id).and_then(|link| link.wanted.as_mut());
        match wanted {
            Some(wanted) if wanted.bytes + bytes as u64 <= most => wanted.bytes += bytes as u64,
            Some(_) => self.close(id, CloseCode::Quota, "an answer over its limit"),
            None => self.close(id, CloseCode::OutOfOrder, "an answer that was not asked for"),
        }
    }

    fn close_for(&mut self, id: LinkId, error: &CommitError) {
        let code = match error {
            CommitError::TooLarge(_) => CloseCode::TooLarge,
            _ => CloseCode::Malformed,
        };
        self.close(id, code, error.to_string());
    }

    fn ack_came(&mut self, id: LinkId, ack: Ack) {
        let stored = self.stored.seq;
        let Some(link) = self.links.get_mut(&id) else { return };
        if ack.upto > stored {
            return self.close(id, CloseCode::OutOfOrder, "an acknowledgement of what was not sent");
        }
        link.moved(self.now);
        link.send.ack(ack.upto);
        if ack.at.seq > link.send.seen.seq {
            link.send.seen = ack.at;
        }
        if ack.read && ack.at.seq > link.receive.read.seq && !link.receive.has_frames() {
            link.receive.read = ack.at;
        }
        self.note_peer(id);
        self.notices.push_back(Notice::LinkChanged);
    }

    /// Remembers where a link is, to be saved with the next write.
    fn note_peer(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let Some(peer) = link.peer.as_ref().and_then(|peer| self.peers.get_mut(&peer.log)) else {
            return;
        };
        peer.cursor.read = link.receive.read;
        if link.receive.read.seq > link.send.seen.seq {
            peer.cursor.seen = link.receive.read;
        } else {
            peer.cursor.seen = link.send.seen;
        }
        peer.acked = link.send.acked;
        self.dirty_peers.insert(peer.cursor.log);
    }

    fn take_peers(&mut self) -> (Vec<(Vec<u8>, Vec<u8>)>, Vec<Vec<u8>>) {
        let mut puts = Vec::new();
        let mut deletes = Vec::new();
        for log in core::mem::take(&mut self.dirty_peers) {
            match self.peers.get(&log) {
                Some(peer) => puts.push((log::peer_key(&log), to_cbor(peer))),
                None => deletes.push(log::peer_key(&log)),
            }
        }
        (puts, deletes)
    }

    /// Tells those whose commits are in the log now.
    fn acknowledge(&mut self) {
        let stored = self.stored;
        for id in core::mem::take(&mut self.touched) {
            let Some(link) = self.links.get_mut(&id) else { continue };
            let Some(to) = link.receive.advance() else { continue };
            if link.receive.read.seq > link.send.seen.seq {
                link.send.seen = link.receive.read;
            }
            let read = link.send.started && link.send.sent.seq == stored.seq;
            self.send(id, &Frame::Ack(Ack { upto: to.seq, at: stored, read }));
            self.note_peer(id);
            self.notices.push_back(Notice::LinkChanged);
        }
    }

    fn quiet_came(&mut self, id: LinkId, quiet: Quiet) {
        let is_settled = self.is_settled();
        let Some(link) = self.links.get_mut(&id) else { return };
        if quiet.digest == self.log.vector().digest() {
            self.send(id, &Frame::Agree);
        } else if is_settled && link.is_idle(self.stored) && quiet.read == self.stored.seq {
            // All was sent and read, and still they differ: compare what each holds.
            link.exchanging = true;
            self.send_vector(id, true);
        }
    }

    // Sending.

    fn send(&mut self, id: LinkId, frame: &Frame) {
        self.effects.push_back(Effect::Send(id, frame.encode()));
    }

    /// Sends what was just written to the links that had all before it.
    fn push_live(&mut self, before: Position, entries: &[Entry]) {
        let now = self.now;
        let mut shared: Option<Vec<u8>> = None;
        let ids: Vec<_> = self.links.keys().copied().collect();
        for id in ids {
            let Some(link) = self.links.get_mut(&id) else { continue };
            if !link.is_up() || !link.send.may_send() || link.exchanging {
                continue;
            }
            if link.send.sent.seq != before.seq {
                self.feed(id);
                continue;
            }
            link.moved(now);
            if entries.iter().all(|entry| link.send.is_echo(entry.at.seq)) {
                // The acknowledgement says how far it has read.
                link.send.skip_to(self.stored);
                self.note_peer(id);
                continue;
            }
            let is_plain = link.send.is_plain();
            let frames = link.frames_for(entries);
            let is_all = link.send.sent.seq == self.stored.seq;
            if let ([frame], true, true) = (frames.as_slice(), is_plain, is_all) {
                let bytes = shared.get_or_insert_with(|| frame.encode()).clone();
                self.effects.push_back(Effect::Send(id, bytes));
            } else {
                for frame in &frames {
                    self.send(id, frame);
                }
                self.feed(id);
            }
        }
    }

    fn feed_all(&mut self) {
        let ids: Vec<_> = self.links.keys().copied().collect();
        for id in ids {
            self.feed(id);
        }
    }

    /// Reads on in the log for a link that is behind and may be sent more.
    fn feed(&mut self, id: LinkId) {
        let stored = self.stored;
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.is_up() && link.send.may_send() && link.send.sent.seq < stored.seq {
            link.send.reading = true;
            let request = log::rows_after(link.send.sent.seq, limits::READ_BYTES);
            self.request(Pending::Feed(id), request);
        }
    }

    fn feed_read(&mut self, id: LinkId, answer: StorageAnswer) -> Result<(), CommitError> {
        let rows = rows_of(answer)?;
        let stored = self.stored;
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        link.send.reading = false;
        if let Some(bytes) = rows.bytes_needed {
            link.send.reading = true;
            let request = log::rows_after(link.send.sent.seq, bytes);
            self.request(Pending::Feed(id), request);
            return Ok(());
        }
        link.moved(self.now);
        let end = rows.entries.partition_point(|entry| entry.at.seq <= stored.seq);
        let frames = link.frames_for(&rows.entries[..end]);
        for frame in &frames {
            self.send(id, frame);
        }
        if end > 0 {
            self.feed(id);
        }
        Ok(())
    }

    // Questions for missing causes.

    fn want_came(&mut self, id: LinkId, want: Want) {
        if want.ranges.len() > limits::WANT_MAX {
            return self.close(id, CloseCode::TooLarge, "too much was asked for at once");
        }
        self.answer_want(id, want);
    }

    fn answer_want(&mut self, id: LinkId, want: Want) {
        match self.log.find(&want.ranges) {
            Err(reads) => {
                let read = reads.into_iter().next().expect("an error names what to read");
                self.lookups += 1;
                self.request(Pending::FindFor(id, want), read);
            }
            Ok(left) => {
                let job = AnswerJob { link: id, nonce: want.nonce, left, bytes: 0, read_bytes: 0 };
                self.answer_on(job);
            }
        }
    }

    /// Reads the next commit of an answer, or ends it.
    fn answer_on(&mut self, job: AnswerJob) {
        let next = job.left.first().copied().filter(|_| job.bytes < limits::ANSWER_BYTES);
        match next {
            Some(seq) => {
                let request = log::rows_after(seq - 1, job.read_bytes);
                self.request(Pending::AnswerRead(job), request);
            }
            None => {
                let answer =
                    Answer { nonce: job.nonce, records: Vec::new(), more: false, cut: !job.left.is_empty() };
                self.send(job.link, &Frame::Answer(answer));
            }
        }
    }

    fn answer_read(&mut self, mut job: AnswerJob, answer: StorageAnswer) -> Result<(), CommitError> {
        let rows = rows_of(answer)?;
        if let Some(bytes) = rows.bytes_needed {
            job.read_bytes = bytes;
            self.answer_on(job);
            return Ok(());
        }
        job.read_bytes = 0;
        let mut records = Vec::new();
        let mut bytes = 0;
        let last = rows.entries.last().map_or(u64::MAX, |entry| entry.at.seq);
        for entry in rows.entries.iter().filter(|entry| job.left.contains(&entry.at.seq)) {
            let record = entry.commit.encode();
            job.bytes += record.len() as u64;
            if fits(bytes, record.len()) {
                bytes += record.len() + 8;
                records.push(record.into());
            } else {
                self.send_answer(&job, &mut records);
                bytes = 0;
                for piece in pieces(&record, true) {
                    self.send(job.link, &piece);
                }
            }
        }
        job.left.retain(|seq| *seq > last);
        self.send_answer(&job, &mut records);
        self.answer_on(job);
        Ok(())
    }

    fn send_answer(&mut self, job: &AnswerJob, records: &mut Vec<minicbor::bytes::ByteVec>) {
        if !records.is_empty() {
            let records = core::mem::take(records);
            let answer = Answer { nonce: job.nonce, records, more: true, cut: false };
            self.send(job.link, &Frame::Answer(answer));
        }
    }

    fn answer_came(&mut self, id: LinkId, answer: Answer) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.moved(self.now);
        let Some(wanted) = link.wanted.as_mut().filter(|wanted| wanted.nonce == answer.nonce) else {
            return self.close(id, CloseCode::OutOfOrder, "an answer that was not asked for");
        };
        wanted.useful |= answer.cut;
        wanted.answered = !answer.more;
        let large = core::mem::take(&mut link.receive.whole_answer);
        let small = answer.records.iter().map(|record| record.as_slice());
        let commits: Result<Vec<_>, _> =
            large.iter().map(Vec::as_slice).chain(small.clone()).map(Commit::decode).collect();
        let commits = match commits {
            Ok(commits) => commits,
            Err(error) => return self.close_for(id, &error),
        };
        wanted.useful |= commits.iter().any(|commit| self.log.admit(commit) != Admission::Held);
        self.answer_grows(id, small.map(<[u8]>::len).sum());
        // Before what waits in the inbox: much of that may be waiting for these.
        for commit in commits.into_iter().rev() {
            self.inbox.push_front(Incoming { origin: Origin::Answer(id), commit });
        }
    }

    // Links that go, and time.

    fn gone(&mut self, id: LinkId, why: Option<(u16, String)>) {
        if self.links.contains_key(&id) {
            self.note_peer(id);
            self.links.remove(&id);
            self.touched.remove(&id);
            self.notices.push_back(Notice::LinkClosed(id, why));
            self.save_peers_later();
        }
    }

    fn save_peers_later(&mut self) {
        if self.is_settled() && !self.is_relay() {
            self.save_peers();
        }
    }

    fn check_deadlines(&mut self) {
        let now = self.now;
        let mut silent = Vec::new();
        let mut quiet = Vec::new();
        for (id, link) in &mut self.links {
            let is_late = match &link.phase {
                Phase::Dialing => false,
                Phase::Up => {
                    let due = link.wanted.as_ref().map(|wanted| wanted.asked_at + WANT_WAIT);
                    due.is_some_and(|at| at <= now) || link.answer_due().is_some_and(|at| at <= now)
                }
                _ => link.opened_at + HELLO_WAIT <= now,
            };
            if is_late {
                silent.push(*id);
            } else if link.quiet_due().is_some_and(|at| at <= now) {
                link.moved_at = now;
                link.asked = true;
                quiet.push((*id, link.receive.read.seq));
            }
        }
        for id in silent {
            self.close(id, CloseCode::GoingAway, "the other side has gone silent");
        }
        for (id, read) in quiet {
            let quiet = Quiet { head: self.stored.seq, read, digest: self.log.vector().digest() };
            self.send(id, &Frame::Quiet(quiet));
        }
        if let Disk::Failing { kept, guard, retry_at, .. } = &mut self.disk
            && *retry_at <= now
            && self.writing == 0
            && self.state == State::Open
        {
            *retry_at = now + DISK_RETRY;
            let puts = kept.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            let batch = WriteBatch { guard: guard.clone(), puts, deletes: Vec::new() };
            self.writing += 1;
            self.request(Pending::Flush, StorageRequest::Write(batch));
        }
    }

    /// One deadline for all that waits for time. A relay's links have none: whoever dialled
    /// watches them.
    fn schedule(&mut self) {
        let links = self.links.values().filter_map(|link| match &link.phase {
            Phase::Dialing => None,
            Phase::Up => {
                let want = link.wanted.as_ref().map(|wanted| wanted.asked_at + WANT_WAIT);
                [want, link.answer_due(), link.quiet_due()].into_iter().flatten().min()
            }
            _ => Some(link.opened_at + HELLO_WAIT),
        });
        let disk = match &self.disk {
            Disk::Failing { retry_at, .. } => Some(*retry_at),
            Disk::Healthy => None,
        };
        let next = links.chain(disk).chain(self.owner_deadline).min();
        // While the log is not known nothing can be done in time; what comes then looks again.
        let next = next.filter(|_| self.state == State::Open);
        if next != self.deadline {
            self.deadline = next;
            self.effects.push_back(Effect::SetTimer(next));
        }
    }

    fn nonce(&mut self) -> u64 {
        self.next_nonce += 1;
        self.next_nonce
    }
}

impl Link {
    /// When a dialler asks whether both sides hold the same.
    fn quiet_due(&self) -> Option<Millis> {
        let is_asking = self.is_dialer() && self.is_up() && !self.agreed && !self.exchanging;
        is_asking.then_some(self.moved_at + QUIET_WAIT)
    }

    /// When a dialler that has sent what is not acknowledged gives the link up.
    fn answer_due(&self) -> Option<Millis> {
        let is_waiting = self.is_dialer() && (!self.agreed || self.exchanging);
        is_waiting.then_some(self.heard_at.max(self.opened_at) + SILENCE_MAX)
    }
}

impl WaitingRoom {
    fn remove(&mut self, id: &CommitId) -> Option<Waiting> {
        let waiting = self.commits.remove(id)?;
        self.bytes -= waiting.commit.size();
        for range in &waiting.missing {
            if let Some(ids) = self.by_cause.get_mut(&(range.author, range.to)) {
                ids.remove(id);
                if ids.is_empty() {
                    self.by_cause.remove(&(range.author, range.to));
                }
            }
        }
        Some(waiting)
    }

    /// Whether a commit of that author and number waits itself: its own causes are asked for.
    fn holds(&self, author: AuthorId, seq: u64) -> bool {
        self.commits.values().any(|waiting| {
            let header = waiting.commit.header();
            header.author == author && header.seq == seq
        })
    }
}

/// A read that is needed before commits can be admitted; ordered, so that each is made once.
#[derive(PartialEq, Eq)]
struct ReadKey(StorageRequest);

impl ReadKey {
    fn key(&self) -> (u8, &[u8]) {
        match &self.0 {
            StorageRequest::Get(keys) => (0, keys.first().map_or(&[], Vec::as_slice)),
            StorageRequest::Scan { from, .. } => (1, from),
            StorageRequest::Write(_) => (2, &[]),
        }
    }
}

impl Ord for ReadKey {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for ReadKey {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Random bytes from a seed: SHA-256 of the seed and a counter.
#[derive(Clone)]
pub(crate) struct Rng {
    seed: [u8; 32],
    counter: u64,
}

impl Rng {
    fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    pub fn bytes16(&mut self) -> [u8; 16] {
        self.counter += 1;
        let block = hash32(&[&self.seed, &self.counter.to_be_bytes()]);
        *block.first_chunk().expect("32 bytes are more than 16")
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let bytes = self.bytes16();
        u64::from_be_bytes(*bytes.first_chunk().expect("16 bytes are more than 8")) % bound.max(1)
    }
}

/// The key that follows this one.
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The rows that a scan gave.
pub(crate) fn rows_of(answer: StorageAnswer) -> Result<log::RowsRead, CommitError> {
    match answer {
        StorageAnswer::Scanned { entries, more } => log::read_rows(entries, more),
        other => Err(CommitError::Malformed(format!("storage answered {other:?}"))),
    }
}
