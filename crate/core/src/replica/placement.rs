//! Which relay to link to: the nearest healthy one.
//!
//! Every relay is measured by a request of its own, so that what is under way on a link does not
//! count against the relay. A relay that failed or that a replica has not been linked to yet must
//! answer several times in a row before the replica moves to it, more often each time it fails, and
//! it must be nearer by a margin: so a replica does not flap.

use std::collections::VecDeque;

use crate::base::backoff::Backoff;
use crate::base::rng::Rng;
use crate::base::time::Millis;

/// The longest wait before a relay that failed is dialled again.
const BACKOFF_MAX: Millis = 30_000;
/// The shortest wait after a relay has refused.
const REFUSED_WAIT: Millis = 10_000;
/// How long to hope for a first measurement before relays are tried in the order given.
const HOPE: Millis = 1_500;
/// How long an answer to a probe may take.
const ANSWER_WAIT: Millis = 5_000;
/// Between probes of a relay that has to prove itself.
const PROBE_SOON: Millis = 5_000;
/// Between probes of one that has.
const PROBE_LATER: Millis = 60_000;
/// Answers whose least time counts.
const ANSWERS: usize = 3;
/// Good answers in a row before a replica moves to a relay.
const GOOD_MIN: u32 = 3;
/// The most that are asked of a relay that keeps failing.
const GOOD_MAX: u32 = 24;

#[derive(Clone, Debug)]
pub(crate) struct Placement {
    relays: Vec<Candidate>,
    hope_until: Millis,
    /// Failures while all relays fail: then each is not tried at its own pace, but one after another
    /// with a wait that grows, until each has its turn about as often as if it were alone.
    all_failing: Backoff,
    /// Nothing is dialled before.
    rest_until: Millis,
}

#[derive(Clone, Debug)]
struct Candidate {
    url: String,
    /// The least of its last answers' times, so that one that was late by chance says nothing; none
    /// while it is not known to be healthy.
    rtt: Option<Millis>,
    last: VecDeque<Millis>,
    probe: Probe,
    /// Answers in a row.
    good: u32,
    /// Failures to answer in a row.
    bad: u32,
    good_needed: u32,
    /// Links in a row that failed.
    backoff: Backoff,
    dial_at: Millis,
}

#[derive(Clone, Copy, Debug)]
enum Probe {
    DueAt(Millis),
    SentAt(Millis),
}

/// Why a link ended, as far as it matters to where the next one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It could not be opened, or it broke.
    Failed { was_up: bool },
    /// The relay does not want this replica.
    Refused,
    /// Nothing is wrong with the relay.
    Fine,
}

impl Placement {
    pub fn new(urls: Vec<String>) -> Self {
        let all_failing = Backoff::new(BACKOFF_MAX);
        let mut placement = Self { relays: Vec::new(), hope_until: 0, all_failing, rest_until: 0 };
        placement.set_relays(urls);
        placement
    }

    /// The relays there are from now on; what is known of those that stay is kept.
    pub fn set_relays(&mut self, urls: Vec<String>) {
        let mut before = core::mem::take(&mut self.relays);
        let count = before.len();
        for url in urls {
            if self.relays.iter().any(|relay| relay.url == url) {
                continue;
            }
            let known = before.iter().position(|relay| relay.url == url).map(|at| before.remove(at));
            self.relays.push(known.unwrap_or_else(|| Candidate::new(url)));
        }
        if self.relays.len() != count {
            self.all_failing = Backoff::new(BACKOFF_MAX / self.relays.len().max(1) as Millis);
            self.rest_until = 0;
        }
    }

    pub fn len(&self) -> usize {
        self.relays.len()
    }

    pub fn is_known(&self, url: &str) -> bool {
        self.relays.iter().any(|relay| relay.url == url)
    }

    /// A relay is looked for: what is not measured is measured at once, unless it did not answer before.
    pub fn look(&mut self, now: Millis) {
        self.hope_until = now + HOPE;
        for relay in &mut self.relays {
            if let (None, 0, Probe::DueAt(at)) = (relay.rtt, relay.bad, &mut relay.probe) {
                *at = now;
            }
        }
    }

    /// Whoever waits need not wait any longer: the network is back.
    pub fn hurry(&mut self, now: Millis) {
        for relay in &mut self.relays {
            relay.backoff.reset();
            relay.bad = 0;
            relay.dial_at = now;
        }
        self.all_failing.reset();
        self.rest_until = now;
        self.look(now);
    }

