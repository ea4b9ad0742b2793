//! The simulation (`tests/simulation`), run alone.

use anyhow::{Context, Result};

use crate::base::run::{self, cargo, run_and_read};

/// Runs the simulation and gives back how many steps it did in a second.
pub fn run(seeds: u64, seed: Option<u64>, steps: Option<u64>) -> Result<u64> {
    let mut simulation =
        cargo(&["run", "--quiet", "--locked", "--release", "--package", "eyot-simulation", "--"]);
    simulation.args(["--seeds", &seeds.to_string()]);
    if let Some(seed) = seed {
        simulation.args(["--seed", &seed.to_string()]);
    }
    if let Some(steps) = steps {
        simulation.args(["--steps", &steps.to_string()]);
    }
    steps_per_second(&run_and_read(&mut simulation)?)
        .context("the simulation did not say how many steps/s it did")
}

/// Runs worlds of so many replicas, each of which is linked to a few of the others.
pub fn run_meshes(seeds: u64, seed: Option<u64>, replicas: u64) -> Result<()> {
    let mut simulation =
        cargo(&["run", "--quiet", "--locked", "--release", "--package", "eyot-simulation", "--"]);
    simulation.args(["--seeds", &seeds.to_string(), "--mesh", &replicas.to_string()]);
    if let Some(seed) = seed {
        simulation.args(["--seed", &seed.to_string()]);
    }
    run::show(&mut simulation)
}

/// Seeds that are run with each deliberate fault, unless another number is asked for.
const FAULT_SEEDS: u64 = 200;

/// Runs the simulation with deliberate faults of the core: with all of them, one after the other, or with
/// that of a name.
pub fn run_with_faults(
    seeds: Option<u64>,
    seed: Option<u64>,
    is_table: bool,
    mutation: Option<String>,
) -> Result<()> {
    let build = ["run", "--quiet", "--locked", "--release", "--package", "eyot-simulation"];
    let mut simulation = cargo(&build);
    simulation.args(["--features", "mutations", "--", "--seeds"]);
    simulation.arg(seeds.unwrap_or(FAULT_SEEDS).to_string());
    if let Some(seed) = seed {
        simulation.args(["--seed", &seed.to_string()]);
    }
    if is_table {
        simulation.arg("--mutations");
    }
    if let Some(mutation) = mutation {
        simulation.args(["--mutation", &mutation]);
    }
    run::show(&mut simulation)
}

fn steps_per_second(output: &str) -> Option<u64> {
    let words: Vec<_> = output.lines().last()?.split_whitespace().collect();
    let unit = words.iter().position(|word| word.starts_with("steps/s"))?;
    words[unit.checked_sub(1)?].replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulations_last_line_says_its_speed() {
        let output = "seed 1 ok\n1,000 seeds of 2,000 steps held, 61,204 steps/s\n";
        assert_eq!(steps_per_second(output), Some(61_204));
        assert_eq!(steps_per_second("held\n"), None);
    }
}
