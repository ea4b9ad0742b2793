//! A relay serves replicas, is killed and stopped, and links to relays of other regions.

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::{Client, Relay};
use futures_util::future::join_all;
use tokio::sync::watch;

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
async fn acknowledged_commits_survive_a_kill_in_the_midst_of_writing() {
    const WRITERS: u8 = 8;
    let data = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let relay = Relay::start(data.path());
        let (url, stopping) = (relay.url.clone(), watch::Sender::new(false));
        let writers = (0..WRITERS).map(|writer| {
            let space = format!("space-{}", writer % 3);
            let mut client = Client::new(&url, &space, 1 + writer + WRITERS * round);
            let mut stopped = stopping.subscribe();
            async move {
                let mut docs = Vec::new();
                loop {
                    let doc = client.create(1);
                    tokio::select! {
                        () = client.until_stored() => docs.push((space.clone(), doc)),
                        _ = stopped.changed() => return docs,
                    }
                }
            }
        });
        let killing = async {
            relay.until_metric("eyot_commits_total{direction=\"in\"}", |commits| commits >= 100.0).await;
            relay.kill();
            stopping.send(true).unwrap();
        };
        let (docs, ()) = tokio::join!(join_all(writers), killing);
        acknowledged.extend(docs.into_iter().flatten());
    }
    assert!(acknowledged.len() > 100);
    let relay = Relay::start(data.path());
    for space in ["space-0", "space-1", "space-2"] {
        let mut reader = Client::new(&relay.url, space, 200);
        reader.until_live().await;
        let held: BTreeSet<_> = reader.replica.documents().into_iter().map(|info| info.id).collect();
        let lost = acknowledged.iter().filter(|(of, doc)| of == space && !held.contains(doc)).count();
        assert_eq!(lost, 0, "of {} in {space}", acknowledged.len());
    }
}

#[tokio::test]
async fn relays_of_two_regions_bring_each_other_what_they_were_brought() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let us = Relay::start_with(folders[1].path(), &["--region", "us", "--peer", "eu=ws://127.0.0.1:9"]);
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
    let us = Relay::start_with(folders[1].path(), &["--region", "us", "--peer", "eu=ws://127.0.0.1:9"]);
    let (us_url, us_address) = (us.url.clone(), us.address().to_owned());
    us.kill();
    let peer = format!("us={us_url}");
    let eu = Relay::start_with(folders[0].path(), &["--region", "eu", "--peer", &peer]);
    let mut ada = Client::new(&eu.url, "space", 1);
    let doc = ada.create(1);
    ada.until_stored().await;
    eu.kill();
    let mut command = common::eyot_relay();
    command
        .args(["serve", "--region", "us", "--peer", "eu=ws://127.0.0.1:9", "--listen", &us_address, "--data"])
        .arg(folders[1].path());
    let us = Relay::spawn(command);
    let _eu = Relay::start_with(folders[0].path(), &["--region", "eu", "--peer", &peer]);
    let mut ben = Client::new(&us.url, "space", 2);
    ben.until_held(doc).await;
}

#[tokio::test]
async fn a_simulated_delay_holds_back_what_goes_out_to_a_region() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let us_flags = ["--region", "us", "--peer", "eu=ws://127.0.0.1:9", "--simulate-delay", "eu=100"];
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
