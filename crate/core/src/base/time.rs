//! Time that never goes back, made from a host's clock that may.

/// Milliseconds of the host's clock. Only differences matter, and a clock may jump.
pub type Millis = u64;

/// A host's clock jumps when it is set; waits must neither last for hours for that nor be skipped.
/// What it jumps back does not count. What it jumps forward does: the machine may have slept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    host: Millis,
    now: Millis,
}

impl Clock {
    pub fn new(host: Millis) -> Self {
        Self { host, now: host }
    }

    /// The time, from what the host's clock shows.
    pub fn observe(&mut self, host: Millis) -> Millis {
        self.now += host.saturating_sub(self.host);
        self.host = host;
        self.now
    }

    /// What the host's clock showed last.
    pub fn host(&self) -> Millis {
        self.host
    }

    /// When the host's clock will show this time.
    pub fn to_host(self, at: Millis) -> Millis {
        self.host + at.saturating_sub(self.now)
    }

    /// The time at which the host's clock will show this.
    pub fn at_host(self, host: Millis) -> Millis {
        self.now + host.saturating_sub(self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_takes_as_long_as_it_should_although_the_clock_is_set_back() {
        let mut clock = Clock::new(10_000);
        let due = clock.observe(10_100) + 500;
        clock.observe(4_000);
        assert_eq!(clock.to_host(due), 4_500);
        assert_eq!(clock.observe(4_500), due);
        assert_eq!(clock.at_host(5_000), due + 500);
    }
}
