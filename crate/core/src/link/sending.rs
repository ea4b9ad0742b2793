//! What goes out on a link: how far the log was sent, with what left out, and how far it is
//! acknowledged.

use std::collections::VecDeque;

use crate::base::limits::{COMMIT_COST_BYTES, Limits, NAMED_COST_BYTES};
use crate::base::mutation::Mutation;
use crate::base::position::{Mark, Marker, Position};
use crate::base::time::Millis;
use crate::commit::vector::{Tip, Vector};
use crate::link::filter::{Filter, Holdings};
use crate::link::later::Later;
use crate::log::rows::Entry;
use crate::wire::batch::record::Record;
use crate::wire::batch::{Last, RECORD_HEAD_BYTES};
use crate::wire::bodies::{Commits, Piece};
use crate::wire::frame::Frame;

/// What of a frame is not left for records.
pub(super) const FRAME_HEAD_BYTES: usize = 128;

#[derive(Clone, Debug)]
pub(crate) struct Sending {
    /// Whether the stream has begun.
    pub started: bool,
    /// How far this holder's log was sent.
    pub sent: Position,
    filter: Option<Filter>,
    pub credit: i64,
    /// Storage is being read for this link.
    pub reading: bool,
    /// How much of the next commit was sent, where there was no room for all of it.
    pub begun: Option<Begun>,
    /// What was begun is not what it was: bytes of it came or went meanwhile.
    pub is_torn: bool,
    echo: VecDeque<(u64, u64)>,
    /// How far the peer is known to have stored this holder's log, bytes or no bytes.
    pub read_acked: u64,
    /// How far it has stored it with all bytes.
    pub whole_acked: u64,
    /// The last position that an acknowledgement is due for.
    pub marked: u64,
    /// The furthest end that the peer's log is known to have had.
    pub seen: Mark,
    /// Nothing may be sent: the other side refuses what this one would bring.
    pub is_muted: bool,
    /// The last commit that was sent, from which the next frame goes on.
    pub last: Option<Last>,
    /// What waits to be said to another replica.
    pub later: Later,
    /// How far the peer had stored this log when its own was so long: (of this log, of the peer's).
    acks: VecDeque<(u64, u64)>,
}

/// A commit in pieces of which a part was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Its position in the log.
    pub seq: u64,
    /// So much was sent.
    pub bytes: usize,
    /// Of so much.
    pub of: usize,
}

/// What is done about a commit that a link has come to.
enum Due {
    /// The peer has it.
    Nothing,
    /// It goes to the peer by another way.
    Naming,
    Sending,
}

/// Which commits are named in place of being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    Nothing,
    /// Those that this holder was not brought first-hand: between relays.
    Others,
    All,
}

impl Naming {
    fn is_of(self, entry: &Entry) -> bool {
        self == Self::All || (self == Self::Others && !entry.own)
    }
}

/// What frames are made with.
#[derive(Clone, Copy)]
pub(crate) struct Framing<'a> {
    pub limits: &'a Limits,
    pub marker: &'a Marker,
    pub naming: Naming,
    /// So many bytes may be sent now; the frame that reaches it is the last.
    pub room: usize,
}

impl Framing<'_> {
    fn body_bytes(&self) -> usize {
        self.limits.frame_bytes_max - FRAME_HEAD_BYTES
    }

    /// Whether a record fits into a frame with others of `bytes`.
    pub fn fits(&self, bytes: usize, record: usize) -> bool {
        bytes + record <= self.body_bytes()
    }

    /// The pieces of a record that is too large for a frame from this byte on, as far as there is room;
    /// and how many bytes of it are sent then.
    pub fn pieces(&self, record: &[u8], from: usize, answer: bool) -> (Vec<Frame>, usize) {
        let size = self.limits.piece_bytes.min(self.body_bytes());
        let (mut at, mut frames) = (from, Vec::new());
        while at < record.len() && at - from < self.room {
            let end = record.len().min(at + size);
            let bytes = record[at..end].to_vec().into();
            frames.push(Frame::Piece(Piece { bytes, last: end == record.len(), answer }));
            at = end;
        }
        (frames, at)
    }
}

