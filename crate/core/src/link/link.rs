//! One link: the sync protocol's state for a connection between two holders.
//!
//! A link knows where it is in both logs and what may be sent; it never touches the log itself. The
//! holder gives it entries to send and tells it what came of those it received.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::base::cbor::to_cbor;
use crate::base::id::{AuthorId, CommitId, LogId};
use crate::base::limits;
use crate::base::position::Position;
use crate::base::time::Millis;
use crate::commit::vector::{Digest, Tip, Vector};
use crate::log::log::Entry;
use crate::wire::access::Right;
use crate::wire::bodies::{Commits, Hello, Piece, Stored, Terms};
use crate::wire::frame::Frame;

/// How long before a token expires another one is asked for, at most; and at most half its time.
const RENEW_EARLY: Millis = 60_000;
/// Ranges of the log remembered as having come from the peer, so that they are not sent back.
const ECHO_RANGES_MAX: usize = 64;
/// What of a frame is left for commits once the frame itself is encoded.
const FRAME_BODY_BYTES: usize = limits::FRAME_BYTES_MAX - 1024;
/// What naming a commit costs of a frame, and of credit.
pub(crate) const NAMED_BYTES: usize = 64;
/// Acknowledgements remembered with where they were said, to make sense of what other regions store.
const PLACES_MAX: usize = 1024;

/// Who opened the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// This holder, at this address.
    Dialer { url: String },
    /// The other one.
    Accepter,
}

/// How far the greeting has got.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// Dialler: not open yet.
    Dialing,
    /// Dialler: open, the `Hello` to be sent. Accepter: the other's `Hello` to come.
    Opened,
    /// Dialler: `Hello` sent, with this digest at this end of the log, and maybe the vector.
    Greeted { digest: Option<Digest>, head: Position, told: bool },
    /// Accepter: the other's `Hello` came and its token is being verified.
    Authorizing(Box<Hello>),
    /// Accepter: it may come in, and its cursors are being checked.
    Checking(Box<Hello>),
    /// Commits flow.
    Up,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub side: Side,
    pub phase: Phase,
    pub opened_at: Millis,
    /// When the other side was last heard.
    pub heard_at: Millis,
    /// When a frame last went either way that moved a log.
    pub moved_at: Millis,
    /// Whether both sides were found to hold the same since then.
    pub agreed: bool,
    /// Whether it was asked since then.
    pub asked: bool,
    pub peer: Option<Peer>,
    /// Between relays: what others bring is left to others to send, and both sides keep cursors.
    pub is_mesh: bool,
    /// Accepter: what the other's token allows.
    pub grant: Option<Grant>,
    /// Where in this log the last commit is that came in on this link.
    pub brought: u64,
    /// What the relay at the other end has said last of what other regions have stored of its log.
    pub elsewhere: BTreeMap<String, Stored>,
    /// Whether the relay was made to look how other regions are.
    pub has_asked: bool,
    /// What was told of how much of this log each other region has stored.
    pub told: Vec<u64>,
    /// Dialler: when a fresh token is due, well before the one that it gave expires.
    pub renew_at: Option<Millis>,
    pub rtt: Option<Millis>,
    /// The end of the peer's log when it greeted.
    pub their_head: u64,
    pub receive: Receive,
    pub send: Sending,
    pub their_tips: Vec<Tip>,
    /// The peer's vector, once it is whole and until a pass with it begins.
    pub theirs: Option<Vector>,
    /// Whether this side's vector was sent and the other's has not come yet.
    pub exchanging: bool,
    pub wanted: Option<Wanted>,
}

/// What a token allows.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub subject: String,
    pub right: Right,
    pub expires_at: Option<Millis>,
}

#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub log: LogId,
    pub region: Option<String>,
}

