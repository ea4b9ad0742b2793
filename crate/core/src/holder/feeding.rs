//! What goes out: commits as they are stored, and from the log for links that are behind.

use std::sync::Arc;

use crate::base::id::LinkId;
use crate::base::limits::COMMIT_COST_BYTES;
use crate::base::position::Position;
use crate::holder::frames::frames_rate;
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::pending::{Pending, rows_of};
use crate::holder::work::ask_what_was_read;
use crate::link::sending::{Framing, Naming, frames_of};
use crate::log::keys::rows_after;
use crate::log::rows::Entry;
use crate::storage::request::{Corrupt, StorageAnswer};
use crate::wire::batch::Last;
use crate::wire::batch::record::Record;
use crate::wire::bodies::Commits;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

/// What all links are sent that may be sent everything.
struct Shared {
    frames: Vec<Frame>,
    encoded: Vec<Encoded>,
    /// The last commit of them.
    last: Option<Last>,
    /// Of credit.
    bytes: u64,
    end: Position,
}

/// Frames in bytes, for links that were sent this commit last.
struct Encoded {
    after: Option<Last>,
    frames: Vec<Arc<[u8]>>,
}

/// Links that were sent other commits last than most have bytes of their own, as long as there are no more kinds of
/// them than this.
const ENCODED_MAX: usize = 4;

impl Shared {
    fn new(before: Position, entries: &[Entry], framing: Framing<'_>) -> Self {
        let frames = frames_of(before, entries, framing);
        let bytes = frames.iter().map(|frame| match frame {
            Frame::Commits(commits) => commits.records.iter().map(Record::encoded_len).sum(),
            Frame::Piece(piece) => piece.bytes.len(),
            _ => 0,
        });
        let bytes = (bytes.sum::<usize>() + entries.len() * COMMIT_COST_BYTES) as u64;
        let last = frames.iter().rev().find_map(Frame::last);
        let end = entries.last().map_or(before, |last| last.at);
        Self { frames, encoded: Vec::new(), last, bytes, end }
    }

    /// The bytes for a link that was sent `last` last.
    fn encoded_after(&mut self, last: Option<Last>) -> &[Arc<[u8]>] {
        let place = |encoded: &[Encoded], last| encoded.iter().position(|encoded| encoded.after == last);
        let is_new = place(&self.encoded, last).is_none();
        let last = last.filter(|_| !is_new || self.encoded.len() < ENCODED_MAX);
        let place = place(&self.encoded, last).unwrap_or_else(|| {
            let mut next = last;
            let frames = self.frames.iter().map(|frame| frame.encode_next(&mut next).into()).collect();
            self.encoded.push(Encoded { after: last, frames });
            self.encoded.len() - 1
        });
        &self.encoded[place].frames
    }
}

impl Holder {
    /// Sends what was just written to the links that had all before it. Most of them are sent the
    /// same, which is encoded once.
    pub(super) fn push_live(&mut self, before: Position, entries: &[Entry]) {
        let now = self.now;
        let (limits, marker) = (&self.limits, self.log.marker());
        let framing = Framing { limits, marker, naming: Naming::Nothing, room: usize::MAX };
        let mut shared: Option<Shared> = None;
        let (mut others, mut shared_with) = (Vec::new(), Vec::new());
        for (id, session) in self.links.sessions_mut() {
            if session.is_exchanging() {
                continue;
            }
            if !session.send.may_send() {
                // Something is to be answered all the same, or nobody would notice that it is not.
                session.moved(now);
                continue;
            }
            let is_behind = session.send.sent.seq != before.seq || session.send.begun.is_some();
            if session.naming(true) != Naming::Nothing || is_behind || !session.send.is_plain() {
                others.push(id);
                continue;
            }
            let shared = shared.get_or_insert_with(|| Shared::new(before, entries, framing));
            let has_room = shared.bytes <= session.unread.room(limits) as u64;
            if has_room && session.send.send_all(shared.bytes, shared.end) {
                session.moved(now);
                self.counters.commits_out += entries.len() as u64;
                shared_with.push(id);
                let last = session.send.last;
                session.send.last = shared.last.or(last);
                for frame in shared.encoded_after(last) {
                    self.effects.push_back(Effect::Send(id, frame.clone()));
                    let asks = session.unread.sent(frame.len(), limits);
                    if asks {
                        ask_what_was_read(id, &mut session.unread, &mut self.rng, &mut self.effects);
                    }
                }
            } else {
                others.push(id);
            }
        }
        let rate = frames_rate(&self.limits);
        for id in shared_with {
            self.links.allow_frame(id, rate);
        }
        for id in others {
            self.push_to(id, before, entries);
        }
    }

