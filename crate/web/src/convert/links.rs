//! The links of a replica.

use eyot_core::replica::peers::LinkStatus;
use eyot_core::wire::access::Right;
use serde::Serialize;
use tsify::Tsify;

/// A link that is up.
#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct EngineLink {
    /// Absent where another tab is linked to the relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<u64>,
    /// The region of a relay; absent where the other side is a replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    rtt_ms: u64,
    bytes_in: u64,
    bytes_out: u64,
    /// Whether this replica may only read.
    reads_only: bool,
    /// Whether the other side may only read.
    is_reader: bool,
}

impl EngineLink {
    /// With the bytes that came and went.
    pub fn new(status: LinkStatus, (bytes_in, bytes_out): (u64, u64)) -> Self {
        Self {
            link: status.link.map(|link| link.0),
            region: status.region,
            rtt_ms: status.rtt,
            bytes_in,
            bytes_out,
            reads_only: status.own == Right::Read,
            is_reader: status.theirs == Right::Read,
        }
    }
}