/// A request for missing causes that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub nonce: u64,
    pub asked_at: Millis,
    pub bytes: u64,
    pub answered: bool,
    /// Whether the answer brought anything, or will when asked again.
    pub useful: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Receive {
    /// All of the peer's log up to here is in ours.
    pub read: Position,
    frames: BTreeMap<u64, InFrame>,
    next_frame: u64,
    /// The beginning of a commit in pieces.
    pub partial: Vec<u8>,
    /// Commits that came in pieces: the next frame of commits says where they belong.
    pub whole: Vec<Vec<u8>>,
    pub partial_answer: Vec<u8>,
    pub whole_answer: Vec<Vec<u8>>,
    /// Bytes the peer may still send.
    window: i64,
    /// Bytes done with and not yet granted again.
    owed: u64,
    /// What those cost, where a relay minds how fast they come.
    cost: u64,
    /// When more may be granted.
    pub grant_at: Millis,
}

/// The number of a frame of commits on its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameNumber(u64);

/// A frame of commits of which some are not in the log yet.
#[derive(Clone, Debug)]
struct InFrame {
    to: Option<Position>,
    outstanding: BTreeSet<CommitId>,
}

#[derive(Clone, Debug)]
pub(crate) struct Sending {
    /// Whether the stream has begun.
    pub started: bool,
    /// How far this holder's log was sent.
    pub sent: Position,
    filter: Option<Filter>,
    credit: i64,
    pub reading: bool,
    echo: VecDeque<(u64, u64)>,
    /// How far the peer is known to have stored this holder's log.
    pub acked: u64,
    /// The last position that an acknowledgement is due for.
    told: u64,
    /// The furthest end that the peer's log is known to have had.
    pub seen: Position,
    /// Nothing may be sent: the other side refuses what this one would bring.
    pub is_muted: bool,
    /// How far the peer had stored this log when its own was so long.
    places: VecDeque<(u64, u64)>,
}

/// What the peer said it holds, by author; skipped until the end that the log had then.
#[derive(Clone, Debug)]
struct Filter {
    held: BTreeMap<AuthorId, Held>,
    until: u64,
}

/// What the peer holds of an author's chain. Of two tips the longer one's holder alone can tell
/// whether it is one chain, so what could show a fork is sent: the commit that has the number of the
/// peer's tip and another id, or the last commit where the peer has more. If it is news, the peer
/// asks for what is before it.
#[derive(Clone, Debug)]
enum Held {
    All,
    /// All before the last, which has this number here.
    Before(u64),
    /// All up to its tip, if that is in this chain.
    Through(Tip),
}

/// What a link keeps when its holder is taken out of memory while the connection stays.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Attachment {
    #[n(0)]
    log: LogId,
    #[n(1)]
    read: Position,
    #[n(2)]
    sent: Position,
    #[n(3)]
    credit: i64,
    #[n(4)]
    window: i64,
    #[n(5)]
    region: Option<String>,
    #[n(6)]
    is_mesh: bool,
    #[n(7)]
    subject: String,
    #[n(8)]
    may_write: bool,
    #[n(9)]
    expires_at: Option<u64>,
    #[n(10)]
    brought: u64,
    #[n(11)]
    acked: u64,
    #[n(12)]
    told: Vec<u64>,
    #[n(13)]
    position_told: u64,
}

impl Terms {
    pub(crate) fn renew_at(&self, now: Millis) -> Option<Millis> {
        self.expires_in.map(|wait| now.saturating_add(wait - RENEW_EARLY.min(wait / 2)))
    }
}

/// What is done about a commit that a link has come to.
enum Due {
    /// The peer has it.
    Nothing,
    /// It goes to the peer by another way.
    Naming,
    Sending,
}

/// What the peer may not do.
#[derive(Clone, Debug)]
pub(crate) struct OverCredit;

