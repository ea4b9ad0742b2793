//! The npm package and its tarball.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use super::wasm;
use crate::base::run::{npm_script, program, read, run, say};
use crate::base::workspace;

/// The npm package, built: once, whichever stages need it.
pub fn build() -> Result<()> {
    static BUILT: AtomicBool = AtomicBool::new(false);
    if BUILT.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    wasm::build()?;
    say("building the npm package");
    run(&mut npm_script("build", "js"))
}

/// The tarball that would be published.
pub fn pack() -> Result<PathBuf> {
    build()?;
    let folder = workspace::target().join("pack");
    fs::create_dir_all(&folder)?;
    let mut npm_pack =
        program("npm", &["pack", "--workspace", "js", "--ignore-scripts", "--loglevel", "error"]);
    let name = read(npm_pack.arg("--pack-destination").arg(&folder))?;
    Ok(folder.join(name.lines().last().context("npm pack named no file")?))
}
