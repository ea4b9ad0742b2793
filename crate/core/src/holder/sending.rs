//! What goes out: commits as they are stored, and from the log for links that are behind.

use std::sync::Arc;

use crate::base::id::LinkId;
use crate::base::limits;
use crate::base::position::Position;

use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::work::{Pending, rows_of};
use crate::link::link::frames_of;
use crate::log::log;
use crate::log::log::Entry;
use crate::storage::request::Corrupt;
use crate::storage::request::StorageAnswer;
use crate::wire::bodies::Commits;
use crate::wire::frame::Frame;

/// What all links are sent that may be sent everything.
struct Shared {
    frames: Vec<Arc<[u8]>>,
    /// Of records.
    bytes: u64,
    end: Position,
}

impl Shared {
    fn new(before: Position, entries: &[Entry]) -> Self {
        let frames = frames_of(entries);
        let bytes = frames.iter().map(|frame| match frame {
            Frame::Commits(commits) => commits.records.iter().map(|record| record.len() as u64).sum(),
            Frame::Piece(piece) => piece.bytes.len() as u64,
            _ => 0,
        });
        let bytes = bytes.sum();
        let frames = frames.iter().map(|frame| frame.encode().into()).collect();
        Self { frames, bytes, end: entries.last().map_or(before, |last| last.at) }
    }
}

impl Holder {
    pub(super) fn send(&mut self, id: LinkId, frame: &Frame) {
        self.effects.push_back(Effect::Send(id, frame.encode().into()));
    }

    /// Sends what was just written to the links that had all before it. Most of them are sent the
    /// same, which is encoded once.
    pub(super) fn push_live(&mut self, before: Position, entries: &[Entry]) {
        let now = self.now;
        let mut shared: Option<Shared> = None;
        let mut others = Vec::new();
        for (id, link) in &mut self.links {
            if !link.is_up() || !link.send.may_send() || link.exchanging {
                continue;
            }
            if link.is_mesh || link.send.sent.seq != before.seq || !link.send.is_plain() {
                others.push(*id);
                continue;
            }
            let shared = shared.get_or_insert_with(|| Shared::new(before, entries));
            if link.send.send_all(shared.bytes, shared.end) {
                link.moved(now);
                self.counters.commits_out += entries.len() as u64;
                let frames = shared.frames.iter();
                self.effects.extend(frames.map(|frame| Effect::Send(*id, frame.clone())));
            } else {
                others.push(*id);
            }
        }
        for id in others {
            self.push_to(id, before, entries);
        }
    }

    fn push_to(&mut self, id: LinkId, before: Position, entries: &[Entry]) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.send.sent.seq != before.seq {
            return self.feed(id);
        }
        link.moved(now);
        if entries.iter().all(|entry| link.send.is_echo(entry.at.seq)) {
            // The acknowledgement says how far it has read.
            link.send.skip_to(self.stored);
            return self.note_peer(id);
        }
        let frames = link.frames_for(entries);
        self.send_commits(id, &frames);
        self.feed(id);
    }

    fn send_commits(&mut self, id: LinkId, frames: &[Frame]) {
        for frame in frames {
            if let Frame::Commits(Commits { records, .. }) = frame {
                self.counters.commits_out += records.len() as u64;
            }
            self.send(id, frame);
        }
    }

    pub(super) fn feed_all(&mut self) {
        let ids: Vec<_> = self.links.keys().copied().collect();
        for id in ids {
            self.feed(id);
        }
    }

    /// Reads on in the log for a link that is behind and may be sent more.
    pub(super) fn feed(&mut self, id: LinkId) {
        let stored = self.stored;
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.is_up() && link.send.may_send() && link.send.sent.seq < stored.seq {
            link.send.reading = true;
            let request = log::rows_after(link.send.sent.seq, limits::READ_BYTES);
            self.request(Pending::Feed(id), request);
        }
    }

    pub(super) fn feed_read(&mut self, id: LinkId, answer: StorageAnswer) -> Result<(), Corrupt> {
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
        self.send_commits(id, &frames);
        if end > 0 {
            self.feed(id);
        }
        Ok(())
    }
}
