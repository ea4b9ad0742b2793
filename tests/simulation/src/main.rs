//! The simulation: replicas, relays, links and disks of one space in one thread, driven by a seed.
//!
//! `simulation --seeds N [--seed S] [--steps K]` runs seeds S, S+1, …, S+N-1 of K steps each, heals
//! each world, and checks it. The same seed gives the same trace: every seventeenth seed is run
//! twice and its traces are compared. `--mesh N` makes them worlds of N replicas, which are linked to a few of
//! one another each; these live for some hours, however many steps that is. `--trace` prints what happens. A failing seed is printed with the command that replays it.
//!
//!
//! Built with the feature `mutations`, `--mutations` runs the seeds with each deliberate fault of the
//! core and prints how many notice it; `--mutation NAME` runs them with that one.

// A folder's main file has the folder's name.
#![allow(clippy::module_inception)]

mod actor;
mod acts;
mod base;
mod faults;
mod host;
mod laws;
mod parts;
mod plan;
mod run;
mod world;

use std::process::ExitCode;
use std::time::Instant;

use base::outcome::Outcome;
use plan::broken::Broken;
use run::seeds::Seeds;

struct Options {
    seeds: Seeds,
    /// Print the table of deliberate faults.
    is_table: bool,
    /// The deliberate fault of all seeds, by name.
    mutation: Option<String>,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("simulation: {error}");
            return ExitCode::from(2);
        }
    };
    if options.is_table {
        #[cfg(feature = "mutations")]
        let is_passed = run::table::print_table(options.seeds, options.mutation.as_deref());
        #[cfg(not(feature = "mutations"))]
        let is_passed = {
            eprintln!("simulation: built without the feature `mutations`");
            false
        };
        return if is_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    report(&options)
}

fn report(options: &Options) -> ExitCode {
    let started = Instant::now();
    let Seeds { first, count, steps, mesh, .. } = options.seeds;
    let mut total = Outcome::default();
    let mut failed = 0u64;
    let again = options.mutation.as_ref().map_or_else(String::new, |fault| format!(" --mutation {fault}"));
    let mesh = mesh.map_or_else(String::new, |mesh| format!(" --mesh {mesh}"));
    let outcomes = options.seeds.run(|seed, message| {
        println!("seed {seed} failed: {message}");
        println!("  replay: cargo xtask sim --seeds 1 --seed {seed} --steps {steps}{mesh}{again}");
    });
    for (_, outcome) in outcomes {
        match outcome {
            Ok(outcome) => total.add(&outcome),
            Err(_) => failed += 1,
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{total}");
    println!(
        "{} passed, {failed} failed: seeds {first}..{} of {steps} steps in {seconds:.1} s, {:.0} steps/s",
        count - failed,
        first + count,
        total.steps as f64 / seconds,
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let seeds =
        Seeds { first: 1, count: 100, steps: 2000, mesh: None, is_told: false, broken: Broken::default() };
    let mut options = Options { seeds, is_table: false, mutation: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("seeds") => options.seeds.count = parser.value()?.parse()?,
            Long("seed") => options.seeds.first = parser.value()?.parse()?,
            Long("steps") => options.seeds.steps = parser.value()?.parse()?,
            Long("mesh") => options.seeds.mesh = Some(parser.value()?.parse()?),
            Long("trace") => options.seeds.is_told = true,
            Long("mutations") => options.is_table = true,
            Long("mutation") => {
                let name = parser.value()?.string()?;
                options.seeds.broken = Broken::named(&name).ok_or("no such fault, or built without them")?;
                options.mutation = Some(name);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}