impl Link {
    pub fn new(side: Side, now: Millis) -> Self {
        let phase = if side == Side::Accepter { Phase::Opened } else { Phase::Dialing };
        Self {
            side,
            phase,
            opened_at: now,
            heard_at: now,
            moved_at: now,
            agreed: false,
            asked: false,
            peer: None,
            is_mesh: false,
            grant: None,
            brought: 0,
            elsewhere: BTreeMap::new(),
            has_asked: false,
            told: Vec::new(),
            renew_at: None,
            rtt: None,
            their_head: 0,
            receive: Receive {
                read: Position::START,
                frames: BTreeMap::new(),
                next_frame: 0,
                partial: Vec::new(),
                whole: Vec::new(),
                partial_answer: Vec::new(),
                whole_answer: Vec::new(),
                window: limits::CREDIT_BYTES as i64,
                owed: 0,
                cost: 0,
                grant_at: 0,
            },
            send: Sending {
                started: false,
                sent: Position::START,
                filter: None,
                credit: 0,
                reading: false,
                echo: VecDeque::new(),
                acked: 0,
                told: 0,
                seen: Position::START,
                is_muted: false,
                places: VecDeque::new(),
            },
            their_tips: Vec::new(),
            theirs: None,
            exchanging: false,
            wanted: None,
        }
    }

    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up)
    }

    pub fn is_dialer(&self) -> bool {
        matches!(self.side, Side::Dialer { .. })
    }

    /// Whether time or a step of the holder may matter to it, beyond what comes in.
    pub fn is_busy(&self) -> bool {
        !self.is_up()
            || self.is_dialer()
            || self.wanted.is_some()
            || self.theirs.is_some()
            || self.grant_due().is_some()
    }

    /// When more is granted that has to wait.
    pub fn grant_due(&self) -> Option<Millis> {
        (self.receive.owed >= limits::CREDIT_BYTES / 4).then_some(self.receive.grant_at)
    }

    /// Nothing is under way in either direction as far as this side can see.
    pub fn is_idle(&self, stored: Position) -> bool {
        self.is_up()
            && !self.exchanging
            && self.wanted.is_none()
            && self.receive.frames.is_empty()
            && self.receive.partial.is_empty()
            && self.send.started
            && self.send.sent.seq == stored.seq
    }

    /// Each side has what the other had when it greeted, and this side's own is acknowledged.
    pub fn is_caught_up(&self, stored: Position) -> bool {
        self.is_up()
            && !self.exchanging
            && self.has_read_all()
            && (self.send.is_muted || (self.send.sent.seq == stored.seq && self.send.acked >= stored.seq))
    }

    /// All that the other side held when it greeted is here.
    pub fn has_read_all(&self) -> bool {
        self.is_up() && !self.exchanging && self.receive.read.seq >= self.their_head
    }

    /// The region at the other end, where that is a relay.
    pub fn region(&self) -> Option<&str> {
        self.peer.as_ref()?.region.as_deref()
    }

    /// What this side lets the other do.
    pub fn terms(&mut self, only_reads: bool, now: Millis) -> Terms {
        if let Some(grant) = self.grant.as_mut().filter(|_| only_reads) {
            grant.right = Right::Read;
        }
        let expires_at = self.grant.as_ref().and_then(|grant| grant.expires_at);
        let expires_in = expires_at.map(|at| at.saturating_sub(now));
        Terms { read_only: !self.may_write(), expires_in }
    }

    /// Whether there is somebody who wants to know where else its commits are stored.
    pub fn wants_stored(&self) -> bool {
        self.is_up() && !self.is_dialer() && !self.is_mesh
    }

    pub fn may_write(&self) -> bool {
        self.grant.as_ref().is_none_or(|grant| grant.right == Right::Write)
    }

    pub fn moved(&mut self, now: Millis) {
        if self.agreed {
            // Only now is there something to answer: that nothing came before says nothing.
            self.heard_at = now;
        }
        self.moved_at = now;
        self.agreed = false;
        self.asked = false;
    }

    /// Whether it can go on from an attachment.
    pub fn is_attachable(&self) -> bool {
        self.is_up() && self.send.started && !self.exchanging && self.peer.is_some()
    }

    pub fn attachment(&self) -> Option<Vec<u8>> {
        let log = self.peer.as_ref()?.log;
        self.is_attachable().then(|| {
            to_cbor(&Attachment {
                log,
                read: self.receive.read,
                // A pass with a filter is begun anew: what the peer holds is not kept.
                sent: if self.send.filter.is_some() { Position::START } else { self.send.sent },
                credit: self.send.credit,
                window: self.receive.window,
                region: self.region().map(str::to_owned),
                is_mesh: self.is_mesh,
                subject: self.grant.as_ref().map(|grant| grant.subject.clone()).unwrap_or_default(),
                may_write: self.may_write(),
                expires_at: self.grant.as_ref().and_then(|grant| grant.expires_at),
                brought: self.brought,
                acked: self.send.acked,
                told: self.told.clone(),
                position_told: self.send.told,
            })
        })
    }

    pub fn resume(attachment: &[u8], now: Millis) -> Option<Self> {
        let kept: Attachment = minicbor::decode(attachment).ok()?;
        let mut link = Self::new(Side::Accepter, now);
        link.phase = Phase::Up;
        link.peer = Some(Peer { log: kept.log, region: kept.region });
        link.is_mesh = kept.is_mesh;
        let right = if kept.may_write { Right::Write } else { Right::Read };
        link.grant = Some(Grant { subject: kept.subject, right, expires_at: kept.expires_at });
        link.brought = kept.brought;
        link.told = kept.told;
        link.receive.read = kept.read;
        link.receive.window = kept.window;
        link.send.started = true;
        link.send.sent = kept.sent;
        link.send.credit = kept.credit;
        link.send.acked = kept.acked;
        link.send.told = kept.position_told;
        Some(link)
    }

    /// What of `entries`, which follow `sent`, the peer lacks and may be sent now, as frames.
    pub fn frames_for(&mut self, entries: &[Entry]) -> Vec<Frame> {
        let is_mesh = self.is_mesh;
        let send = &mut self.send;
        let mut frames = Vec::new();
        let mut records: Vec<ByteVec> = Vec::new();
        let mut named: Vec<Tip> = Vec::new();
        let mut bytes = 0;
        let start = send.sent;
        let mut told = None;
        for entry in entries.iter().filter(|entry| entry.at.seq > start.seq) {
            if send.credit <= 0 {
                break;
            }
            let due = send.due(entry, is_mesh);
            let record = if matches!(due, Due::Sending) { entry.commit.encode() } else { Vec::new() };
            let is_large = record.len() > FRAME_BODY_BYTES;
            let more = if matches!(due, Due::Naming) { NAMED_BYTES } else { record.len() };
            if bytes > 0 && (is_large || bytes + more > FRAME_BODY_BYTES) {
                told = send.position();
                frames.push(Frame::Commits(Commits {
                    records: core::mem::take(&mut records),
                    to: told,
                    named: core::mem::take(&mut named),
                }));
                bytes = 0;
            }
            match due {
                Due::Nothing => {}
                Due::Naming => {
                    send.credit -= NAMED_BYTES as i64;
                    bytes += NAMED_BYTES;
                    name(entry, &mut named);
                }
                Due::Sending => {
                    send.credit -= record.len() as i64;
                    if is_large {
                        frames.extend(pieces(&record, false));
                    } else {
                        bytes += record.len() + 8;
                        records.push(record.into());
                    }
                }
            }
            send.sent = entry.at;
        }
        let to = send.position().filter(|to| to.seq > start.seq && told != Some(*to));
        let is_whole_due = matches!(frames.last(), Some(Frame::Piece(_)));
        send.told = to.or(told).map_or(send.told, |to| to.seq);
        if to.is_some() || bytes > 0 || is_whole_due {
            frames.push(Frame::Commits(Commits { records, to, named }));
        }
        while send.echo.front().is_some_and(|(_, last)| *last <= send.sent.seq) {
            send.echo.pop_front();
        }
        if send.filter.as_ref().is_some_and(|filter| send.sent.seq >= filter.until) {
            send.filter = None;
        }
        frames
    }
}

