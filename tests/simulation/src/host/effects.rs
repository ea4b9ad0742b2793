//! What hosts give to machines, and what they do for them.

use eyot_core::base::id::{LinkId, RequestId};
use eyot_core::base::time::Millis;
use eyot_core::holder::io as holder;
use eyot_core::replica::event::Event;
use eyot_core::replica::io::{Effect, Input};
use eyot_core::replica::replica::Replica;
use eyot_core::storage::request::{StorageAnswer, StorageFault, StorageRequest};

use crate::base::ids::ProcessId;
use crate::parts::disk::Asker;
use crate::parts::process::{Machine, Process};
use crate::world::happening::Happening;
use crate::world::world::World;

impl World {
    pub fn input(&mut self, id: ProcessId, input: impl Into<Input>) {
        self.wake(id);
        let now = self.now;
        let input = input.into();
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.touched.extend(link_of(&input));
        let own_now = process.clock.read(now);
        process.inputs += 1;
        match &mut process.machine {
            Machine::Replica(replica) => replica.handle(input, own_now),
            Machine::Relay(relay) => match input {
                Input::Holder(input) => relay.handle(input, own_now),
                input => unreachable!("a relay's host has no {input:?}"),
            },
            Machine::Asleep(_) => unreachable!("it was woken"),
            Machine::Actor(_) => return self.actor_input(id, input),
        }
        self.drain(id);
        self.after_input(id);
    }

    /// What a relay's host looks at when a relay has done something.
    fn after_input(&mut self, id: ProcessId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Machine::Relay(relay) = &process.machine else { return };
        for link in std::mem::take(&mut process.touched) {
            // What is dialled does not outlive the machine.
            if self.plan.evicts() && link.0 < 1 << 32 {
                process.kept.insert(link, relay.attachment(link));
            }
        }
        if relay.failure().is_some() && !process.is_failing {
            process.is_failing = true;
            self.at(0, Happening::Restart(id));
        } else if !self.healing && self.plan.evict_chance > 0 && self.rng.chance(self.plan.evict_chance) {
            self.at(0, Happening::Evict(id));
        } else if let Some(after) = self.plan.doze_after {
            let inputs = process.inputs;
            self.at(after, Happening::Doze(id, inputs));
        }
    }

    pub fn call(&mut self, id: ProcessId, call: impl FnOnce(&mut Replica, Millis)) {
        let now = self.now;
        if let Some(Process { machine: Machine::Replica(replica), clock, .. }) = self.processes.get_mut(&id) {
            call(replica, clock.read(now));
        }
        self.drain(id);
    }

    pub fn drain(&mut self, id: ProcessId) {
        loop {
            let Some(process) = self.processes.get_mut(&id) else { return };
            let effect = match &mut process.machine {
                Machine::Replica(replica) => replica.poll_effect(),
                Machine::Relay(relay) => relay.poll_effect().map(Effect::Holder),
                Machine::Asleep(_) | Machine::Actor(_) => None,
            };
            let Some(effect) = effect else { return };
            self.effect(id, effect);
        }
    }

