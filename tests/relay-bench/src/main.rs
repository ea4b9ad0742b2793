//! What one native relay takes, measured over the wire by a load generator that speaks the protocol and holds nothing:
//! memory of idle connections and spaces, commits stored a second, deliveries a second, and what a slow reader costs.
//! It says numbers and asserts none.

mod fan;
mod histogram;
mod idle;
mod relay;
mod replica;
mod report;
mod socket;
mod store;

use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use lexopt::prelude::*;
use rustix::process::{Resource, getrlimit, setrlimit};

use report::Report;

const USAGE: &str = "Usage: relay-bench --relay PROGRAM [--only idle|store|fan|slow] [--json] [--smoke]";

struct Options {
    relay: PathBuf,
    only: Option<String>,
    json: bool,
    /// Everything, but little of it.
    smoke: bool,
}

fn main() -> Result<()> {
    let options = options()?;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    // One thread: what it leaves is the relay's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, measure(&options))
}

async fn measure(options: &Options) -> Result<()> {
    let mut report = Report::default();
    let is_wanted = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    let (relay, smoke) = (options.relay.as_path(), options.smoke);
    if is_wanted("idle") {
        eprintln!("» measuring idle connections");
        idle::measure(relay, smoke, &mut report).await?;
    }
    if is_wanted("store") {
        eprintln!("» measuring commits stored");
        store::measure(relay, smoke, &mut report).await?;
    }
    if is_wanted("fan") {
        eprintln!("» measuring fan-out");
        fan::measure(relay, smoke, &mut report).await?;
    }
    if is_wanted("slow") {
        eprintln!("» measuring a slow reader");
        fan::measure_slow_reader(relay, smoke, &mut report).await?;
    }
    if options.json {
        println!("{}", report.json());
    } else {
        let cores = available_parallelism()?;
        println!(
            "{}\nThe relay shared {cores} cores with the load generator, which has one thread.",
            report.table()
        );
    }
    Ok(())
}

fn options() -> Result<Options> {
    let (mut relay, mut only, mut json, mut smoke) = (None, None, false, false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("relay") => relay = Some(arguments.value()?.into()),
            Long("only") => only = Some(arguments.value()?.string()?),
            Long("json") => json = true,
            Long("smoke") => smoke = true,
            Short('h') | Long("help") => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Options { relay: relay.context(USAGE)?, only, json, smoke })
}
