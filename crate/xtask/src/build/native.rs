//! Native programs, built as they are shipped.

use std::path::PathBuf;

use anyhow::Result;

use crate::base::run::{cargo, run, say};
use crate::base::workspace;

/// The native relay.
pub fn relay() -> Result<PathBuf> {
    program("eyot-relay", "eyot-relay")
}

/// The program of that name in that package.
pub fn program(package: &str, name: &str) -> Result<PathBuf> {
    say(format!("building {package}"));
    run(&mut cargo(&["build", "--quiet", "--locked", "--release", "--package", package]))?;
    Ok(workspace::target().join("release").join(name))
}
