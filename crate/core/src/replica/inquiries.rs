//! The questions of a replica for what regions have stored, and those of others that it has passed on.

use std::collections::VecDeque;

use crate::base::id::{InquiryId, LinkId};
use crate::base::pace::{Pace, Rate};
use crate::base::time::Millis;

/// A question is asked again after so long, and after twice as long each time that nothing new comes of it.
pub const WAIT_MIN: Millis = 1_000;
pub const WAIT_MAX: Millis = 16_000;
/// So many questions of this replica may be answered at a time.
pub const OWN_MAX: usize = 4;
/// How long answers to a question of others are passed on.
pub const PASSED_FOR: Millis = 20_000;
/// How many answers to a question are taken, or passed on: there is one for each region, of each way.
pub const ANSWERS_MAX: u32 = 64;
/// How many questions of others are passed on.
pub(crate) const PASSED: Rate = Rate { per_second: 2, burst: 16 };

#[derive(Clone, Debug, Default)]
pub(crate) struct Inquiries {
    /// What this replica has asked, the last one last, and how many answers came.
    pub asked: VecDeque<(InquiryId, u32)>,
    pub asked_at: Millis,
    pub wait: Millis,
    /// What others have asked, and where the answer goes.
    pub passed: VecDeque<Passed>,
    pub pace: Pace,
}

#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub id: InquiryId,
    pub from: LinkId,
    pub at: Millis,
    pub answers: u32,
}

impl Inquiries {
    /// There is somebody else to ask, or more to ask for.
    pub fn hurry(&mut self) {
        self.wait = 0;
    }

    pub fn is_own(&self, id: InquiryId) -> bool {
        self.asked.iter().any(|(own, _)| *own == id)
    }

    pub fn due(&self) -> Millis {
        self.asked_at + self.wait.max(WAIT_MIN)
    }
}
