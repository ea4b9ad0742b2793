//! Measures of the native relay (`tests/relay-bench`). Its numbers are said, never asserted: machines differ.

use std::path::PathBuf;

use anyhow::Result;

use crate::run::{cargo, program, run, say};
use crate::workspace;

#[derive(Default)]
pub struct Relay {
    pub only: Option<String>,
    pub json: bool,
    /// Everything, but little of it.
    pub smoke: bool,
}

impl Relay {
    pub fn run(&self) -> Result<()> {
        let relay = relay_program()?;
        let mut bench = program(built("eyot-relay-bench", "relay-bench")?, &[]);
        bench.arg("--relay").arg(relay);
        if let Some(only) = &self.only {
            bench.args(["--only", only]);
        }
        if self.json {
            bench.arg("--json");
        }
        if self.smoke {
            bench.arg("--smoke");
        }
        run(&mut bench)
    }
}

/// The native relay, built as it is shipped.
pub fn relay_program() -> Result<PathBuf> {
    built("eyot-relay", "eyot-relay")
}

fn built(package: &str, name: &str) -> Result<PathBuf> {
    say(format!("building {package}"));
    run(&mut cargo(&["build", "--quiet", "--locked", "--release", "--package", package]))?;
    Ok(workspace::target().join("release").join(name))
}
