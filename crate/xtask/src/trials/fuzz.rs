//! Bytes from peers and disks that mean no good (`fuzz`). Not part of the test run: it needs a nightly compiler, and finds
//! more the longer it runs.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::base::run::{cargo, program, read, run, say};
use crate::base::workspace;

/// What one allocation and all of them together may take, and how long one input.
const BOUNDS: [&str; 3] = ["-malloc_limit_mb=128", "-rss_limit_mb=1536", "-timeout=20"];

pub struct Fuzz {
    /// For each target.
    pub minutes: f64,
    pub only: Vec<String>,
}

struct Outcome {
    target: String,
    inputs: String,
    is_fine: bool,
}

impl Fuzz {
    pub fn run(&self) -> Result<()> {
        install()?;
        let all = read(&mut fuzz(&["list"]))?;
        let all: Vec<_> = all.lines().map(str::to_owned).collect();
        for only in &self.only {
            ensure!(all.contains(only), "there is no target {only}, but {}", all.join(", "));
        }
        seed()?;
        say("compiling the targets");
        run(&mut fuzz(&["build"]))?;
        let chosen = all.into_iter().filter(|target| self.only.is_empty() || self.only.contains(target));
        let outcomes: Vec<_> = chosen.map(|target| self.run_one(target)).collect::<Result<_>>()?;
        for Outcome { target, inputs, is_fine } in &outcomes {
            println!("{target:12} {inputs:>12} inputs  {}", if *is_fine { "" } else { "FAILED, see above" });
        }
        let failed = outcomes.iter().filter(|outcome| !outcome.is_fine).count();
        ensure!(failed == 0, "{failed} of {} targets failed", outcomes.len());
        Ok(())
    }

    fn run_one(&self, target: String) -> Result<Outcome> {
        let seconds = format!("-max_total_time={}", (self.minutes * 60.0).ceil());
        say(format!("{target}, {} min", self.minutes));
        let mut command = fuzz(&["run", &target, "--", &seconds, "-print_final_stats=1"]);
        command.args(BOUNDS).stdout(Stdio::null()).stderr(Stdio::piped());
        let output = command.output().context("can't start cargo fuzz")?;
        let text = String::from_utf8_lossy(&output.stderr);
        let is_fine = output.status.success();
        if !is_fine {
            eprint!("{text}");
        }
        let count = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        Ok(Outcome { target, inputs: count.unwrap_or("?").trim().to_owned(), is_fine })
    }
}

fn fuzz(arguments: &[&str]) -> Command {
    let mut command = cargo(&["+nightly", "fuzz"]);
    command.args(arguments).current_dir(workspace::root().join("fuzz"));
    command
}

fn install() -> Result<()> {
    if !cargo(&["+nightly", "--version"]).output()?.status.success() {
        say("adding the nightly toolchain, for fuzzing alone");
        run(&mut program("rustup", &["toolchain", "install", "nightly", "--profile", "minimal"]))?;
    }
    if !fuzz(&["--version"]).output()?.status.success() {
        say("installing cargo-fuzz");
        run(&mut cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    Ok(())
}

/// Begins with what is right: the golden vectors of the wire.
fn seed() -> Result<()> {
    let root = workspace::root();
    let golden = fs::read_to_string(root.join("crate/core/tests/golden/wire.txt"))?;
    for (number, line) in golden.lines().enumerate() {
        let (name, hexes) = line.split_once(": ").context("a line of wire.txt has no name")?;
        let target = match name.split(' ').next() {
            Some("frame") => "frame",
            Some("record") => "commit",
            Some("batch") => "batch",
            Some("descriptor") => "descriptor",
            _ => continue,
        };
        let corpus = root.join("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus)?;
        for (place, hex) in hexes.split(' ').enumerate() {
            fs::write(corpus.join(format!("golden-{number}-{place}")), from_hex(hex)?)?;
        }
    }
    Ok(())
}

fn from_hex(hex: &str) -> Result<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        bail!("{hex} is not hexadecimal");
    }
    let digits = (0..hex.len()).step_by(2);
    Ok(digits.map(|at| u8::from_str_radix(&hex[at..at + 2], 16)).collect::<Result<_, _>>()?)
}
