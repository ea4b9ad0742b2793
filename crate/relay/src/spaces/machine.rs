//! A space that is loaded in memory: the core's relay, its storage, and what is counted of it.

use std::sync::Arc;
use std::time::Instant;

use eyot_core::base::id::RequestId;
use eyot_core::base::limits::Limits;
use eyot_core::base::time::Millis;
use eyot_core::holder::caps::RelayCounters;
use eyot_core::holder::io::Input;
use eyot_core::relay::relay::{Relay, RelayConfig};
use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use tracing::warn;

use super::context::{PendingWrite, SpaceContext};
use crate::base::{Config, MachineId};
use crate::metrics::Metrics;
use crate::storage::{SpaceRow, WriteOutcome};

/// The protocol's limits, but for how much is done before others have their turn: here these are all
/// spaces of a shard.
const LIMITS: Limits = Limits { turn_bytes: 512 * 1024, write_bytes_max: 1024 * 1024, ..Limits::PROTOCOL };

/// A core relay with the state that ends with it.
pub(super) struct Machine {
    pub(super) id: MachineId,
    pub(super) relay: Relay,
    /// When to check whether the space can be unloaded.
    pub(super) idle_check_at: Millis,
    row: SpaceRow,
    last_input_at: Millis,
    /// Length of the log when it was last counted. None before the log is loaded: what it held then
    /// was counted when it was stored.
    stored: Option<u64>,
    counted: RelayCounters,
    /// When frames with commits came in that no write was made for yet.
    received_at: Vec<Instant>,
    /// Writes that wait for the commit.
    pending_writes: usize,
}

impl Machine {
    /// Begins to load a space.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn load(space: &str, context: &mut SpaceContext) -> rusqlite::Result<Self> {
        let row = context.store.find(space)?;
        let id = *context.next_machine;
        context.next_machine.0 += 1;
        let config = &context.shard.config;
        Ok(Self {
            id,
            relay: Relay::new(relay_config(config, space), context.now),
            idle_check_at: context.now + idle_with_jitter(config),
            row,
            last_input_at: context.now,
            stored: None,
            counted: RelayCounters::default(),
            received_at: Vec::new(),
            pending_writes: 0,
        })
    }

    /// Gives the relay an input that counts as activity of the space.
    pub(super) fn handle(&mut self, input: Input, now: Millis) {
        self.last_input_at = now;
        self.relay.handle(input, now);
    }

    /// A frame that holds commits came in.
    pub(super) fn commits_received(&mut self, at: Instant) {
        self.received_at.push(at);
    }

    /// Answers a read at once, and a write after the commit.
    pub(super) fn storage(
        &mut self,
        space: &Arc<str>,
        request_id: RequestId,
        request: &StorageRequest,
        context: &mut SpaceContext,
    ) {
        let answer = match request {
            StorageRequest::Write(batch) => match context.store.write(&mut self.row, space, batch) {
                WriteOutcome::GuardFailed => StorageAnswer::GuardFailed,
                WriteOutcome::Damaged(reason) => StorageAnswer::Failed(reason),
                WriteOutcome::Pending => {
                    context.shard.metrics.writes.inc();
                    self.pending_writes += 1;
                    if !context.shard.config.peers.is_empty() {
                        context.store.mark_unsettled(&mut self.row, true);
                    }
                    context.writes.push(PendingWrite {
                        space: space.clone(),
                        machine: self.id,
                        request: request_id,
                        received_at: std::mem::take(&mut self.received_at),
                    });
                    return;
                }
            },
            read => context.store.read(self.row, read),
        };
        self.relay.handle(Input::Storage(request_id, answer), context.now);
    }

    /// A write of this machine was committed, or has failed.
    pub(super) fn write_ended(&mut self) {
        self.pending_writes -= 1;
    }

    /// Adds what the relay has done since the last call to the metrics.
    pub(super) fn count(&mut self, metrics: &Metrics) {
        let (stored, counters) = (self.relay.stored(), self.relay.counters());
        metrics.commits_in.inc_by(stored.saturating_sub(self.stored.unwrap_or(stored)));
        metrics.commits_out.inc_by(counters.commits_out - self.counted.commits_out);
        metrics.forks.inc_by(counters.forks - self.counted.forks);
        (self.stored, self.counted) = (Some(stored), counters);
        if self.pending_writes == 0 {
            // No write came of these frames: their commits were already stored.
            self.received_at = Vec::new();
        }
    }

    /// Whether the space can be unloaded. If not, sets the time of the next check.
    pub(super) fn check_idle(&mut self, config: &Config, now: Millis) -> bool {
        let is_quiet = self.last_input_at + config.idle_millis <= now;
        let is_idle = is_quiet && self.relay.is_idle();
        if !is_idle {
            let since = if is_quiet { now } else { self.last_input_at };
            self.idle_check_at = since + idle_with_jitter(config);
        }
        is_idle
    }

    /// Records whether another region may lack commits of this space: then the space is loaded again
    /// when the process starts, without waiting for a connection.
    pub(super) fn save_unsettled(&mut self, context: &mut SpaceContext) {
        if self.relay.regions().iter().all(|region| region.behind == 0) {
            context.store.mark_unsettled(&mut self.row, false);
        }
    }
}

fn relay_config(config: &Config, space: &str) -> RelayConfig {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the operating system has random bytes");
    RelayConfig {
        space: space.to_owned(),
        region: config.region.clone(),
        peers: config.peers.clone(),
        token: peer_token(config),
        caps: config.caps,
        limits: LIMITS,
        seed,
    }
}

/// Reads the token for peers. It is read for each machine, so that it can be replaced without a
/// restart.
fn peer_token(config: &Config) -> Option<String> {
    let file = config.peer_token_file.as_ref()?;
    match std::fs::read_to_string(file) {
        Ok(token) => Some(token.trim().to_owned()),
        Err(error) => {
            warn!(file = %file.display(), %error, "the token for other relays can't be read");
            None
        }
    }
}

/// The idle time plus up to a half of it, chosen at random: spaces that were loaded together are then
/// not unloaded together.
fn idle_with_jitter(config: &Config) -> Millis {
    config.idle_millis + getrandom::u64().unwrap_or_default() % (config.idle_millis / 2 + 1)
}
