//! The demo: three regions on this machine, as far from each other as on the globe, and the page.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::run::{npm_script, program, run, say};
use crate::serve::{Service, listen};
use crate::{bench, control, stages};

const PAGE_PORT: u16 = 7700;
const REGIONS: [(&str, u16); 3] = [("eu", 7701), ("us", 7702), ("ap", 7703)];
const CONTROL_PORT: u16 = 7704;
/// How long what one region sends takes to the other.
const DELAYS_MS: [(&str, &str, u32); 3] = [("eu", "us", 40), ("us", "ap", 80), ("eu", "ap", 120)];

/// Three relays and the page, until a signal comes or the page's server ends. A region may end and come back.
pub fn serve(data: &Path) -> Result<()> {
    stages::package()?;
    let relay = bench::relay_program()?;

    // All ports are held until all are chosen, so that none is chosen twice.
    let listeners = REGIONS.map(|(_, port)| listen(port));
    let (page_listener, control_listener) = (listen(PAGE_PORT)?, listen(CONTROL_PORT)?);
    let mut ports = [0; REGIONS.len()];
    for (port, listener) in ports.iter_mut().zip(listeners) {
        *port = listener?.local_addr()?.port();
    }
    let page_port = page_listener.local_addr()?.port();
    drop(page_listener);
    let page_url = format!("http://127.0.0.1:{page_port}");
    let control_url = format!("http://{}", control_listener.local_addr()?);
    let mut regions = regions(&relay, data, ports);

    say("building the demo");
    let urls: Vec<_> = regions.iter().map(|region| region.url.as_str()).collect();
    let mut build = npm_script("build", "demo");
    run(build.env("VITE_RELAYS", urls.join(",")).env("VITE_CONTROL", control_url))?;

    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD])?;
    say(format!("starting the regions, their data is in {}", data.display()));
    for region in &mut regions {
        region.revive()?;
    }
    let mut vite = program("node", &["../node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1"]);
    vite.args(["--strictPort", "--port", &page_port.to_string()])
        .current_dir(crate::workspace::root().join("demo"));
    let mut page = Service::start(&mut vite)?;
    page.await_port(page_port)?;

    println!("\n  demo  {page_url}   open it in two windows");
    for region in &regions {
        println!("  {:<4}  {}", region.name, region.url);
    }
    println!("  Ctrl-C stops all\n");

    let regions = Arc::new(Regions(Mutex::new(regions)));
    control::serve(control_listener, page_url, Arc::clone(&regions));
    let ended = until_stopped(&mut signals, &mut page);
    regions.end();
    ended
}

fn until_stopped(signals: &mut Signals, page: &mut Service) -> Result<()> {
    for signal in signals.forever() {
        if signal != SIGCHLD {
            say("stopping");
            break;
        }
        page.is_running()?;
    }
    Ok(())
}

/// All of the demo's regions. Once they have ended there are none.
pub struct Regions(Mutex<Vec<Region>>);

impl Regions {
    pub fn lock(&self) -> MutexGuard<'_, Vec<Region>> {
        // A region is up or down, whatever happened to the thread that last changed it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The threads of the control hold this too, and nothing waits for them: dropping it would not do.
    fn end(&self) {
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

fn regions(relay: &Path, data: &Path, ports: [u16; REGIONS.len()]) -> Vec<Region> {
    let url = |port| format!("ws://127.0.0.1:{port}");
    let named = REGIONS.map(|(name, _)| name).into_iter().zip(ports);
    let region = |(name, port): (&'static str, u16)| {
        let mut command = program(relay, &["serve", "--region", name, "--auth", "open", "--log", "text"]);
        command.arg(format!("--listen=127.0.0.1:{port}")).arg("--data").arg(data.join(name));
        for (peer, port) in named.clone().filter(|(peer, _)| *peer != name) {
            command.arg(format!("--peer={peer}={}", url(port)));
            command.arg(format!("--simulate-delay={peer}={}", delay_ms(name, peer)));
        }
        Region { name, url: url(port), command, relay: None }
    };
    named.clone().map(region).collect()
}

fn delay_ms(one: &str, other: &str) -> u32 {
    let found = DELAYS_MS.iter().find(|(a, b, _)| [*a, *b] == [one, other] || [*b, *a] == [one, other]);
    found.expect("each two regions are some way apart").2
}
