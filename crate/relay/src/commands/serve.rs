//! `serve`: puts the parts together, accepts connections, and stops in an orderly way.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::abort;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use eyot_core::base::limits::Limits;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::flags::{Auth, Serve};
use crate::access::{AccessPolicy, KeyFile, KeyFileError};
use crate::base::Config;
use crate::metrics::Metrics;
use crate::net::{ConnectionContext, HttpServer, accept, run_dialer};
use crate::queues::{DialQueue, Inbox, Inboxes, ShardEvent};
use crate::spaces::{Shard, ShardContext};
use crate::storage::{FolderError, FolderLock, Layout, Store};

/// Pause after a connection could not be accepted, because no file descriptors are left, for example.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// How long connections have to send what is left and to close.
const STOP_WAIT: Duration = Duration::from_millis(2_500);

/// Why the relay does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The key file can't be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// A database can't be opened.
    #[error("{0}: {1}")]
    Database(PathBuf, rusqlite::Error),
    /// It can't listen at the address.
    #[error("{0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// Everybody would have access, without a flag that says so.
    #[error("without tokens this address is open to everybody: give --jwt-key FILE, or --auth open")]
    Auth,
    /// Two peers have the same region, or one has this relay's.
    #[error("there is more than one relay for region {0}")]
    Region(String),
    /// The operating system's reason.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// The relay could not start.
pub fn serve(flags: Serve) -> Result<(), StartError> {
    check_regions(&flags)?;
    let policy = access_policy(&flags)?;
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let (layout, lock) = Layout::lock(&flags.data, flags.shards.unwrap_or(cores))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime
        .block_on(TcpListener::bind(flags.listen))
        .map_err(|error| StartError::Listen(flags.listen, error))?;
    let config = Arc::new(Config {
        region: flags.region,
        peers: flags.peers,
        peer_token_file: flags.peer_token,
        caps: flags.limits.caps(),
        idle_millis: flags.idle_ms,
        delays: flags.delays.into_iter().collect(),
    });
    let metrics = Metrics::default();
    let (dials, dial_requests) = DialQueue::new();
    let (inboxes, events): (Vec<_>, Vec<_>) = layout.shards().map(|_| Inbox::new()).unzip();
    let context = Arc::new(ConnectionContext {
        policy: policy.clone(),
        metrics: metrics.clone(),
        inboxes: Inboxes::new(inboxes),
        tasks: TaskTracker::new(),
    });
    let shards =
        start_shards(&layout, events, ShardContext { config: config.clone(), policy, metrics, dials })?;
    runtime.spawn(run_dialer(dial_requests, context.clone()));
    info!(
        region = config.region,
        data = %flags.data.display(),
        shards = shards.len(),
        peers = ?config.peers,
        caps = ?config.caps,
        connections_max = flags.limits.connections_max,
        frame_bytes_max = Limits::PROTOCOL.frame_bytes_max,
        commit_bytes_max = Limits::PROTOCOL.commit_bytes_max,
        "serving"
    );
    let server = Arc::new(HttpServer {
        config,
        context: context.clone(),
        origins: flags.origins,
        public_url: flags.public_url,
        connections_max: flags.limits.connections_max,
        next_link: AtomicU64::new(1),
    });
    runtime.block_on(accept_until_stopped(listener, server))?;
    stop(runtime, &context, shards, lock);
    Ok(())
}

/// Opens the databases and starts a thread for each.
fn start_shards(
    layout: &Layout,
    events: Vec<mpsc::Receiver<ShardEvent>>,
    context: ShardContext,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    let context = Arc::new(context);
    let mut threads = Vec::new();
    for (id, events) in layout.shards().zip(events) {
        let file = layout.database(id);
        let store = Store::open(&file).map_err(|error| StartError::Database(file, error))?;
        let shard = Shard::new(context.clone(), store, events);
        let run = move || {
            if catch_unwind(AssertUnwindSafe(|| shard.run())).is_err() {
                // Without the thread its spaces would never answer again. The process ends, so that
                // its supervisor can start a new one.
                abort();
            }
        };
        threads.push(thread::Builder::new().name(format!("shard-{}", id.index())).spawn(run)?);
    }
    Ok(threads)
}

fn check_regions(flags: &Serve) -> Result<(), StartError> {
    let mut known = vec![&flags.region];
    for peer in &flags.peers {
        if known.contains(&&peer.region) {
            return Err(StartError::Region(peer.region.clone()));
        }
        known.push(&peer.region);
    }
    Ok(())
}

fn access_policy(flags: &Serve) -> Result<AccessPolicy, StartError> {
    match (&flags.jwt_key, flags.auth) {
        (Some(file), _) => Ok(AccessPolicy::Keys(Arc::new(KeyFile::open(file)?))),
        (None, Some(Auth::Open)) => Ok(AccessPolicy::Open),
        (None, None) if flags.listen.ip().is_loopback() => {
            warn!(
                "every program on this machine may read and write every space; use --jwt-key to require tokens"
            );
            Ok(AccessPolicy::Open)
        }
        (None, None) => Err(StartError::Auth),
    }
}

async fn accept_until_stopped(listener: TcpListener, server: Arc<HttpServer>) -> Result<(), StartError> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let address = listener.local_addr()?;
    let mut stdout = io::stdout();
    // An error only means that nobody reads standard output.
    let _ = writeln!(stdout, "ready ws://{address}").and_then(|()| stdout.flush());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => accept(stream, server.clone()),
                Err(error) => {
                    warn!(%error, "a connection can't be accepted");
                    sleep(ACCEPT_WAIT).await;
                }
            },
            _ = hangup.recv() => reload_keys(&server.context.policy),
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

fn reload_keys(policy: &AccessPolicy) {
    let AccessPolicy::Keys(keys) = policy else { return };
    match keys.reload() {
        Ok(count) => info!(count, "keys were read again"),
        Err(error) => error!(%error, "the keys can't be read again; the old ones stay in use"),
    }
}

/// Commits the writes that are under way and closes all connections. Nothing is accepted any more.
fn stop(runtime: Runtime, context: &ConnectionContext, shards: Vec<JoinHandle<()>>, lock: FolderLock) {
    info!("stopping");
    context.inboxes.push_all(|| ShardEvent::Stop);
    for shard in shards {
        shard.join().expect("a shard that panics ends the process");
    }
    context.tasks.close();
    if runtime.block_on(async { timeout(STOP_WAIT, context.tasks.wait()).await }).is_err() {
        warn!(connections = context.tasks.len(), "some connections did not close in time");
    }
    runtime.shutdown_background();
    drop(lock);
    info!("stopped");
}
