//! What happens in a world, one thing after another.

use std::cmp::Reverse;

use crate::base::outcome::Outcome;
use crate::laws::watch;
use crate::world::happening::Happening;
use crate::world::world::World;

/// More than this at one moment goes on for ever: a timer that is set again and again to a time that has come.
const AT_ONCE_MAX: u64 = 100_000;
/// A world comes to rest within far fewer; a large mesh takes some millions.
const STEPS_MAX: u64 = 30_000_000;

impl World {
    /// Starts a process on every disk.
    pub fn begin(&mut self) {
        for disk in 0..self.disks.len() {
            if self.is_away(disk) {
                continue;
            }
            self.start(disk);
            for _ in 0..self.plan.tabs {
                if !self.is_relay(disk) {
                    self.start(disk);
                }
            }
        }
        self.start_actors();
        self.at(0, Happening::Act);
        self.at(0, Happening::Fault);
        self.at(0, Happening::Watch);
        if self.plan.meeting.is_some() {
            self.at(0, Happening::Meet);
        }
        if self.plan.showing.is_some() {
            self.at(0, Happening::Show);
        }
    }

    pub fn run(mut self, steps: u64) -> Result<Outcome, String> {
        self.begin();
        if self.plan.is_mesh {
            self.live_as_mesh()?;
        }
        while !self.plan.is_mesh && self.outcome.steps < steps {
            self.step()?;
        }
        if self.plan.has_rivals {
            self.heal_rivals()?;
            self.check_rivals()?;
        } else {
            self.heal()?;
            self.check()?;
        }
        Ok(self.outcome)
    }

    pub fn step(&mut self) -> Result<(), String> {
        let Some(Reverse((time, _, happening))) = self.queue.pop() else { return Ok(()) };
        self.at_once = if time > self.now { 0 } else { self.at_once + 1 };
        if self.at_once > AT_ONCE_MAX {
            return Err(format!("at {} things happen without end", self.now));
        }
        if self.outcome.steps > STEPS_MAX {
            return Err("it does not come to rest".into());
        }
        self.now = self.now.max(time);
        // Looking is no step: worlds in which little happens would be short.
        self.outcome.steps += u64::from(happening != Happening::Watch);
        match happening {
            Happening::Deliver(connection, end) => self.deliver(connection, end),
            Happening::Connect(connection) => self.connect(connection),
            Happening::Expire(connection) => self.cut(connection),
            Happening::Disk(disk) => self.disk_answers(disk),
            Happening::ToldLate(disk) => self.told_late(disk),
            Happening::Timer(process, timer) => self.timer_rings(process, timer),
            Happening::Start(disk) => {
                if !self.is_away(disk) && !self.processes.values().any(|process| process.disk == disk) {
                    self.start(disk);
                }
            }
            Happening::Restart(process) => self.restart(process),
            Happening::Doze(process, inputs) => self.doze(process, inputs),
            Happening::Evict(process) => self.evict(process),
            Happening::Probed(process, url, is_healthy) => self.probed(process, url, is_healthy),
            Happening::Authorized { process, life, link, token } => {
                self.authorized(process, life, link, token);
            }
            Happening::Announce(process) => self.announce(process),
            Happening::Signed(process, number, bytes) => self.signed(process, number, &bytes),
            Happening::Receipt(process, bytes) => self.take_receipt(process, &bytes),
            Happening::Signal(process, to, region) => self.signal(process, to, region),
            Happening::Renew(process) => self.renew_token(process),
            Happening::Act if !self.healing => {
                if !self.is_resting {
                    self.act();
                }
                let wait = self.rng.below(2 * self.plan.act_wait);
                self.at(wait, Happening::Act);
            }
            Happening::Fault if !self.healing => {
                if !self.is_resting {
                    self.fault();
                }
                let wait = self.rng.below(2 * self.plan.fault_wait);
                self.at(wait, Happening::Fault);
            }
            Happening::Burst(acts) if acts > 0 && !self.healing => {
                self.act();
                let wait = self.rng.below(20);
                self.at(wait, Happening::Burst(acts - 1));
            }
            Happening::Meet => self.meet(),
            Happening::ActorActs(process) => self.actor_acts(process),
            Happening::Show if !self.healing => {
                self.show_something();
                let wait = self.plan.showing.map_or(0, |showing| self.rng.below(2 * showing.wait));
                self.at(wait, Happening::Show);
            }
            Happening::Act | Happening::Burst(_) | Happening::Fault | Happening::Show => {}
            Happening::Watch => {
                self.watch();
                self.at(watch::EVERY, Happening::Watch);
            }
        }
        self.failure.take().map_or(Ok(()), Err)
    }
}
