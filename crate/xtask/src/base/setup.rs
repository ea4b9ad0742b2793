//! What a machine with only rustup's stable Rust, Node and apt lacks, brought in by whoever needs it first.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use super::run::{cargo, program, read, run, say};
use super::workspace;

const NODE_MIN: u32 = 20;
const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Held while something is made that two commands at once would make over each other.
pub fn lock(name: &str) -> Result<File> {
    let file = File::create(workspace::target().join(format!("xtask-{name}.lock")))?;
    file.lock()?;
    Ok(file)
}

/// rustfmt and clippy, where the toolchain was installed without.
pub fn components() -> Result<()> {
    for (component, arguments) in [("rustfmt", ["fmt", "--version"]), ("clippy", ["clippy", "--version"])] {
        if cargo(&arguments).output()?.status.success() {
            continue;
        }
        say(format!("adding {component} to the Rust toolchain"));
        run(&mut program("rustup", &["component", "add", component]))?;
    }
    Ok(())
}

pub fn wasm_target() -> Result<()> {
    let library = read(&mut program("rustc", &["--print", "target-libdir", "--target", WASM_TARGET]))?;
    if Path::new(library.trim()).exists() {
        return Ok(());
    }
    say(format!("adding {WASM_TARGET} to the Rust toolchain"));
    run(&mut program("rustup", &["target", "add", WASM_TARGET]))
}

/// The npm packages, from the lock file, where that is newer than what is installed.
pub fn npm() -> Result<()> {
    let _one_at_a_time = lock("npm")?;
    let root = workspace::root();
    let locked = modified(&root.join("package-lock.json")).context("package-lock.json is missing")?;
    if modified(&root.join("node_modules/.package-lock.json")).is_some_and(|installed| installed >= locked) {
        return Ok(());
    }
    node()?;
    say("installing the npm packages of package-lock.json");
    run(&mut program("npm", &["ci", "--no-audit", "--no-fund", "--loglevel", "error"]))
}

fn node() -> Result<()> {
    let version =
        read(&mut program("node", &["--version"])).context("Node.js is missing, see https://nodejs.org")?;
    let major =
        version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_MIN) {
        bail!("Node.js {NODE_MIN} or later is needed, this is {}", version.trim());
    }
    Ok(())
}

/// Chromium or Chrome: the one named by `EYOT_CHROMIUM`, one that is installed, or Debian's.
pub fn chromium() -> Result<PathBuf> {
    if let Some(named) = env::var_os("EYOT_CHROMIUM") {
        return Ok(named.into());
    }
    if let Some(found) = installed_chromium() {
        return Ok(found);
    }
    say("installing Debian's chromium");
    run(&mut apt_get(&["update", "--quiet"]))?;
    run(&mut apt_get(&["install", "--yes", "--quiet", "--no-install-recommends", "chromium"]))?;
    installed_chromium().context("the package chromium brought no program of that name")
}

fn installed_chromium() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"]
        .iter()
        .find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file()))
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = if geteuid().is_root() {
        program("apt-get", arguments)
    } else {
        program("sudo", &[&["apt-get"], arguments].concat())
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
