//! What one native relay takes, measured over the wire by a load generator that speaks the protocol and holds nothing:
//! memory of idle connections and spaces, commits stored a second, deliveries a second, and what a slow reader costs.
//! It says numbers and asserts none.

mod fan;
mod histogram;
mod hostile;
mod idle;
mod relay;
mod replica;
mod report;
mod socket;
mod store;

use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};
use lexopt::prelude::*;
use rustix::process::{Resource, getrlimit, setrlimit};

use report::Report;

const USAGE: &str = "\
Usage: relay-bench --relay PROGRAM [--only idle|store|fan|slow] [--json] [--smoke]
       relay-bench hostile [--relay PROGRAM] [--worker SCRIPT] [--only ATTACK] [--runs N] [--json] [--smoke]
       relay-bench hostile --url ws://127.0.0.1:PORT[/PATH] --pid PID [--token TOKEN] [--read-token TOKEN] [...]

SCRIPT is `worker/serve.mjs`. Without --read-token readers attack with the token of writers.";

struct Options {
    relay: PathBuf,
    only: Option<String>,
    json: bool,
    /// Everything, but little of it.
    smoke: bool,
}

enum What {
    Takes(Options),
    Suffers(hostile::Options),
}

fn main() -> Result<()> {
    let what = options()?;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    // One thread: what it leaves is the relay's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        match what {
            What::Takes(options) => measure(&options).await,
            What::Suffers(options) => hostile::measure(&options).await,
        }
    })
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

fn options() -> Result<What> {
    let (mut relay, mut only, mut json, mut smoke) = (None::<PathBuf>, None, false, false);
    let mut worker = None::<PathBuf>;
    let (mut is_hostile, mut runs) = (false, 1);
    let (mut url, mut process, mut token, mut read_token) = (None, None, None, None);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(what) if what == "hostile" => is_hostile = true,
            Long("relay") => relay = Some(arguments.value()?.into()),
            Long("worker") if is_hostile => worker = Some(arguments.value()?.into()),
            Long("only") => only = Some(arguments.value()?.string()?),
            Long("json") => json = true,
            Long("smoke") => smoke = true,
            Long("runs") if is_hostile => runs = arguments.value()?.parse()?,
            Long("url") if is_hostile => url = Some(arguments.value()?.string()?),
            Long("pid") if is_hostile => process = Some(arguments.value()?.parse()?),
            Long("token") if is_hostile => token = Some(arguments.value()?.string()?),
            Long("read-token") if is_hostile => read_token = Some(arguments.value()?.string()?),
            Short('h') | Long("help") => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if !is_hostile {
        return Ok(What::Takes(Options { relay: relay.context(USAGE)?, only, json, smoke }));
    }
    let mut targets = Vec::new();
    targets.extend(relay.map(hostile::Choice::Native));
    targets.extend(worker.map(hostile::Choice::Worker));
    if let Some(url) = url {
        let process = process.context(USAGE)?;
        targets.push(hostile::Choice::Running(hostile::Running { url, process, token, read_token }));
    }
    ensure!(!targets.is_empty(), USAGE);
    Ok(What::Suffers(hostile::Options { targets, only, json, smoke, runs }))
}
