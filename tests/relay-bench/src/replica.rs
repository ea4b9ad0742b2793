//! Replicas as a relay sees them: they greet, bring commits, acknowledge what they are sent. They hold nothing.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use eyot_core::base::id::{AuthorId, CommitId, DocId, LogId};
use eyot_core::base::limits::{COMMIT_COST_BYTES, Limits};
use eyot_core::base::position::{Cursor, Mark, Marker, Position};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::digest::Digest;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;
use eyot_core::commit::vector::{Tip, Vector};
use eyot_core::wire::batch::Last;
use eyot_core::wire::batch::record::Record;
use eyot_core::wire::bodies::{Ack, Commits, Head, Hello, Quiet};
use eyot_core::wire::frame::Frame;
use tokio::sync::Notify;

use crate::histogram::Histogram;
use crate::socket::{self, Receiver, Sender};

/// About what Automerge makes of a typed character.
const CHANGE_BYTES: usize = 108;
/// Replicas acknowledge what a write has stored, and a write takes them about this long.
const STORE_TIME: Duration = Duration::from_millis(10);
/// Credit is granted again by such portions.
const GRANT_BYTES: u64 = Limits::PROTOCOL.credit_bytes / 4;

/// Sixteen bytes never used before, here or in an earlier run.
pub fn unique() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let started = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&started.to_le_bytes());
    bytes[8..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    bytes
}

/// Makes commits that a relay cannot tell from a real author's.
pub struct Author {
    id: AuthorId,
    doc: DocId,
    /// What the first commit of a chain of its space names as the one before it.
    start: CommitId,
    tip: Option<(u64, CommitId)>,
}

impl Author {
    pub fn new(space: &str) -> Self {
        let start = Descriptor::plain(space).chain_start(0);
        Self { id: AuthorId(unique()), doc: DocId(unique()), start, tip: None }
    }

    /// The next commit, made when `cause` was the last commit known of another author.
    pub fn commit(&mut self, cause: Option<Tip>) -> Commit {
        let after = cause.filter(|tip| tip.author != self.id);
        let after = after.map(|tip| After { author: tip.author, seq: tip.seq, short: tip.id.short() });
        let seq = self.tip.map_or(1, |(seq, _)| seq + 1);
        let mut change = vec![0; CHANGE_BYTES];
        change[..8].copy_from_slice(&seq.to_le_bytes());
        self.commit_of(after.into_iter().collect(), vec![(self.doc, Kind::Change, change)])
    }

    /// The next commit, of these items and after these.
    pub fn commit_of(&mut self, after: Vec<After>, items: Vec<(DocId, Kind, Vec<u8>)>) -> Commit {
        let commit = self.branch(after, items);
        self.tip = Some((commit.tip().seq, commit.id()));
        commit
    }

    /// A commit that follows the last one, and that the next one does not follow.
    pub fn branch(&self, after: Vec<After>, items: Vec<(DocId, Kind, Vec<u8>)>) -> Commit {
        let (seq, prev) = self.tip.map_or((1, self.start), |(seq, id)| (seq + 1, id));
        Commit::new((self.id, seq, prev), after, 0, items, &Limits::PROTOCOL)
            .expect("a bench makes commits within the limits")
    }

    pub fn id(&self) -> AuthorId {
        self.id
    }

    pub fn tip(&self) -> Option<Tip> {
        self.tip.map(|(seq, id)| Tip { author: self.id, seq, id })
    }
}

/// A frame of commits, ready to be sent.
pub struct Batch {
    pub bytes: Vec<u8>,
    pub credit: i64,
    /// The end of the sender's log with it.
    pub to: Position,
}

impl Batch {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Makes frames of commits out of a log that nobody keeps.
pub struct Batches {
    end: Position,
    marker: Marker,
}

impl Batches {
    pub fn new() -> Self {
        Self { end: Position::START, marker: Marker::new(LogId(unique()), [0; 32], 0) }
    }

