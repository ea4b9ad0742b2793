//! What a relay's host says: the options of a `RelayEngine`, and the claims of a verified token.

use eyot_core::base::limits::Limits;
use eyot_core::base::time::Millis;
use eyot_core::holder::caps::Caps;
use eyot_core::relay::region::RelayPeer;
use eyot_core::relay::relay::RelayConfig;
use eyot_core::wire::access::{Claims, Right};
use serde::Deserialize;
use serde_wasm_bindgen::preserve;
use tsify::{Ts, Tsify};
use wasm_bindgen::prelude::*;

use super::read;
use crate::base::error;

/// What is sent to a peer before it is known to have read what was sent before. The platform does not
/// say how much of that is still in memory, and objects share 128 MB.
const UNREAD_BYTES: usize = 512 * 1024;

/// What a `RelayEngine` is made from.
#[derive(Deserialize, Tsify)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RelayEngineOptions {
    space: String,
    region: String,
    /// The relays of the same space in other regions; an address is what `dial` will give.
    #[serde(default)]
    #[tsify(optional)]
    peers: Vec<RelayAddress>,
    /// What lets this relay in at those.
    #[tsify(optional)]
    token: Option<String>,
    #[serde(default, deserialize_with = "read::inner")]
    #[tsify(optional, type = "Partial<RelayCaps>")]
    caps: RelayCaps,
    /// 32 bytes that nobody can guess.
    #[serde(with = "preserve")]
    #[tsify(type = "Uint8Array")]
    seed: js_sys::Uint8Array,
    #[serde(with = "preserve")]
    #[tsify(type = "SyncStore")]
    store: JsValue,
}

#[derive(Deserialize, Tsify)]
struct RelayAddress {
    region: String,
    url: String,
}

/// What the relay of a space takes from others at most. A subject is a token's; where no tokens are
/// asked for, everybody is one.
#[derive(Default, Deserialize, Tsify)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RelayCaps {
    /// Commits a second in bytes, each counted as 256 more than it has; what is more waits.
    #[tsify(type = "number")]
    connection_bytes_per_second: Option<f64>,
    #[tsify(type = "number")]
    subject_bytes_per_second: Option<f64>,
    /// Bytes read from storage a second: of the log, for answers and to compare; what is more waits.
    #[tsify(type = "number")]
    connection_reads_per_second: Option<f64>,
    #[tsify(type = "number")]
    subject_reads_per_second: Option<f64>,
    /// What is stored of the space, or of what a subject brought.
    #[tsify(type = "number")]
    space_bytes_max: Option<f64>,
    #[tsify(type = "number")]
    subject_bytes_max: Option<f64>,
    #[tsify(type = "number")]
    space_authors_max: Option<f64>,
    #[tsify(type = "number")]
    subject_authors_max: Option<f64>,
    #[tsify(type = "number")]
    author_branches_max: Option<f64>,
    #[tsify(type = "number")]
    space_connections_max: Option<f64>,
    #[tsify(type = "number")]
    subject_connections_max: Option<f64>,
}

/// What a verified token says. A space is named exactly, or by a prefix that ends in `*`.
#[derive(Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct RelayClaims {
    subject: String,
    #[tsify(type = "[space: string, right: \"read\" | \"write\"][]")]
    spaces: Vec<(String, String)>,
    /// Milliseconds since 1970.
    #[tsify(optional)]
    expires_at: Option<f64>,
    /// Whether the bearer is a relay of another region.
    is_relay: bool,
}

/// The options of a relay: what the core needs, and an object like `SyncStore`.
pub fn config(options: &Ts<RelayEngineOptions>) -> Result<(RelayConfig, JsValue), JsValue> {
    let options: RelayEngineOptions = read::object("options", options.js_value())?;
    let RelayEngineOptions { space, region, peers, token, caps, seed, store } = options;
    let seed = seed.to_vec().try_into().map_err(|_| error::invalid("options: a seed has 32 bytes"))?;
    let limits = Limits { unread_bytes: UNREAD_BYTES, ..Limits::PROTOCOL };
    let peers = peers.into_iter().map(|RelayAddress { region, url }| RelayPeer { region, url }).collect();
    Ok((RelayConfig { space, region, peers, token, caps: caps.complete(), limits, seed }, store))
}

impl RelayCaps {
    fn complete(self) -> Caps {
        let cap = |cap: Option<f64>, default: u64| cap.map_or(default, |cap| cap as u64);
        let default = Caps::default();
        Caps {
            connection_bytes_per_second: cap(
                self.connection_bytes_per_second,
                default.connection_bytes_per_second,
            ),
            subject_bytes_per_second: cap(self.subject_bytes_per_second, default.subject_bytes_per_second),
            connection_reads_per_second: cap(
                self.connection_reads_per_second,
                default.connection_reads_per_second,
            ),
            subject_reads_per_second: cap(self.subject_reads_per_second, default.subject_reads_per_second),
            space_bytes_max: cap(self.space_bytes_max, default.space_bytes_max),
            subject_bytes_max: cap(self.subject_bytes_max, default.subject_bytes_max),
            space_authors_max: cap(self.space_authors_max, default.space_authors_max),
            subject_authors_max: cap(self.subject_authors_max, default.subject_authors_max),
            author_branches_max: cap(self.author_branches_max, default.author_branches_max),
            space_connections_max: cap(self.space_connections_max, default.space_connections_max),
            subject_connections_max: cap(self.subject_connections_max, default.subject_connections_max),
        }
    }
}

pub fn claims(claims: &Ts<RelayClaims>) -> Result<Claims, JsValue> {
    let claims: RelayClaims = read::object("claims", claims.js_value())?;
    let rights = claims.spaces.into_iter().map(|(space, right)| match right.as_str() {
        "read" => Ok((space, Right::Read)),
        "write" => Ok((space, Right::Write)),
        _ => Err(error::invalid("claims: a right is read or write")),
    });
    Ok(Claims {
        subject: claims.subject,
        spaces: rights.collect::<Result<_, _>>()?,
        expires_at: claims.expires_at.map(|at| at as Millis),
        is_relay: claims.is_relay,
    })
}