    fn push_to(&mut self, id: LinkId, before: Position, entries: &[Entry]) {
        let now = self.now;
        let Some(session) = self.links.session_mut(id) else { return };
        if session.send.sent.seq != before.seq || session.send.begun.is_some() {
            return self.feed(id);
        }
        session.moved(now);
        if entries.iter().all(|entry| session.send.is_echo(entry.at.seq)) {
            // The acknowledgement says how far it has read.
            session.send.skip_to(self.stored);
            return self.note_peer(id);
        }
        let is_dialer = session.is_dialer();
        if session.naming(true) == Naming::All && session.send.name_later(entries, is_dialer, now) {
            if session.send.later.is_full() {
                self.say_names(id);
            }
            return;
        }
        self.send_entries(id, entries, true);
        self.feed(id);
    }

    /// `are_new`: they were just written. What a replica lacks of older ones it is sent, whatever it has asked for:
    /// to ask for all of that bit by bit would be slower than to have some of it twice.
    fn send_entries(&mut self, id: LinkId, entries: &[Entry], are_new: bool) {
        self.say_names(id);
        let Some(session) = self.links.session_mut(id) else { return };
        let (naming, room) = (session.naming(are_new), session.unread.room(&self.limits));
        let stored = self.stored.seq;
        let framing = Framing { limits: &self.limits, marker: self.log.marker(), naming, room };
        for frame in session.send.frames_for(entries, stored, framing) {
            if let Frame::Commits(Commits { records, .. }) = &frame {
                self.counters.commits_out += records.len() as u64;
            }
            self.send(id, &frame);
        }
        self.end_where_torn(id);
    }

    /// Half of a commit was sent, and the rest of what was is not to be had any more.
    fn end_where_torn(&mut self, id: LinkId) {
        if self.links.session(id).is_some_and(|session| session.send.is_torn) {
            self.close(id, CloseCode::GoingAway, "a commit changed while it was being sent");
        }
    }

    pub(super) fn feed_all(&mut self) {
        for id in self.links.ids() {
            self.feed(id);
        }
    }

    pub(super) fn feed_read(&mut self, id: LinkId, seq: u64, answer: StorageAnswer) -> Result<(), Corrupt> {
        self.charge_read(id, &answer);
        let mut rows = rows_of(answer)?;
        self.turns.spend_commits(rows.entries.len());
        let stored = self.stored;
        let mut end = rows.entries.partition_point(|entry| entry.at.seq <= stored.seq);
        let mut sent = rows.entries[..end].iter();
        if let Some(at) = sent.position(|entry| self.log.is_behind_storage(&entry.commit, stored.seq)) {
            // Sent now, its bytes would be missing for no reason, and the acknowledgement would be taken for that of
            // the whole commit. The stream goes on once the log is followed.
            end = at;
            self.moved = true;
            // Where writes were refused, the other process shows that storage may work again.
            self.hurry_disk();
        }
        let Some(session) = self.links.session_mut(id) else { return Ok(()) };
        session.send.reading = false;
        if let Some(bytes) = rows.bytes_needed {
            session.send.reading = true;
            self.request(Pending::Feed(id, seq), rows_after(seq - 1, bytes));
            return Ok(());
        }
        session.moved(self.now);
        for entry in &mut rows.entries[..end] {
            self.log.justify_by(&mut entry.commit, stored.seq);
        }
        let is_next = seq == session.send.sent.seq + 1;
        if !is_next || session.send.begun.is_some_and(|begun| begun.seq != seq) {
            // Meanwhile the stream has begun anew, or another commit has.
            self.feed(id);
            return Ok(());
        }
        self.send_entries(id, &rows.entries[..end], false);
        if end > 0 {
            self.feed(id);
        }
        Ok(())
    }
}