/// Names a commit; of commits that follow one another in a chain the last says it all.
fn name(entry: &Entry, named: &mut Vec<Tip>) {
    let header = entry.commit.header();
    let tip = Tip { author: header.author, seq: header.seq, id: entry.commit.id() };
    match named.iter_mut().find(|before| header.prev == Some(before.id)) {
        Some(before) => *before = tip,
        None => named.push(tip),
    }
}

/// All of these, as they are, as frames.
pub(crate) fn frames_of(entries: &[Entry]) -> Vec<Frame> {
    let mut link = Link::new(Side::Accepter, 0);
    link.send.started = true;
    link.send.credit = i64::MAX;
    link.send.sent = Position { seq: entries.first().map_or(0, |first| first.at.seq - 1), ..Position::START };
    link.frames_for(entries)
}

impl Sending {
    /// Takes note of everything up to `end` as sent, if there is credit for it.
    pub fn send_all(&mut self, bytes: u64, end: Position) -> bool {
        if self.credit < bytes as i64 {
            return false;
        }
        self.credit -= bytes as i64;
        self.sent = end;
        self.told = end.seq;
        true
    }

    pub fn may_send(&self) -> bool {
        self.started && !self.reading && !self.is_muted && self.credit > 0
    }

    pub fn grant(&mut self, bytes: u64) {
        let most = 64 * limits::CREDIT_BYTES as i64;
        self.credit = self.credit.saturating_add_unsigned(bytes).min(most);
    }

