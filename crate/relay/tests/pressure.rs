//! Many at once, slow readers, full disks, and spaces that sleep.

mod common;

use std::process::Command;

use common::{Client, Relay, connect, hello, next_frame, send};
use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::limits::Limits;
use eyot_core::document::value::{Op, Value};
use eyot_core::wire::frame::Frame;

/// A change of so many bytes, which do not compress.
fn noise(bytes: usize) -> Op {
    let mut state = 1u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    let value = Value::Scalar(ScalarValue::Bytes(noise.take(bytes).collect()));
    Op::Put { path: vec![Prop::Map("noise".into())], value }
}

#[tokio::test]
async fn one_flush_serves_the_commits_of_many_spaces() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start_with(data.path(), &["--region", "eu", "--shards", "1"]);
    let mut writers: Vec<_> =
        (0..20).map(|number| Client::new(&relay.url, &format!("space-{number}"), number + 1)).collect();
    for writer in &mut writers {
        writer.until_live().await;
    }
    for round in 0..5 {
        for writer in &mut writers {
            writer.create(round);
        }
        // All have sent before the first waits for what is stored.
        for writer in &mut writers {
            writer.until_stored().await;
        }
    }
    // The page may be a moment old.
    let commits =
        relay.until_metric("eyot_commits_total{direction=\"in\"}", |commits| commits == 100.0).await;
    let writes = relay.metric("eyot_storage_writes_total").await;
    let transactions = relay.metric("eyot_storage_transactions_total").await;
    assert_eq!(commits, 100.0);
    assert!(writes >= 100.0, "{writes} writes");
    assert!(transactions < writes, "{transactions} transactions for {writes} writes");
    assert!(relay.metric("eyot_acknowledgement_seconds_count").await > 0.0);
    assert_eq!(relay.metric("eyot_storage_flush_seconds_count").await, transactions);
}

#[tokio::test]
async fn who_reads_too_slowly_is_cut_off_and_costs_the_others_nothing() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    let mut slow = connect(&relay.url, "space").await;
    send(&mut slow, &Frame::Hello(hello("space"))).await;
    assert!(matches!(next_frame(&mut slow).await, Some(Frame::Hello(_))));
    let mut ada = Client::new(&relay.url, "space", 1);
    // More than the outbox and the operating system's buffers hold together.
    for _ in 0..50 {
        ada.replica.create(&[noise(1 << 20)], None, common::now()).unwrap();
        ada.until_stored().await;
    }
    let closed = "eyot_connections_closed_total{code=\"4009\",reason=\"going-away\"}";
    relay.until_metric(closed, |closed| closed == 1.0).await;
    let mut ben = Client::new(&relay.url, "space", 2);
    ben.until("all is there", |ben| ben.replica.documents().len() == 50).await;
}

#[tokio::test]
async fn a_commit_as_large_as_commits_may_be_reaches_who_comes_later() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    let mut ada = Client::new(&relay.url, "space", 1);
    let before = ada.create(1);
    let large = ada.replica.create(&[noise(Limits::PROTOCOL.commit_bytes_max - 1024)], None, common::now());
    let large = large.unwrap().doc;
    let after = ada.create(2);
    ada.until_stored().await;
    let mut ben = Client::new(&relay.url, "space", 2);
    for doc in [before, large, after] {
        ben.until_held(doc).await;
    }
    assert!(ada.closes.is_empty() && ben.closes.is_empty(), "{:?} {:?}", ada.closes, ben.closes);
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing_and_is_got_over() {
    let data = tempfile::tempdir().unwrap();
    // No file may grow past 1 MiB, and to try is an error instead of a signal.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -S -f 2048; exec \"$@\"", "sh"]);
    command.args([env!("CARGO_BIN_EXE_eyot-relay"), "serve", "--region", "eu", "--shards", "1"]);
    command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    let relay = Relay::spawn(command);
    let mut ada = Client::new(&relay.url, "space", 1);
    let small = ada.create(1);
    ada.until_stored().await;
    let large = ada.replica.create(&[noise(3 << 20)], None, common::now()).unwrap().doc;
    ada.until("the relay gives up", |ada| ada.closes.iter().any(|(code, _)| *code == 4008)).await;
    assert!(ada.replica.status().unsent > 0);
    relay.until_metric("eyot_storage_failures_total", |failures| failures >= 1.0).await;
    // What was stored before can be read, and it may be the disk will hold more.
    let mut ben = Client::new(&relay.url, "space", 2);
    ben.until_held(small).await;
    let pid = relay.child.id().to_string();
    assert!(Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().unwrap().success());
    ada.until_stored().await;
    relay.kill();
    let relay = Relay::start(data.path());
    let mut cleo = Client::new(&relay.url, "space", 3);
    cleo.until_held(small).await;
    cleo.until_held(large).await;
}

#[tokio::test]
async fn a_space_sleeps_when_nothing_happens_and_its_links_go_on() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start_with(data.path(), &["--region", "eu", "--idle-ms", "100"]);
    let mut ada = Client::new(&relay.url, "space", 1);
    let doc = ada.create(1);
    ada.until_stored().await;
    let mut ben = Client::new(&relay.url, "space", 2);
    ben.until_held(doc).await;
    ben.until_live().await;
    let asleep = "eyot_spaces{state=\"asleep\"}";
    for value in 2..5 {
        ada.during(relay.until_metric(asleep, |asleep| asleep == 1.0)).await;
        ada.change(doc, value);
        ada.until_stored().await;
        let expected = ada.replica.value(doc).unwrap();
        ben.until("the change is there", |ben| ben.replica.value(doc).unwrap() == expected).await;
    }
    assert!(ada.closes.is_empty() && ben.closes.is_empty(), "{:?} {:?}", ada.closes, ben.closes);
    // The page may be a moment old.
    relay.until_metric("eyot_relays_loaded_total", |loaded| loaded >= 4.0).await;
    assert_eq!(relay.metric("eyot_connections_accepted_total").await, 2.0);
}
