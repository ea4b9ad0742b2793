//! The metrics, and the page that lists them (`GET /metrics`).

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::gauges::{RegionGauges, SpaceGauges};

/// Content type of the page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the histograms' buckets, in seconds: from the flush of a fast disk to a wait that
/// needs attention.
const BUCKETS: [f64; 14] =
    [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// Counters, gauges and histograms, which are updated where the event happens. Clones share their
/// values.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// Accepted connections that are open now.
    pub connections: Gauge,
    /// Connections accepted since the start.
    pub accepted: Counter,
    closed: Family<Closed, Counter>,
    /// Commits stored.
    pub commits_in: Counter,
    /// Commits sent, once for each connection.
    pub commits_out: Counter,
    /// Branches of forked authors.
    pub forks: Counter,
    /// Frames received.
    pub frames_in: Counter,
    /// Frames sent.
    pub frames_out: Counter,
    /// Bytes of frames received.
    pub bytes_in: Counter,
    /// Bytes of frames sent.
    pub bytes_out: Counter,
    /// Write batches of spaces.
    pub writes: Counter,
    /// SQLite transactions that the writes shared.
    pub transactions: Counter,
    /// SQLite transactions that failed.
    pub failed_transactions: Counter,
    /// Duration of SQLite commits, in seconds.
    pub flush: Histogram,
    /// Time from receiving a frame with commits to queueing its acknowledgement, in seconds.
    pub acknowledgement: Histogram,
    /// Relays of spaces loaded from storage.
    pub loaded: Counter,
    spaces: Family<Spaces, Gauge>,
    behind: Family<Region, Gauge<u64, AtomicU64>>,
    linked: Family<Region, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Closed {
    code: u16,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Spaces {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Region {
    region: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("eyot");
        let connections = Gauge::default();
        registry.register("connections", "Connections open now", connections.clone());
        let accepted = Counter::default();
        registry.register("connections_accepted", "Connections accepted", accepted.clone());
        let closed = Family::<Closed, Counter>::default();
        registry.register("connections_closed", "Connections closed, by code", closed.clone());
        let [commits_in, commits_out] = both_directions(&mut registry, "commits", "Commits stored and sent");
        let forks = Counter::default();
        let help =
            "Branches begun by authors that had one: replicas quarantine their changes where they clash";
        registry.register("forks", help, forks.clone());
        let [frames_in, frames_out] = both_directions(&mut registry, "frames", "Frames received and sent");
        let [bytes_in, bytes_out] =
            both_directions(&mut registry, "bytes", "Bytes of frames received and sent");
        let writes = Counter::default();
        registry.register("storage_writes", "Writes of spaces", writes.clone());
        let transactions = Counter::default();
        registry.register("storage_transactions", "Transactions that writes shared", transactions.clone());
        let failed_transactions = Counter::default();
        registry.register("storage_failures", "Transactions that failed", failed_transactions.clone());
        let flush = Histogram::new(BUCKETS);
        registry.register_with_unit(
            "storage_flush",
            "Time of a durable commit",
            Unit::Seconds,
            flush.clone(),
        );
        let acknowledgement = Histogram::new(BUCKETS);
        let help = "Time from a frame of commits to its acknowledgement";
        registry.register_with_unit("acknowledgement", help, Unit::Seconds, acknowledgement.clone());
        let loaded = Counter::default();
        registry.register("relays_loaded", "Relays of spaces loaded from storage", loaded.clone());
        let spaces = Family::<Spaces, Gauge>::default();
        registry.register("spaces", "Spaces with connections", spaces.clone());
        let behind = Family::<Region, Gauge<u64, AtomicU64>>::default();
        let help = "Commits a region is not known to have, in the space where these are most";
        registry.register("region_behind_commits", help, behind.clone());
        let linked = Family::<Region, Gauge>::default();
        registry.register("region_linked_spaces", "Spaces linked to a region", linked.clone());
        Self {
            registry: Arc::new(registry),
            connections,
            accepted,
            closed,
            commits_in,
            commits_out,
            forks,
            frames_in,
            frames_out,
            bytes_in,
            bytes_out,
            writes,
            transactions,
            failed_transactions,
            flush,
            acknowledgement,
            loaded,
            spaces,
            behind,
            linked,
        }
    }
}

impl Metrics {
    /// Counts a connection that was closed with this code.
    pub fn count_closed(&self, code: u16) {
        self.closed.get_or_create(&Closed { code, reason: reason_of(code) }).inc();
    }

    /// The page, in the OpenMetrics format.
    pub fn page(&self, gauges: &SpaceGauges) -> String {
        self.spaces.get_or_create(&Spaces { state: "awake" }).set(gauges.awake as i64);
        self.spaces.get_or_create(&Spaces { state: "asleep" }).set(gauges.asleep as i64);
        for RegionGauges { region, linked, behind } in &gauges.regions {
            let region = Region { region: region.clone() };
            self.linked.get_or_create(&region).set(*linked as i64);
            self.behind.get_or_create(&region).set(*behind);
        }
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("writing to a string does not fail");
        page
    }
}

/// A counter with the label `direction`: `in` and `out`.
fn both_directions(registry: &mut Registry, name: &str, help: &str) -> [Counter; 2] {
    let family = Family::<Direction, Counter>::default();
    registry.register(name, help, family.clone());
    ["in", "out"].map(|direction| family.get_or_create(&Direction { direction }).clone())
}

fn reason_of(code: u16) -> &'static str {
    match code {
        1000 | 1001 => "done",
        1005 | 1006 => "gone",
        4000 => "malformed",
        4001 => "too-large",
        4002 => "out-of-order",
        4003 => "incompatible",
        4004 => "denied",
        4005 => "full",
        4006 => "log-replaced",
        4007 => "withheld",
        4008 => "storage",
        4009 => "going-away",
        4010 => "expired",
        4011 => "flow",
        4012 => "waiting",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_counters_and_gauges() {
        let metrics = Metrics::default();
        metrics.commits_in.inc_by(3);
        metrics.count_closed(4004);
        let region = |linked, behind| RegionGauges { region: "us".to_owned(), linked, behind };
        let mut gauges = SpaceGauges { awake: 2, asleep: 5, regions: vec![region(1, 7)] };
        gauges.add(SpaceGauges { awake: 1, asleep: 0, regions: vec![region(1, 4)] });
        let page = metrics.page(&gauges);
        for line in [
            "eyot_commits_total{direction=\"in\"} 3",
            "eyot_connections_closed_total{code=\"4004\",reason=\"denied\"} 1",
            "eyot_spaces{state=\"awake\"} 3",
            "eyot_region_behind_commits{region=\"us\"} 7",
            "eyot_region_linked_spaces{region=\"us\"} 2",
        ] {
            assert!(page.lines().any(|each| each == line), "{line} is not in\n{page}");
        }
    }
}
