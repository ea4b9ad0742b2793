//! The demo's regions: native relays that can be killed, started again and wiped.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use super::distance;
use super::service::{Service, listen};
use crate::base::run::program;

/// By name, with the port each wants to listen at.
pub const REGIONS: [(&str, u16); 3] = [("eu", 7701), ("us", 7702), ("ap", 7703)];
/// How long what one region sends takes to the other: Frankfurt, Virginia and Singapore, over the cables there are.
const DELAYS_MS: [(&str, &str, u32); 3] = [("eu", "us", 45), ("us", "ap", 110), ("eu", "ap", 80)];
/// How long what somebody sends takes to a relay in the same region.
const NEAR_MS: u32 = 5;

/// All of the demo's regions. Once they have ended there are none.
pub struct Regions(pub Mutex<Vec<Region>>);

impl Regions {
    pub fn lock(&self) -> MutexGuard<'_, Vec<Region>> {
        // A region is up or down, whatever happened to the thread that last changed it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The threads of the control hold this too, and nothing waits for them: dropping it would not do.
    pub fn end(&self) {
        self.lock().clear();
    }

    #[cfg(test)]
    pub fn none() -> Self {
        Self(Mutex::default())
    }
}

/// One region: a relay that can be killed and started again, at the same address and with the same data.
pub struct Region {
    pub name: &'static str,
    pub url: String,
    /// Its addresses for who is in each region: what is sent there takes as long as from that place.
    pub ways: Vec<(&'static str, String)>,
    data: PathBuf,
    command: Command,
    relay: Option<Service>,
}

impl Region {
    pub fn is_up(&mut self) -> bool {
        self.relay.as_mut().is_some_and(|relay| relay.is_running().is_ok())
    }

    pub fn kill(&mut self) {
        if let Some(relay) = self.relay.take() {
            relay.kill();
        }
    }

    /// Deletes all that it has stored. A region that is up is killed for that, and starts again with nothing.
    pub fn wipe(&mut self) -> Result<()> {
        let was_up = self.is_up();
        self.kill();
        match fs::remove_dir_all(&self.data) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("deleting {}", self.data.display()));
            }
            _ => {}
        }
        if was_up { self.revive() } else { Ok(()) }
    }

    /// Returns once it serves. What it missed the others tell it.
    pub fn revive(&mut self) -> Result<()> {
        if self.is_up() {
            return Ok(());
        }
        self.relay = None;
        let mut relay = Service::start(&mut self.command)?;
        relay.await_line("ready").with_context(|| format!("starting {}", self.name))?;
        self.relay = Some(relay);
        Ok(())
    }
}

/// The regions at these ports, not started yet.
pub fn regions(relay: &Path, data: &Path, ports: [u16; REGIONS.len()]) -> Result<Vec<Region>> {
    let url = |port| format!("ws://127.0.0.1:{port}");
    let named = REGIONS.map(|(name, _)| name).into_iter().zip(ports);
    let region = |(name, port): (&'static str, u16)| -> Result<Region> {
        let mut command = program(relay, &["serve", "--region", name, "--auth", "open", "--log", "text"]);
        command.arg(format!("--listen=127.0.0.1:{port}")).arg("--data").arg(data.join(name));
        for (peer, port) in named.clone().filter(|(peer, _)| *peer != name) {
            command.arg(format!("--peer={peer}={}", url(port)));
            command.arg(format!("--simulate-delay={peer}={}", delay_ms(name, peer)));
        }
        let ways =
            REGIONS.map(|(from, _)| Ok((from, way(from, name, port)?))).into_iter().collect::<Result<_>>()?;
        Ok(Region { name, url: url(port), ways, data: data.join(name), command, relay: None })
    };
    named.clone().map(region).collect()
}

/// The address at which somebody in one region finds the relay of a region.
fn way(from: &str, to: &str, port: u16) -> Result<String> {
    let over_sea = if from == to { 0 } else { delay_ms(from, to) };
    let listener = listen(0)?;
    let address = listener.local_addr()?;
    distance::put_between(listener, port, Duration::from_millis((NEAR_MS + over_sea).into()));
    Ok(format!("ws://{address}"))
}

fn delay_ms(one: &str, other: &str) -> u32 {
    let found = DELAYS_MS.iter().find(|(a, b, _)| [*a, *b] == [one, other] || [*b, *a] == [one, other]);
    found.expect("each two regions are some way apart").2
}
