//! The relay that is attacked: one that was started for it, or any that listens on this machine.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use crate::relay::{Folder, Observed, Relay};

const SECRET: &str = "known to this bench and to the relay it starts";
/// Spaces without anything to do are soon unloaded, so that it shows whether memory comes back.
const IDLE_MILLIS: &str = "1000";

/// Which relay.
#[derive(Clone, Debug)]
pub enum Choice {
    /// A process of this program, for each attack a new one.
    Native(PathBuf),
    /// The Worker on `workerd`, started by this script (`worker/serve.mjs`), for each attack a new one.
    Worker(PathBuf),
    Running(Running),
}

/// What a relay may have resident.
#[derive(Clone, Copy, Debug)]
pub struct MemoryBound {
    /// While it is attacked.
    pub most: u64,
    /// Some seconds afterwards, above what it had before.
    pub kept: u64,
}

impl Choice {
    pub fn memory_bound(&self) -> MemoryBound {
        match self {
            Self::Native(_) | Self::Running(_) => MemoryBound { most: 384_000_000, kept: 96_000_000 },
            // The memory of a Wasm instance never shrinks, and all objects of one thread share one. What JavaScript
            // has allocated comes back when garbage is collected, which an idle workerd does not do.
            Self::Worker(_) => MemoryBound { most: 448_000_000, kept: 384_000_000 },
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Native(_) => "the native relay",
            Self::Worker(_) => "the Worker on workerd",
            Self::Running(_) => "a running relay",
        }
    }
}

/// A relay that runs already, on this machine.
#[derive(Clone, Debug)]
pub struct Running {
    pub url: String,
    pub process: u32,
    /// Lets its bearer write to every space; none: nobody is asked for one.
    pub token: Option<String>,
    /// Lets its bearer read every space.
    pub read_token: Option<String>,
}

/// Where an attack goes to.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: SocketAddr,
    /// What its paths begin with.
    pub prefix: String,
    pub process: Observed,
    pub writer: Option<String>,
    pub reader: Option<String>,
    pub pulse: Option<String>,
}

/// A relay with its folder, as long as it is needed.
pub struct Host {
    pub target: Target,
    // Ended before its folder goes.
    relay: Option<Relay>,
    _folder: Option<Folder>,
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may still be at what the attackers have asked for.
        if let Some(relay) = &mut self.relay {
            relay.kill();
        }
    }
}

impl Host {
    pub fn new(choice: &Choice, attack: &str) -> Result<Self> {
        match choice {
            Choice::Native(program) => Self::start(attack, |secret, data| {
                // One shard: what holds up one space of it holds up all.
                let flags = ["--jwt-secret", secret, "--shards", "1", "--idle-ms", IDLE_MILLIS];
                Relay::start_with(program, data, flags)
            }),
            Choice::Worker(script) => Self::start(attack, |secret, data| {
                Relay::start_worker(script, data, ["--jwt-secret", secret])
            }),
            Choice::Running(running) => {
                let target = running.target()?;
                Ok(Self { target, relay: None, _folder: None })
            }
        }
    }

    fn start(attack: &str, start: impl FnOnce(&str, &Path) -> Result<Relay>) -> Result<Self> {
        let folder = Folder::new(&format!("hostile-{attack}"))?;
        let secret = folder.path().join("secret");
        fs::write(&secret, SECRET)?;
        let data = folder.path().join("data");
        let secret = secret.to_str().context("the system's folder has a strange name")?;
        let relay = start(secret, &data)?;
        let target = Target {
            address: relay.address,
            prefix: String::new(),
            process: relay.observed(),
            writer: Some(token("eve", "write")?),
            reader: Some(token("mallory", "read")?),
            pulse: Some(token("ada", "write")?),
        };
        Ok(Self { target, relay: Some(relay), _folder: Some(folder) })
    }
}

impl Running {
    fn target(&self) -> Result<Target> {
        let rest = self.url.strip_prefix("ws://").context("a relay's address begins with ws://")?;
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address: SocketAddr = address.parse().context("an address is IP:PORT")?;
        ensure!(address.ip().is_loopback(), "only relays on this machine are attacked");
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Target {
            address,
            prefix,
            process: Observed(self.process),
            writer: self.token.clone(),
            reader: self.read_token.clone().or_else(|| self.token.clone()),
            pulse: self.token.clone(),
        })
    }
}

fn token(subject: &str, right: &str) -> Result<String> {
    let now = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
    let claims = json!({ "sub": subject, "exp": now + 3_600, "spaces": { "*": right } });
    Ok(encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes()))?)
}
