//! Measures of documents (`crate/core/benches`), of the native relay (`tests/relay-bench`), and of replicas that link to
//! each other (`tests/bench/mesh.mjs`). Their numbers are said, never asserted: machines differ.

use std::str::FromStr;

use anyhow::{Result, bail};

use crate::base::run::{cargo, program, show};
use crate::build::{native, package};

/// What a change costs in a document; all parts, or one.
pub fn documents(only: Option<&str>) -> Result<()> {
    let mut bench =
        cargo(&["bench", "-p", "eyot-core", "--features", "documents", "--bench", "documents", "--"]);
    show(bench.args(only))
}

#[derive(Default)]
pub struct Relay {
    /// How it bears attacks, instead of what it takes.
    pub hostile: bool,
    /// What is attacked; the native relay and the Worker where nothing is said.
    pub host: Option<Host>,
    /// Of each attack, of which the best counts.
    pub runs: Option<u32>,
    pub only: Option<String>,
    pub json: bool,
    /// Everything, but little of it.
    pub smoke: bool,
}

/// What a relay runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Host {
    Native,
    Worker,
}

impl FromStr for Host {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "native" => Ok(Self::Native),
            "worker" => Ok(Self::Worker),
            _ => bail!("there is no host `{name}`; there are native and worker"),
        }
    }
}

impl Relay {
    pub fn run(&self) -> Result<()> {
        let mut bench = program(native::program("eyot-relay-bench", "relay-bench")?, &[]);
        if self.hostile {
            bench.arg("hostile");
        }
        if self.host != Some(Host::Worker) {
            bench.arg("--relay").arg(native::relay()?);
        }
        if self.hostile && self.host != Some(Host::Native) {
            package::build()?;
            bench.args(["--worker", "worker/serve.mjs"]);
        }
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
        let mut bench = program(
            "node",
            &["--expose-gc", "tests/bench/mesh.mjs", "--replicas", &self.replicas.to_string()],
        );
        show(bench.args(["--seconds", &self.seconds.to_string()]))
    }
}
