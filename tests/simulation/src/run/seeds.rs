//! Many seeds, side by side.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::base::outcome::Outcome;
use crate::plan::broken::Broken;
use crate::world::world::World;

/// Which seeds are run, and how.
#[derive(Clone, Copy)]
pub struct Seeds {
    pub first: u64,
    pub count: u64,
    pub steps: u64,
    /// How many replicas each world has, where these are worlds of many.
    pub mesh: Option<usize>,
    pub is_told: bool,
    /// The deliberate fault of all of them.
    pub broken: Broken,
}

impl Seeds {
    /// Each seed is a world of its own, so they run side by side; the order of the report is theirs.
    pub fn run(self) -> Vec<(u64, Result<Outcome, String>)> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut outcomes: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads as u64)
                .map(|worker| {
                    scope.spawn(move || {
                        (self.first..self.first + self.count)
                            .skip(worker as usize)
                            .step_by(threads)
                            .map(|seed| (seed, self.run_one(seed)))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("a worker catches panics")).collect()
        });
        outcomes.sort_by_key(|(seed, _)| *seed);
        outcomes
    }

    /// Every seventeenth seed is run twice: the same seed gives the same trace.
    fn run_one(self, seed: u64) -> Result<Outcome, String> {
        let once = || {
            catch_unwind(AssertUnwindSafe(|| {
                World::new(seed, self.mesh, self.is_told, self.broken).run(self.steps)
            }))
            .unwrap_or_else(|panic| Err(panic_message(&*panic)))
        };
        let outcome = once()?;
        if seed.is_multiple_of(17) {
            let again = once()?;
            if again.trace != outcome.trace {
                return Err("the same seed gave another trace".into());
            }
        }
        Ok(outcome)
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "a panic".into())
}
