//! Who is let in by a token, how far, and for how long.

mod common;

use std::fs;

use common::{
    Client, SECRET, close_code, connect, greet, guarded, hello, next_frame, now, refusal, send, token_of,
};
use eyot_core::replica::event::Event;
use eyot_core::replica::status::State;
use eyot_core::wire::frame::Frame;
use serde_json::{Value, json};

/// Good for so many seconds.
fn token(seconds: i64, spaces: &Value) -> String {
    token_of(SECRET, &json!({ "sub": "ada", "exp": now() as i64 / 1000 + seconds, "spaces": spaces }))
}

#[tokio::test]
async fn nobody_gets_in_without_a_good_token() {
    let folder = tempfile::tempdir().unwrap();
    let (relay, _) = guarded(folder.path(), &["--region", "eu"]);
    let team = json!({ "team": "write" });
    let forged = token_of("another secret that somebody did guess", &json!({ "sub": "eve" }));
    let expired = token(-60, &team);
    for (token, code, reason) in [
        (None, 4004, "a token is needed"),
        (Some("nonsense".to_owned()), 4004, "the token is malformed"),
        (Some(forged), 4004, "the token was not signed by a key of this relay"),
        (Some(expired), 4010, "the token has expired"),
        (Some(token(60, &json!({ "other": "write" }))), 4004, "this token is not for this space"),
    ] {
        assert_eq!(refusal(&relay, "team", token).await, (code, reason.to_owned()));
    }
    let mut stream = greet(&relay, "team", Some(token(60, &team))).await;
    assert!(matches!(next_frame(&mut stream).await, Some(Frame::Hello(_))));
    let denied = "eyot_connections_closed_total{code=\"4004\",reason=\"denied\"}";
    relay.until_metric(denied, |count| count == 4.0).await;
}

#[tokio::test]
async fn who_may_only_read_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (relay, _) = guarded(folder.path(), &["--region", "eu"]);
    let mut ada = Client::with_token(&relay.url, "team", 1, &token(60, &json!({ "te*": "write" })));
    let doc = ada.create(1);
    ada.until_stored().await;
    let mut ben = Client::with_token(&relay.url, "team", 2, &token(60, &json!({ "team": "read" })));
    ben.until_held(doc).await;
    ben.create(2);
    ada.change(doc, 3);
    ada.until_stored().await;
    let value = ada.replica.value(doc).unwrap();
    ben.until("the change is there", |ben| ben.replica.value(doc).unwrap() == value).await;
    assert_eq!(ben.replica.status().unsent, 1);
    relay.until_metric("eyot_commits_total{direction=\"in\"}", |commits| commits == 2.0).await;
}

#[tokio::test]
async fn a_token_that_runs_out_ends_the_connection_and_a_fresh_one_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    // Asleep in between: the relay wakes to close it.
    let (relay, _) = guarded(folder.path(), &["--region", "eu", "--idle-ms", "500"]);
    let team = json!({ "team": "write" });
    let mut stream = greet(&relay, "team", Some(token(-1, &team))).await;
    assert!(matches!(next_frame(&mut stream).await, Some(Frame::Hello(_))));
    let mut ada = Client::with_token(&relay.url, "team", 1, &token(0, &team));
    ada.until("it is told", |ada| ada.events.iter().any(|event| matches!(event, Event::TokenExpiring))).await;
    ada.replica.set_token(token(60, &team));
    ada.drain();
    // The one that is not renewed is closed some seconds from now, and the other is not.
    assert_eq!(ada.during(close_code(&mut stream)).await, Some(4010));
    ada.create(1);
    ada.until_stored().await;
    assert!(ada.closes.is_empty(), "{:?}", ada.closes);
}

#[tokio::test]
async fn limits_that_are_given_as_flags_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--region", "eu", "--subject-connections-max", "2", "--subject-bytes-max", "2000"];
    let (relay, _) = guarded(folder.path(), &flags);
    let mut ada = Client::with_token(&relay.url, "team", 1, &token(60, &json!({ "*": "write" })));
    ada.create(1);
    ada.until_stored().await;
    let mut second = greet(&relay, "team", Some(token(60, &json!({ "*": "read" })))).await;
    assert!(matches!(next_frame(&mut second).await, Some(Frame::Hello(_))));
    let (code, _) = refusal(&relay, "team", Some(token(60, &json!({ "*": "read" })))).await;
    assert_eq!(code, 4005);
    for value in 0..30 {
        ada.create(value);
    }
    let is_over = |ada: &mut Client| matches!(ada.replica.status().error, Some(("quota", _)));
    ada.until("it has brought too much", is_over).await;
}

#[tokio::test]
async fn keys_are_read_again_when_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (relay, file) = guarded(folder.path(), &["--region", "eu"]);
    let claims = json!({ "sub": "ada", "exp": now() / 1000 + 60, "spaces": { "*": "write" } });
    let fresh = "a secret that was made this morning, in a hurry";
    let mut before = Client::with_token(&relay.url, "team", 1, &token_of(SECRET, &claims));
    before.until_live().await;
    fs::write(&file, fresh).unwrap();
    relay.signal("HUP");
    let mut after = Client::with_token(&relay.url, "team", 2, &token_of(fresh, &claims));
    // It may have knocked before the keys were there.
    while after.replica.status().state != State::Live {
        let is_over =
            |after: &mut Client| matches!(after.replica.status().state, State::Live | State::Denied);
        after.until("it is let in or refused", is_over).await;
        if after.replica.status().state == State::Denied {
            after = Client::with_token(&relay.url, "team", 2, &token_of(fresh, &claims));
        }
    }
    let (code, _) = refusal(&relay, "team", Some(token_of(SECRET, &claims))).await;
    assert_eq!(code, 4004);
    // Who was let in stays.
    before.create(1);
    before.until_stored().await;
    // A file that gives no keys changes nothing.
    fs::write(&file, "short").unwrap();
    relay.signal("HUP");
    let mut stream = greet(&relay, "team", Some(token_of(fresh, &claims))).await;
    assert!(matches!(next_frame(&mut stream).await, Some(Frame::Hello(_))));
}

#[tokio::test]
async fn relays_of_other_regions_have_tokens_of_their_own() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let expires = now() / 1000 + 60;
    let spaces = json!({ "*": "write" });
    let relay_token =
        token_of(SECRET, &json!({ "sub": "eu", "exp": expires, "spaces": spaces, "relay": true }));
    let token_file = folders[0].path().join("token");
    fs::write(&token_file, relay_token).unwrap();
    let (us, _) = guarded(folders[1].path(), &["--region", "us", "--peer", "eu=ws://127.0.0.1:9"]);
    let peer = format!("us={}", us.url);
    let (eu, _) = guarded(
        folders[0].path(),
        &["--region", "eu", "--peer", &peer, "--peer-token", token_file.to_str().unwrap()],
    );
    let mut ada = Client::with_token(&eu.url, "team", 1, &token(60, &spaces));
    ada.until_live().await;
    ada.create(1);
    let durable = ada.replica.durable(2, None).unwrap();
    ada.until_done("two regions have it", durable).await;
    // Without that right it is a client's token.
    let mut stream = connect(&us.url, "team").await;
    let pretended = eyot_core::wire::bodies::Hello {
        token: Some(token(60, &spaces)),
        region: Some("ap".to_owned()),
        ..hello("team")
    };
    send(&mut stream, &Frame::Hello(pretended)).await;
    assert_eq!(close_code(&mut stream).await, Some(4004));
}