    pub fn start(&mut self, from: Position) {
        self.started = true;
        self.sent = from;
        self.told = from.seq;
        self.filter = None;
        self.echo.clear();
    }

    /// Begins a pass over the whole log that skips what the peer says it holds.
    pub fn start_filtered(&mut self, theirs: &Vector, ours: &Vector, end: Position) {
        self.start(Position::START);
        if end.seq > 0 {
            self.filter = Some(Filter::new(theirs, ours, end.seq));
        }
    }

    /// How far the peer has been given all. Within a pass nothing is certain before its end: what was
    /// skipped may yet turn out to be of another branch.
    fn position(&self) -> Option<Position> {
        let is_passing = self.filter.as_ref().is_some_and(|filter| self.sent.seq < filter.until);
        (!is_passing).then_some(self.sent)
    }

    /// The peer has stored all up to this number.
    pub fn ack(&mut self, upto: u64) {
        self.acked = self.acked.max(upto);
        // What was skipped after the last frame came from the peer.
        if self.filter.is_none() && self.acked >= self.told {
            self.acked = self.acked.max(self.sent.seq);
        }
    }

    /// What is acknowledged now is at or before this number of the peer's log.
    pub fn stored_at(&mut self, their_seq: u64) {
        match self.places.back_mut() {
            Some((acked, _)) if *acked == self.acked => return,
            Some(last) if last.1 >= their_seq => last.0 = self.acked,
            _ => self.places.push_back((self.acked, their_seq)),
        }
        if self.places.len() > PLACES_MAX {
            // Every second one says the same a little later. The last stays.
            let mut is_kept = false;
            self.places.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
        }
    }

    /// How much of this log whoever holds so much of the peer's log has.
    pub fn acked_by_holder_of(&self, their_seq: u64) -> u64 {
        let end = self.places.partition_point(|(_, at)| *at <= their_seq);
        end.checked_sub(1).map_or(0, |last| self.places[last].0)
    }

    /// All up to here came from the peer, after what was sent before.
    pub fn skip_to(&mut self, end: Position) {
        self.sent = end;
        self.ack(0);
    }

    /// The entry with this number came from the peer.
    pub fn came_from_peer(&mut self, seq: u64) {
        match self.echo.back_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            _ => {
                if self.echo.len() == ECHO_RANGES_MAX {
                    self.echo.pop_front();
                }
                self.echo.push_back((seq, seq));
            }
        }
    }

    /// Whether all that follows is sent as it is, where it came first-hand.
    pub fn is_plain(&self) -> bool {
        self.filter.is_none() && self.echo.is_empty()
    }

    pub fn is_echo(&self, seq: u64) -> bool {
        self.echo.iter().any(|(first, last)| (*first..=*last).contains(&seq))
    }

    fn due(&self, entry: &Entry, is_mesh: bool) -> Due {
        if self.is_echo(entry.at.seq) {
            return Due::Nothing;
        }
        match &self.filter {
            Some(filter) if filter.covers(entry) => Due::Nothing,
            // What it lacks by its own account comes by no other way.
            Some(filter) if entry.at.seq <= filter.until => Due::Sending,
            _ if is_mesh && !entry.own => Due::Naming,
            _ => Due::Sending,
        }
    }
}

