//! Idle connections: what the relay's memory grows by for each, and for each space they are to.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use eyot_core::commit::Position;
use eyot_core::id::LogId;
use eyot_core::limits;
use eyot_core::vector::{Digest, Vector};
use tokio::task::JoinSet;

use crate::relay::{Folder, Memory, Relay};
use crate::replica::{Author, Batches, Holding, Link};
use crate::report::{Aim, Report};

const GROUP: &str = "idle connections";
const AUTHORS: usize = 5;
const COMMITS_OF_EACH: usize = 20;
const CONNECTIONS_EACH: usize = 10;
/// How many connections are being opened at once.
const OPENING_MAX: usize = 64;
/// How long nothing happens while the relay's CPU time is looked at.
const STILL: Duration = Duration::from_secs(2);
/// A replica asks whether both hold the same once a link has been still for so long.
const QUIET: Duration = Duration::from_secs(2);

/// What a space holds, so that whoever connects can say that it has all of it.
#[derive(Clone)]
struct Filled {
    name: String,
    log: LogId,
    head: Position,
    digest: Digest,
}

pub async fn measure(program: &Path, smoke: bool, report: &mut Report) -> Result<()> {
    let spaces = if smoke { 10 } else { 1_000 };
    let folder = Folder::new("idle")?;
    let relay = Relay::start(program, folder.path())?;
    let all_spaces = fill(&relay, 2 * spaces).await?;
    let (others, spaces) = all_spaces.split_at(spaces);
    drop(relay);

    // Another process: what filling the spaces has left in memory would be counted otherwise.
    let relay = Relay::start(program, folder.path())?;
    // That spaces fall asleep takes longer than a smoke test may.
    let memory = async || if smoke { relay.memory() } else { relay.memory_asleep().await };
    let alone = memory().await?;
    report.add_memory(GROUP, "the relay alone", alone);

    // Others come and go first, and leave behind what a relay at work has: caches that are full.
    let mut connections = JoinSet::new();
    connect(&relay, others, &mut connections).await?;
    memory().await?;
    connections.shutdown().await;
    let warm = memory().await?;
    report.add_memory(GROUP, &format!("after {} other spaces were in use", others.len()), warm);

    connect(&relay, spaces, &mut connections).await?;
    let one_each = memory().await?;
    report.add_memory(GROUP, &format!("{} connections to as many spaces", connections.len()), one_each);
    for _ in 1..CONNECTIONS_EACH {
        connect(&relay, spaces, &mut connections).await?;
    }
    let all = memory().await?;
    report.add_memory(GROUP, &format!("{} connections to those", connections.len()), all);
    let cpu = relay.cpu()?;
    tokio::time::sleep(STILL).await;
    report.add(GROUP, "CPU", (relay.cpu()? - cpu) / STILL.as_secs_f64() * 100.0, "% of a core");
    if let Some(ended) = connections.try_join_next() {
        ended??;
    }

    let growth = |after: Memory, before: Memory| {
        after.resident_bytes.saturating_sub(before.resident_bytes) as f64 / 1e3
    };
    let connection = growth(all, one_each) / (connections.len() - spaces.len()) as f64;
    let both = growth(one_each, warm) / spaces.len() as f64;
    report.add_aimed(GROUP, "a connection", connection, "kB", Aim::AtMost(10.0));
    report.add_aimed(GROUP, "a space", (both - connection).max(0.0), "kB", Aim::AtMost(5.0));
    report.add(GROUP, "all of it, a connection", growth(all, alone) / connections.len() as f64, "kB");
    Ok(())
}

/// Each space has commits of several authors that knew of each other.
async fn fill(relay: &Relay, spaces: usize) -> Result<Vec<Filled>> {
    let mut filling = JoinSet::new();
    let mut filled = Vec::new();
    for number in 0..spaces {
        if filling.len() == OPENING_MAX {
            filled.extend(filling.join_next().await.transpose()?.transpose()?);
        }
        let relay = relay.address;
        filling.spawn_local(async move {
            let name = format!("idle-{number}");
            let mut authors: Vec<_> = (0..AUTHORS).map(|_| Author::new()).collect();
            let (mut batches, mut commits, mut last) = (Batches::new(), Vec::new(), None);
            for _ in 0..COMMITS_OF_EACH {
                for author in &mut authors {
                    commits.push(author.commit(last));
                    last = author.tip();
                }
            }
            let mut link = Link::open(relay, &name, &Holding::Nothing, 0).await?;
            link.write(&[batches.next(commits.into_iter())], 1, None, |_| {}).await?;
            let digest = Vector::from_tips(authors.iter().filter_map(Author::tip)).digest();
            // Nobody else wrote, so the relay's log has the same order as the writer's.
            anyhow::Ok(Filled { name, log: link.theirs.log, head: batches.end(), digest })
        });
    }
    while let Some(done) = filling.join_next().await {
        filled.push(done??);
    }
    Ok(filled)
}

/// One more connection to each space, of a replica that has all that is there.
async fn connect(relay: &Relay, spaces: &[Filled], idle: &mut JoinSet<Result<()>>) -> Result<()> {
    let mut opening = JoinSet::new();
    let mut open = Vec::new();
    for space in spaces {
        if opening.len() == OPENING_MAX {
            open.extend(opening.join_next().await.transpose()?.transpose()?);
        }
        let (relay, space) = (relay.address, space.clone());
        opening.spawn_local(async move {
            let holding = Holding::All { log: space.log, head: space.head, digest: space.digest };
            let link = Link::open(relay, &space.name, &holding, limits::CREDIT_BYTES).await?;
            ensure!(link.theirs.resumed, "the relay has another log than it was filled with");
            anyhow::Ok((link, space))
        });
    }
    while let Some(opened) = opening.join_next().await {
        open.push(opened??);
    }
    for (mut link, space) in open {
        idle.spawn_local(async move {
            tokio::time::sleep(QUIET).await;
            link.agree(space.head, space.digest).await?;
            link.idle().await
        });
    }
    Ok(())
}
