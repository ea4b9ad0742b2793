//! The links that wait for their turn, because much was done for others already.

use std::collections::VecDeque;

use crate::base::id::LinkId;
use crate::base::id_map::IdSet;
use crate::base::limits::Limits;
use crate::base::time::Millis;

/// To read a commit takes as long as to read so many bytes more than it has.
const COMMIT_BYTES: usize = 1024;

/// The links that wait because much was done already.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    waiting: VecDeque<LinkId>,
    is_waiting: IdSet<LinkId>,
    /// What was done at that time, in bytes.
    done: usize,
    at: Millis,
}

impl Turns {
    /// Whether something may be done at this time; otherwise the link waits.
    pub fn is_free(&mut self, id: LinkId, now: Millis, limits: &Limits) -> bool {
        if self.at != now {
            (self.at, self.done) = (now, 0);
        }
        let is_free = self.done < limits.turn_bytes;
        if !is_free && self.is_waiting.insert(id) {
            self.waiting.push_back(id);
        }
        is_free
    }

    /// So many bytes were read or sent for a link.
    pub fn spend(&mut self, bytes: usize) {
        self.done += bytes;
    }

    /// So many commits were in what was read.
    pub fn spend_commits(&mut self, count: usize) {
        self.done += count * COMMIT_BYTES;
    }

    /// When those that wait have their turn.
    pub fn next(&self) -> Option<Millis> {
        (!self.waiting.is_empty()).then_some(self.at + 1)
    }

    /// Those that wait, in their order.
    pub fn take(&mut self) -> VecDeque<LinkId> {
        self.is_waiting.clear();
        core::mem::take(&mut self.waiting)
    }
}
