//! `inspect`: prints what a folder holds. A relay may be serving it at the same time.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use eyot_core::base::id::LogId;
use eyot_core::holder::records;
use eyot_core::log::keys::META_KEY;
use eyot_core::log::meta::Meta;
use eyot_core::storage::request::Corrupt;
use serde::Serialize;

use super::flags::Inspect;
use super::visible::visible;
use crate::storage::{FolderError, Layout, OpenError, ShardId, Snapshot, SpaceId};

// First bytes of the core's keys.
/// Pieces of commits.
const COMMITS: u8 = b'b';
/// One row for each author.
const AUTHORS: u8 = b't';
/// A relay that this one has dialled.
const PEERS: u8 = b'p';
/// A region, with what it has acknowledged.
const REGIONS: u8 = b'r';

/// One space.
#[derive(Debug, Serialize)]
struct SpaceReport {
    space: String,
    shard: ShardId,
    log: String,
    commits: u64,
    bytes: u64,
    authors: u64,
    peers: Vec<PeerReport>,
}

/// How far replication of a space with the relay of another region has got.
#[derive(Debug, Default, Serialize)]
struct PeerReport {
    region: String,
    /// Its URL. None if that relay dials this one.
    url: Option<String>,
    log: String,
    /// Commits read from its log. None if that relay dials this one.
    read: Option<u64>,
    /// Commits of this log that it has acknowledged.
    acknowledged: u64,
}

/// Why a folder can't be inspected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A database can't be opened.
    #[error("{0}: {1}")]
    Open(PathBuf, OpenError),
    /// A database can't be read.
    #[error("a database can't be read: {0}")]
    Database(#[from] rusqlite::Error),
    /// A row can't be decoded.
    #[error("a database holds what no relay wrote: {0}")]
    Corrupt(#[from] Corrupt),
    /// Standard output can't be written.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Prints a table, or JSON.
///
/// # Errors
/// The folder can't be read.
pub fn inspect(flags: &Inspect) -> Result<(), InspectError> {
    let layout = Layout::read(&flags.data)?;
    let mut spaces = Vec::new();
    for shard in layout.shards() {
        let file = layout.database(shard);
        // A folder whose relay never got as far as to open it has no file for the shard.
        if file.exists() {
            let open = Snapshot::open(&file, layout.place(shard));
            let snapshot = open.map_err(|error| InspectError::Open(file, error))?;
            for (id, name) in snapshot.spaces()? {
                spaces.push(report(&snapshot, shard, id, name)?);
            }
        }
    }
    spaces.sort_by(|a, b| a.space.cmp(&b.space));
    let mut out = io::stdout().lock();
    if flags.json {
        let json = serde_json::to_string_pretty(&spaces).map_err(io::Error::from)?;
        writeln!(out, "{json}")?;
    } else {
        table(&mut out, &spaces)?;
    }
    Ok(())
}

fn report(
    snapshot: &Snapshot,
    shard: ShardId,
    id: SpaceId,
    space: String,
) -> Result<SpaceReport, InspectError> {
    let range = |kind: u8| ([kind], [kind + 1]);
    let (from, to) = range(META_KEY[0]);
    let meta = snapshot.entries(id, &from, &to)?.into_iter().find(|(key, _)| key == META_KEY);
    let meta = meta.map(|(_, value)| Meta::decode(&value)).transpose()?;
    let (log, commits) = meta.map_or_else(Default::default, |meta| (hex(&meta.marker.log.0), meta.head.seq));
    let (from, to) = range(COMMITS);
    let (_, bytes) = snapshot.size(id, &from, &to)?;
    let (from, to) = range(AUTHORS);
    let (authors, _) = snapshot.size(id, &from, &to)?;
    let (from, to) = records::peers_range();
    let peers = peers(&snapshot.entries(id, &from, &to)?)?;
    Ok(SpaceReport { space, shard, log, commits, bytes, authors, peers })
}

fn peers(known: &[(Vec<u8>, Vec<u8>)]) -> Result<Vec<PeerReport>, Corrupt> {
    let mut peers = BTreeMap::<_, PeerReport>::new();
    for (key, value) in known {
        match key[0] {
            PEERS => {
                let record = records::read_peer(value)?;
                let log = record.cursor.log;
                let peer = peers.entry((record.region, log)).or_default();
                peer.url = Some(record.url);
                peer.read = Some(record.cursor.read.seq);
                peer.acknowledged = peer.acknowledged.max(record.whole_acked);
            }
            REGIONS => {
                let (region, record) = records::read_region(key, value)?;
                let Some(log) = record.log else { continue };
                let peer = peers.entry((region, log)).or_default();
                peer.acknowledged = peer.acknowledged.max(record.acked);
            }
            _ => {}
        }
    }
    let named = |((region, log), peer): ((String, LogId), _)| PeerReport { region, log: hex(&log.0), ..peer };
    Ok(peers.into_iter().map(named).collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn table(out: &mut impl Write, spaces: &[SpaceReport]) -> io::Result<()> {
    let name_width =
        spaces.iter().map(|space| visible(&space.space).chars().count()).max().unwrap_or(0).max(5);
    writeln!(
        out,
        "{:name_width$} {:>10} {:>14} {:>8}  peers (read, acknowledged)",
        "space", "commits", "bytes", "authors"
    )?;
    for SpaceReport { space, commits, bytes, authors, peers, .. } in spaces {
        let space = visible(space);
        let read = |peer: &PeerReport| peer.read.map_or_else(|| "-".to_owned(), |read| read.to_string());
        let peer =
            |peer: &PeerReport| format!("{} ({}, {})", visible(&peer.region), read(peer), peer.acknowledged);
        let peers: Vec<_> = peers.iter().map(peer).collect();
        writeln!(out, "{space:name_width$} {commits:>10} {bytes:>14} {authors:>8}  {}", peers.join(", "))?;
    }
    let (commits, bytes): (u64, u64) =
        spaces.iter().fold((0, 0), |(commits, bytes), space| (commits + space.commits, bytes + space.bytes));
    writeln!(out, "{} spaces, {commits} commits, {bytes} bytes", spaces.len())
}
