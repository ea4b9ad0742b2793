//! What connections and spaces cost while nobody speaks.

mod common;

use std::fs;

use common::{Relay, Stream, connect, hello, next_frame, send};
use eyot_core::wire::frame::Frame;
use futures_util::future::join_all;

/// Connections opened at once.
const AT_ONCE: usize = 50;
const CONNECTION_BYTES_MAX: u64 = 10_000;
/// Beside its connections.
const SPACE_BYTES_MAX: u64 = 5_000;
const CONNECTIONS_A_SPACE: usize = 10;

#[tokio::test]
async fn connections_and_spaces_that_are_idle_cost_little() {
    let (connections, data) = (connections(), tempfile::tempdir().unwrap());
    // Asleep soon, but not before all are there.
    let relay = Relay::start_with(data.path(), &["--region", "eu", "--idle-ms", "3000"]);
    let mut streams = greeted(&relay, 200, 10).await;
    let before = resident_bytes(&relay);
    streams.extend(greeted(&relay, connections, 10).await);
    let connection = resident_bytes(&relay).saturating_sub(before) / connections as u64;
    println!("{connections} connections to 10 spaces: {connection} bytes each");
    assert!(connection <= CONNECTION_BYTES_MAX, "{connection} bytes a connection");

    drop(streams);
    relay.until_metric("eyot_connections", |open| open == 0.0).await;
    let spaces = connections / CONNECTIONS_A_SPACE;
    let streams = greeted(&relay, connections, spaces).await;
    relay.until_metric("eyot_spaces{state=\"asleep\"}", |asleep| asleep == spaces as f64).await;
    let all = resident_bytes(&relay).saturating_sub(before);
    println!("{connections} connections to {spaces} sleeping spaces: {all} bytes");
    let most = connections as u64 * CONNECTION_BYTES_MAX + spaces as u64 * SPACE_BYTES_MAX;
    assert!(all <= most, "{all} bytes are more than {most}");
    drop(streams);
}

/// As many as this process may open files.
fn connections() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: usize = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    (soft - 400).min(2_000)
}

async fn greeted(relay: &Relay, count: usize, spaces: usize) -> Vec<Stream> {
    let numbers: Vec<_> = (0..count).collect();
    let mut streams = Vec::new();
    for some in numbers.chunks(AT_ONCE) {
        let greet = |number: &usize| {
            let space = format!("space-{}", number % spaces);
            async move {
                let mut stream = connect(&relay.url, &space).await;
                send(&mut stream, &Frame::Hello(hello(&space))).await;
                assert!(matches!(next_frame(&mut stream).await, Some(Frame::Hello(_))));
                stream
            }
        };
        streams.extend(join_all(some.iter().map(greet)).await);
    }
    streams
}

fn resident_bytes(relay: &Relay) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", relay.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
