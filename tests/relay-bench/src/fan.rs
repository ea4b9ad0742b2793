//! Fan-out: what one writer brings reaches everybody else, how much a second and how soon.

use std::cell::RefCell;
use std::iter;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use eyot_core::base::limits::Limits;
use tokio::task::JoinSet;

use crate::histogram::Histogram;
use crate::relay::{Folder, Relay, own_cpu};
use crate::replica::{Batch, Holding, Link, Pace};
use crate::report::{Aim, Report};
use crate::store::frames;

const GROUP: &str = "fan-out";
const GROUP_SLOW: &str = "one of 10 readers never reads";
const BATCH: usize = 100;
const IN_FLIGHT: usize = 8;
/// Beside the slow one.
const READERS: usize = 9;

pub async fn measure(program: &Path, smoke: bool, report: &mut Report) -> Result<()> {
    let folder = Folder::new("fan")?;
    let relay = Relay::start(program, folder.path())?;
    // So many subscribers, commits at once, and commits a second.
    let loads =
        if smoke { [(10, 1_000, 100), (100, 500, 50)] } else { [(10, 200_000, 1_000), (1_000, 10_000, 50)] };
    let seconds = if smoke { 1 } else { 5 };
    for (readers, commits, rate) in loads {
        let space = &format!("flood-{readers}");
        let flood = Run {
            space,
            readers,
            slow: 0,
            batch: BATCH,
            frames: frames(space, commits / BATCH, BATCH),
            rate: None,
        };
        let found = flood.on(&relay).await?;
        let commits_per_second = found.commits as f64 / found.seconds;
        report.add_aimed(
            GROUP,
            format!("{readers} subscribers, as fast as it goes"),
            commits_per_second * readers as f64,
            "deliveries/s",
            Aim::AtLeast(1e6),
        );
        report.add(GROUP, "  commits", commits_per_second, "/s");
        add(GROUP, &found, report);

        let space = &format!("paced-{readers}");
        let frames = frames(space, (rate * seconds) as usize, 1);
        let paced = Run { space, readers, slow: 0, batch: 1, frames, rate: Some(rate) };
        let found = paced.on(&relay).await?;
        let deliveries = found.commits as f64 / found.seconds * readers as f64;
        report.add(GROUP, format!("{readers} subscribers, {rate} commits/s"), deliveries, "deliveries/s");
        add(GROUP, &found, report);
    }
    Ok(())
}

pub async fn measure_slow_reader(program: &Path, smoke: bool, report: &mut Report) -> Result<()> {
    let folder = Folder::new("slow")?;
    let relay = Relay::start(program, folder.path())?;
    let (commits, rounds) = if smoke { (2_000, 1) } else { (200_000, 3) };
    // The first round fills caches and is not counted. Then by turns, so that what else the machine does hits both.
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        for (slow, found) in [(0, &mut without), (1, &mut with)] {
            let space = &format!("slow-{slow}-{round}");
            let frames = frames(space, commits / BATCH, BATCH);
            let run = Run { space, readers: READERS, slow, batch: BATCH, frames, rate: None };
            found.extend(Some(run.on(&relay).await?).filter(|_| round > 0));
        }
    }
    for (name, mut found) in [("nine that read", without), ("nine that read and one that does not", with)] {
        found.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let found = &found[found.len() / 2];
        let deliveries = found.commits as f64 * READERS as f64 / found.seconds;
        report.add(GROUP_SLOW, name, deliveries, "deliveries/s");
        add(GROUP_SLOW, found, report);
        report.add(GROUP_SLOW, "  the relay's memory grew by", found.grown_bytes / 1e6, "MB");
        report.add(GROUP_SLOW, "  while to each went", found.bytes as f64 / 1e6, "MB");
    }
    Ok(())
}

fn add(group: &'static str, found: &Found, report: &mut Report) {
    report.add_latency(group, "  received after", &found.latencies);
    report.add_cores(group, found.relay_cpu, found.own_cpu, found.seconds);
}

/// When each commit was sent, by its number in the relay's log: nobody else writes.
type SentAt = Rc<RefCell<Vec<Instant>>>;

struct Run<'a> {
    space: &'a str,
    readers: usize,
    slow: usize,
    batch: usize,
    frames: Vec<Batch>,
    /// Frames a second; none: as fast as it goes.
    rate: Option<u32>,
}

struct Found {
    commits: u64,
    /// Of the writer's frames.
    bytes: usize,
    grown_bytes: f64,
    seconds: f64,
    latencies: Histogram,
    relay_cpu: f64,
    own_cpu: f64,
}

impl Run<'_> {
    async fn on(self, relay: &Relay) -> Result<Found> {
        let commits = (self.frames.len() * self.batch) as u64;
        let bytes = self.frames.iter().map(Batch::len).sum();
        let mut slow = Vec::new();
        for _ in 0..self.slow {
            // It grants more than all there is, so it is not credit that holds the relay back.
            slow.push(Link::open(relay.address, self.space, &Holding::Nothing, u64::from(u32::MAX)).await?);
        }
        let sent_at = SentAt::default();
        let mut reading = subscribe(relay, self.space, self.readers, commits, &sent_at).await?;
        let mut writer = Link::open(relay.address, self.space, &Holding::Nothing, 0).await?;
        let resident = relay.memory()?.resident_bytes as f64;
        let (cpu, own) = (relay.cpu()?, own_cpu()?);
        let started = Instant::now();
        let pace = self.rate.map(|rate| Pace { from: started, gap: Duration::from_secs(1) / rate });
        let in_flight = if pace.is_some() { usize::MAX } else { IN_FLIGHT };
        let sending = writer.write(&self.frames, in_flight, pace, |at| {
            sent_at.borrow_mut().extend(iter::repeat_n(at, self.batch));
        });
        let receiving = async {
            let mut latencies = Histogram::default();
            while let Some(done) = reading.join_next().await {
                latencies.merge(&done??);
            }
            Ok(latencies)
        };
        let (_, latencies) = tokio::try_join!(sending, receiving)?;
        let seconds = started.elapsed().as_secs_f64();
        let (relay_cpu, own_cpu) = (relay.cpu()? - cpu, own_cpu()? - own);
        let grown_bytes = relay.memory()?.resident_bytes as f64 - resident;
        Ok(Found { commits, bytes, grown_bytes, seconds, latencies, relay_cpu, own_cpu })
    }
}

/// Subscribers of an empty space, each waiting for so many commits.
async fn subscribe(
    relay: &Relay,
    space: &str,
    subscribers: usize,
    commits: u64,
    sent_at: &SentAt,
) -> Result<JoinSet<Result<Histogram>>> {
    let mut reading = JoinSet::new();
    for _ in 0..subscribers {
        let mut link =
            Link::open(relay.address, space, &Holding::Nothing, Limits::PROTOCOL.credit_bytes).await?;
        let sent_at = sent_at.clone();
        reading.spawn_local(async move {
            let mut latencies = Histogram::default();
            link.read(commits, |last, count| {
                let now = Instant::now();
                let sent_at = sent_at.borrow();
                for at in &sent_at[(last - count) as usize..last as usize] {
                    latencies.record(now - *at);
                }
            })
            .await?;
            Ok(latencies)
        });
    }
    Ok(reading)
}
