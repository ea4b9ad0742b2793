//! Measures of the native relay (`tests/relay-bench`). Its numbers are said, never asserted: machines differ.

use anyhow::Result;

use crate::base::run::{program, run};
use crate::build::native;

#[derive(Default)]
pub struct Relay {
    pub only: Option<String>,
    pub json: bool,
    /// Everything, but little of it.
    pub smoke: bool,
}

impl Relay {
    pub fn run(&self) -> Result<()> {
        let relay = native::relay()?;
        let mut bench = program(native::program("eyot-relay-bench", "relay-bench")?, &[]);
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
