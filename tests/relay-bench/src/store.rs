//! Commits stored durably: how many a second, and how long until each is acknowledged.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::histogram::Histogram;
use crate::relay::{Folder, Relay, own_cpu};
use crate::replica::{Author, Batch, Batches, Holding, Link};
use crate::report::{Aim, Report};

const GROUP: &str = "commits stored durably";

struct Load {
    name: &'static str,
    writers: usize,
    spaces: usize,
    commits: usize,
    batch: usize,
    in_flight: usize,
    aim: Option<Aim>,
}

pub async fn measure(program: &Path, smoke: bool, report: &mut Report) -> Result<()> {
    let folder = Folder::new("store")?;
    let relay = Relay::start(program, folder.path())?;
    let scale = if smoke { 100 } else { 1 };
    let loads = [
        Load {
            name: "1 writer, one commit at a time",
            writers: 1,
            spaces: 1,
            commits: 2_000,
            batch: 1,
            in_flight: 1,
            aim: None,
        },
        Load {
            name: "4 writers of one space, batches of 100",
            writers: 4,
            spaces: 1,
            commits: 200_000,
            batch: 100,
            in_flight: 8,
            aim: Some(Aim::AtLeast(50_000.0)),
        },
        Load {
            name: "100 writers of a space each, batches of 100",
            writers: 100,
            spaces: 100,
            commits: 200_000,
            batch: 100,
            in_flight: 2,
            aim: Some(Aim::AtLeast(50_000.0)),
        },
        Load {
            name: "100 writers of a space each, one commit at a time",
            writers: 100,
            spaces: 100,
            commits: 20_000,
            batch: 1,
            in_flight: 1,
            aim: None,
        },
    ];
    for (number, load) in loads.iter().enumerate() {
        run(&relay, number, load, scale, report).await?;
    }
    Ok(())
}

async fn run(relay: &Relay, number: usize, load: &Load, scale: usize, report: &mut Report) -> Result<()> {
    let frames_each = (load.commits / scale / load.writers / load.batch).max(1);
    let mut links = Vec::new();
    for writer in 0..load.writers {
        let space = format!("store-{number}-{}", writer % load.spaces);
        // Writers grant no credit, so that nothing is sent to them.
        let link = Link::open(relay.address, &space, &Holding::Nothing, 0).await?;
        links.push((link, frames(&space, frames_each, load.batch)));
    }
    let (cpu, own) = (relay.cpu()?, own_cpu()?);
    let started = Instant::now();
    let mut writing = JoinSet::new();
    for (mut link, frames) in links {
        let in_flight = load.in_flight;
        writing.spawn_local(async move { link.write(&frames, in_flight, None, |_| {}).await });
    }
    let mut latencies = Histogram::default();
    while let Some(done) = writing.join_next().await {
        latencies.merge(&done??);
    }
    let seconds = started.elapsed().as_secs_f64();
    let commits = (frames_each * load.batch * load.writers) as f64;
    let name = load.name;
    match load.aim {
        Some(aim) => report.add_aimed(GROUP, name, commits / seconds, "/s", aim),
        None => report.add(GROUP, name, commits / seconds, "/s"),
    }
    report.add_latency(GROUP, "  acknowledged after", &latencies);
    report.add_cores(GROUP, relay.cpu()? - cpu, own_cpu()? - own, seconds);
    Ok(())
}

/// All that one author writes in a space, made before the clock runs.
pub fn frames(space: &str, count: usize, batch: usize) -> Vec<Batch> {
    let (mut author, mut batches) = (Author::new(space), Batches::new());
    (0..count).map(|_| batches.next((0..batch).map(|_| author.commit(None)))).collect()
}
