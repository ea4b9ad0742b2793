//! What `check` and `test` go through, cheapest first.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::base::run::{cargo, npm_script, program, run, run_and_read, show};
use crate::base::setup;
use crate::build::{docs_site, native, package};
use crate::trials::simulation;
use crate::{floors, purity};

struct Stage {
    name: &'static str,
    what: &'static str,
    /// Part of `check` too.
    quick: bool,
    run: fn(&mut Findings) -> Result<()>,
}

/// What one stage measures for the table at the end.
#[derive(Default)]
struct Findings {
    simulated_steps_per_second: Option<u64>,
}

const STAGES: &[Stage] = &[
    Stage { name: "format", what: "rustfmt, prettier", quick: true, run: |_| formatted() },
    Stage {
        name: "clippy",
        what: "clippy, warnings denied, on the host and on wasm32",
        quick: true,
        run: |_| clippy(),
    },
    Stage { name: "docs", what: "rustdoc, warnings denied", quick: true, run: |_| docs() },
    Stage {
        name: "core",
        what: "the core does no I/O, and no relay has Automerge",
        quick: true,
        run: |_| purity::check(),
    },
    Stage {
        name: "floors",
        what: "no file imports from above, no two files import each other",
        quick: true,
        run: |_| floors::check(),
    },
    Stage { name: "types", what: "tsc", quick: true, run: |_| types() },
    Stage { name: "rust", what: "Rust tests", quick: true, run: |_| rust() },
    Stage { name: "fuzz", what: "the fuzz targets compile", quick: false, run: |_| fuzz_targets() },
    Stage {
        name: "simulation",
        what: "1,000 seeds of 2,000 steps, 2 of meshes of 50",
        quick: false,
        run: simulated,
    },
    Stage { name: "npm", what: "the npm package in Node", quick: false, run: |_| npm("test", "js") },
    Stage {
        name: "interop",
        what: "documents of @automerge/automerge",
        quick: false,
        run: |_| npm("interop", "tests"),
    },
    Stage {
        name: "packaging",
        what: "the tarball, wherever it must work",
        quick: false,
        run: |_| packaging(),
    },
    Stage { name: "worker", what: "the Worker on workerd", quick: false, run: |_| npm("test", "worker") },
    Stage {
        name: "traces",
        what: "recorded keystrokes through a relay",
        quick: false,
        run: |_| npm("traces", "tests"),
    },
    Stage { name: "browser", what: "browsers", quick: false, run: |_| browser() },
    Stage { name: "drill", what: "three regions, each killed in its turn", quick: false, run: |_| drilled() },
    Stage {
        name: "bench",
        what: "a little of every measure of the relay, and of every attack",
        quick: false,
        run: |_| benched(),
    },
    Stage {
        name: "site",
        what: "the documentation's site, whose links lead somewhere",
        quick: false,
        run: |_| docs_site::build(),
    },
    Stage {
        name: "readme",
        what: "the examples of README.md and of docs/, and the steps of its tutorial",
        quick: false,
        run: |_| readme(),
    },
    Stage { name: "table", what: "sizes and speeds", quick: false, run: table },
];

const TABLE_SEEDS: u64 = 20;
const SEEDS: u64 = 1_000;
const STEPS: u64 = 2_000;
const MESHES: u64 = 2;
const MESH_REPLICAS: u64 = 50;

pub fn check() -> Result<()> {
    let quick: Vec<_> = STAGES.iter().filter(|stage| stage.quick).collect();
    go_through(&quick)
}

pub fn test(only: &[String]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| STAGES.iter().all(|stage| stage.name != name.as_str())) {
        bail!("there is no stage `{unknown}`, see `cargo xtask test --list`");
    }
    let chosen: Vec<_> =
        STAGES.iter().filter(|stage| only.is_empty() || only.iter().any(|name| name == stage.name)).collect();
    go_through(&chosen)
}

pub fn list() {
    for stage in STAGES {
        println!("{:<12} {}", stage.name, stage.what);
    }
}

pub fn format() -> Result<()> {
    setup::components()?;
    setup::npm()?;
    run(&mut cargo(&["fmt", "--all"]))?;
    run(&mut prettier("--write"))
}

fn go_through(stages: &[&Stage]) -> Result<()> {
    let mut findings = Findings::default();
    let mut times = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        eprintln!("\n── {}/{} {}: {}", index + 1, stages.len(), stage.name, stage.what);
        let started = Instant::now();
        if let Err(error) = (stage.run)(&mut findings) {
            bail!(
                "stage `{0}` failed after {1}: {error:#}\nonly this again: cargo xtask test --only {0}",
                stage.name,
                seconds(started.elapsed())
            );
        }
        eprintln!("── {} took {}", stage.name, seconds(started.elapsed()));
        times.push((stage.name, started.elapsed()));
    }
    let all: Duration = times.iter().map(|(_, time)| *time).sum();
    let each: Vec<_> = times.iter().map(|(name, time)| format!("{name} {}", seconds(*time))).collect();
    eprintln!("\nall passed in {}: {}", seconds(all), each.join(", "));
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn formatted() -> Result<()> {
    setup::components()?;
    setup::npm()?;
    run(&mut cargo(&["fmt", "--all", "--", "--check", "-l"]))
        .and_then(|()| run(&mut prettier("--check")))
        .context("`cargo xtask format` puts it right")
}

