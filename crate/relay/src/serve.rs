//! `serve`: puts the parts together, accepts connections, and stops in good order.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::abort;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use eyot_core::limits;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use crate::access::{AccessPolicy, KeyFile, KeyFileError};
use crate::event::{Event, Inbox, Shards};
use crate::flags::{Auth, Serve};
use crate::http::Doors;
use crate::metrics::Metrics;
use crate::setup::Setup;
use crate::shard::Shard;
use crate::storage::{FolderError, FolderLock, Layout, Store};

/// How long a client may take to send its request.
const REQUEST_WAIT: Duration = Duration::from_secs(10);
/// What a request may be long, with its headers: a token is not among them.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Nothing heard for so long, the operating system asks whether the other side is there.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How long accepting rests where there are no more file descriptors.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// How long connections have to say good-bye.
const STOP_WAIT: Duration = Duration::from_millis(2_500);

/// Why the relay does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The folder's reason.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The keys' reason.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// SQLite's reason.
    #[error("{0}: {1}")]
    Database(PathBuf, rusqlite::Error),
    /// The address can't be had.
    #[error("{0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// Everybody could come in, and nobody said that they may.
    #[error("who may come in? say --jwt-key FILE, or --auth open for everybody")]
    Auth,
    /// A peer that is this relay, or given twice.
    #[error("there is more than one relay for region {0}")]
    Region(String),
    /// The operating system refuses.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// It could not start.
pub fn serve(flags: Serve) -> Result<(), StartError> {
    check_regions(&flags)?;
    let admission = admission(&flags)?;
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let (layout, lock) = Layout::lock(&flags.data, flags.shards.unwrap_or(cores))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime
        .block_on(TcpListener::bind(flags.listen))
        .map_err(|error| StartError::Listen(flags.listen, error))?;
    let (inboxes, receivers): (Vec<_>, Vec<_>) = layout.shards().map(|_| Inbox::new()).unzip();
    let setup = Arc::new(Setup {
        region: flags.region,
        peers: flags.peers,
        peer_token: flags.peer_token,
        caps: flags.limits.caps(),
        admission,
        idle: flags.idle_ms,
        delays: flags.delays.into_iter().collect::<BTreeMap<_, _>>(),
        metrics: Metrics::default(),
        shards: Shards::new(inboxes),
        runtime: runtime.handle().clone(),
        connections: TaskTracker::new(),
    });
    let mut shards = Vec::new();
    for (id, events) in layout.shards().zip(receivers) {
        let file = layout.database(id);
        let store = Store::open(&file).map_err(|error| StartError::Database(file, error))?;
        let shard = Shard::new(setup.clone(), store, events);
        let run = move || {
            if catch_unwind(AssertUnwindSafe(|| shard.run())).is_err() {
                // Its spaces would be silent for ever. Whoever watches this process starts another.
                abort();
            }
        };
        shards.push(thread::Builder::new().name(format!("shard-{}", id.index())).spawn(run)?);
    }
    info!(
        region = setup.region,
        data = %flags.data.display(),
        shards = shards.len(),
        peers = ?setup.peers,
        caps = ?setup.caps,
        connections_max = flags.limits.connections_max,
        frame_bytes_max = limits::FRAME_BYTES_MAX,
        commit_bytes_max = limits::COMMIT_BYTES_MAX,
        "serving"
    );
    let doors = Arc::new(Doors {
        setup: setup.clone(),
        origins: flags.origins,
        public_url: flags.public_url,
        connections_max: flags.limits.connections_max,
        next_link: AtomicU64::new(1),
    });
    runtime.block_on(accept_until_told(listener, doors))?;
    stop(runtime, &setup, shards, lock);
    Ok(())
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

fn admission(flags: &Serve) -> Result<AccessPolicy, StartError> {
    match (&flags.jwt_key, flags.auth) {
        (Some(file), _) => Ok(AccessPolicy::Keys(Arc::new(KeyFile::open(file)?))),
        (None, Some(Auth::Open)) => Ok(AccessPolicy::Open),
        (None, None) if flags.listen.ip().is_loopback() => {
            warn!("everybody on this machine may read and write every space; --jwt-key asks for tokens");
            Ok(AccessPolicy::Open)
        }
        (None, None) => Err(StartError::Auth),
    }
}

async fn accept_until_told(listener: TcpListener, doors: Arc<Doors>) -> Result<(), StartError> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let address = listener.local_addr()?;
    let mut stdout = io::stdout();
    // Whoever started this may not listen, or not any more.
    let _ = writeln!(stdout, "ready ws://{address}").and_then(|()| stdout.flush());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => accept(stream, &doors),
                Err(error) => {
                    warn!(%error, "a connection can't be accepted");
                    sleep(ACCEPT_WAIT).await;
                }
            },
            _ = hangup.recv() => reload(&doors.setup.admission),
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

fn accept(stream: TcpStream, doors: &Arc<Doors>) {
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
    if let Err(error) = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive)) {
        return debug!(%error, "a connection was gone at once");
    }
    let doors = doors.clone();
    let service = service_fn(move |request| doors.clone().answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_WAIT)
        .max_buf_size(REQUEST_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a request failed");
        }
    });
}

fn reload(admission: &AccessPolicy) {
    let AccessPolicy::Keys(keys) = admission else { return };
    match keys.reload() {
        Ok(count) => info!(count, "keys were read again"),
        Err(error) => error!(%error, "keys stay as they were"),
    }
}

/// Nothing more is accepted by now. Lets writes that are under way finish, says good-bye, and leaves
/// the databases in order.
fn stop(runtime: Runtime, setup: &Setup, shards: Vec<thread::JoinHandle<()>>, lock: FolderLock) {
    info!("stopping");
    setup.shards.tell_all(|| Event::Stop);
    for shard in shards {
        shard.join().expect("a shard that panics ends the process");
    }
    setup.connections.close();
    if runtime.block_on(async { timeout(STOP_WAIT, setup.connections.wait()).await }).is_err() {
        warn!(connections = setup.connections.len(), "some connections did not say good-bye");
    }
    runtime.shutdown_background();
    drop(lock);
    info!("stopped");
}
