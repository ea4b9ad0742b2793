//! What applications show of their replicas to others.

use crate::base::ids::ProcessId;
use crate::parts::process::Machine;
use crate::world::world::World;

impl World {
    /// A replica shows something else.
    pub fn show_something(&mut self) {
        let ready: Vec<_> = self.processes.iter().filter(|(_, p)| p.is_ready).map(|(id, _)| *id).collect();
        if let Some(id) = self.rng.pick(&ready).copied() {
            self.show(id);
        }
    }

    /// Each replica shows something.
    pub fn all_show(&mut self) {
        let ready: Vec<_> = self.processes.iter().filter(|(_, p)| p.is_ready).map(|(id, _)| *id).collect();
        for id in ready {
            self.show(id);
        }
    }

    /// No replica shows anything any more.
    pub fn all_leave(&mut self) {
        self.shown.is_over = true;
        let ids: Vec<_> = self.shown.current.keys().copied().collect();
        for id in ids {
            self.shown.ends(id, self.now);
            self.call(id, |replica, now| replica.leave(now));
        }
    }

    fn show(&mut self, id: ProcessId) {
        if !matches!(self.processes.get(&id).map(|process| &process.machine), Some(Machine::Replica(_))) {
            return;
        }
        let number = self.shown.next(id, self.now);
        let mut known_as = None;
        self.call(id, |replica, now| {
            known_as = Some(replica.show(Some(number.to_be_bytes().to_vec()), now).expect("it is small"));
        });
        self.shown.known_as(id, known_as.expect("it was called"));
        self.count("presences shown");
    }
}
