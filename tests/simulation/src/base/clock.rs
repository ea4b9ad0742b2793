//! A process's own clock: it is off, it drifts, and somebody may set it.

use eyot_core::base::time::Millis;

use crate::base::rng::Rng;

const HOUR: i64 = 3_600_000;
const MILLION: i64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    offset: i64,
    /// Parts of a million that it runs fast.
    drift: i64,
}

impl Clock {
    /// Off by up to an hour, as clocks of phones are.
    pub fn new(rng: &mut Rng) -> Self {
        Self { offset: signed(rng, HOUR), drift: signed(rng, 200) }
    }

    /// What it shows at this time of the world.
    pub fn read(&self, now: Millis) -> Millis {
        let now = now as i64;
        (now + now * self.drift / MILLION + self.offset) as Millis
    }

    /// How long a host's timer for this deadline runs. Timers measure, they do not look at the clock:
    /// one that is running goes on as it was when the clock is set.
    pub fn wait(&self, deadline: Millis, now: Millis) -> Millis {
        let own = deadline.saturating_sub(self.read(now)) as i64;
        // Rounded up: rung a millisecond early, it would have to be set again.
        (own * MILLION / (MILLION + self.drift) + 2 * i64::from(own > 0)) as Millis
    }

    /// Somebody sets it, by up to hours.
    pub fn jump(&mut self, rng: &mut Rng) {
        let most = *rng.pick(&[1_000, 60_000, HOUR, 10 * HOUR]).expect("not empty");
        self.offset += signed(rng, most);
    }
}

fn signed(rng: &mut Rng, most: i64) -> i64 {
    rng.below(2 * most as u64 + 1) as i64 - most
}
