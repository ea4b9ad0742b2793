//! `serve`: puts the parts together, accepts connections, and stops in an orderly way.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::abort;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use eyot_core::base::limits;
use eyot_core::wire::close::CloseCode;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::flags::{Auth, Limits, Serve};
use super::revoke::REVOKED_FILE;
use crate::access::{
    AccessPolicy, KeyFile, KeyFileContent, KeyFileError, RevokedError, RevokedFile, TicketKey,
    TicketKeyError, Tokens, Webhook,
};
use crate::base::Config;
use crate::metrics::Metrics;
use crate::net::{
    ChangesFeed, ConnectionContext, Door, HttpServer, MetricsPage, Origins, accept, run_dialer,
};
use crate::queues::{DialQueue, Events, Inbox, Inboxes, ShardEvent, WaitingBytes};
use crate::spaces::{Shard, ShardContext};
use crate::storage::{FilesGone, FolderError, FolderLock, Layout, OpenError, Reader, Store};

/// Pause after a connection could not be accepted, because no file descriptors are left, for example.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// How long connections have to send what is left and to close.
const STOP_WAIT: Duration = Duration::from_millis(2_500);

/// How often it is looked whether something else is revoked.
const REVOKED_CHECK: Duration = Duration::from_secs(1);
/// How often it is looked whether the folder is still there.
const FOLDER_CHECK: Duration = Duration::from_secs(1);
/// Files that are open beside those of connections.
const FILES_BESIDE: u64 = 200;

/// Why the relay does not start, or does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The key file can't be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The key that signs tickets can't be used.
    #[error(transparent)]
    TicketKey(#[from] TicketKeyError),
    /// A database can't be opened.
    #[error("{0}: {1}")]
    Database(PathBuf, OpenError),
    /// It can't listen at the address.
    #[error("{0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// Everybody would have access, without a flag that says so.
    #[error(
        "without tokens this address is open to everybody: give --jwt-key FILE or --jwt-secret FILE, or --auth open"
    )]
    Auth,
    /// The file of what is revoked can't be used.
    #[error(transparent)]
    Revoked(#[from] RevokedError),
    /// There are no tokens for the application to judge.
    #[error("--authorize judges tokens: give --jwt-key FILE or --jwt-secret FILE")]
    AuthorizeAlone,
    /// The token for relays of other regions can't be used.
    #[error("{0}: {1}")]
    PeerToken(PathBuf, String),
    /// Its files were deleted or replaced while it was serving them.
    #[error("{0}; nothing that came since is stored, and nothing of it was acknowledged")]
    FilesGone(#[from] FilesGone),
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
    if let Some(file) = &flags.peer_token {
        check_peer_token(file).map_err(|reason| StartError::PeerToken(file.clone(), reason))?;
    }
    let policy = access_policy(&flags)?;
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let (layout, lock) = Layout::lock(&flags.data, flags.shards.map_or(cores, usize::from))?;
    let ticket_key = Arc::new(match &flags.ticket_key {
        Some(file) => TicketKey::open(file)?,
        None => TicketKey::of_folder(&flags.data)?,
    });
    raise_open_files(&flags.limits);
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
    let origins = origins(flags.origins, &policy);
    let waiting_bytes = WaitingBytes::default();
    let context = Arc::new(ConnectionContext {
        policy: policy.clone(),
        metrics: metrics.clone(),
        inboxes: Inboxes::new(inboxes),
        tasks: TaskTracker::new(),
        door: Door::new(flags.limits.comers_max as usize),
        places: Arc::new(Semaphore::new(flags.limits.connections_max as usize)),
        comer_wait: Duration::from_millis(flags.comer_ms),
        waiting_bytes: waiting_bytes.clone(),
    });
    let (failure, failures) = unbounded_channel();
    let shard_context = ShardContext {
        config: config.clone(),
        policy,
        ticket_key: ticket_key.clone(),
        metrics,
        dials,
        waiting_bytes,
        failure,
    };
    let (shards, readers) = start_shards(&layout, events, shard_context)?;
    runtime.spawn(run_dialer(dial_requests, context.clone()));
    if let AccessPolicy::Tokens(tokens) = &context.policy {
        runtime.spawn(watch_revoked(tokens.clone()));
    }
    info!(
        region = config.region,
        data = %flags.data.display(),
        shards = shards.len(),
        peers = ?config.peers,
        caps = ?config.caps,
        connections_max = flags.limits.connections_max,
        comers_max = flags.limits.comers_max,
        frame_bytes_max = limits::Limits::PROTOCOL.frame_bytes_max,
        commit_bytes_max = limits::Limits::PROTOCOL.commit_bytes_max,
        "serving"
    );
    let changes = ChangesFeed::new(readers, &config.caps);
    let server = Arc::new(HttpServer {
        config,
        context: context.clone(),
        origins,
        public_url: flags.public_url,
        ticket_key,
        metrics_page: MetricsPage::default(),
        changes,
        next_link: AtomicU64::new(1),
    });
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = accept_until_stopped(listener, server) => ended,
            gone = until_gone(&lock, failures) => Err(gone.into()),
        }
    });
    let why = match &ended {
        Err(StartError::FilesGone(_)) => (CloseCode::Storage, "this relay's files are gone"),
        _ => (CloseCode::GoingAway, "this relay is stopping"),
    };
    stop(runtime, &context, shards, lock, why);
    ended
}

