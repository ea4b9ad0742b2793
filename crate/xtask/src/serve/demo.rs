//! The demo: three regions on this machine, as far from each other as on the globe, and the pages.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::control;
use super::regions::{REGIONS, Regions, regions};
use super::service::{Service, listen};
use crate::base::run::{npm_script, program, run, say};
use crate::base::workspace;
use crate::build::{native, package};

const PAGE_PORT: u16 = 7700;
const CONTROL_PORT: u16 = 7704;

/// The pages as a folder for any web host, without relays of their own.
pub fn build() -> Result<PathBuf> {
    package::build()?;
    say("building the demo");
    run(npm_script("build", "demo").env_remove("VITE_RELAYS").env_remove("VITE_CONTROL"))?;
    Ok(workspace::root().join("demo/dist"))
}

/// Three relays and the pages, until a signal comes or the pages' server ends. A region may end and come back.
pub fn serve(data: &Path) -> Result<()> {
    package::build()?;
    let relay = native::relay()?;

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
    let mut regions = regions(&relay, data, ports)?;

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
    vite.args(["--strictPort", "--port", &page_port.to_string()]).current_dir(workspace::root().join("demo"));
    let mut page = Service::start(&mut vite)?;
    page.await_port(page_port)?;

    println!("\n  map   {page_url}/map.html   three replicas on a map: cut them off, kill a region, wipe it");
    println!("  demo  {page_url}            the application: open it in two windows");
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