    /// The relays to probe now.
    pub fn probes(&mut self, now: Millis, rng: &mut Rng) -> Vec<String> {
        // Of one relay alone nothing need be known.
        if self.relays.len() < 2 {
            return Vec::new();
        }
        let mut due = Vec::new();
        for relay in &mut self.relays {
            match relay.probe {
                Probe::SentAt(at) if at + ANSWER_WAIT <= now => relay.probed(false, now, rng),
                _ => {}
            }
            if let Probe::DueAt(at) = relay.probe
                && at <= now
            {
                relay.probe = Probe::SentAt(now);
                due.push(relay.url.clone());
            }
        }
        due
    }

    pub fn probed(&mut self, url: &str, is_healthy: bool, now: Millis, rng: &mut Rng) {
        if let Some(relay) = self.relays.iter_mut().find(|relay| relay.url == url) {
            relay.probed(is_healthy, now, rng);
            if is_healthy {
                self.rest_until = now;
            }
        }
    }

    /// The relay to dial now.
    pub fn choose(&self, now: Millis) -> Option<&str> {
        if now < self.rest_until {
            return None;
        }
        let ready = || self.relays.iter().filter(|relay| relay.dial_at <= now);
        if let Some(nearest) = ready().filter(|relay| relay.rtt.is_some()).min_by_key(|relay| relay.rtt) {
            return Some(&nearest.url);
        }
        let is_measured = |relay: &Candidate| relay.rtt.is_some() || relay.bad > 0;
        let is_hoping =
            self.relays.len() > 1 && now < self.hope_until && !self.relays.iter().all(is_measured);
        ready().filter(|_| !is_hoping).min_by_key(|relay| relay.dial_at).map(|relay| relay.url.as_str())
    }

    /// A relay that is worth moving to from this one.
    pub fn better_than(&self, url: &str, now: Millis) -> Option<&str> {
        let linked = self.relays.iter().find(|relay| relay.url == url);
        let proven = self.relays.iter().filter(|relay| {
            relay.url != url && relay.good >= relay.good_needed && relay.dial_at <= now && relay.bad == 0
        });
        let best = proven.filter(|relay| relay.rtt.is_some()).min_by_key(|relay| relay.rtt)?;
        let is_better = match linked {
            None => true,
            Some(linked) => match (best.rtt, linked.rtt) {
                (Some(best), Some(linked)) => best + best / 2 + 10 < linked,
                // It was healthy once and is no longer.
                _ => linked.bad > 1,
            },
        };
        is_better.then_some(best.url.as_str())
    }

    /// A link to this relay works.
    pub fn works(&mut self, url: &str) {
        if let Some(relay) = self.relays.iter_mut().find(|relay| relay.url == url) {
            relay.backoff.reset();
            self.all_failing.reset();
        }
    }

    /// A link to this relay has worked for long.
    pub fn is_trusted(&mut self, url: &str) {
        if let Some(relay) = self.relays.iter_mut().find(|relay| relay.url == url) {
            relay.good_needed = GOOD_MIN;
        }
    }

    pub fn ended(&mut self, url: &str, ending: Ending, now: Millis, rng: &mut Rng) {
        let Some(relay) = self.relays.iter_mut().find(|relay| relay.url == url) else { return };
        let wait = relay.backoff.wait(rng);
        relay.dial_at = now + wait;
        match ending {
            Ending::Failed { was_up } => {
                relay.backoff.failed();
                relay.forget();
                relay.good = 0;
                if was_up {
                    relay.good_needed = (relay.good_needed * 2).min(GOOD_MAX);
                }
            }
            Ending::Refused => {
                relay.backoff.failed();
                relay.dial_at = now + wait.max(REFUSED_WAIT);
            }
            Ending::Fine => {}
        }
        if self.relays.len() > 1 && self.relays.iter().all(|relay| relay.backoff.has_failed()) {
            self.rest_until = now + self.all_failing.wait(rng);
            self.all_failing.failed();
        }
    }

    pub fn has_failed(&self) -> bool {
        self.relays.iter().any(|relay| relay.backoff.has_failed())
    }

    /// When a relay may be dialled that may not now, or hoping ends.
    pub fn dial_due(&self, now: Millis) -> Option<Millis> {
        let dials = self.relays.iter().map(|relay| relay.dial_at);
        dials.chain([self.hope_until, self.rest_until]).filter(|at| *at > now).min()
    }

    /// When there is something to probe, or to give up.
    pub fn probe_due(&self) -> Option<Millis> {
        if self.relays.len() < 2 {
            return None;
        }
        let due = self.relays.iter().map(|relay| match relay.probe {
            Probe::DueAt(at) => at,
            Probe::SentAt(at) => at + ANSWER_WAIT,
        });
        due.min()
    }
}