/// Of commits that the peer is not sent it is told after so many how far it has all.
const PLACES_SKIPPED_MAX: u64 = 64;

/// A frame of commits that is being filled.
#[derive(Default)]
struct Filling {
    records: Vec<Record>,
    named: Vec<Tip>,
    bytes: usize,
}

impl Filling {
    fn close(&mut self, to: Option<Mark>) -> Frame {
        let Filling { records, named, .. } = core::mem::take(self);
        Frame::Commits(Commits { records, to, named })
    }

    /// Names a commit; of commits that follow one another in a chain the last says it all. The bytes
    /// that this takes.
    fn name(&mut self, entry: &Entry) -> usize {
        let tip = entry.commit.tip();
        let prev = entry.commit.header().prev.short();
        if let Some(before) = self.named.iter_mut().find(|before| before.id.short() == prev) {
            *before = tip;
            return 0;
        }
        self.named.push(tip);
        self.bytes += NAMED_COST_BYTES;
        NAMED_COST_BYTES
    }
}

impl Sending {
    pub fn new() -> Self {
        Self {
            started: false,
            sent: Position::START,
            filter: None,
            credit: 0,
            reading: false,
            begun: None,
            is_torn: false,
            echo: VecDeque::new(),
            read_acked: 0,
            whole_acked: 0,
            marked: 0,
            seen: Mark::START,
            is_muted: false,
            last: None,
            later: Later::default(),
            acks: VecDeque::new(),
        }
    }

    pub fn may_send(&self) -> bool {
        // A commit that was begun is sent to its end.
        let has_credit = self.credit > 0 || self.begun.is_some();
        self.started && !self.reading && !self.is_muted && has_credit
    }

    /// So much more may be sent.
    pub fn grant(&mut self, bytes: u64, limits: &Limits) {
        let most = limits.credit_bytes as i64;
        self.credit = self.credit.saturating_add_unsigned(bytes).min(most);
        if limits.is_mutated(Mutation::IgnoreCredit) {
            self.credit = i64::MAX / 2;
        }
    }

    pub fn start(&mut self, from: Position) {
        self.started = true;
        self.sent = from;
        self.marked = from.seq;
        self.filter = None;
        self.begun = None;
        self.echo.clear();
        self.later.take_names();
    }

    /// Begins a pass over the whole log that skips what the peer says it holds.
    pub fn start_filtered(&mut self, theirs: Holdings, ours: &Vector, end: Position) {
        self.start(Position::START);
        if end.seq > 0 {
            self.filter = Some(Filter::new(theirs, ours, end.seq));
        }
    }

    pub fn is_filtered(&self) -> bool {
        self.filter.is_some()
    }

    /// How many entries of what the peer holds are kept.
    pub fn filter_len(&self) -> usize {
        self.filter.as_ref().map_or(0, Filter::len)
    }

    /// How far the peer has been given all. Within a pass nothing is certain before its end: what was
    /// skipped may yet turn out to be of another branch.
    fn position(&self) -> Option<Position> {
        let is_passing = self.filter.as_ref().is_some_and(|filter| self.sent.seq < filter.until);
        (!is_passing).then_some(self.sent)
    }

