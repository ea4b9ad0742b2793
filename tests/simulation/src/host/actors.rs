//! Hosts of scripted actors.

use eyot_core::base::id::LinkId;
use eyot_core::base::time::Millis;
use eyot_core::holder::io as holder;
use eyot_core::replica::io::Input;
use eyot_core::wire::access::Right;

use crate::actor::actor::{Actor, Deed};
use crate::base::clock::Clock;
use crate::base::ids::{ProcessId, address};
use crate::parts::disk::Disk;
use crate::parts::process::Machine;
use crate::plan::plan::Place;
use crate::world::happening::Happening;
use crate::world::world::World;

/// How long an actor waits between two things it does, at most.
const ACTOR_WAIT: Millis = 400;

impl World {
    /// The actors that the plan has, each at a place of its own from where everything is near.
    pub fn start_actors(&mut self) {
        let liars = self.plan.meeting.iter().flat_map(|meeting| &meeting.liars);
        for (role, right) in self.plan.actors.iter().chain(liars).copied().collect::<Vec<_>>() {
            let disk = self.disks.len();
            self.disks.push(Disk::outside());
            self.paths.places.push(Place { region: 0, last_mile: 0 });
            let token = self.mint_for_actor(disk, right);
            let may_write = right == Some(Right::Write) || token.is_none();
            let (limits, regions) = (self.plan.limits, self.plan.regions);
            let mut actor = Actor::new((role, may_write), token.clone(), limits, regions, &mut self.rng);
            actor.shows = self.plan.showing.is_some();
            let id = ProcessId(self.id());
            let clock = Clock::new(&mut self.rng);
            self.add(id, Machine::Actor(Box::new(actor)), disk, clock, token);
            self.at(0, Happening::ActorActs(id));
        }
    }

    pub fn dismiss_actors(&mut self) {
        let actors: Vec<_> = self
            .processes
            .iter()
            .filter(|(_, process)| matches!(process.machine, Machine::Actor(_)))
            .map(|(id, _)| *id)
            .collect();
        for id in actors {
            self.stop(id);
        }
    }

    pub fn actor_acts(&mut self, id: ProcessId) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Machine::Actor(actor) = &mut process.machine else { return };
        let deeds = if self.is_resting { Vec::new() } else { actor.act(&mut self.rng) };
        self.perform(id, deeds);
        let wait = self.rng.below(ACTOR_WAIT);
        self.at(wait, Happening::ActorActs(id));
    }

    pub fn actor_input(&mut self, id: ProcessId, input: Input) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let Machine::Actor(actor) = &mut process.machine else { return };
        let deeds = match input {
            Input::Holder(holder::Input::LinkOpened(link)) => actor.opened(link, &mut self.rng),
            Input::Holder(holder::Input::Received(link, frame)) => {
                actor.received(link, &frame, &mut self.rng)
            }
            Input::Holder(holder::Input::LinkClosed(link)) => {
                actor.closed(link);
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.perform(id, deeds);
    }

    pub(super) fn perform(&mut self, id: ProcessId, deeds: Vec<Deed>) {
        for deed in deeds {
            match deed {
                Deed::Dial(link, region) => self.dial(id, link, &address(region)),
                Deed::Send(link, frame) => {
                    self.count("frames of actors");
                    self.trace(&frame);
                    self.send(id, link, frame.into());
                }
                Deed::Close(link) => self.close(id, link),
            }
        }
    }

    /// Whether an actor is at the other end of a link.
    pub fn is_with_actor(&self, id: ProcessId, link: LinkId) -> bool {
        let connection = self.connection_of(id, link).and_then(|id| self.connections.get(&id));
        connection.is_some_and(|connection| connection.disks.iter().any(|disk| self.disks[*disk].is_outside))
    }
}