/// Waits until the folder is not the one any more that this relay has opened.
async fn until_gone(lock: &FolderLock, mut failures: UnboundedReceiver<FilesGone>) -> FilesGone {
    loop {
        match timeout(FOLDER_CHECK, failures.recv()).await {
            Ok(Some(gone)) => return gone,
            // The shards, which hold the other end, run longer than this.
            Ok(None) => return std::future::pending().await,
            Err(_) => {
                if let Err(gone) = lock.check() {
                    return gone;
                }
            }
        }
    }
}

/// Opens the databases and starts a thread for each. Returns what reads beside them.
fn start_shards(
    layout: &Layout,
    events: Vec<Events>,
    context: ShardContext,
) -> Result<(Vec<JoinHandle<()>>, Vec<Reader>), StartError> {
    let context = Arc::new(context);
    let (mut threads, mut readers) = (Vec::new(), Vec::new());
    for (id, events) in layout.shards().zip(events) {
        let (file, place) = (layout.database(id), layout.place(id));
        let failed = |error| StartError::Database(file.clone(), error);
        let store = Store::open(&file, place).map_err(failed)?;
        readers.push(Reader::open(&file, place).map_err(failed)?);
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
    Ok((threads, readers))
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

/// A token is one line of visible characters.
fn check_peer_token(file: &Path) -> Result<(), String> {
    let token = fs::read_to_string(file).map_err(|error| error.to_string())?;
    match token.trim() {
        "" => Err("the file is empty".to_owned()),
        token if token.len() > limits::Limits::PROTOCOL.token_bytes_max => {
            Err(format!("a token has at most {} bytes", limits::Limits::PROTOCOL.token_bytes_max))
        }
        token if !token.chars().all(|c| c.is_ascii_graphic()) => {
            Err("a token has no spaces and no characters beside ASCII".to_owned())
        }
        _ => Ok(()),
    }
}

fn access_policy(flags: &Serve) -> Result<AccessPolicy, StartError> {
    let file = match (&flags.jwt_key, &flags.jwt_secret) {
        (Some(file), _) => Some((file, KeyFileContent::Keys)),
        (None, file) => file.as_ref().map(|file| (file, KeyFileContent::Secret)),
    };
    match (file, flags.auth) {
        (Some((file, content)), _) => {
            let revoked = flags.revoked.clone().unwrap_or_else(|| flags.data.join(REVOKED_FILE));
            let webhook = flags.authorize.clone().map(|url| Webhook::new(url, &flags.region));
            Ok(AccessPolicy::Tokens(Arc::new(Tokens {
                keys: KeyFile::open(file, content)?,
                revoked: RevokedFile::open(&revoked)?,
                webhook: webhook.transpose()?,
            })))
        }
        (None, _) if flags.authorize.is_some() => Err(StartError::AuthorizeAlone),
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

fn origins(listed: Vec<String>, policy: &AccessPolicy) -> Origins {
    match policy {
        _ if listed.iter().any(|origin| origin == "*") => Origins::All,
        _ if !listed.is_empty() => Origins::Listed(listed),
        AccessPolicy::Open => Origins::Loopback,
        AccessPolicy::Tokens(_) => Origins::All,
    }
}

/// Asks the operating system for as many open files as it gives.
fn raise_open_files(limits: &Limits) {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, files) {
        warn!(%error, "the number of open files can't be raised");
    }
    let wanted = u64::from(limits.connections_max) + u64::from(limits.comers_max) + FILES_BESIDE;
    if let Some(most) = getrlimit(Resource::Nofile).current
        && most < wanted
    {
        warn!(most, wanted, "there may be fewer open files than connections are allowed");
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
    let AccessPolicy::Tokens(tokens) = policy else { return };
    match tokens.keys.reload() {
        Ok(count) => info!(count, "keys were read again"),
        Err(error) => error!(%error, "the keys can't be read again; the old ones stay in use"),
    }
}

/// Looks at the file of what is revoked again and again.
async fn watch_revoked(tokens: Arc<Tokens>) {
    loop {
        sleep(REVOKED_CHECK).await;
        match tokens.revoked.look() {
            Ok(false) => {}
            Ok(true) => info!("what is revoked was read again"),
            Err(error) => {
                error!(%error, "what is revoked can't be read again; what was revoked before still is")
            }
        }
    }
}

/// Commits the writes that are under way and closes all connections. Nothing is accepted any more.
fn stop(
    runtime: Runtime,
    context: &ConnectionContext,
    shards: Vec<JoinHandle<()>>,
    lock: FolderLock,
    (code, reason): (CloseCode, &'static str),
) {
    info!(reason, "stopping");
    context.inboxes.push_all(|| ShardEvent::Stop(code, reason));
    context.door.close();
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