impl Filter {
    fn new(theirs: &Vector, ours: &Vector, until: u64) -> Self {
        let mut held = BTreeMap::new();
        for tip in theirs.tips() {
            let rule = match (theirs.of(&tip.author), ours.of(&tip.author)) {
                (theirs, ours) if theirs == ours => Held::All,
                ([theirs], [ours]) if theirs.seq > ours.seq => Held::Before(ours.seq),
                ([theirs], [ours]) if theirs.seq < ours.seq => Held::Through(*theirs),
                _ => continue,
            };
            held.insert(tip.author, rule);
        }
        Self { held, until }
    }

    /// Whether the peer certainly holds this commit: it must not seem acknowledged otherwise.
    fn covers(&self, entry: &Entry) -> bool {
        let header = entry.commit.header();
        entry.at.seq <= self.until
            && match self.held.get(&header.author) {
                None => false,
                Some(Held::All) => true,
                Some(Held::Before(seq)) => header.seq < *seq,
                Some(Held::Through(tip)) => {
                    header.seq < tip.seq || (header.seq == tip.seq && entry.commit.id() == tip.id)
                }
            }
    }
}

impl Receive {
    /// Takes note of a frame of commits of the stream; its number on this link.
    pub fn frame(&mut self, to: Option<Position>, ids: impl IntoIterator<Item = CommitId>) -> FrameNumber {
        let number = FrameNumber(self.next_frame);
        self.frames.insert(number.0, InFrame { to, outstanding: ids.into_iter().collect() });
        self.next_frame += 1;
        number
    }

    /// Whether commits that came are not all in the log yet.
    pub fn has_frames(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Counts bytes of commits that came.
    pub fn spend(&mut self, bytes: usize) -> Result<(), OverCredit> {
        self.window -= bytes as i64;
        let most = (limits::COMMIT_BYTES_MAX + limits::FRAME_BYTES_MAX) as i64;
        if self.window < -most { Err(OverCredit) } else { Ok(()) }
    }

    /// Those bytes are done with, and may be granted again.
    pub fn owe(&mut self, bytes: u64, cost: u64) {
        self.owed += bytes;
        self.cost += bytes + cost;
    }

    pub fn owed(&self) -> u64 {
        self.owed
    }

    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// What is owed is granted.
    pub fn grant(&mut self) -> u64 {
        let grant = core::mem::take(&mut self.owed);
        self.cost = 0;
        self.window += grant as i64;
        grant
    }

    /// This commit, which came in that frame, is in the log.
    pub fn settle(&mut self, frame: FrameNumber, id: &CommitId) {
        if let Some(frame) = self.frames.get_mut(&frame.0) {
            frame.outstanding.remove(id);
        }
    }

    /// The position up to which all is in the log, if it has moved.
    pub fn advance(&mut self) -> Option<Position> {
        let mut moved = None;
        while let Some(frame) = self.frames.first_entry() {
            if !frame.get().outstanding.is_empty() {
                break;
            }
            moved = frame.remove().to.or(moved);
        }
        if let Some(to) = moved {
            self.read = to;
        }
        moved
    }
}

/// A record too large for a frame, cut.
pub(crate) fn pieces(record: &[u8], answer: bool) -> impl Iterator<Item = Frame> {
    let count = record.len().div_ceil(FRAME_BODY_BYTES);
    record.chunks(FRAME_BODY_BYTES).enumerate().map(move |(number, piece)| {
        Frame::Piece(Piece { bytes: piece.to_vec().into(), last: number + 1 == count, answer })
    })
}

/// Whether a record fits into a frame with others of `bytes`.
pub(crate) fn fits(bytes: usize, record: usize) -> bool {
    bytes + record <= FRAME_BODY_BYTES
}
