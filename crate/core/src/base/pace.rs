//! How fast something may be used up.

use crate::base::time::Millis;

/// So much a second, and so much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So much a second.
    pub per_second: u64,
    /// As much more at once.
    pub burst: u64,
}

/// What was taken at a [`Rate`] (the generic cell rate algorithm: only the time is kept at which all
/// that was taken is paid for).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// In thousandths of a millisecond.
    paid_at: u64,
}

impl Pace {
    /// Takes so much, whether it is there or not.
    pub fn spend(&mut self, cost: u64, rate: Rate, now: Millis) {
        self.paid_at = self.paid_at.max(now * 1000).saturating_add(rate.micros(cost));
    }

    /// Takes so much if it is there; whether it was.
    pub fn take(&mut self, cost: u64, rate: Rate, now: Millis) -> bool {
        let mut after = *self;
        after.spend(cost, rate, now);
        let is_there = after.free_at(rate) <= now;
        if is_there {
            *self = after;
        }
        is_there
    }

    /// So much more is there.
    pub fn refund(&mut self, amount: u64, rate: Rate) {
        self.paid_at = self.paid_at.saturating_sub(rate.micros(amount));
    }

    /// When more may be taken: not before less than the burst is owed.
    pub fn free_at(&self, rate: Rate) -> Millis {
        self.paid_at.saturating_sub(rate.micros(rate.burst)).div_ceil(1000)
    }

    /// Whether nothing is owed: this says no more than a new one.
    pub fn is_paid(&self, now: Millis) -> bool {
        self.paid_at <= now * 1000
    }
}

impl Rate {
    fn micros(self, cost: u64) -> u64 {
        cost.saturating_mul(1_000_000) / self.per_second.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 1_000, burst: 10 };

    #[test]
    fn a_burst_is_free_and_what_is_beyond_waits_for_its_time() {
        let mut pace = Pace::default();
        pace.spend(10, RATE, 5_000);
        assert_eq!(pace.free_at(RATE), 5_000);
        pace.spend(5, RATE, 5_000);
        assert_eq!(pace.free_at(RATE), 5_005);
        assert!(!pace.is_paid(5_014));
        assert!(pace.is_paid(5_015));
    }

    #[test]
    fn what_is_not_there_is_not_taken() {
        let mut pace = Pace::default();
        assert!((0..10).all(|_| pace.take(1, RATE, 5_000)));
        assert!((0..10).all(|_| !pace.take(1, RATE, 5_000)));
        assert!(pace.take(1, RATE, 5_001));
    }

    #[test]
    fn nothing_is_saved_up_beyond_the_burst() {
        let mut pace = Pace::default();
        pace.spend(1, RATE, 1_000_000);
        pace.spend(15, RATE, 2_000_000);
        assert_eq!(pace.free_at(RATE), 2_000_005);
    }
}
