//! The relay's settings that do not change while it runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use eyot_core::base::time::Millis;
use eyot_core::holder::caps::Caps;
use eyot_core::relay::region::RelayPeer;

/// Settings of this relay, as the command line gives them.
#[derive(Debug)]
pub struct Config {
    /// Region of this relay.
    pub region: String,
    /// Relays of the other regions.
    pub peers: Vec<RelayPeer>,
    /// File with the token that this relay sends to its peers.
    pub peer_token_file: Option<PathBuf>,
    /// Limits that the core enforces.
    pub caps: Caps,
    /// Time without activity after which a space is unloaded from memory.
    pub idle_millis: Millis,
    /// Artificial delay of everything sent to a region, for tests and demos.
    pub delays: BTreeMap<String, Duration>,
}

impl Config {
    /// Artificial delay of what is sent to this region.
    pub fn delay_to(&self, region: &str) -> Option<Duration> {
        self.delays.get(region).copied()
    }

    /// The peer with this URL.
    pub fn peer_at(&self, url: &str) -> Option<&RelayPeer> {
        self.peers.iter().find(|peer| peer.url == url)
    }
}
