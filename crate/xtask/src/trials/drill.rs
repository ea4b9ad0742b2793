//! The drill (`tests/drill`): replicas write through three regions, each of which is killed in its turn.

use anyhow::Result;

use crate::base::run::{program, show};
use crate::build::{native, package};

/// Each region loses its data once.
pub const ROUNDS: u32 = 3;

pub struct Drill {
    pub rounds: u32,
    pub json: bool,
}

impl Drill {
    pub fn run(&self) -> Result<()> {
        package::build()?;
        let relay = native::relay()?;
        let mut drill = program("node", &["tests/drill/drill.mjs", "--rounds", &self.rounds.to_string()]);
        drill.arg("--relay").arg(relay);
        if self.json {
            drill.arg("--json");
        }
        show(&mut drill)
    }
}
