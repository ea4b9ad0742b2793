//! When background work may go on: in small steps, with pauses that let other work go first.

use crate::base::time::Millis;

/// Between two steps.
const STEP_PAUSE: Millis = 10;
/// After a piece of work comes a rest of so many times what it took, so that work which begins again
/// and again takes a tenth of the time.
const REST_FACTOR: Millis = 9;
/// The longest rest.
const REST_MAX: Millis = 600_000;

/// Paces work that is done in steps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StepPace {
    /// A step is under way.
    pub is_stepping: bool,
    /// What the step under way has read was changed meanwhile.
    pub is_stale: bool,
    began_at: Option<Millis>,
    next_at: Millis,
}

impl StepPace {
    /// When the next step may be made; none while one is under way.
    pub fn due(&self) -> Option<Millis> {
        (!self.is_stepping).then_some(self.next_at)
    }

    pub fn begin_step(&mut self, now: Millis) {
        self.is_stepping = true;
        self.is_stale = false;
        self.began_at.get_or_insert(now);
    }

    pub fn end_step(&mut self, now: Millis) {
        self.is_stepping = false;
        self.next_at = now + STEP_PAUSE;
    }

    /// All of it is done.
    pub fn finish(&mut self, now: Millis) {
        let took = now.saturating_sub(self.began_at.take().unwrap_or(now));
        self.next_at = now + (REST_FACTOR * took).min(REST_MAX);
    }
}
