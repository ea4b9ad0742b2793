//! A world is healed and left until it is quiet.

use eyot_core::base::time::Millis;

use crate::parts::process::Machine;
use crate::world::world::World;

/// How long a healed world may take to go quiet.
const HEAL_MAX: Millis = 900_000;
/// How long nothing may be sent for a world to be quiet.
const QUIET: Millis = 30_000;
/// How long replicas have to get back to the relay that is near. What they measured while it was
/// slow counts half as much every minute.
const RETURN_MAX: Millis = 600_000;
/// How long applications may have to wait for what they are to be told: relays compare notes every
/// five minutes.
const WAIT_MAX: Millis = 400_000;
/// How long all have to come to see each other.
const SEEN_MAX: Millis = 20_000;
/// How long all have to come to hold the same while two regions can't reach one another.
const PARTIAL_MAX: Millis = 300_000;
/// How long linked replicas have to come to hold the same without a relay.
const ALONE_MAX: Millis = 120_000;
/// How often relays of a healed world may link to one another: they compare notes now and then.
const RELAY_LINKS_MAX: u64 = 60;
/// How long rivals live on after the last fault.
const RIVALS_LIVE: Millis = 120_000;

impl World {
    pub fn heal(&mut self) -> Result<(), String> {
        self.say(|| "healing".into());
        self.healing = true;
        self.dismiss_actors();
        self.paths.heal();
        self.tokens.read_only_until.fill(0);
        for disk in &mut self.disks {
            disk.is_full = false;
        }
        // What takes long is followed by a long rest.
        self.plan.reads_late = None;
        if self.plan.caps.take().is_some() {
            self.stop_relays();
        }
        let connections: Vec<_> = self.connections.keys().copied().collect();
        for connection in connections {
            self.cut(connection);
        }
        for disk in 0..self.disks.len() {
            let is_due = !self.disks[disk].is_outside && !self.is_away(disk);
            if is_due && !self.processes.values().any(|process| process.disk == disk) {
                self.start(disk);
            }
        }
        let ids: Vec<_> = self.processes.keys().copied().collect();
        for id in ids {
            self.disturbed(id);
            if !self.is_relay(self.processes[&id].disk) {
                self.renew_token(id);
                if self.is_leader(id) {
                    self.set_online(id, true);
                }
            }
            if let Some(process) = self.processes.get_mut(&id) {
                process.watched.linked_to.clear();
            }
            self.open_names(id);
        }
        self.meet_without_relays()?;
        self.meet_by_way_of_others()?;
        let linked_before = self.outcome.counts.get("links between relays").copied().unwrap_or(0);
        let deadline = self.now + HEAL_MAX;
        let returned = self.now + RETURN_MAX;
        let told = self.now + WAIT_MAX;
        self.last_sent = self.now;
        if self.plan.showing.is_some() {
            self.all_show();
        }
        while self.now < told {
            self.step()?;
        }
        self.all_come_to_be_seen()?;
        self.all_leave();
        self.check_nobody_waits()?;
        while self.now < self.last_sent + QUIET || self.now < returned || !self.is_idle() {
            if self.now > deadline {
                self.check()?;
                return Err(format!("the healed world is not quiet after {} s", HEAL_MAX / 1000));
            }
            self.step()?;
        }
        self.check_relays_rest(linked_before)
    }

    /// Law: each sees all others. Who has just moved to another relay may not have been told yet (seed 750905).
    fn all_come_to_be_seen(&mut self) -> Result<(), String> {
        let deadline = self.now + SEEN_MAX;
        while let Err(reason) = self.check_all_are_seen() {
            if self.now > deadline {
                return Err(reason);
            }
            self.step()?;
        }
        Ok(())
    }

    /// Their operators give them more room: they start again.
    pub(super) fn stop_relays(&mut self) {
        let relays: Vec<_> =
            self.processes.iter().filter(|(_, p)| self.is_relay(p.disk)).map(|(id, _)| *id).collect();
        for id in relays {
            self.stop(id);
        }
    }

    /// Law: where no relay runs, replicas that are linked to one another come to hold the same. Then the
    /// relays are back.
    fn meet_without_relays(&mut self) -> Result<(), String> {
        if !self.relays_are_away {
            return Ok(());
        }
        let (until, deadline) = (self.now + ALONE_MAX, self.now + HEAL_MAX);
        while self.now < until || self.now < (self.last_sent + QUIET).min(deadline) {
            self.step()?;
        }
        self.count("worlds healed without a relay");
        self.check_replicas_hold_the_same()?;
        self.relays_are_away = false;
        for region in 0..self.plan.regions {
            self.start(region);
        }
        let ids: Vec<_> = self.processes.keys().copied().collect();
        for id in ids {
            if self.is_relay(self.processes[&id].disk) {
                continue;
            }
            self.disturbed(id);
            let relays = self.relays_for(self.processes[&id].disk);
            self.call(id, |replica, _| replica.set_relays(relays));
        }
        Ok(())
    }

    /// Law: while nothing gets from one region to another, and both reach a third one, all come to hold
    /// the same.
    fn meet_by_way_of_others(&mut self) -> Result<(), String> {
        if self.plan.regions < 3 || self.rng.chance(600) {
            return Ok(());
        }
        let (one, other) = *self.rng.pick(&[(0, 1), (0, 2), (1, 2)]).expect("not empty");
        self.say(|| format!("nothing gets from disk {one} to disk {other}"));
        let until = self.now + PARTIAL_MAX;
        self.paths.block(one, other, until);
        self.paths.block(other, one, until);
        while self.now < until {
            self.step()?;
        }
        self.count("worlds healed by way of others");
        self.check_all_is_everywhere()
    }

    /// Law: relays of a healed world do not link to one another again and again.
    fn check_relays_rest(&self, before: u64) -> Result<(), String> {
        let links = self.outcome.counts.get("links between relays").copied().unwrap_or(0) - before;
        if links > RELAY_LINKS_MAX {
            return Err(format!("relays of the healed world linked {links} times"));
        }
        Ok(())
    }

    /// A world of rivals is left alone for a while.
    pub fn heal_rivals(&mut self) -> Result<(), String> {
        self.healing = true;
        self.dismiss_actors();
        self.paths.heal();
        for disk in &mut self.disks {
            disk.is_full = false;
        }
        let (until, deadline) = (self.now + RIVALS_LIVE, self.now + HEAL_MAX);
        // The bytes of deleted documents are looked for one pass after another, with long rests.
        while self.now < until || !(self.are_scrubbed() || self.now > deadline) {
            self.step()?;
        }
        Ok(())
    }

    /// Whether nobody has bytes of deleted documents, in storage either.
    fn are_scrubbed(&self) -> bool {
        let has_written = self.disks.iter().all(|disk| disk.is_idle());
        has_written
            && self.processes.values().all(|process| match &process.machine {
                Machine::Replica(replica) => replica.is_scrubbed(),
                Machine::Relay(relay) => relay.is_scrubbed(),
                Machine::Asleep(_) | Machine::Actor(_) => true,
            })
    }

    /// Whether no relay has anything to do, and nobody has bytes of deleted documents. Every few minutes
    /// relays compare notes.
    fn is_idle(&self) -> bool {
        self.are_scrubbed()
            && self.processes.values().all(|process| match &process.machine {
                Machine::Relay(relay) => relay.is_idle(),
                Machine::Replica(_) | Machine::Asleep(_) | Machine::Actor(_) => true,
            })
    }
}
