//! What has come in and is not in the log yet.

use std::collections::VecDeque;

use crate::base::id::LinkId;
use crate::base::position::Cursor;
use crate::holder::pending::{Incoming, Named, Origin, Which};
use crate::holder::waiting::WaitingRoom;
use crate::wire::access::{Claims, Refusal};

#[derive(Clone, Debug, Default)]
pub(super) struct Intake {
    pub inbox: VecDeque<Incoming>,
    /// Named by other relays, to be looked up.
    pub named: VecDeque<Named>,
    pub waiting: WaitingRoom,
    /// Reads under way without which nothing can be admitted.
    pub lookups: usize,
    /// Cursors of peers to be looked at, and verdicts on their tokens to be heard, once the log is
    /// known again.
    pub cursors: Vec<(LinkId, Cursor, Which)>,
    pub verdicts: Vec<(LinkId, Result<Claims, Refusal>)>,
    /// Commits in the inbox that storage refused before.
    pub again: usize,
    saved: u64,
    /// Whether more own commits are in the log than the owner was told.
    has_saved_more: bool,
}

impl Intake {
    /// Nothing has come in that is not in the log or in the waiting room.
    pub fn is_empty(&self) -> bool {
        self.inbox.is_empty() && self.named.is_empty() && self.lookups == 0
    }

    /// Nothing has come in that is not in the log.
    pub fn is_clear(&self) -> bool {
        self.inbox.is_empty() && self.waiting.is_empty()
    }

    /// To be looked at next, the last of these first.
    pub fn put_before(&mut self, incoming: impl IntoIterator<Item = Incoming>) {
        for incoming in incoming {
            self.inbox.push_front(incoming);
        }
    }

    /// Drops what a link has brought and is still to be admitted.
    pub fn drop_from(&mut self, link: LinkId) {
        self.inbox.retain_mut(|incoming| {
            incoming.origins.retain(|origin| origin.link() != Some(link));
            !incoming.origins.is_empty()
        });
    }

    /// A commit that no link brought is in the log.
    pub fn own_is_stored(&mut self, origin: &Origin) {
        match origin {
            Origin::Own(number) => {
                self.saved = self.saved.max(*number);
                self.has_saved_more = true;
            }
            Origin::Again { .. } => {
                self.again -= 1;
                self.has_saved_more = true;
            }
            _ => {}
        }
    }

    /// How many own commits are stored, if that is more than was told; they count once all that
    /// storage refused are there.
    pub fn take_saved(&mut self) -> Option<u64> {
        (self.again == 0 && core::mem::take(&mut self.has_saved_more)).then_some(self.saved)
    }
}