    pub fn next(&mut self, commits: impl Iterator<Item = Commit>) -> Batch {
        let mut records = Vec::new();
        for commit in commits {
            self.end = self.end.then(&commit.id());
            records.push(Record::from(commit));
        }
        let credit = records.iter().map(|record| (record.encoded_len() + COMMIT_COST_BYTES) as i64).sum();
        let bytes =
            Frame::Commits(Commits { records, to: Some(self.marker.mark(self.end)), named: Vec::new() })
                .encode();
        Batch { bytes, credit, to: self.end }
    }
}

/// One frame after another at even distances.
pub struct Pace {
    pub from: Instant,
    pub gap: Duration,
}

/// A connection that has been greeted.
pub struct Link {
    sender: Sender,
    receiver: Receiver,
    log: LogId,
    pub theirs: Hello,
    /// The end of the relay's log as its last acknowledgement told it.
    pub relay_end: Mark,
    /// The last commit that came.
    last: Option<Last>,
}

/// What a replica says that it holds.
pub enum Holding {
    Nothing,
    /// All that the relay has: its log, the end of it, and the digest of its vector.
    All {
        log: LogId,
        head: Mark,
        digest: Digest,
    },
}

impl Link {
    /// Connects and greets. The relay may send so many bytes before more is granted.
    pub async fn open(relay: SocketAddr, space: &str, holding: &Holding, credit: u64) -> Result<Self> {
        let (mut sender, mut receiver) = socket::connect(relay, space).await?;
        let log = LogId(unique());
        let (cursors, digest, tips) = match *holding {
            Holding::Nothing => (Vec::new(), Vector::default().digest(), Some(Vec::new())),
            Holding::All { log, head, digest } => {
                (vec![Cursor { log, read: head, seen: head }], digest, None)
            }
        };
        let empty = Hello::empty(Descriptor::plain(space), log, credit);
        let hello = Hello { cursors, digest: Some(digest), tips, ..empty };
        sender.send(&Frame::Hello(hello).encode()).await?;
        let theirs = match Frame::decode(receiver.receive().await?, &Limits::PROTOCOL)? {
            Frame::Hello(hello) => hello,
            Frame::Bye(bye) => bail!("refused: {} {}", bye.code, bye.reason),
            other => bail!("a greeting was due, not {other:?}"),
        };
        Ok(Self { sender, receiver, log, relay_end: theirs.head, theirs, last: None })
    }

    /// Brings all of these, `in_flight` frames at most before the first of them is acknowledged. `sent` is told when each
    /// went out. Gives how long each frame's acknowledgement took.
    pub async fn write(
        &mut self,
        batches: &[Batch],
        in_flight: usize,
        pace: Option<Pace>,
        sent: impl Fn(Instant),
    ) -> Result<Histogram> {
        let Some(last) = batches.last().map(|batch| batch.to.seq) else { return Ok(Histogram::default()) };
        let credit = Cell::new(self.theirs.credit as i64);
        let unacknowledged = RefCell::new(VecDeque::new());
        // The relay asks now and then how far it was read.
        let asked = RefCell::new(Vec::new());
        let moved = Notify::new();
        let (sender, receiver) = (&mut self.sender, &mut self.receiver);
        let relay_end = &mut self.relay_end;
        let sending = async {
            for (index, batch) in batches.iter().enumerate() {
                let due = pace.as_ref().map(|pace| pace.from + pace.gap * index as u32);
                if let Some(due) = due {
                    tokio::time::sleep_until(due.into()).await;
                }
                while credit.get() <= 0 || unacknowledged.borrow().len() >= in_flight {
                    moved.notified().await;
                }
                let asked = std::mem::take(&mut *asked.borrow_mut());
                for nonce in asked {
                    sender.send(&has_read(nonce)).await?;
                }
                credit.set(credit.get() - batch.credit);
                // From when it was due, not from when there was time for it: else a pause would hide itself.
                let at = due.unwrap_or_else(Instant::now);
                unacknowledged.borrow_mut().push_back((batch.to.seq, at));
                sent(at);
                sender.send(&batch.bytes).await?;
            }
            anyhow::Ok(())
        };
        let mut latencies = Histogram::default();
        let hearing = async {
            let mut acked = 0;
            while acked < last {
                match Frame::decode(receiver.receive().await?, &Limits::PROTOCOL)? {
                    Frame::Ack(ack) => {
                        acked = acked.max(ack.read);
                        *relay_end = ack.at;
                    }
                    Frame::Credit(bytes) => credit.set(credit.get() + bytes as i64),
                    Frame::Head(Head { nonce, at: None }) => asked.borrow_mut().push(nonce),
                    Frame::Bye(bye) => bail!("the relay said goodbye: {} {}", bye.code, bye.reason),
                    _ => continue,
                }
                let mut unacknowledged = unacknowledged.borrow_mut();
                while let Some((_, at)) = unacknowledged.pop_front_if(|(upto, _)| *upto <= acked) {
                    latencies.record(at.elapsed());
                }
                moved.notify_one();
            }
            Ok(())
        };
        tokio::try_join!(sending, hearing)?;
        Ok(latencies)
    }