impl Candidate {
    fn new(url: String) -> Self {
        Self {
            url,
            rtt: None,
            last: VecDeque::new(),
            probe: Probe::DueAt(0),
            good: 0,
            bad: 0,
            good_needed: GOOD_MIN,
            backoff: Backoff::new(BACKOFF_MAX),
            dial_at: 0,
        }
    }

    fn forget(&mut self) {
        self.rtt = None;
        self.last.clear();
    }

    fn probed(&mut self, is_healthy: bool, now: Millis, rng: &mut Rng) {
        let Probe::SentAt(sent_at) = self.probe else { return };
        let wait = if is_healthy {
            let time = now.saturating_sub(sent_at);
            let is_late = self.rtt.is_some_and(|rtt| time > 2 * rtt + 20);
            if self.last.len() == ANSWERS {
                self.last.pop_front();
            }
            self.last.push_back(time);
            self.rtt = self.last.iter().min().copied();
            self.good += 1;
            self.bad = 0;
            if self.good < self.good_needed || is_late { PROBE_SOON } else { PROBE_LATER }
        } else {
            self.bad += 1;
            self.good = 0;
            if self.bad > 1 {
                self.forget();
            }
            (PROBE_SOON << self.bad.min(4)).min(PROBE_LATER)
        };
        self.probe = Probe::DueAt(now + wait - wait / 8 + rng.below(wait / 4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: &str = "ws://near";
    const FAR: &str = "ws://far";

    struct World {
        placement: Placement,
        rng: Rng,
        now: Millis,
    }

    impl World {
        fn new() -> Self {
            let placement = Placement::new(vec![FAR.into(), NEAR.into()]);
            Self { placement, rng: Rng::new([7; 32]), now: 1_000 }
        }

        /// Answers every probe that comes due within so long.
        fn pass(&mut self, wait: Millis, rtt: impl Fn(&str) -> Option<Millis>) {
            let end = self.now + wait;
            let mut answers: Vec<(Millis, String, bool)> = Vec::new();
            while self.now < end {
                for url in self.placement.probes(self.now, &mut self.rng) {
                    let answer = rtt(&url);
                    answers.push((self.now + answer.unwrap_or(1), url, answer.is_some()));
                }
                let due: Vec<_> = answers.extract_if(.., |(at, ..)| *at <= self.now).collect();
                for (_, url, is_healthy) in due {
                    self.placement.probed(&url, is_healthy, self.now, &mut self.rng);
                }
                self.now += 1;
            }
        }
    }

    fn both(url: &str) -> Option<Millis> {
        Some(if url == NEAR { 20 } else { 150 })
    }

    #[test]
    fn the_nearest_of_those_that_answer_is_chosen() {
        let mut world = World::new();
        world.placement.look(world.now);
        assert_eq!(world.placement.choose(world.now), None);
        world.pass(50, both);
        assert_eq!(world.placement.choose(world.now), Some(NEAR));
    }

    #[test]
    fn without_any_answer_relays_are_tried_in_the_order_given() {
        let mut world = World::new();
        world.placement.look(world.now);
        world.pass(HOPE + 1, |_| None);
        assert_eq!(world.placement.choose(world.now), Some(FAR));
        world.placement.ended(FAR, Ending::Failed { was_up: false }, world.now, &mut world.rng);
        assert_eq!(world.placement.choose(world.now), Some(NEAR));
    }

    #[test]
    fn a_relay_that_died_is_left_at_once_and_returned_to_when_it_has_proved_itself() {
        let mut world = World::new();
        world.pass(30_000, both);
        world.placement.ended(NEAR, Ending::Failed { was_up: true }, world.now, &mut world.rng);
        world.placement.look(world.now);
        assert_eq!(world.placement.choose(world.now), Some(FAR));
        world.pass(60_000, |url| both(url).filter(|_| url == FAR));
        assert_eq!(world.placement.better_than(FAR, world.now), None);
        world.pass(20_000, both);
        assert_eq!(world.placement.better_than(FAR, world.now), None, "it answers, but not for long");
        world.pass(120_000, both);
        assert_eq!(world.placement.better_than(FAR, world.now), Some(NEAR));
    }

    #[test]
    fn a_relay_that_is_hardly_nearer_is_no_reason_to_move() {
        let mut world = World::new();
        world.pass(60_000, |url| Some(if url == NEAR { 100 } else { 120 }));
        assert_eq!(world.placement.better_than(FAR, world.now), None);
    }

    #[test]
    fn a_relay_that_slows_is_left() {
        let mut world = World::new();
        world.pass(60_000, both);
        assert_eq!(world.placement.better_than(NEAR, world.now), None);
        world.pass(300_000, |url| Some(if url == NEAR { 900 } else { 150 }));
        assert_eq!(world.placement.better_than(NEAR, world.now), Some(FAR));
    }
}
