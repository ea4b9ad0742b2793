//! What keeps a relay from starting, how it stops, and what is left in its folder.

mod common;

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::{Client, Relay, close_code, connect, eyot_relay};
use serde_json::Value;

/// Whatever port is free.
const ANY: &str = "127.0.0.1:0";

fn serve(data: &Path, listen: &str, flags: &[&str]) -> Command {
    let mut command = eyot_relay();
    command.args(["serve", "--region", "eu", "--listen", listen, "--data"]).arg(data).args(flags);
    command
}

/// The one line that says why it did not start.
fn refusal(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(stdout.is_empty());
    let is_ours = |line: &&str| line.starts_with("error: ");
    stderr.lines().find(is_ours).unwrap_or_else(|| panic!("{stderr}")).to_owned()
}

#[test]
fn a_folder_serves_one_process() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    assert!(refusal(&mut serve(data.path(), ANY, &[])).ends_with("is used by another process"));
    relay.kill();
    drop(Relay::start(data.path()));
}

#[test]
fn what_cannot_be_served_is_refused_in_a_line() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(&data.path().join("a"));
    let other = data.path().join("b");
    let address = relay.address().to_owned();
    let taken = refusal(&mut serve(&other, &address, &[]));
    assert!(taken.starts_with(&format!("error: {address}: ")), "{taken}");
    let open = refusal(&mut serve(&other, "0.0.0.0:0", &[]));
    assert!(open.contains("--auth open"), "{open}");
    let keys = refusal(&mut serve(&other, ANY, &["--jwt-key", "/nowhere/keys"]));
    assert!(keys.starts_with("error: /nowhere/keys: "), "{keys}");
    let twice = refusal(&mut serve(&other, ANY, &["--peer", "eu=ws://127.0.0.1:9"]));
    assert_eq!(twice, "error: there is more than one relay for region eu");
    let flag = refusal(&mut serve(&other, ANY, &["--peer", "us"]));
    assert!(flag.contains("REGION=URL"), "{flag}");
}

#[tokio::test]
async fn a_relay_that_is_told_to_stop_says_good_bye_and_keeps_everything() {
    let data = tempfile::tempdir().unwrap();
    let mut relay = Relay::start(data.path());
    let mut ada = Client::new(&relay.url, "space", 1);
    let doc = ada.create(1);
    ada.until_stored().await;
    let mut bare = connect(&relay.url, "other").await;
    let started = Instant::now();
    relay.signal("TERM");
    assert_eq!(close_code(&mut bare).await, Some(4009));
    ada.until("the relay says good-bye", |ada| !ada.closes.is_empty()).await;
    assert_eq!(ada.closes[0], (4009, "this relay is stopping".to_owned()));
    assert!(relay.child.wait().unwrap().success());
    assert!(started.elapsed() < Duration::from_secs(5));
    let log = std::fs::metadata(data.path().join("shard-000.sqlite-wal")).map_or(0, |file| file.len());
    assert_eq!(log, 0, "the write-ahead log was not moved into the database");
    let relay = Relay::start(data.path());
    Client::new(&relay.url, "space", 2).until_held(doc).await;
}

#[tokio::test]
async fn a_folder_can_be_inspected_while_it_is_served() {
    let data = tempfile::tempdir().unwrap();
    let us_data = tempfile::tempdir().unwrap();
    let us = Relay::start_with(us_data.path(), &["--region", "us"]);
    let peer = format!("us={}", us.url);
    let relay = Relay::start_with(data.path(), &["--region", "eu", "--idle-ms", "100", "--peer", &peer]);
    for (space, author) in [("team", 1), ("attic", 2)] {
        let mut client = Client::new(&relay.url, space, author);
        client.until_live().await;
        let doc = client.create(1);
        client.change(doc, 2);
        let wait = client.replica.durable(2, None).unwrap();
        client.until_done("both regions have it", wait).await;
    }
    // What is known of other regions is written when there is time.
    relay.until_metric("eyot_spaces{state=\"awake\"}", |awake| awake == 0.0).await;
    let inspect = |flags: &[&str]| {
        let Output { status, stdout, .. } =
            eyot_relay().args(["inspect", "--data"]).arg(data.path()).args(flags).output().unwrap();
        assert!(status.success());
        String::from_utf8(stdout).unwrap()
    };
    let spaces: Vec<Value> = serde_json::from_str(&inspect(&["--json"])).unwrap();
    let names: Vec<_> = spaces.iter().map(|space| space["space"].as_str().unwrap()).collect();
    assert_eq!(names, ["attic", "team"]);
    for space in &spaces {
        assert_eq!((&space["commits"], &space["authors"]), (&2.into(), &1.into()), "{space}");
        assert!(space["bytes"].as_u64().unwrap() > 100, "{space}");
        assert_eq!(space["peers"][0]["region"], "us", "{space}");
        assert_eq!(space["peers"][0]["acknowledged"], 2, "{space}");
    }
    let table = inspect(&[]);
    assert!(table.lines().last().unwrap().starts_with("2 spaces, 4 commits, "), "{table}");
}

#[test]
fn a_folder_that_no_relay_made_is_not_inspected() {
    let data = tempfile::tempdir().unwrap();
    let said = refusal(eyot_relay().args(["inspect", "--data"]).arg(data.path()));
    assert!(said.ends_with("holds no relay's data"), "{said}");
}
