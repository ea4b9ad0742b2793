//! What all shards and connections share: what was said on the command line, and the way to each
//! other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eyot_core::{Caps, Millis, RelayConfig, RelayPeer};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::access::AccessPolicy;
use crate::dial;
use crate::event::{LinkRef, Shards};
use crate::metrics::Metrics;
use crate::outbox::Outbox;

/// See the module.
#[derive(Debug)]
pub struct Setup {
    /// Where this relay is.
    pub region: String,
    /// The relays of the other regions.
    pub peers: Vec<RelayPeer>,
    /// Holds what lets this relay in there.
    pub peer_token: Option<PathBuf>,
    /// What is taken from others.
    pub caps: Caps,
    /// Who may come in.
    pub admission: AccessPolicy,
    /// How long nothing happens before a relay is put to sleep.
    pub idle: Millis,
    /// By which what goes out to a region is held back.
    pub delays: BTreeMap<String, Duration>,
    /// What is counted.
    pub metrics: Metrics,
    /// The way to each space.
    pub shards: Shards,
    /// Where connections run.
    pub runtime: Handle,
    /// The connections there are.
    pub connections: TaskTracker,
}

impl Setup {
    /// For a new machine.
    pub fn relay_config(&self, space: &str) -> RelayConfig {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system has random bytes");
        RelayConfig {
            space: space.to_owned(),
            region: self.region.clone(),
            peers: self.peers.clone(),
            token: self.read_peer_token(),
            caps: self.caps,
            seed,
        }
    }

    /// Read each time, so that a fresh token takes no restart.
    fn read_peer_token(&self) -> Option<String> {
        let file = self.peer_token.as_ref()?;
        match std::fs::read_to_string(file) {
            Ok(token) => Some(token.trim().to_owned()),
            Err(error) => {
                warn!(file = %file.display(), %error, "the token for other relays can't be read");
                None
            }
        }
    }

    /// Opens a link to a relay of another region.
    pub fn dial(self: &Arc<Self>, space: Arc<str>, link: LinkRef, url: String, outbox: Arc<Outbox>) {
        let connection = dial::run(self.clone(), space, link, url, outbox);
        self.connections.spawn_on(connection, &self.runtime);
    }

    /// How long what goes out to that region is held back.
    pub fn delay_to(&self, region: &str) -> Option<Duration> {
        self.delays.get(region).copied()
    }

    /// The same and up to a half more, so that those that woke together do not sleep together.
    pub fn idle_about(&self) -> Millis {
        self.idle + getrandom::u64().unwrap_or_default() % (self.idle / 2 + 1)
    }
}
