//! The project's own commands. Each does all of its own set-up and says what it is doing; standard output carries
//! what the command is asked for, standard error the rest.

mod base;
mod build;
mod floors;
mod purity;
mod serve;
mod size;
mod stages;
mod trials;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

use self::build::{docs_site, package, wasm};
use self::serve::{demo, workerd};
use self::trials::{bench, drill, fuzz, simulation};

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  check                                  what to run while working: format, clippy, docs, imports, tsc, the fast tests
  test [--only STAGE[,STAGE…]] [--list]  everything that must pass before a change lands, cheapest first
  demo [--data DIR]                      three regions and the demo's pages, until Ctrl-C
  demo --static                          the pages as a folder for any web host; its path is the last line
  relay --region R --port P --data DIR   one relay on workerd, in the foreground
  drill [--rounds N] [--json]            three regions, each killed in its turn while replicas write
  bench documents [--only PART]          what a change costs in a document, made here or come from another
  bench relay [--only PART] [--json]     what one native relay takes: memory, commits and deliveries a second;
                                         --smoke: a little of each
  bench hostile [--host native|worker]   what attacks cost an honest writer and the relay; without --host, of the native
       [--only ATTACK] [--runs N]        relay and of the Worker on workerd; of N runs of an attack the best;
       [--json] [--smoke]                --smoke: half a second of each
  bench mesh [--replicas N] [--seconds N]         replicas that link to each other by themselves, while some come and go
  sim --seeds N [--seed S] [--steps K]            the simulation, alone
  sim --seeds N [--seed S] --mesh N               its worlds of N replicas, each linked to a few others
  sim --mutations [--seeds N] [--mutation NAME]   how many seeds notice each deliberate fault of the core
  fuzz [--minutes N] [--only TARGET[,…]] bytes that mean no good, for each decoder and for a relay (nightly Rust)
  docs-site                              docs/ as a site, in docs/.vitepress/dist; a link that leads nowhere fails
  pack                                   the npm tarball; its path is the last line
  wasm                                   crate/web as js/wasm/
  size [--functions N] [--group]         the sizes in the client's Wasm, by crate and by function; --group: the
       [--file PATH]                     instantiations of a generic function as one; --file: another Wasm file
  format                                 writes the format that check asks for
";

