//! Programs that serve until they are told to stop: relays on workerd and the demo's page.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::run::{line, npm_script, program, run, say};
use crate::stages;

const DEMO_RELAY_PORT: u16 = 7701;
const DEMO_PAGE_PORT: u16 = 7700;
const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(5);

pub struct Relay {
    pub region: String,
    pub port: u16,
    pub data: PathBuf,
}

impl Relay {
    fn command(&self) -> Command {
        let mut command = program("node", &["worker/serve.mjs", "--region", &self.region]);
        command.args(["--port", &self.port.to_string()]).arg("--data").arg(&self.data);
        command
    }
}

/// One relay, in the foreground: this process becomes it.
pub fn relay(relay: &Relay) -> Result<()> {
    stages::package()?;
    let mut command = relay.command();
    let error = command.exec();
    Err(error).with_context(|| format!("can't start `{}`", line(&command)))
}

/// A relay and the demo's page, until a signal comes or one of them ends.
pub fn demo() -> Result<()> {
    let relay = Relay { region: "eu".into(), port: free_port(DEMO_RELAY_PORT)?, data: ".eyot/eu".into() };
    let page_port = free_port(DEMO_PAGE_PORT)?;
    let relay_url = format!("ws://127.0.0.1:{}", relay.port);

    stages::package()?;
    say("building the demo");
    run(npm_script("build", "demo").env("VITE_RELAYS", &relay_url))?;

    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD])?;
    say(format!("starting the relay, its data is in {}", relay.data.display()));
    let mut relay = Service::start(relay.command())?;
    relay.await_line("ready")?;
    let mut vite = program("node", &["../node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1"]);
    vite.args(["--strictPort", "--port", &page_port.to_string()])
        .current_dir(crate::workspace::root().join("demo"));
    let mut page = Service::start(vite)?;
    page.await_port(page_port)?;

    println!(
        "\n  demo   http://127.0.0.1:{page_port}   open it in two windows\n  relay  {relay_url}\n  Ctrl-C stops both\n"
    );
    for signal in signals.forever() {
        if signal != SIGCHLD {
            say("stopping");
            return Ok(());
        }
        relay.is_running()?;
        page.is_running()?;
    }
    Ok(())
}

/// The wanted port, or any where that is taken.
fn free_port(wanted: u16) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

/// A program with all that it starts: a process group of its own, which ends with this value.
struct Service {
    child: Child,
    line: String,
}

impl Service {
    fn start(mut command: Command) -> Result<Self> {
        let line = line(&command);
        let child = command
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("can't start `{line}`"))?;
        Ok(Self { child, line })
    }

    /// Waits until it prints a line that begins so; what it prints afterwards is passed on.
    fn await_line(&mut self, start: &str) -> Result<()> {
        let mut lines = BufReader::new(self.child.stdout.take().expect("standard output is piped")).lines();
        while let Some(line) = lines.next() {
            if line?.starts_with(start) {
                thread::spawn(move || lines.map_while(Result::ok).for_each(|line| println!("{line}")));
                return Ok(());
            }
        }
        bail!("`{}` ended before it was ready", self.line)
    }

    /// Waits until something listens there.
    fn await_port(&mut self, port: u16) -> Result<()> {
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            self.is_running()?;
            if started.elapsed() > START_MAX {
                bail!("`{}` does not listen on port {port}", self.line);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn is_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("`{}` ended: {status}", self.line),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        // An error says that the whole group is gone already.
        let _ = kill_process_group(group, Signal::TERM);
        let started = Instant::now();
        while started.elapsed() < STOP_MAX && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}
