//! A relay serves replicas, is killed and stopped, and links to relays of other regions.

mod common;

use std::time::{Duration, Instant};

use common::{Client, Relay};

#[tokio::test]
async fn what_one_replica_writes_another_reads() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    let mut ada = Client::new(&relay.url, "space", 1);
    let doc = ada.create(7);
    ada.until_stored().await;
    let mut ben = Client::new(&relay.url, "space", 2);
    assert_eq!(ben.until_held(doc).await, ada.replica.value(doc).unwrap());
    ada.change(doc, 8);
    ada.until_stored().await;
    let value = ada.replica.value(doc).unwrap();
    ben.until("the change is there", |ben| ben.replica.value(doc).unwrap() == value).await;
}

#[tokio::test]
async fn acknowledged_commits_survive_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let mut docs = Vec::new();
    for round in 0..3 {
        let relay = Relay::start(data.path());
        let mut ada = Client::new(&relay.url, "space", 1 + round);
        docs.push(ada.create(round.into()));
        ada.until_stored().await;
        relay.kill();
    }
    let relay = Relay::start(data.path());
    let mut ben = Client::new(&relay.url, "space", 9);
    for doc in docs {
        ben.until_held(doc).await;
    }
}

#[tokio::test]
async fn relays_of_two_regions_bring_each_other_what_they_were_brought() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let us = Relay::start_with(folders[1].path(), &["--region", "us"]);
    let peer = format!("us={}", us.url);
    let eu = Relay::start_with(folders[0].path(), &["--region", "eu", "--peer", &peer]);
    let mut ada = Client::new(&eu.url, "a space/with marks", 1);
    let doc = ada.create(1);
    ada.until_stored().await;
    let durable = ada.replica.durable(2, None).unwrap();
    ada.until_done("two regions have it", durable).await;
    eu.kill();
    let mut ben = Client::new(&us.url, "a space/with marks", 2);
    assert_eq!(ben.until_held(doc).await, ada.replica.value(doc).unwrap());
}

#[tokio::test]
async fn what_another_region_lacks_is_brought_there_though_nobody_asks() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let us = Relay::start_with(folders[1].path(), &["--region", "us"]);
    let (us_url, us_address) = (us.url.clone(), us.address().to_owned());
    us.kill();
    let peer = format!("us={us_url}");
    let eu = Relay::start_with(folders[0].path(), &["--region", "eu", "--peer", &peer]);
    let mut ada = Client::new(&eu.url, "space", 1);
    let doc = ada.create(1);
    ada.until_stored().await;
    eu.kill();
    let mut command = common::eyot_relay();
    command.args(["serve", "--region", "us", "--listen", &us_address, "--data"]).arg(folders[1].path());
    let us = Relay::spawn(command);
    let _eu = Relay::start_with(folders[0].path(), &["--region", "eu", "--peer", &peer]);
    let mut ben = Client::new(&us.url, "space", 2);
    ben.until_held(doc).await;
}

#[tokio::test]
async fn a_simulated_delay_holds_back_what_goes_out_to_a_region() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let us_flags = ["--region", "us", "--simulate-delay", "eu=100"];
    let us = Relay::start_with(folders[1].path(), &us_flags);
    let peer = format!("us={}", us.url);
    let eu_flags = ["--region", "eu", "--peer", &peer, "--simulate-delay", "us=100"];
    let eu = Relay::start_with(folders[0].path(), &eu_flags);
    let mut ada = Client::new(&eu.url, "space", 1);
    ada.until_live().await;
    for _ in 0..3 {
        let started = Instant::now();
        ada.create(1);
        ada.until_stored().await;
        let durable = ada.replica.durable(2, None).unwrap();
        ada.until_done("two regions have it", durable).await;
        assert!(started.elapsed() >= Duration::from_millis(198), "{:?}", started.elapsed());
    }
}
