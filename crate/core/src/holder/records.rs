//! What a holder keeps in storage of other holders.

use std::collections::BTreeSet;

use minicbor::Encode;

use crate::base::cbor::{decode_map, from_cbor};
use crate::base::id::LogId;
use crate::base::position::Cursor;
use crate::base::time::Millis;
use crate::storage::request::Corrupt;

/// A `p` entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct PeerRecord {
    /// How far its log has been read.
    #[n(0)]
    pub cursor: Cursor,
    /// How far into this holder's log it has acknowledged, bytes or no bytes.
    #[n(1)]
    pub read_acked: u64,
    /// The address it was met at.
    #[n(2)]
    pub url: String,
    /// Its region.
    #[n(3)]
    pub region: String,
    /// Between relays: when both last held the same, by this host's clock.
    #[n(4)]
    pub agreed_at: Option<Millis>,
    /// How far into this holder's log it has acknowledged with all bytes.
    #[n(5)]
    pub whole_acked: u64,
    /// When it was met last, by this host's clock.
    #[n(6)]
    pub met_at: Millis,
}

decode_map!(PeerRecord {
    cursor: 0,
    read_acked: 1,
    url: 2,
    region: 3,
    agreed_at: 4,
    whole_acked: 5,
    met_at: 6
});

impl PeerRecord {
    /// Whether it is another replica's, and was met there by neither an address nor a region.
    pub fn is_of_replica(&self) -> bool {
        self.url.is_empty() && self.region.is_empty()
    }
}

/// An `r` entry: how much of this log another region has stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct RegionRecord {
    /// The region's log; absent until something was said of it.
    #[n(0)]
    pub log: Option<LogId>,
    /// All of this log up to this number, with all bytes.
    #[n(1)]
    pub acked: u64,
    /// The partition of the space that both logs are of.
    #[cbor(n(2), default)]
    pub partition: u32,
}

decode_map!(RegionRecord { log: 0, acked: 1, partition: 2 default });

/// The `q` entry: with which regions a relay has compared all it holds since its log is new.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
#[cbor(map)]
pub struct Reconciled {
    /// The log that this is true of.
    #[n(0)]
    pub log: LogId,
    /// The regions.
    #[n(1)]
    pub with: BTreeSet<String>,
}

decode_map!(Reconciled { log: 0, with: 1 });

/// The range of what is known of other holders: [`PeerRecord`]s, [`Reconciled`] and
/// [`RegionRecord`]s.
pub fn peers_range() -> (Vec<u8>, Vec<u8>) {
    (b"p".to_vec(), b"s".to_vec())
}

/// The key of a [`PeerRecord`].
pub fn peer_key(log: &LogId) -> Vec<u8> {
    [b"p".as_slice(), &log.0].concat()
}

/// The key of [`Reconciled`].
pub const RECONCILED_KEY: &[u8] = b"q";

/// A [`Reconciled`] from storage.
///
/// # Errors
/// Storage holds what this code did not write.
pub fn read_reconciled(value: &[u8]) -> Result<Reconciled, Corrupt> {
    Ok(from_cbor(value)?)
}

/// The key of a [`RegionRecord`].
pub fn region_key(region: &str) -> Vec<u8> {
    [b"r", region.as_bytes()].concat()
}

/// A [`RegionRecord`] from storage, and its region.
///
/// # Errors
/// Storage holds what this code did not write.
pub fn read_region(key: &[u8], value: &[u8]) -> Result<(String, RegionRecord), Corrupt> {
    let region = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
    Ok((region, from_cbor(value)?))
}

/// A [`PeerRecord`] from storage.
///
/// # Errors
/// Storage holds what this code did not write.
pub fn read_peer(value: &[u8]) -> Result<PeerRecord, Corrupt> {
    Ok(from_cbor(value)?)
}
