//! Whose turn it is: inputs are worked off in one place at a time.

use std::cell::Cell;

/// A turn works off all inputs and then tells the application.
#[derive(Default)]
pub struct Turn(Cell<Phase>);

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Idle,
    /// A turn begins once the code that runs now has returned.
    Scheduled,
    Running,
}

impl Turn {
    /// Begins a turn. False: one is running, and it takes what is new.
    pub fn begin(&self) -> bool {
        self.0.replace(Phase::Running) != Phase::Running
    }

    pub fn end(&self) {
        self.0.set(Phase::Idle);
    }

    /// Runs this while no turn can begin, so that what it puts into the inbox stays there.
    pub fn hold(&self, run: impl FnOnce()) {
        let phase = self.0.replace(Phase::Running);
        run();
        self.0.set(phase);
    }

    /// False: a turn is running or scheduled already.
    pub fn schedule(&self) -> bool {
        let is_idle = self.0.get() == Phase::Idle;
        if is_idle {
            self.0.set(Phase::Scheduled);
        }
        is_idle
    }
}
