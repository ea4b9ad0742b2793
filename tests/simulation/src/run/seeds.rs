//! Many seeds, side by side.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Each seed is a world of its own, so they run side by side; the order of what is returned is theirs. Each one
    /// that fails is told at once: many take long.
    pub fn run(self, tell: impl Fn(u64, &str) + Sync) -> Vec<(u64, Result<Outcome, String>)> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let taken = AtomicU64::new(0);
        let work = || {
            let mut outcomes = Vec::new();
            loop {
                let nth = taken.fetch_add(1, Ordering::Relaxed);
                if nth >= self.count {
                    return outcomes;
                }
                let seed = self.first + nth;
                let outcome = self.run_one(seed);
                if let Err(reason) = &outcome {
                    tell(seed, reason);
                }
                outcomes.push((seed, outcome));
            }
        };
        let mut outcomes: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
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