    /// What of `entries`, which follow `sent`, the peer lacks and may be sent now, as frames; `stored` is
    /// where this log ends.
    pub fn frames_for(&mut self, entries: &[Entry], stored: u64, framing: Framing<'_>) -> Vec<Frame> {
        let start = self.sent;
        let mut frames = Vec::new();
        let mut filling = Filling::default();
        let mut told = None;
        let mut used = 0;
        for entry in entries.iter().filter(|entry| entry.at.seq > start.seq) {
            let begun = self.begun.map_or(0, |begun| begun.bytes);
            if (self.credit <= 0 && begun == 0) || used >= framing.room {
                break;
            }
            let due = self.due(entry, framing.naming);
            let bytes = if matches!(due, Due::Sending) { entry.commit.encoded_len() } else { 0 };
            if self.begun.is_some_and(|begun| begun.of != bytes) {
                self.is_torn = true;
                break;
            }
            let is_large = !framing.fits(0, bytes);
            let more = if matches!(due, Due::Naming) { NAMED_COST_BYTES } else { bytes };
            if filling.bytes > 0 && (is_large || !framing.fits(filling.bytes, more)) {
                told = self.position();
                frames.push(filling.close(told.map(|at| framing.marker.mark(at))));
            }
            match due {
                Due::Nothing => {}
                Due::Naming => {
                    self.credit -= filling.name(entry) as i64;
                }
                Due::Sending => {
                    if begun == 0 {
                        self.credit -= (bytes + COMMIT_COST_BYTES) as i64;
                    }
                    if is_large {
                        let left = Framing { room: framing.room - used, ..framing };
                        let (pieces, end) = left.pieces(&entry.commit.encode(), begun, false);
                        frames.extend(pieces);
                        used += end - begun;
                        self.begun =
                            (end < bytes).then_some(Begun { seq: entry.at.seq, bytes: end, of: bytes });
                        if self.begun.is_some() {
                            break;
                        }
                    } else {
                        used += bytes + RECORD_HEAD_BYTES;
                        filling.bytes += bytes + RECORD_HEAD_BYTES;
                        filling.records.push(entry.commit.clone().into());
                    }
                }
            }
            self.sent = entry.at;
        }
        let to = self.position().filter(|to| to.seq > start.seq && told != Some(*to));
        let is_place_due = matches!(frames.last(), Some(Frame::Piece(piece)) if piece.last);
        // A place alone can wait for what follows it.
        let is_alone = frames.is_empty() && filling.bytes == 0;
        let can_wait = is_alone && self.sent.seq < stored && self.sent.seq < self.marked + PLACES_SKIPPED_MAX;
        let to = to.filter(|_| !can_wait);
        self.marked = to.or(told).map_or(self.marked, |to| to.seq);
        if to.is_some() || filling.bytes > 0 || is_place_due {
            frames.push(filling.close(to.map(|at| framing.marker.mark(at))));
        }
        self.forget_echo();
        if self.filter.as_ref().is_some_and(|filter| self.sent.seq >= filter.until) {
            self.filter = None;
        }
        frames
    }

    fn forget_echo(&mut self) {
        while self.echo.front().is_some_and(|(_, last)| *last <= self.sent.seq) {
            self.echo.pop_front();
        }
    }

    /// Names what was just written, later and along with more; false where that can't be.
    pub fn name_later(&mut self, entries: &[Entry], is_dialer: bool, now: Millis) -> bool {
        let is_nameable = |entry: &Entry| !entry.again && !entry.commit.has_holes();
        // What the other side names first is not said, and costs nothing.
        let cost_at_most = ((self.later.names() + entries.len()) * NAMED_COST_BYTES) as i64;
        if self.filter.is_some() || self.credit < cost_at_most || !entries.iter().all(is_nameable) {
            return false;
        }
        for entry in entries {
            if !self.is_echo(entry.at.seq) {
                self.later.name(&entry.commit, is_dialer, now);
            }
        }
        self.sent = entries.last().map_or(self.sent, |last| last.at);
        self.forget_echo();
        self.later.tells(self.sent);
        true
    }

    /// The other side has named or sent this commit: it needs no name.
    pub fn is_known(&mut self, tip: &Tip, now: Millis) {
        if self.later.has_names() && self.later.is_known(tip, now) {
            self.later.take_names();
            self.count_skipped();
        }
    }

