//! Measures of the native relay (`tests/relay-bench`), and of replicas that link to each other (`tests/bench/mesh.mjs`).
//! Their numbers are said, never asserted: machines differ.

use anyhow::Result;

use crate::base::run::{program, show};
use crate::build::{native, package};

#[derive(Default)]
pub struct Relay {
    /// How it bears attacks, instead of what it takes.
    pub hostile: bool,
    /// Of each attack, of which the best counts.
    pub runs: Option<u32>,
    pub only: Option<String>,
    pub json: bool,
    /// Everything, but little of it.
    pub smoke: bool,
}

impl Relay {
    pub fn run(&self) -> Result<()> {
        let relay = native::relay()?;
        let mut bench = program(native::program("eyot-relay-bench", "relay-bench")?, &[]);
        if self.hostile {
            bench.arg("hostile");
        }
        bench.arg("--relay").arg(relay);
        if let Some(runs) = self.runs {
            bench.args(["--runs", &runs.to_string()]);
        }
        if let Some(only) = &self.only {
            bench.args(["--only", only]);
        }
        if self.json {
            bench.arg("--json");
        }
        if self.smoke {
            bench.arg("--smoke");
        }
        show(&mut bench)
    }
}

pub struct Mesh {
    pub replicas: u32,
    /// How long replicas come and go.
    pub seconds: u32,
}

impl Default for Mesh {
    fn default() -> Self {
        Self { replicas: 30, seconds: 60 }
    }
}

impl Mesh {
    pub fn run(&self) -> Result<()> {
        package::build()?;
        let mut bench = program("node", &["tests/bench/mesh.mjs", "--replicas", &self.replicas.to_string()]);
        show(bench.args(["--seconds", &self.seconds.to_string()]))
    }
}
