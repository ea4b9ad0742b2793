//! The status of a space.

use std::collections::BTreeMap;

use eyot_core::replica::status::Status;
use serde::Serialize;
use tsify::Tsify;

/// How a replica is doing.
#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
#[tsify(hashmap_as_object)]
pub struct EngineStatus {
    #[tsify(
        type = "\"local\" | \"connecting\" | \"syncing\" | \"live\" | \"offline\" | \"denied\" | \"closed\""
    )]
    state: &'static str,
    /// The relay that is linked.
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<LinkedRelay>,
    /// Whether it has caught up with a relay since it was opened.
    synced: bool,
    /// Own commits not yet on disk.
    unsaved: u64,
    /// Own commits that no region has stored yet.
    unsent: u64,
    /// By region: how many own commits it has yet to store.
    #[tsify(type = "Record<string, number>")]
    behind: BTreeMap<String, u64>,
    /// Links that are up.
    peers: u32,
    /// Changes held and not applied, in the documents that are open.
    quarantined: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
struct LinkedRelay {
    url: String,
    region: String,
    rtt_ms: u64,
}

/// What is wrong, while it lasts.
#[derive(Serialize, Tsify)]
struct Failure {
    code: &'static str,
    message: String,
}

impl From<Status> for EngineStatus {
    fn from(status: Status) -> Self {
        Self {
            state: status.state.name(),
            relay: status.relay.map(|relay| LinkedRelay {
                url: relay.url,
                region: relay.region,
                rtt_ms: relay.rtt,
            }),
            synced: status.synced,
            unsaved: status.unsaved,
            unsent: status.unsent,
            behind: status.behind,
            peers: status.peers,
            quarantined: status.quarantined,
            error: status.error.map(|(code, message)| Failure { code, message }),
        }
    }
}
