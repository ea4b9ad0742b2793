//! How much is done at a time, and the links that wait because much was done for others already.

use std::collections::VecDeque;

use crate::base::id::LinkId;
use crate::base::id_map::IdSet;
use crate::base::limits::Limits;
use crate::base::time::Millis;

/// To read a commit, or to take one in, takes as long as to read so many bytes more than it has.
pub(super) const COMMIT_BYTES: usize = 1024;

/// What was done at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// In bytes.
    done: usize,
    at: Millis,
}

impl Turn {
    /// Whether more may be done at this time.
    pub fn is_free(&mut self, now: Millis, limits: &Limits) -> bool {
        if self.at != now {
            *self = Self { done: 0, at: now };
        }
        self.done < limits.turn_bytes
    }

    pub fn spend(&mut self, bytes: usize) {
        self.done += bytes;
    }

    /// When there is another one.
    pub fn next(&self) -> Millis {
        self.at + 1
    }
}

/// The links that wait because much was done already.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    waiting: VecDeque<LinkId>,
    is_waiting: IdSet<LinkId>,
    turn: Turn,
}

impl Turns {
    /// Whether something may be done at this time; otherwise the link waits.
    pub fn is_free(&mut self, id: LinkId, now: Millis, limits: &Limits) -> bool {
        let is_free = self.turn.is_free(now, limits);
        if !is_free && self.is_waiting.insert(id) {
            self.waiting.push_back(id);
        }
        is_free
    }

    /// So many bytes were read or sent for a link.
    pub fn spend(&mut self, bytes: usize) {
        self.turn.spend(bytes);
    }

    /// So many commits were in what was read.
    pub fn spend_commits(&mut self, count: usize) {
        self.turn.spend(count * COMMIT_BYTES);
    }

    /// When those that wait have their turn.
    pub fn next(&self) -> Option<Millis> {
        (!self.waiting.is_empty()).then_some(self.turn.next())
    }

    /// Those that wait, in their order.
    pub fn take(&mut self) -> VecDeque<LinkId> {
        self.is_waiting.clear();
        core::mem::take(&mut self.waiting)
    }
}