    /// The names that wait, as a frame, if the other side has not named all of them itself.
    pub fn say_names(&mut self, marker: &Marker) -> Option<Frame> {
        let (named, to) = self.later.take_names()?;
        if named.is_empty() {
            self.count_skipped();
            return None;
        }
        self.marked = to.seq;
        self.credit -= (named.len() * NAMED_COST_BYTES) as i64;
        let to = Some(marker.mark(to));
        Some(Frame::Commits(Commits { records: Vec::new(), to, named }))
    }

    /// Takes note of everything up to `end` as sent, if there is credit for it.
    pub fn send_all(&mut self, bytes: u64, end: Position) -> bool {
        if self.credit < bytes as i64 {
            return false;
        }
        self.credit -= bytes as i64;
        self.sent = end;
        self.marked = end.seq;
        true
    }

    /// The commit that is to be read next for this link: one that was begun, or the one after what was
    /// sent, if there is more in the log.
    pub fn next_read(&self, stored: u64) -> Option<u64> {
        if !self.may_send() {
            return None;
        }
        let begun = self.begun.map(|begun| begun.seq);
        let next = (self.sent.seq < stored).then_some(self.sent.seq + 1).filter(|_| self.credit > 0);
        begun.or(next)
    }

    fn due(&self, entry: &Entry, naming: Naming) -> Due {
        if self.is_echo(entry.at.seq) {
            return Due::Nothing;
        }
        match &self.filter {
            Some(filter) if filter.covers(entry) => Due::Nothing,
            // What it lacks by its own account comes by no other way.
            Some(filter) if entry.at.seq <= filter.until => Due::Sending,
            // A name says that all bytes are here.
            _ if naming.is_of(entry) && !entry.again && !entry.commit.has_holes() => Due::Naming,
            _ => Due::Sending,
        }
    }

    /// The peer has stored all up to `read`, bytes or no bytes, and of that all up to `whole` with all
    /// bytes.
    pub fn ack(&mut self, read: u64, whole: Option<u64>) {
        self.read_acked = self.read_acked.max(read);
        self.count_skipped();
        let whole = whole.map_or(self.read_acked, |whole| whole.min(self.read_acked));
        self.whole_acked = self.whole_acked.max(whole);
    }

    /// What was skipped after the last frame came from the peer.
    fn count_skipped(&mut self) {
        if self.filter.is_none() && !self.later.has_names() && self.read_acked >= self.marked {
            self.read_acked = self.read_acked.max(self.sent.seq);
        }
    }

    /// What is acknowledged now is at or before this number of the peer's log.
    pub fn stored_at(&mut self, their_seq: u64, limits: &Limits) {
        match self.acks.back_mut() {
            Some((acked, _)) if *acked == self.whole_acked => return,
            Some(last) if last.1 >= their_seq => last.0 = self.whole_acked,
            _ => self.acks.push_back((self.whole_acked, their_seq)),
        }
        if self.acks.len() > limits.ack_marks_max {
            // Every second one says the same a little later. The last stays.
            let mut is_kept = false;
            self.acks.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
        }
    }

    /// How much of this log whoever holds so much of the peer's log has.
    #[cfg(feature = "documents")]
    pub fn acked_by_holder_of(&self, their_seq: u64) -> u64 {
        let end = self.acks.partition_point(|(_, at)| *at <= their_seq);
        end.checked_sub(1).map_or(0, |last| self.acks[last].0)
    }

    /// All up to here came from the peer, after what was sent before.
    pub fn skip_to(&mut self, end: Position) {
        let is_whole = self.whole_acked == self.read_acked;
        self.sent = end;
        self.count_skipped();
        if is_whole {
            self.whole_acked = self.read_acked;
        }
    }

