//! What is asked over HTTP, and who gets in.

mod common;

use common::{Relay, close_code, connect, hello, request, send, try_connect};
use eyot_core::wire::frame::Frame;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn health_says_the_region_and_regions_are_the_directory() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start_with(
        data.path(),
        &["--region", "eu", "--peer", "us=ws://127.0.0.1:9", "--public-url", "wss://eu.example/"],
    );
    let (status, head, body) = request(relay.address(), "GET /health HTTP/1.1", &[]).await;
    assert_eq!((status, json_of(&body)), (200, json!({ "status": "ok", "region": "eu" })));
    assert!(head.contains("access-control-allow-origin: *\r\n"), "{head}");
    assert!(head.contains("cache-control: no-store\r\n"), "{head}");
    let eu = json!({ "region": "eu", "url": "wss://eu.example" });
    let us = json!({ "region": "us", "url": "ws://127.0.0.1:9" });
    assert_eq!(relay.get("/v1/regions").await, (200, json!([eu, us]).to_string()));
}

#[tokio::test]
async fn a_relay_without_a_public_address_names_the_one_it_was_reached_at() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    // Whoever asks may say any host.
    for host in [&[][..], &[("host", "evil.example")]] {
        let (_, _, body) = request(relay.address(), "GET /v1/regions HTTP/1.1", host).await;
        assert_eq!(json_of(&body), json!([{ "region": "eu", "url": relay.url }]));
    }
}

#[tokio::test]
async fn a_relay_without_tokens_serves_pages_of_this_machine_only() {
    let data = tempfile::tempdir().unwrap();
    let get_in = async |relay: &Relay, origin: &'static str| {
        try_connect(&relay.url, "a", Some("eyot.v1"), Some(origin)).await.is_ok()
    };
    for flags in [&[][..], &["--auth", "open"]] {
        let relay = Relay::start_with(data.path(), &[&["--region", "eu"], flags].concat());
        assert!(get_in(&relay, "http://localhost:5173").await);
        assert!(get_in(&relay, "http://127.0.0.1:8080").await);
        assert!(!get_in(&relay, "https://evil.example").await);
        assert!(!get_in(&relay, "null").await);
    }
    let relay = Relay::start_with(data.path(), &["--region", "eu", "--origin", "*"]);
    assert!(get_in(&relay, "https://app.example").await);
}

#[tokio::test]
async fn what_is_no_connection_to_a_space_is_told_why() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    let upgrade = [("upgrade", "websocket"), ("connection", "keep-alive, Upgrade")];
    let spoken = [upgrade[0], upgrade[1], ("sec-websocket-protocol", "other, eyot.v1")];
    let unconnected = [
        upgrade[0],
        spoken[2],
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    let long = format!("GET /v1/{} HTTP/1.1", "a".repeat(257));
    for (line, headers, status, text) in [
        ("GET / HTTP/1.1", &[][..], 404, "there is nothing here"),
        ("GET /v1/ HTTP/1.1", &[], 404, "there is nothing here"),
        ("GET /v1/a/b HTTP/1.1", &[], 404, "there is nothing here"),
        ("POST /health HTTP/1.1", &[], 405, "only GET is answered here"),
        ("POST /v1/a HTTP/1.1", &[], 405, "only GET is answered here"),
        ("GET /v1/%f0 HTTP/1.1", &upgrade, 400, "a space has a name of at most 256 bytes"),
        (&long, &upgrade, 400, "a space has a name of at most 256 bytes"),
        ("GET /v1/a HTTP/1.1", &[], 426, "a space is spoken to over WebSocket"),
        ("GET /v1/a HTTP/1.1", &unconnected, 426, "a space is spoken to over WebSocket"),
        ("GET /v1/a HTTP/1.1", &upgrade, 400, "the subprotocol eyot.v1 must be asked for"),
        ("GET /v1/a HTTP/1.1", &spoken, 400, "only version 13 of WebSocket is spoken here"),
    ] {
        let (got, _, body) = request(relay.address(), line, headers).await;
        assert_eq!((got, body.trim_end()), (status, text), "{line}");
    }
}

#[tokio::test]
async fn only_pages_of_the_origins_that_are_named_get_in() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start_with(data.path(), &["--region", "eu", "--origin", "https://app.example"]);
    let protocol = Some("eyot.v1");
    assert!(try_connect(&relay.url, "a", protocol, Some("https://app.example")).await.is_ok());
    // What is no page sends no origin.
    assert!(try_connect(&relay.url, "a", protocol, None).await.is_ok());
    let refused = try_connect(&relay.url, "a", protocol, Some("https://evil.example")).await.unwrap_err();
    assert_eq!(refused.status(), 403);
    let (status, ..) =
        request(relay.address(), "GET /health HTTP/1.1", &[("origin", "https://evil.example")]).await;
    assert_eq!(status, 403);
    let refused = try_connect(&relay.url, "a", None, None).await.unwrap_err();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn a_ping_is_answered_and_other_text_is_not_spoken() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    let mut stream = connect(&relay.url, "a").await;
    stream.send(Message::text("ping")).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), Message::text("pong"));
    stream.send(Message::Ping(vec![1, 2].into())).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), Message::Pong(vec![1, 2].into()));
    stream.send(Message::text("hello")).await.unwrap();
    assert_eq!(close_code(&mut stream).await, Some(4000));
    // The connection is counted once it is over.
    let name = "eyot_connections_closed_total{code=\"4000\",reason=\"malformed\"}";
    relay.until_metric(name, |closed| closed == 1.0).await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_its_code() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    let mut stream = connect(&relay.url, "a").await;
    stream.send(Message::Binary(vec![0; 256 * 1024 + 1].into())).await.unwrap();
    assert_eq!(close_code(&mut stream).await, Some(4001));
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    let mut stream = connect(&relay.url, "a").await;
    stream.close(None).await.unwrap();
    while stream.next().await.is_some_and(|message| message.is_ok()) {}
    relay.until_metric("eyot_connections", |open| open == 0.0).await;
}

#[tokio::test]
async fn a_relay_has_as_many_connections_as_it_may() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start_with(data.path(), &["--region", "eu", "--connections-max", "2"]);
    let mut streams = Vec::new();
    for space in ["a", "b"] {
        let mut stream = connect(&relay.url, space).await;
        send(&mut stream, &Frame::Hello(hello(space))).await;
        streams.push(stream);
    }
    // Whoever has come before there were so many may still stand at the door.
    relay.until_metric("eyot_connections", |open| open == 2.0).await;
    let refused = try_connect(&relay.url, "a", Some("eyot.v1"), None).await.unwrap_err();
    assert_eq!(refused.status(), 503);
}
