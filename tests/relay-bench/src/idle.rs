//! Idle connections: what the relay's memory grows by for each, and for each space they are to.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use eyot_core::base::id::LogId;
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Mark;
use eyot_core::commit::{digest::Digest, vector::Vector};
use tokio::task::JoinSet;

use crate::relay::{Folder, Memory, Relay};
use crate::replica::{Author, Batches, Holding, Link};
use crate::report::{Aim, Report};

const GROUP: &str = "idle connections";
const CONNECTION_KILOBYTES: f64 = 10.0;
const SPACE_KILOBYTES: f64 = 5.0;
const AUTHORS: usize = 5;
const COMMITS_OF_EACH: usize = 20;
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
    head: Mark,
    digest: Digest,
}

pub async fn measure(program: &Path, smoke: bool, report: &mut Report) -> Result<()> {
    let few = if smoke { 10 } else { 1_000 };
    let (many, each) = (3 * few, 10);
    let folder = Folder::new("idle")?;
    let relay = Relay::start(program, folder.path())?;
    let spaces = fill(&relay, many).await?;
    drop(relay);

    // A process for each, so that nothing is left of what came before. What a relay needs but once, like caches, is in
    // all of them.
    let alone = held(program, &folder, &[], 0, smoke, report).await?;
    let one_each = held(program, &folder, &spaces[..few], 1, smoke, report).await?;
    let ten_each = held(program, &folder, &spaces[..few], each, smoke, report).await?;
    let more_spaces = held(program, &folder, &spaces, 1, smoke, report).await?;

    let kilobytes =
        |more: Memory, less: Memory| (more.resident_bytes as f64 - less.resident_bytes as f64) / 1e3;
    let connection = kilobytes(ten_each, one_each) / (few * (each - 1)) as f64;
    let both = kilobytes(more_spaces, one_each) / (many - few) as f64;
    report.add_aimed(GROUP, "a connection more", connection, "kB", Aim::AtMost(CONNECTION_KILOBYTES));
    report.add_aimed(GROUP, "a space more", both - connection, "kB", Aim::AtMost(SPACE_KILOBYTES));
    let all = format!("{} connections to {few} spaces, all in all", few * each);
    let aim = CONNECTION_KILOBYTES * (few * each) as f64 + SPACE_KILOBYTES * few as f64;
    report.add_aimed(GROUP, all, kilobytes(ten_each, alone) / 1e3, "MB", Aim::AtMost(aim / 1e3));
    Ok(())
}

/// The memory of a relay that holds so many idle connections to each of these spaces.
async fn held(
    program: &Path,
    folder: &Folder,
    spaces: &[Filled],
    each: usize,
    smoke: bool,
    report: &mut Report,
) -> Result<Memory> {
    let relay = Relay::start(program, folder.path())?;
    let mut connections = JoinSet::new();
    for _ in 0..each {
        connect(&relay, spaces, &mut connections).await?;
    }
    // That spaces fall asleep takes longer than a smoke test may.
    let memory = if smoke { relay.memory()? } else { relay.memory_asleep().await? };
    report.add_memory(
        GROUP,
        &format!("{} connections to {} spaces", connections.len(), spaces.len()),
        memory,
    );
    let cpu = relay.cpu()?;
    tokio::time::sleep(STILL).await;
    report.add(GROUP, "  CPU", (relay.cpu()? - cpu) / STILL.as_secs_f64() * 100.0, "% of a core");
    if let Some(ended) = connections.try_join_next() {
        ended??;
    }
    Ok(memory)
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
            let mut authors: Vec<_> = (0..AUTHORS).map(|_| Author::new(&name)).collect();
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
            anyhow::Ok(Filled { name, log: link.theirs.log, head: link.relay_end, digest })
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
            let link = Link::open(relay, &space.name, &holding, Limits::PROTOCOL.credit_bytes).await?;
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
