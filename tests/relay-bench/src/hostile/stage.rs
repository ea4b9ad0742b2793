//! What an attack stands on: the relay, a space with a history, and the time it has.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::wire::frame::Frame;
use futures_util::future::join_all;

use super::attacker::{Attacker, Greeting};
use super::pulse::{Felt, Pulse};
use super::target::Target;
use crate::relay::Memory;
use crate::replica::{Batch, Batches, unique};

/// After a link was refused, so that it is the relay that is measured and not the machine's loopback device.
const AGAIN: Duration = Duration::from_millis(20);
const SAMPLE: Duration = Duration::from_millis(25);
/// A frame of commits has about so many bytes.
const FRAME_BYTES: usize = 200_000;
/// Above what there was before.
const BACK_BYTES: u64 = 16_000_000;

pub struct Stage {
    pub target: Target,
    /// The space that is attacked.
    pub space: String,
    /// How long the attack lasts.
    pub time: Duration,
    /// How long memory may take to come back.
    pub afterwards: Duration,
    /// How much of everything: 1 for the whole, less for a short form.
    pub scale: f64,
    ends: RefCell<BTreeMap<String, u64>>,
    found: Cell<Option<Found>>,
}

/// What was found while an attack went on.
pub struct Found {
    pub felt: Felt,
    pub seconds: f64,
    pub relay_cpu: f64,
    pub before: Memory,
    pub most: Memory,
    pub afterwards: Memory,
}

impl Stage {
    pub fn new(target: Target, time: Duration, afterwards: Duration, scale: f64) -> Self {
        let space = format!("attacked-{:x}", u128::from_le_bytes(unique()));
        Self { target, space, time, afterwards, scale, ends: RefCell::default(), found: Cell::new(None) }
    }

    pub fn found(&self) -> Option<Found> {
        self.found.take()
    }

    /// How the relay ended links of attackers, and how often.
    pub fn ends(&self) -> BTreeMap<String, u64> {
        self.ends.borrow().clone()
    }

    /// So many in the whole form.
    pub fn count(&self, whole: usize) -> usize {
        ((whole as f64 * self.scale) as usize).max(1)
    }

    /// Attacks for as long as the stage has, beside the honest writer.
    pub async fn assault(&self, attack: impl Future<Output = ()>) -> Result<()> {
        let pulse = Pulse::start(&self.target);
        pulse.is_up().await?;
        let process = self.target.process;
        let (before, cpu, started) = (process.memory()?, process.cpu()?, Instant::now());
        let most = Cell::new(before);
        let sample = || {
            if let Ok(memory) = process.memory() {
                let Memory { resident_bytes, proportional_bytes, private_dirty_bytes } = most.get();
                most.set(Memory {
                    resident_bytes: resident_bytes.max(memory.resident_bytes),
                    proportional_bytes: proportional_bytes.max(memory.proportional_bytes),
                    private_dirty_bytes: private_dirty_bytes.max(memory.private_dirty_bytes),
                });
            }
        };
        pulse.count();
        let sampling = async {
            loop {
                tokio::time::sleep(SAMPLE).await;
                sample();
            }
        };
        let end = tokio::time::Instant::now() + self.time;
        // What the attack holds, its connections for example, is dropped with it.
        let attack = async {
            attack.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = attack => {}
            () = sampling => {}
            () = tokio::time::sleep_until(end) => {}
        }
        sample();
        let felt = pulse.end();
        sample();
        let (relay_cpu, seconds) = (process.cpu()? - cpu, started.elapsed().as_secs_f64());
        let afterwards = self.afterwards(before).await?;
        self.found.set(Some(Found { felt, seconds, relay_cpu, before, most: most.get(), afterwards }));
        Ok(())
    }

    /// The least memory for a while after the attack.
    async fn afterwards(&self, before: Memory) -> Result<Memory> {
        let process = self.target.process;
        let (since, mut least) = (Instant::now(), process.memory()?);
        while since.elapsed() < self.afterwards && least.resident_bytes > before.resident_bytes + BACK_BYTES {
            tokio::time::sleep(SAMPLE * 4).await;
            let memory = process.memory()?;
            if memory.resident_bytes < least.resident_bytes {
                least = memory;
            }
        }
        Ok(least)
    }

    /// So many attackers at once, each of which begins again whenever it is stopped.
    pub async fn crowd<F: Future<Output = Result<()>>>(&self, count: usize, attacker: impl Fn(usize) -> F) {
        join_all((0..count).map(|number| self.again(number, &attacker))).await;
    }

    async fn again<F: Future<Output = Result<()>>>(&self, number: usize, attacker: &impl Fn(usize) -> F) {
        loop {
            if let Err(error) = attacker(number).await {
                self.note(&format!("{error:#}"));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn note(&self, end: &str) {
        let end = end.strip_prefix("the relay closed the link: ").unwrap_or(end);
        *self.ends.borrow_mut().entry(end.to_owned()).or_default() += 1;
    }

    pub async fn reader(&self, credit: u64) -> Result<Attacker> {
        let greeting = Greeting { token: self.target.reader.clone(), credit, ..Greeting::default() };
        Attacker::open(&self.target, &self.space, greeting).await
    }

    /// A reader that says it holds something, so that the relay waits to be told what.
    pub async fn reader_with_vector(&self, credit: u64) -> Result<Attacker> {
        let token = self.target.reader.clone();
        let greeting = Greeting { token, credit, has_vector: true, ..Greeting::default() };
        Attacker::open(&self.target, &self.space, greeting).await
    }

    pub async fn writer(&self) -> Result<Attacker> {
        let greeting = Greeting { token: self.target.writer.clone(), ..Greeting::default() };
        Attacker::open(&self.target, &self.space, greeting).await
    }

    /// The attacked space is given a history, by several links because each has a pace.
    pub async fn fill(&self, histories: Vec<Vec<Commit>>) -> Result<()> {
        let filling = histories.into_iter().map(|commits| async {
            let mut link = self.writer().await?;
            bring(&mut link, &batches(commits)).await
        });
        for filled in join_all(filling).await {
            filled?;
        }
        Ok(())
    }
}

/// Commits as frames.
pub fn batches(commits: Vec<Commit>) -> Vec<Batch> {
    let (mut batches, mut made, mut some, mut bytes) = (Batches::new(), Vec::new(), Vec::new(), 0);
    for commit in commits {
        bytes += commit.size();
        if bytes > FRAME_BYTES && !some.is_empty() {
            made.push(batches.next(std::mem::take(&mut some).into_iter()));
            bytes = commit.size();
        }
        some.push(commit);
    }
    if !some.is_empty() {
        made.push(batches.next(some.into_iter()));
    }
    made
}

/// Sends all of these and waits until they are stored.
pub async fn bring(link: &mut Attacker, batches: &[Batch]) -> Result<()> {
    let Some(end) = batches.last().map(|batch| batch.to.seq) else { return Ok(()) };
    let mut stored = 0;
    for batch in batches {
        while link.credit <= 0 {
            stored = stored.max(acknowledged(link).await?);
        }
        link.credit -= batch.credit;
        link.sender.send(&batch.bytes).await?;
    }
    while stored < end {
        stored = stored.max(acknowledged(link).await?);
    }
    Ok(())
}

async fn acknowledged(link: &mut Attacker) -> Result<u64> {
    Ok(match link.next().await? {
        Frame::Ack(ack) => ack.read,
        _ => 0,
    })
}

/// The most that a reader may grant and that is counted.
pub const CREDIT_MAX: u64 = 64 * Limits::PROTOCOL.credit_bytes;
