//! What a relay's host says: the options of a `RelayEngine`, and the claims of a verified token.

use eyot_core::base::time::Millis;
use eyot_core::holder::caps::Caps;
use eyot_core::relay::region::RelayPeer;
use eyot_core::relay::relay::RelayConfig;
use eyot_core::wire::access::{Claims, Right};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::base::{error, js};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "RelayEngineOptions")]
    pub type RelayEngineOptions;
    #[wasm_bindgen(typescript_type = "RelayClaims")]
    pub type RelayClaims;
}

/// `RelayEngineOptions`, read.
pub fn config(options: &JsValue) -> Result<RelayConfig, JsValue> {
    let text = |key: &str| js::get(options, key).as_string();
    let seed = js::get(options, "seed").dyn_into::<Uint8Array>().ok().map(|seed| seed.to_vec());
    let (Some(space), Some(region), Some(Ok(seed))) =
        (text("space"), text("region"), seed.map(<[u8; 32]>::try_from))
    else {
        return Err(error::invalid("a relay has a space, a region and a seed of 32 bytes"));
    };
    let peers = Array::from(&js::get(options, "peers"));
    let peers = peers.iter().map(|peer| {
        let (region, url) = (js::get(&peer, "region").as_string(), js::get(&peer, "url").as_string());
        Some(RelayPeer { region: region?, url: url? })
    });
    let Some(peers) = peers.collect() else {
        return Err(error::invalid("a peer has a region and an address"));
    };
    let caps = read_caps(&js::get(options, "caps"));
    Ok(RelayConfig { space, region, peers, token: text("token"), caps, seed })
}

fn read_caps(caps: &JsValue) -> Caps {
    let default = Caps::default();
    let cap = |key: &str, default: u64| {
        if caps.is_undefined() {
            default
        } else {
            js::get(caps, key).as_f64().map_or(default, |cap| cap as u64)
        }
    };
    Caps {
        connection_bytes_per_second: cap("connectionBytesPerSecond", default.connection_bytes_per_second),
        subject_bytes_per_second: cap("subjectBytesPerSecond", default.subject_bytes_per_second),
        space_bytes_max: cap("spaceBytesMax", default.space_bytes_max),
        subject_bytes_max: cap("subjectBytesMax", default.subject_bytes_max),
        space_authors_max: cap("spaceAuthorsMax", default.space_authors_max),
        subject_authors_max: cap("subjectAuthorsMax", default.subject_authors_max),
        space_connections_max: cap("spaceConnectionsMax", default.space_connections_max),
        subject_connections_max: cap("subjectConnectionsMax", default.subject_connections_max),
    }
}

/// `RelayClaims`, read.
pub fn claims(claims: &JsValue) -> Result<Claims, JsValue> {
    let invalid = || error::invalid("claims name a subject and rights in spaces");
    let mut spaces = Vec::new();
    for entry in Array::from(&js::get(claims, "spaces")).iter() {
        let entry: Array = entry.dyn_into().map_err(|_| invalid())?;
        let pattern = entry.get(0).as_string().ok_or_else(invalid)?;
        let right = match entry.get(1).as_string().as_deref() {
            Some("read") => Right::Read,
            Some("write") => Right::Write,
            _ => return Err(invalid()),
        };
        spaces.push((pattern, right));
    }
    Ok(Claims {
        subject: js::get(claims, "subject").as_string().ok_or_else(invalid)?,
        spaces,
        expires_at: js::get(claims, "expiresAt").as_f64().map(|at| at as Millis),
        is_relay: js::get(claims, "isRelay").is_truthy(),
    })
}