    fn effect(&mut self, id: ProcessId, effect: Effect) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        match effect {
            Effect::Holder(effect) => self.holder_effect(id, effect),
            Effect::Broadcast(message) => {
                let disk = process.disk;
                let others: Vec<_> = self
                    .processes
                    .iter()
                    .filter(|(other, process)| **other != id && process.disk == disk)
                    .map(|(other, _)| *other)
                    .collect();
                for other in others {
                    self.input(other, Input::Broadcast(message.clone()));
                }
            }
            Effect::App(event) => self.event(id, event),
            Effect::Probe(url) => self.probe(id, url),
            Effect::Ping(link) => self.ping(id, link),
        }
    }

    fn holder_effect(&mut self, id: ProcessId, effect: holder::Effect) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&id) else { return };
        match effect {
            holder::Effect::Dial(link, url) => {
                self.trace(url.as_bytes());
                self.dial(id, link, &url);
            }
            holder::Effect::Send(link, frame) => {
                process.touched.insert(link);
                self.trace(&frame);
                self.send(id, link, frame);
            }
            holder::Effect::Close(link, code, reason) => {
                self.say(|| format!("{id:?} closes {link:?}: {code} {reason}"));
                self.note_close(id, link, code, &reason);
                self.close(id, link);
            }
            holder::Effect::Storage(request, what) => self.ask_disk(id, request, what),
            holder::Effect::SetTimer(deadline) => {
                process.timer += 1;
                let timer = process.timer;
                if let Some(deadline) = deadline {
                    let wait = process.clock.wait(deadline, now);
                    self.at(wait, Happening::Timer(id, timer));
                }
            }
            holder::Effect::Authorize(link, token) => self.authorize(id, link, token),
            holder::Effect::Sign(number, bytes) => self.sign(id, number, bytes),
        }
    }

    fn event(&mut self, id: ProcessId, event: Event) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        match event {
            Event::Ready => {
                process.is_ready = true;
                process.is_watching = process.disk.is_multiple_of(2);
                if process.is_watching {
                    self.call(id, |replica, _| replica.watch(true));
                }
                self.may_announce(id);
            }
            // What it wrote is of another space than the one that another process has begun meanwhile.
            Event::Failed { fault: StorageFault::Incompatible, .. } if self.plan.has_rivals => {
                let disk = process.disk;
                self.count("processes that another one's space has ended");
                self.stop(id);
                self.at(1_000, Happening::Start(disk));
            }
            Event::Failed { message: reason, .. } | Event::NotOpened { message: reason, .. } => {
                self.fail(format!("a replica could not open: {reason}"));
            }
            Event::Opened { doc, held: true, .. } => {
                process.open.insert(doc);
            }
            Event::Deleted { doc } => {
                process.open.remove(&doc);
                process.peeked.remove(&doc);
            }
            Event::Changed { doc } => self.call(id, |replica, _| {
                replica.peek(doc);
            }),
            Event::Peeked { doc, value: Some(value), .. } => {
                process.peeked.insert(doc, value);
                self.count("values told");
            }
            Event::Peeked { doc, .. } => {
                process.peeked.remove(&doc);
            }
            Event::Waited(wait) => match process.waits.remove(&wait) {
                Some(waiting) => self.waited(id, &waiting),
                None => {
                    process.over.insert(wait);
                }
            },
            Event::WaitFailed(_, reason) => self.fail(format!("a wait could end, and has failed: {reason}")),
            Event::TokenExpiring => {
                // Now and then the application comes too late.
                let wait = self.rng.below(10_000);
                self.at(wait, Happening::Renew(id));
            }
            Event::Held { .. } => self.count("documents heard of"),
            Event::Reset { .. } => self.count("documents rebuilt"),
            Event::SaveFailed { .. } => self.count("failed saves"),
            Event::Introduced { key, region, .. } => {
                self.count("introductions");
                let wait = self.rng.below(1_000);
                self.at(wait, Happening::Signal(id, key, region));
            }
            Event::Signalled { key, bytes, .. } => self.signal_came(key, &bytes),
            Event::Receipt { bytes } => self.receipt_came(id, bytes),
            Event::Present { id: who, state } => self.present_seen(id, who, state),
            Event::Opened { .. } | Event::Patches { .. } | Event::Saved { .. } | Event::Status => {}
            // Only a law asks for all values, of replicas of its own.
            Event::Values { .. } => {}
        }
    }

    pub fn timer_rings(&mut self, id: ProcessId, timer: u64) {
        if self.processes.get(&id).is_some_and(|process| process.timer == timer) {
            self.input(id, holder::Input::Timer);
        }
    }

    fn ask_disk(&mut self, id: ProcessId, request: RequestId, what: StorageRequest) {
        let process = &self.processes[&id];
        let disk = process.disk;
        self.disks[disk].ask((id, process.life), request, what);
        let delay = self.disk_delay(disk);
        self.at(delay, Happening::Disk(disk));
    }

    pub fn disk_answers(&mut self, disk: usize) {
        let Some((asker, request, answer)) = self.disks[disk].answer() else { return };
        self.look_at(disk);
        let is_read = matches!(answer, StorageAnswer::Values(_) | StorageAnswer::Scanned { .. });
        if is_read
            && let Some(wait) = self.plan.reads_late
            && self.rng.chance(300)
        {
            self.disks[disk].tell_late(asker, request, answer);
            let wait = self.rng.below(wait);
            return self.at(wait, Happening::ToldLate(disk));
        }
        if !is_read {
            for (asker, request, answer) in self.disks[disk].late_for(asker) {
                self.tell_answer(asker, request, answer);
            }
        }
        self.tell_answer(asker, request, answer);
    }

    pub fn told_late(&mut self, disk: usize) {
        if let Some((asker, request, answer)) = self.disks[disk].next_late() {
            self.tell_answer(asker, request, answer);
        }
    }

    fn tell_answer(&mut self, (process, life): Asker, request: RequestId, answer: StorageAnswer) {
        if self.processes.get(&process).is_some_and(|process| process.life == life) {
            self.input(process, holder::Input::Storage(request, answer));
        }
    }
}

fn link_of(input: &Input) -> Option<LinkId> {
    match input {
        Input::Holder(
            holder::Input::LinkOpened(link)
            | holder::Input::Received(link, _)
            | holder::Input::Authorized(link, _),
        ) => Some(*link),
        _ => None,
    }
}
