//! What goes out: commits as they are stored, and from the log for links that are behind.

use super::{Holder, Pending, rows_of};
use crate::commit::{CommitError, Position};
use crate::frame::Frame;
use crate::io::{Effect, LinkId, StorageAnswer};
use crate::limits;
use crate::log::{self, Entry};
use std::sync::Arc;

impl Holder {
    pub(super) fn send(&mut self, id: LinkId, frame: &Frame) {
        self.effects.push_back(Effect::Send(id, frame.encode().into()));
    }

    /// Sends what was just written to the links that had all before it.
    pub(super) fn push_live(&mut self, before: Position, entries: &[Entry]) {
        let now = self.now;
        let mut shared: Option<Arc<[u8]>> = None;
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
                let bytes = shared.get_or_insert_with(|| frame.encode().into()).clone();
                self.effects.push_back(Effect::Send(id, bytes));
            } else {
                for frame in &frames {
                    self.send(id, frame);
                }
                self.feed(id);
            }
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

    pub(super) fn feed_read(&mut self, id: LinkId, answer: StorageAnswer) -> Result<(), CommitError> {
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
}