fn main() -> ExitCode {
    match command(lexopt::Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command(mut arguments: lexopt::Parser) -> Result<()> {
    let name = match arguments.next()? {
        Some(Value(name)) => name.string()?,
        Some(Short('h') | Long("help")) => {
            print!("{USAGE}");
            return Ok(());
        }
        Some(other) => return Err(other.unexpected().into()),
        None => bail!("a command is missing\n\n{USAGE}"),
    };
    match name.as_str() {
        "check" => {
            finished(arguments)?;
            stages::check()
        }
        "test" => test(arguments),
        "format" => {
            finished(arguments)?;
            stages::format()
        }
        "wasm" => {
            finished(arguments)?;
            wasm::build()
        }
        "docs-site" => {
            finished(arguments)?;
            docs_site::build()
        }
        "pack" => {
            finished(arguments)?;
            println!("{}", package::pack()?.display());
            Ok(())
        }
        "size" => size(arguments),
        "sim" => sim(arguments),
        "drill" => drill(arguments),
        "fuzz" => fuzz(arguments),
        "bench" => bench(arguments),
        "relay" => relay(arguments),
        "demo" => demo(arguments),
        other => bail!("there is no command `{other}`\n\n{USAGE}"),
    }
}

fn test(mut arguments: lexopt::Parser) -> Result<()> {
    let mut only = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("only") => only.extend(arguments.value()?.string()?.split(',').map(str::to_owned)),
            Long("list") => {
                stages::list();
                return finished(arguments);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    stages::test(&only)
}

fn sim(mut arguments: lexopt::Parser) -> Result<()> {
    let (mut seeds, mut seed, mut steps, mut mesh) = (None, None, None, None);
    let (mut is_table, mut mutation) = (false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("seeds") => seeds = Some(arguments.value()?.parse()?),
            Long("seed") => seed = Some(arguments.value()?.parse()?),
            Long("steps") => steps = Some(arguments.value()?.parse()?),
            Long("mesh") => mesh = Some(arguments.value()?.parse()?),
            Long("mutations") => is_table = true,
            Long("mutation") => mutation = Some(arguments.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if is_table || mutation.is_some() {
        return simulation::run_with_faults(seeds, seed, is_table, mutation);
    }
    let seeds = seeds.context("--seeds is missing")?;
    match mesh {
        Some(replicas) => simulation::run_meshes(seeds, seed, replicas)?,
        None => drop(simulation::run(seeds, seed, steps)?),
    }
    Ok(())
}

fn size(mut arguments: lexopt::Parser) -> Result<()> {
    let mut size = size::Size::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("functions") => size.functions = arguments.value()?.parse()?,
            Long("group") => size.group = true,
            Long("file") => size.file = Some(arguments.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    size.run()
}

fn drill(mut arguments: lexopt::Parser) -> Result<()> {
    let mut drill = drill::Drill { rounds: drill::ROUNDS, json: false };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("rounds") => drill.rounds = arguments.value()?.parse()?,
            Long("json") => drill.json = true,
            other => return Err(other.unexpected().into()),
        }
    }
    drill.run()
}

fn fuzz(mut arguments: lexopt::Parser) -> Result<()> {
    let mut fuzz = fuzz::Fuzz { minutes: 1.0, only: Vec::new() };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("minutes") => fuzz.minutes = arguments.value()?.parse()?,
            Long("only") => fuzz.only.extend(arguments.value()?.string()?.split(',').map(str::to_owned)),
            other => return Err(other.unexpected().into()),
        }
    }
    fuzz.run()
}

fn bench(mut arguments: lexopt::Parser) -> Result<()> {
    let hostile = match arguments.next()? {
        Some(Value(what)) if what == "documents" => return bench_documents(arguments),
        Some(Value(what)) if what == "relay" => false,
        Some(Value(what)) if what == "hostile" => true,
        Some(Value(what)) if what == "mesh" => return mesh(arguments),
        _ => bail!(
            "what is to be measured? `cargo xtask bench` with `documents`, `relay`, `hostile` or `mesh`"
        ),
    };
    let mut bench = bench::Relay { hostile, ..bench::Relay::default() };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("only") => bench.only = Some(arguments.value()?.string()?),
            Long("json") => bench.json = true,
            Long("smoke") => bench.smoke = true,
            Long("host") if hostile => bench.host = Some(arguments.value()?.string()?.parse()?),
            Long("runs") if hostile => bench.runs = Some(arguments.value()?.parse()?),
            other => return Err(other.unexpected().into()),
        }
    }
    bench.run()
}

fn bench_documents(mut arguments: lexopt::Parser) -> Result<()> {
    let mut only = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("only") => only = Some(arguments.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    bench::documents(only.as_deref())
}

fn mesh(mut arguments: lexopt::Parser) -> Result<()> {
    let mut bench = bench::Mesh::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("replicas") => bench.replicas = arguments.value()?.parse()?,
            Long("seconds") => bench.seconds = arguments.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    bench.run()
}

fn demo(mut arguments: lexopt::Parser) -> Result<()> {
    let (mut data, mut is_static) = (".eyot".into(), false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("static") => is_static = true,
            // The relays run in the workspace's folder, whoever types this may be elsewhere.
            Long("data") => data = std::path::absolute(arguments.value()?)?,
            other => return Err(other.unexpected().into()),
        }
    }
    if is_static {
        println!("{}", demo::build()?.display());
        return Ok(());
    }
    demo::serve(&data)
}

fn relay(mut arguments: lexopt::Parser) -> Result<()> {
    let (mut region, mut port, mut data) = (None, None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("region") => region = Some(arguments.value()?.string()?),
            Long("port") => port = Some(arguments.value()?.parse()?),
            Long("data") => data = Some(arguments.value()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let relay = workerd::Relay {
        region: region.context("--region is missing")?,
        port: port.context("--port is missing")?,
        // The relay runs in the workspace's folder, whoever types this may be elsewhere.
        data: std::path::absolute(data.context("--data is missing")?)?,
    };
    relay.serve()
}

fn finished(mut arguments: lexopt::Parser) -> Result<()> {
    match arguments.next()? {
        Some(argument) => Err(argument.unexpected().into()),
        None => Ok(()),
    }
}
