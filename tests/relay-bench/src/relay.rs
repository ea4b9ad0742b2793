//! The relay under measurement: a process of its own, seen through /proc.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::socket;

const TICKS_PER_SECOND: f64 = 100.0;
const POLL: Duration = Duration::from_millis(250);
const CALM: Duration = Duration::from_secs(3);
const SLEEP_MAX: Duration = Duration::from_secs(60);
const UNLIMITED: &str = "1000000000000";
const AWAKE: &str = "eyot_spaces{state=\"awake\"}";

pub struct Relay {
    process: Child,
    /// The process that does the relay's work, which may be a child of the one that was started.
    observed: Observed,
    pub address: SocketAddr,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub resident_bytes: u64,
    /// What is shared with other processes is divided among them.
    pub proportional_bytes: u64,
    pub private_dirty_bytes: u64,
}

impl Relay {
    pub fn start(program: &Path, data: &Path) -> Result<Self> {
        // What it can do is asked, not what it would let one connection do.
        let limits = ["--connection-bytes-per-second", UNLIMITED, "--subject-bytes-per-second", UNLIMITED];
        Self::start_with(program, data, ["--auth", "open"].iter().chain(&limits))
    }

    pub fn start_with(
        program: &Path,
        data: &Path,
        flags: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .args(["serve", "--region", "eu", "--listen", "127.0.0.1:0"])
            .args(flags)
            .arg("--data")
            .arg(data);
        Self::spawn(command)
    }

    /// The Worker on `workerd`, by the script that serves it.
    pub fn start_worker(
        script: &Path,
        data: &Path,
        flags: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Self> {
        let mut command = Command::new("node");
        command.arg(script).args(["--region", "eu", "--port", "0"]).args(flags).arg("--data").arg(data);
        Self::spawn(command)
    }

    /// Starts it and waits until it says that it is ready.
    fn spawn(mut command: Command) -> Result<Self> {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("can't start {}", command.get_program().display()))?;
        let stdout = process.stdout.take().expect("standard output is piped");
        let observed = Observed(process.id());
        let mut relay = Self { process, observed, address: ([127, 0, 0, 1], 0).into() };
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next() {
            let line = line?;
            if let Some(pid) = line.strip_prefix("workerd pid ") {
                relay.observed = Observed(pid.trim().parse()?);
            }
            if let Some(address) = line.strip_prefix("ready ws://") {
                relay.address = address.trim().parse()?;
                thread::spawn(move || lines.for_each(drop));
                return Ok(relay);
            }
        }
        bail!("the relay ended before it was ready")
    }

    pub fn memory(&self) -> Result<Memory> {
        self.observed().memory()
    }

    /// The memory once no space is awake any more, which the relay says of itself, and what that frees has been given
    /// back: it has not shrunk for a while.
    pub async fn memory_asleep(&self) -> Result<Memory> {
        let waiting = async {
            let (mut least, mut unchanged) = (u64::MAX, Duration::ZERO);
            while unchanged < CALM {
                tokio::time::sleep(POLL).await;
                let metrics = socket::get(self.address, "/metrics").await?;
                let awake =
                    metrics.lines().find_map(|line| line.strip_prefix(AWAKE)).context("no such metric")?;
                let resident = self.memory()?.resident_bytes;
                if awake.trim().parse::<f64>()? == 0.0 && resident >= least {
                    unchanged += POLL;
                } else {
                    (least, unchanged) = (resident, Duration::ZERO);
                }
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(SLEEP_MAX, waiting).await.context("the relay's spaces do not go to sleep")??;
        self.memory()
    }

    /// CPU seconds used so far.
    pub fn cpu(&self) -> Result<f64> {
        self.observed().cpu()
    }

    /// Ends it without giving it time.
    pub fn kill(&mut self) {
        // An error says that it is gone already.
        let _ = self.observed.kill();
    }

    pub fn observed(&self) -> Observed {
        self.observed
    }
}

/// A process, by its number.
#[derive(Clone, Copy, Debug)]
pub struct Observed(pub u32);

impl Observed {
    pub fn memory(self) -> Result<Memory> {
        let rollup = self.proc("smaps_rollup")?;
        let bytes = |field: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
            let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
            Ok::<_, anyhow::Error>(kilobytes * 1024)
        };
        Ok(Memory {
            resident_bytes: bytes("Rss:")?,
            proportional_bytes: bytes("Pss:")?,
            private_dirty_bytes: bytes("Private_Dirty:")?,
        })
    }

    /// CPU seconds used so far.
    pub fn cpu(self) -> Result<f64> {
        cpu(&self.proc("stat")?)
    }

    /// Ends it without giving it time.
    pub fn kill(self) -> Result<()> {
        let pid = Pid::from_raw(self.0.try_into()?).context("a process has a number above 0")?;
        Ok(kill_process(pid, Signal::KILL)?)
    }

    fn proc(self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).with_context(|| format!("can't read {path}: has the relay ended?"))
    }
}

/// The relay is given time to write what it has.
impl Drop for Relay {
    fn drop(&mut self) {
        // An error says that it is gone already.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}

/// CPU seconds this process used so far.
pub fn own_cpu() -> Result<f64> {
    cpu(&fs::read_to_string("/proc/self/stat")?)
}

fn cpu(stat: &str) -> Result<f64> {
    // The program's name, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("malformed stat")?;
    let ticks = |index: usize| -> Result<f64> {
        Ok(fields.split_whitespace().nth(index).context("a short stat")?.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// A folder that goes with this value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("eyot-relay-bench-{}-{name}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the system's folder for such things harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}