    /// The entry with this number came from the peer.
    pub fn came_from_peer(&mut self, seq: u64, limits: &Limits) {
        match self.echo.back_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            _ => {
                if self.echo.len() == limits.echo_ranges_max {
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
}

/// All of these, as they are, as frames.
pub(crate) fn frames_of(before: Position, entries: &[Entry], framing: Framing<'_>) -> Vec<Frame> {
    let mut sending = Sending::new();
    sending.start(before);
    sending.credit = i64::MAX;
    sending.frames_for(entries, 0, Framing { naming: Naming::Nothing, room: usize::MAX, ..framing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{AuthorId, LogId};
    use crate::base::position::Marker;
    use crate::commit::commit::Commit;
    use crate::commit::descriptor::Descriptor;

    /// So many commits of one author, as a log has them.
    fn entries(count: u64) -> Vec<Entry> {
        let mut prev = Descriptor::plain("space").chain_start(0);
        let mut at = Position::START;
        let entries = (1..=count).map(|seq| {
            let place = (AuthorId([1; 16]), seq, prev);
            let commit = Commit::new(place, Vec::new(), 0, Vec::new(), &Limits::PROTOCOL).expect("small");
            (prev, at) = (commit.id(), at.then(&commit.id()));
            Entry { at, commit, own: true, again: false }
        });
        entries.collect()
    }

    #[test]
    fn whole_is_never_further_than_what_was_read() {
        let mut sending = Sending::new();
        sending.ack(5, Some(2));
        assert_eq!((sending.read_acked, sending.whole_acked), (5, 2));
        // It is of a longer copy of this log.
        sending.ack(5, Some(9));
        assert_eq!((sending.read_acked, sending.whole_acked), (5, 5));
    }

    #[test]
    fn nothing_is_missing_of_all_that_was_read_where_no_limit_is_told() {
        let mut sending = Sending::new();
        sending.ack(5, Some(2));
        // A link that has just come up has read nothing yet.
        sending.ack(0, None);
        assert_eq!((sending.read_acked, sending.whole_acked), (5, 5));
    }

    /// Whoever passes over what a peer has would else send a frame for each row (seed 1598).
    #[test]
    fn a_place_alone_waits_for_what_follows_it() {
        let limits = Limits::PROTOCOL;
        let entries = entries(200);
        let marker = Marker::new(LogId([1; 16]), [2; 32], 0);
        let framing = Framing { limits: &limits, marker: &marker, naming: Naming::Nothing, room: usize::MAX };
        let mut sending = Sending::new();
        sending.start(Position::START);
        sending.grant(1_000_000, &limits);
        for seq in 1..=200 {
            sending.came_from_peer(seq, &limits);
        }
        let places = entries.iter().flat_map(|entry| {
            let frames = sending.frames_for(std::slice::from_ref(entry), 200, framing);
            frames.into_iter().map(|frame| match frame {
                Frame::Commits(commits) => commits.to.expect("a place").seq,
                _ => panic!("nothing else is sent"),
            })
        });
        assert_eq!(places.collect::<Vec<_>>(), [64, 128, 192, 200]);
    }

    /// Credit for what is never sent does not come back: at last nothing could be sent any more (seed 440470).
    #[test]
    fn a_name_costs_credit_when_it_is_said_and_nothing_where_the_other_side_has_said_it() {
        let limits = Limits::PROTOCOL;
        let marker = Marker::new(LogId([1; 16]), [2; 32], 0);
        let entries = entries(4);
        let mut sending = Sending::new();
        sending.start(Position::START);
        sending.grant(4 * NAMED_COST_BYTES as u64, &limits);
        assert!(sending.name_later(&entries[..3], true, 0));
        sending.is_known(&entries[2].commit.tip(), 0);
        assert_eq!(sending.say_names(&marker), None);
        assert_eq!(sending.credit, 4 * NAMED_COST_BYTES as i64);

        assert!(sending.name_later(&entries[3..], true, 0));
        assert!(sending.say_names(&marker).is_some());
        assert_eq!(sending.credit, 3 * NAMED_COST_BYTES as i64);
    }
}
