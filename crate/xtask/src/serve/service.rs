//! Programs that are started and ended by this one, and the ports they listen at.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::base::run::line;

const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(5);

/// Listens at the wanted port, or at any where that is taken.
pub fn listen(wanted: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, wanted))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .context("no port is free")
}

/// A program with all that it starts: a process group of its own, which ends with this value.
pub struct Service {
    child: Child,
    line: String,
}

impl Service {
    pub fn start(command: &mut Command) -> Result<Self> {
        let line = line(command);
        let child = command
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("can't start `{line}`"))?;
        Ok(Self { child, line })
    }

    /// Waits until it prints a line that begins so; what it prints afterwards is passed on.
    pub fn await_line(&mut self, start: &str) -> Result<()> {
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
    pub fn await_port(&mut self, port: u16) -> Result<()> {
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

    pub fn is_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("`{}` ended: {status}", self.line),
        }
    }

    /// Ends it as a crash would, and waits until it is gone.
    pub fn kill(mut self) {
        // An error says that the whole group is gone already.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
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
