//! Replicas are told of each other by relays, which sign a ticket for them and pass on what they say.

mod common;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Client, Relay, connect, hello, next_frame, now, send};
use eyot_core::base::id::{AuthorId, InquiryId, PeerKey};
use eyot_core::replica::event::Event;
use eyot_core::wire::access::Right;
use eyot_core::wire::frame::Frame;
use eyot_core::wire::receipt::{Inquiry, Statement};
use eyot_core::wire::ticket::Ticket;
use serde_json::{Value, json};

const ADA: PeerKey = PeerKey([1; 32]);
const BEN: PeerKey = PeerKey([2; 32]);
const SIGNATURE_BYTES: usize = 64;

/// Whom a client was told of last, and with what ticket.
fn met(client: &Client) -> Option<(PeerKey, String, Vec<u8>)> {
    client.events.iter().rev().find_map(|event| match event {
        Event::Introduced { key, region, ticket } => Some((*key, region.clone(), ticket.clone())),
        _ => None,
    })
}

/// What a client heard last, and from whom.
fn heard(client: &Client) -> Option<(PeerKey, String, Vec<u8>)> {
    client.events.iter().rev().find_map(|event| match event {
        Event::Signalled { key, region, bytes } => Some((*key, region.clone(), bytes.clone())),
        _ => None,
    })
}

async fn announce(client: &mut Client, key: PeerKey) {
    client.until_live().await;
    client.replica.announce(Some(key), now());
    client.drain();
}

/// Both are told of each other, and what they say to each other arrives. Returns their tickets: relays of two
/// regions may each sign one, where both hear of the pair at once.
async fn meet(ada: &mut Client, ben: &mut Client, [of_ada, of_ben]: [&str; 2]) -> [Vec<u8>; 2] {
    announce(ada, ADA).await;
    announce(ben, BEN).await;
    ben.during(ada.until("Ada is told of Ben", |ada| met(ada).is_some())).await;
    ada.during(ben.until("Ben is told of Ada", |ben| met(ben).is_some())).await;
    let (key, region, for_ada) = met(ada).unwrap();
    assert_eq!((key, &*region), (BEN, of_ben));
    let (key, region, for_ben) = met(ben).unwrap();
    assert_eq!((key, &*region), (ADA, of_ada));
    assert!(ada.replica.signal(BEN, of_ben.to_owned(), b"hello".to_vec(), now()));
    ada.during(ben.until("Ben hears Ada", |ben| heard(ben).is_some())).await;
    assert_eq!(heard(ben).unwrap(), (ADA, of_ada.to_owned(), b"hello".to_vec()));
    [for_ada, for_ben]
}

async fn published(relay: &Relay) -> Value {
    let (status, keys) = relay.get("/v1/keys").await;
    assert_eq!(status, 200);
    serde_json::from_str(&keys).unwrap()
}

fn is_signed_by(keys: &Value, ticket: &[u8]) -> bool {
    is_signed_as(b"eyot ticket", keys, ticket)
}

fn is_signed_as(label: &[u8], keys: &Value, bytes: &[u8]) -> bool {
    let public = URL_SAFE_NO_PAD.decode(keys["keys"][0]["x"].as_str().unwrap()).unwrap();
    let (bytes, signature) = bytes.split_at(bytes.len() - SIGNATURE_BYTES);
    let signed = [label, bytes].concat();
    UnparsedPublicKey::new(&ED25519, public).verify(&signed, signature).is_ok()
}

#[tokio::test]
async fn two_replicas_get_one_ticket_that_its_published_key_has_signed() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    let mut ada = Client::new(&relay.url, "space", 1);
    let mut ben = Client::new(&relay.url, "space", 2);
    let [ticket, of_ben] = meet(&mut ada, &mut ben, ["eu", "eu"]).await;
    assert_eq!(ticket, of_ben);
    let keys = published(&relay).await;
    assert!(is_signed_by(&keys, &ticket));
    let ends = [(ADA, Right::Write), (BEN, Right::Write)];
    let same = Ticket { space: "space", ends, expires_at: 0 }.to_sign();
    // All but the time when it expires.
    assert_eq!(ticket[..same.len() - 8 - b"eyot ticket".len()], same[b"eyot ticket".len()..same.len() - 8]);
    drop(relay);
    let again = Relay::start(data.path());
    assert_eq!(published(&again).await, keys, "it is kept in the folder");
}

#[tokio::test]
async fn replicas_of_two_regions_meet_by_way_of_both_relays() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let us = Relay::start_with(folders[1].path(), &["--region", "us", "--peer", "eu=ws://127.0.0.1:9"]);
    let peer = format!("us={}", us.url);
    let eu = Relay::start_with(folders[0].path(), &["--region", "eu", "--peer", &peer]);
    let mut ada = Client::new(&eu.url, "space", 1);
    let mut ben = Client::new(&us.url, "space", 2);
    let published = [published(&us).await, published(&eu).await];
    for ticket in meet(&mut ada, &mut ben, ["eu", "us"]).await {
        assert!(published.iter().any(|keys| is_signed_by(keys, &ticket)));
    }
}

#[tokio::test]
async fn relays_may_share_a_key_and_a_space_may_be_named_like_the_page_of_keys() {
    let folder = tempfile::tempdir().unwrap();
    let first = Relay::start(folder.path());
    let keys = published(&first).await;
    drop(first);
    let file = folder.path().join("ticket-key.json");
    let other = tempfile::tempdir().unwrap();
    let relay = Relay::start_with(other.path(), &["--region", "eu", "--ticket-key", file.to_str().unwrap()]);
    assert_eq!(published(&relay).await, keys);
    assert_eq!(keys["keys"][0]["d"], json!(null));
    let mut ada = Client::new(&relay.url, "keys", 1);
    ada.create(1);
    ada.until_stored().await;
}

#[tokio::test]
async fn a_relay_signs_what_its_own_region_and_another_one_have_stored() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let us = Relay::start_with(folders[1].path(), &["--region", "us", "--peer", "eu=ws://127.0.0.1:9"]);
    let peer = format!("us={}", us.url);
    let eu = Relay::start_with(folders[0].path(), &["--region", "eu", "--peer", &peer]);
    let mut ada = Client::new(&eu.url, "space", 1);
    ada.create(1);
    ada.until_stored().await;
    let tips: Vec<_> = ada.replica.vector().of(&AuthorId([1; 16])).iter().copied().collect();
    let mut stream = connect(&eu.url, "space").await;
    send(&mut stream, &Frame::Hello(hello("space"))).await;
    let id = InquiryId([5; 16]);
    let authors = vec![AuthorId([1; 16]), AuthorId([2; 16])];
    send(&mut stream, &Frame::Inquiry(Inquiry { id, authors, hops: 0 })).await;
    let keys = published(&eu).await;
    let mut regions = Vec::new();
    while regions.len() < 2 {
        let frame = ada.during(next_frame(&mut stream)).await.expect("the link stays");
        let Frame::Receipt(receipt) = frame else { continue };
        assert!(is_signed_as(b"eyot receipt", &keys, &receipt.bytes));
        let statement = Statement::read(&receipt.bytes).unwrap();
        assert_eq!((statement.id, &statement.tips), (id, &tips));
        regions.push(statement.region);
    }
    regions.sort();
    assert_eq!(regions, ["eu", "us"]);
}
