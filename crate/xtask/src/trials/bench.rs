//! Measures of documents (`crate/core/benches`) and of the native relay (`tests/relay-bench`). Their numbers are said,
//! never asserted: machines differ.

use anyhow::Result;

use crate::base::run::{cargo, program, show};
use crate::build::native;

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