    /// Receives so many commits, acknowledging and granting as a replica does. `arrived` is told the number, in the
    /// relay's log, of the last of each frame, and how many there are in it.
    pub async fn read(&mut self, commits: u64, mut arrived: impl FnMut(u64, u64)) -> Result<()> {
        let (mut received, mut owed) = (0, 0);
        let mut to = 0;
        let mut acked_at: Option<Instant> = None;
        while received < commits {
            let frame = Arrival::decode(self.receiver.receive().await?, &mut self.last)?;
            if let Some(nonce) = frame.asked {
                self.sender.send(&has_read(nonce)).await?;
            }
            received += frame.commits;
            owed += frame.credit;
            if frame.commits > 0 {
                to = frame.to.context("a live frame says where it ends")?;
                arrived(to, frame.commits);
            }
            if owed >= GRANT_BYTES {
                self.sender.send(&Frame::Credit(owed).encode()).await?;
                owed = 0;
            }
            let is_due = acked_at.is_none_or(|at| at.elapsed() >= STORE_TIME);
            if to > 0 && is_due && !self.receiver.has_next() {
                let ack = Ack { read: to, whole: None, at: Mark::START, complete: true };
                self.sender.send(&Frame::Ack(ack).encode()).await?;
                acked_at = Some(Instant::now());
            }
        }
        Ok(())
    }

    /// Asks whether both hold the same, as a replica does once a link has been still for a while.
    pub async fn agree(&mut self, head: Mark, digest: Digest) -> Result<()> {
        let quiet = Quiet { head: Mark::START, read: head.seq, digest };
        self.sender.send(&Frame::Quiet(quiet).encode()).await?;
        match Frame::decode(self.receiver.receive().await?, &Limits::PROTOCOL)? {
            Frame::Agree(_) => Ok(()),
            other => bail!("{:?} and the relay do not agree: {other:?}", self.log),
        }
    }

    /// Holds the connection until the relay ends it.
    pub async fn idle(mut self) -> Result<()> {
        loop {
            self.receiver.receive().await?;
        }
    }
}

/// What a subscriber looks at in a frame: how much there is, not what.
struct Arrival {
    commits: u64,
    credit: u64,
    to: Option<u64>,
    /// The number of a question for how far was read.
    asked: Option<u64>,
}

/// The answer to a question for how far was read.
fn has_read(nonce: u64) -> Vec<u8> {
    Frame::Head(Head { nonce, at: Some(Mark::START) }).encode()
}

impl Arrival {
    /// `last` is the last commit that came on this link.
    fn decode(frame: &[u8], last: &mut Option<Last>) -> Result<Self> {
        let mut arrival = Self { commits: 0, credit: 0, to: None, asked: None };
        match Frame::decode_next(frame, &Limits::PROTOCOL, last)? {
            Frame::Commits(Commits { records, to, .. }) => {
                arrival.commits = records.len() as u64;
                let bytes: usize = records.iter().map(Record::encoded_len).sum();
                arrival.credit = (bytes + records.len() * COMMIT_COST_BYTES) as u64;
                arrival.to = to.map(|to| to.seq);
            }
            Frame::Head(Head { nonce, at: None }) => arrival.asked = Some(nonce),
            Frame::Bye(bye) => bail!("the relay said goodbye: {bye:?}"),
            _ => {}
        }
        Ok(arrival)
    }
}
