//! An honest writer in another space of the same shard: one small commit after another, at even distances.
//!
//! In a thread of its own, so that what the attackers do in this process holds it up as little as can be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use eyot_core::base::limits::{COMMIT_COST_BYTES, Limits};
use eyot_core::wire::frame::Frame;

use super::attacker::{Attacker, Greeting};
use super::target::Target;
use crate::histogram::Histogram;
use crate::replica::{Author, Batches, unique};

const GAP: Duration = Duration::from_millis(10);
/// A commit that took longer than this was not acknowledged.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

pub struct Pulse {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    counted_since: Mutex<Option<Instant>>,
    is_over: AtomicBool,
    acknowledged: AtomicU64,
    failures: Mutex<Vec<String>>,
    latencies: Mutex<Histogram>,
}

/// What the honest writer saw while it was counted.
pub struct Felt {
    pub latencies: Histogram,
    /// Why its links ended, where they did.
    pub failures: Vec<String>,
}

impl Pulse {
    pub fn start(target: &Target) -> Self {
        let (shared, target) = (Arc::new(Shared::default()), target.clone());
        let mine = shared.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a thread can have timers and sockets");
            runtime.block_on(beat(&target, &mine));
        });
        Self { shared, thread }
    }

    /// Waits for the first acknowledgements.
    pub async fn is_up(&self) -> Result<()> {
        let since = Instant::now();
        while self.shared.acknowledged.load(Ordering::Relaxed) < 3 {
            if since.elapsed() > PATIENCE {
                bail!("the honest writer is not served: {:?}", self.shared.failures());
            }
            tokio::time::sleep(PAUSE / 5).await;
        }
        Ok(())
    }

    pub fn count(&self) {
        *self.shared.counted_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Waits for the commit that is under way: how long it takes is what is to be known.
    pub fn end(self) -> Felt {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("the honest writer does not panic");
        let latencies = self.shared.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Felt { latencies, failures: self.shared.failures() }
    }
}

impl Shared {
    /// What was under way then counts from then on.
    fn counted_since(&self) -> Option<Instant> {
        *self.counted_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn beat(target: &Target, shared: &Shared) {
    while !shared.is_over.load(Ordering::Relaxed) {
        if let Err(error) = link(target, shared).await {
            shared.failures.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{error:#}"));
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn link(target: &Target, shared: &Shared) -> Result<()> {
    let space = format!("pulse-{:x}", u128::from_le_bytes(unique()));
    let greeting = Greeting { token: target.pulse.clone(), ..Greeting::default() };
    let mut link = Attacker::open(target, &space, greeting).await?;
    let (mut author, mut batches) = (Author::new(&space), Batches::new());
    let mut due = Instant::now();
    while !shared.is_over.load(Ordering::Relaxed) {
        tokio::time::sleep_until(due.into()).await;
        // From when it was due: a pause would hide itself otherwise.
        let from = due;
        due += GAP;
        let batch = batches.next([author.commit(None)].into_iter());
        link.spend(batch.len() + COMMIT_COST_BYTES).await?;
        link.sender.send(&batch.bytes).await?;
        let seq = batch.to.seq;
        let acknowledged = async {
            loop {
                match Frame::decode(link.receiver.receive().await?, &Limits::PROTOCOL)? {
                    Frame::Ack(ack) if ack.read >= seq => return Ok(()),
                    Frame::Credit(bytes) => link.credit += bytes as i64,
                    Frame::Bye(bye) => bail!("{} {}", bye.code, bye.reason),
                    _ => {}
                }
            }
        };
        let done = tokio::time::timeout_at((from + PATIENCE).into(), acknowledged).await;
        if let Some(since) = shared.counted_since() {
            let mut latencies = shared.latencies.lock().unwrap_or_else(PoisonError::into_inner);
            latencies.record(from.max(since).elapsed());
        }
        done.map_err(|_| anyhow::anyhow!("no acknowledgement for {} s", PATIENCE.as_secs()))??;
        shared.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