fn prettier(mode: &str) -> std::process::Command {
    program("node", &["node_modules/prettier/bin/prettier.cjs", "--log-level", "warn", mode, "."])
}

fn clippy() -> Result<()> {
    setup::wasm_target()?;
    let host = ["clippy", "--quiet", "--locked", "--workspace", "--exclude", "eyot-web*", "--all-targets"];
    run(&mut cargo(&[&host[..], &["--", "--deny", "warnings"]].concat()))?;
    // The core of a relay has no documents; in the whole workspace it has, and hides what only they use.
    let relay = ["clippy", "--quiet", "--locked", "--package", "eyot-core", "--all-targets"];
    run(&mut cargo(&[&relay[..], &["--", "--deny", "warnings"]].concat()))?;
    // Each Wasm file by itself, because together they hide what one of them does not use.
    for feature in ["relay", "replica"] {
        let wasm = ["clippy", "--quiet", "--locked", "--package", "eyot-web", "--no-deps"];
        let chosen = ["--no-default-features", "--features", feature, "--target", "wasm32-unknown-unknown"];
        run(&mut cargo(&[&wasm[..], &chosen, &["--", "--deny", "warnings"]].concat()))?;
    }
    Ok(())
}

fn docs() -> Result<()> {
    let packages = ["doc", "--quiet", "--locked", "--no-deps", "--workspace", "--exclude", "eyot-web*"];
    run(cargo(&packages).env("RUSTDOCFLAGS", "--deny warnings"))
}

fn types() -> Result<()> {
    package::build()?;
    for folder in ["js", "worker", "demo"] {
        run(&mut npm_script("check", folder))?;
    }
    Ok(())
}

fn rust() -> Result<()> {
    run(&mut cargo(&["test", "--quiet", "--locked", "--workspace", "--exclude", "eyot-web*"]))
}

/// They are a workspace of their own, and are run by `cargo xtask fuzz`.
fn fuzz_targets() -> Result<()> {
    let targets = ["check", "--quiet", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--bins"];
    // What they have in common with the workspace is compiled once.
    run(&mut cargo(&[&targets[..], &["--target-dir", "target"]].concat()))
}

fn simulated(findings: &mut Findings) -> Result<()> {
    findings.simulated_steps_per_second = Some(simulation::run(SEEDS, None, Some(STEPS))?);
    simulation::run_meshes(MESHES, None, MESH_REPLICAS)
}

fn npm(script: &str, folder: &str) -> Result<()> {
    package::build()?;
    run(&mut npm_script(script, folder))
}

fn packaging() -> Result<()> {
    let tarball = package::pack()?;
    run(npm_script("packaging", "tests")
        .env("EYOT_TARBALL", tarball)
        .env("EYOT_CHROMIUM", setup::chromium()?))
}

fn browser() -> Result<()> {
    package::build()?;
    run(&mut npm_script("build", "demo"))?;
    // One of the tests starts the demo, which must not have to wait for it.
    native::relay()?;
    run(npm_script("browser", "tests").env("EYOT_CHROMIUM", setup::chromium()?))
}

fn readme() -> Result<()> {
    let tarball = package::pack()?;
    run(npm_script("readme", "tests").env("EYOT_TARBALL", tarball).env("EYOT_CHROMIUM", setup::chromium()?))
}

fn drilled() -> Result<()> {
    run(&mut npm_script("drill", "tests"))?;
    json_of(&["drill", "--rounds", "1"])
}

fn benched() -> Result<()> {
    json_of(&["bench", "relay", "--smoke"])?;
    json_of(&["bench", "hostile", "--host", "native", "--smoke"])?;
    // Starting `workerd` takes longer than an attack in its short form: one says that the bench still works there.
    json_of(&["bench", "hostile", "--host", "worker", "--only", "equal-wants", "--smoke"])
}

/// Runs a command of this program with `--json`, and sees to it that JSON is all that it prints.
fn json_of(arguments: &[&str]) -> Result<()> {
    let own = std::env::current_exe()?;
    let printed = run_and_read(program(own, arguments).arg("--json"))?;
    serde_json::from_str::<serde::de::IgnoredAny>(&printed)
        .with_context(|| format!("`{} --json` prints something else than JSON", arguments.join(" ")))?;
    Ok(())
}

fn table(findings: &mut Findings) -> Result<()> {
    package::build()?;
    let steps_per_second = match findings.simulated_steps_per_second {
        Some(measured) => measured,
        None => simulation::run(TABLE_SEEDS, None, Some(STEPS))?,
    };
    let mut table = npm_script("table", "tests");
    table.env("EYOT_CHROMIUM", setup::chromium()?);
    show(table.args(["--", "--simulated-steps-per-second", &steps_per_second.to_string()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_stage_is_refused() {
        assert!(test(&["nothing".to_owned()]).is_err());
    }
}
