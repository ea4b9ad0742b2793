//! Whoever may not come in, or does not come to the point, costs those who are in nothing.

mod common;

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use common::{Client, DEADLINE, Relay, close_code, connect, eyot_relay, hello, next_frame, request, send};
use eyot_core::wire::bodies::Bye;
use eyot_core::wire::frame::Frame;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn no_space_is_made_and_no_region_dialled_for_who_has_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, data) = (folder.path().join("secret"), folder.path().join("data"));
    fs::write(&secret, "a secret that nobody would ever guess").unwrap();
    let us = TcpListener::bind("127.0.0.1:0").unwrap();
    us.set_nonblocking(true).unwrap();
    let peer = format!("us=ws://{}", us.local_addr().unwrap());
    let flags = ["--region", "eu", "--peer", &peer, "--jwt-secret", secret.to_str().unwrap()];
    let relay = Relay::start_with(&data, &flags);
    for number in 0..20 {
        let space = format!("space-{number}");
        let mut stream = connect(&relay.url, &space).await;
        send(&mut stream, &Frame::Hello(hello(&space))).await;
        let Some(Frame::Bye(Bye { code, reason, .. })) = next_frame(&mut stream).await else {
            panic!("it was let in");
        };
        assert_eq!((code, reason.as_str()), (4004, "a token is needed"));
        assert_eq!(close_code(&mut stream).await, Some(4004));
    }
    for metric in ["eyot_relays_loaded_total", "eyot_storage_writes_total", "eyot_connections"] {
        assert_eq!(relay.metric(metric).await, 0.0, "{metric}");
    }
    for state in ["awake", "asleep"] {
        assert_eq!(relay.metric(&format!("eyot_spaces{{state=\"{state}\"}}")).await, 0.0, "{state}");
    }
    assert_eq!(us.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let inspected = eyot_relay().args(["inspect", "--json", "--data"]).arg(&data).output().unwrap();
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&inspected.stdout).unwrap(), Vec::<Value>::new());
}

#[tokio::test]
async fn who_comes_and_says_nothing_in_time_has_to_go() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start_with(data.path(), &["--region", "eu", "--comer-ms", "300"]);
    let mut silent = TcpStream::connect(relay.address()).await.unwrap();
    let mut half = TcpStream::connect(relay.address()).await.unwrap();
    half.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    for stream in [&mut silent, &mut half] {
        let mut answer = Vec::new();
        // An answer says that it took too long, or there is none.
        let _ = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    }
    let mut ungreeted = connect(&relay.url, "a").await;
    let Some(Frame::Bye(Bye { code, reason, .. })) = next_frame(&mut ungreeted).await else {
        panic!("it may stay");
    };
    assert_eq!((code, reason.as_str()), (4009, "the other side has gone silent"));
    // Whoever is in may say nothing for as long as it likes.
    let mut ada = Client::new(&relay.url, "a", 1);
    let doc = ada.create(1);
    ada.until_stored().await;
    let mut ben = Client::new(&relay.url, "a", 2);
    ben.until_held(doc).await;
    let mut again = connect(&relay.url, "b").await;
    assert_eq!(close_code(&mut again).await, Some(4009));
    assert!(ada.closes.is_empty() && ben.closes.is_empty());
}

#[tokio::test]
async fn a_crowd_at_the_door_keeps_nobody_out() {
    let data = tempfile::tempdir().unwrap();
    let flags = ["--region", "eu", "--comers-max", "4", "--connections-max", "2"];
    let relay = Relay::start_with(data.path(), &flags);
    let mut crowd = Vec::new();
    for _ in 0..12 {
        crowd.push(connect(&relay.url, "a").await);
    }
    let Some(Frame::Bye(Bye { code, reason, .. })) = next_frame(&mut crowd[0]).await else {
        panic!("it may stay");
    };
    assert_eq!((code, reason.as_str()), (4009, "there is no time to wait for a greeting; connect again"));
    let mut ada = Client::new(&relay.url, "a", 1);
    let doc = ada.create(1);
    ada.until_stored().await;
    Client::new(&relay.url, "a", 2).until_held(doc).await;
}

#[tokio::test]
async fn a_connection_answers_one_request() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    stream.write_all("GET /health HTTP/1.1\r\nhost: a\r\n\r\n".repeat(50).as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    // What was sent and not read may end the connection with an error.
    let _ = timeout(DEADLINE, stream.read_to_end(&mut answers)).await.unwrap();
    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");
}

/// They stayed open for as long as their clients liked.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_does_not_read_the_answer_keeps_no_connection_open() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start_with(data.path(), &["--region", "eu", "--comer-ms", "300"]);
    let open = || fs::read_dir(format!("/proc/{}/fd", relay.child.id())).unwrap().count();
    relay.get("/metrics").await;
    let before = open();
    let mut unread = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(relay.address()).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        unread.push(stream);
    }
    // Its answer shows that the relay has accepted all of them.
    relay.get("/health").await;
    let closed = async {
        while open() > before {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, closed).await.expect("the relay closes them");
    drop(unread);
}

#[tokio::test]
async fn what_comes_instead_of_a_greeting_is_told_why_it_is_none() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    use futures_util::SinkExt;
    use tokio_tungstenite::tungstenite::Message;
    for (bytes, expected, said) in [
        (vec![], 4000, "malformed frame"),
        (vec![0xff; 100], 4000, "malformed frame"),
        (Frame::Credit(7).encode(), 4002, "a frame before the greeting"),
        (Frame::Unknown.encode(), 4002, "a frame before the greeting"),
        (vec![0; 32 * 1024 + 1], 4001, "a message over the limit of 32768 bytes"),
    ] {
        let mut stream = connect(&relay.url, "a").await;
        stream.send(Message::Binary(bytes.into())).await.unwrap();
        let Some(Frame::Bye(Bye { code, reason, .. })) = next_frame(&mut stream).await else {
            panic!("it was let in");
        };
        assert_eq!(code, expected, "{reason}");
        assert!(reason.starts_with(said), "{reason}");
        assert_eq!(close_code(&mut stream).await, Some(expected));
    }
    assert_eq!(relay.metric("eyot_relays_loaded_total").await, 0.0);
}

#[tokio::test]
async fn a_request_of_a_wrong_kind_is_refused_with_its_status() {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(data.path());
    let long = format!("GET /{} HTTP/1.1", "a".repeat(20_000));
    let large = "a".repeat(20_000);
    for (line, headers, expected) in [
        ("GET /health HTTP/1.1", &[][..], 200),
        ("GET /health HTTP/1.1", &[("x", large.as_str())], 431),
        ("GET /health HTTP/7.7", &[], 400),
        ("nonsense", &[], 400),
        (&long, &[], 414),
        ("GET /health?a=b HTTP/1.1", &[], 200),
        ("GET /HEALTH HTTP/1.1", &[], 404),
        ("GET /v1/%00%ff HTTP/1.1", &[], 400),
        ("GET /v1/%zz HTTP/1.1", &[], 400),
        ("GET /v1/%2 HTTP/1.1", &[], 400),
        ("HEAD /health HTTP/1.1", &[], 405),
        ("OPTIONS /v1/a HTTP/1.1", &[], 405),
    ] {
        let (status, head, _) = request(relay.address(), line, headers).await;
        let line = &line[..line.len().min(40)];
        assert!(status == expected || (status == 431 && expected == 414), "{line}: {head}");
    }
}
