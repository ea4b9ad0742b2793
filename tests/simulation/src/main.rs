//! The simulation: replicas, relays, links and disks of one space in one thread, driven by a seed.
//!
//! `simulation --seeds N [--seed S] [--steps K]` runs seeds S, S+1, …, S+N-1 of K steps each, heals
//! each world, and checks it. The same seed gives the same trace: every seventeenth seed is run
//! twice and its traces are compared. `--trace` prints what happens. A failing seed is printed with the command that replays it.

mod acts;
mod base;
mod faults;
mod host;
mod laws;
mod parts;
mod plan;
mod run;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use base::outcome::Outcome;
use world::world::World;

struct Options {
    seeds: u64,
    seed: u64,
    steps: u64,
    trace: bool,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("simulation: {error}");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let outcomes = run_all(&options, threads);
    let mut total = Outcome::default();
    let mut failed = 0u64;
    for (seed, outcome) in outcomes {
        match outcome {
            Ok(outcome) => total.add(&outcome),
            Err(message) => {
                failed += 1;
                println!("seed {seed} failed: {message}");
                println!("  replay: cargo xtask sim --seeds 1 --seed {seed} --steps {}", options.steps);
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{total}");
    println!(
        "{} passed, {failed} failed: seeds {}..{} of {} steps in {seconds:.1} s, {:.0} steps/s",
        options.seeds - failed,
        options.seed,
        options.seed + options.seeds,
        options.steps,
        total.steps as f64 / seconds,
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Each seed is a world of its own, so they run side by side; the order of the report is theirs.
fn run_all(options: &Options, threads: usize) -> Vec<(u64, Result<Outcome, String>)> {
    let mut outcomes: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads as u64)
            .map(|worker| {
                scope.spawn(move || {
                    (options.seed..options.seed + options.seeds)
                        .skip(worker as usize)
                        .step_by(threads)
                        .map(|seed| (seed, run_seed(seed, options)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker catches panics")).collect()
    });
    outcomes.sort_by_key(|(seed, _)| *seed);
    outcomes
}

fn run_seed(seed: u64, options: &Options) -> Result<Outcome, String> {
    let once = || {
        catch_unwind(AssertUnwindSafe(|| World::new(seed, options.trace).run(options.steps)))
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

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "a panic".into())
}

fn options() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { seeds: 100, seed: 1, steps: 2000, trace: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("seeds") => options.seeds = parser.value()?.parse()?,
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("steps") => options.steps = parser.value()?.parse()?,
            Long("trace") => options.trace = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}
