//! Waits between tries, which grow with each failure in a row.

use crate::base::rng::Rng;
use crate::base::time::Millis;

/// The wait after a first failure. It doubles with each further failure in a row.
const WAIT_MIN: Millis = 250;

/// Failures in a row, and how long to wait after them.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    wait_max: Millis,
    failures: u32,
}

impl Backoff {
    /// No failures yet. No wait is longer than `wait_max`.
    pub const fn new(wait_max: Millis) -> Self {
        Self { wait_max, failures: 0 }
    }

    /// How long to wait before the next try. The time is drawn between half the wait and all of it,
    /// so that many that fail together do not try again together.
    pub fn wait(&self, rng: &mut Rng) -> Millis {
        let most = WAIT_MIN.saturating_mul(1 << self.failures.min(10)).min(self.wait_max);
        most / 2 + rng.below(most / 2 + 1)
    }

    /// One more failure in a row.
    pub fn failed(&mut self) {
        self.failures += 1;
    }

    /// It works: the next failure counts as the first.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether the last try failed.
    pub fn has_failed(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_with_each_failure_up_to_the_longest() {
        let (mut backoff, mut rng) = (Backoff::new(1_500), Rng::new([3; 32]));
        for most in [250, 500, 1_000, 1_500, 1_500] {
            for _ in 0..20 {
                assert!((most / 2..=most).contains(&backoff.wait(&mut rng)));
            }
            backoff.failed();
        }
        backoff.reset();
        assert!(!backoff.has_failed());
        assert!(backoff.wait(&mut rng) <= 250);
    }
}
