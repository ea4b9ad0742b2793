//! Tokens that are taken back before they expire.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{
    Client, DEADLINE, Relay, SECRET, Stream, close_code, eyot_relay, greet, guarded, next_frame, now,
    refusal, token_of,
};
use eyot_core::replica::event::Event;
use eyot_core::wire::frame::Frame;
use serde_json::{Value, json};
use tokio::time::timeout;

const REGION: [&str; 2] = ["--region", "eu"];

/// A token of this subject that was issued so many seconds from now.
fn token(subject: &str, issued: i64, more: &Value) -> String {
    let seconds = now() as i64 / 1000;
    let mut claims = json!({ "sub": subject, "exp": seconds + 600, "iat": seconds + issued });
    claims["spaces"] = json!({ "*": "write" });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    token_of(SECRET, &claims)
}

/// Somebody who is let in.
async fn let_in(relay: &Relay, space: &str, token: String) -> Stream {
    let mut stream = greet(relay, space, Some(token)).await;
    let first = next_frame(&mut stream).await;
    assert!(matches!(first, Some(Frame::Hello(_))), "{first:?}");
    stream
}

fn revoke(flags: &[&str]) -> (bool, String) {
    let output = eyot_relay().arg("revoke").args(flags).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn revoke_in(folder: &Path, flags: &[&str]) -> String {
    let data = folder.join("data");
    let (done, said) = revoke(&[&["--data", data.to_str().unwrap()][..], flags].concat());
    assert!(done, "{said}");
    said
}

#[tokio::test]
async fn links_of_a_revoked_subject_end_asleep_or_not_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (relay, _) = guarded(folder.path(), &[&REGION[..], &["--idle-ms", "200"]].concat());
    let mut asleep = let_in(&relay, "quiet", token("ada", -10, &json!({}))).await;
    relay.until_metric("eyot_spaces{state=\"asleep\"}", |asleep| asleep == 1.0).await;
    let mut awake = let_in(&relay, "team", token("ada", -10, &json!({}))).await;
    let mut ben = Client::with_token(&relay.url, "team", 2, &token("ben", -10, &json!({})));
    ben.until_live().await;
    let said = revoke_in(folder.path(), &["--subject", "ada"]);
    assert!(said.starts_with("tokens of ada that were issued before "), "{said}");
    for stream in [&mut asleep, &mut awake] {
        assert_eq!(ben.during(close_code(stream)).await, Some(4010));
    }
    ben.create(1);
    ben.until_stored().await;
    assert!(ben.closes.is_empty(), "{:?}", ben.closes);
}

#[tokio::test]
async fn what_is_revoked_is_refused_after_a_restart_too_and_a_later_token_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (relay, _) = guarded(folder.path(), &REGION);
    let mut stream = let_in(&relay, "team", token("ada", -10, &json!({}))).await;
    revoke_in(folder.path(), &["--subject", "ada", "--token", "seven"]);
    assert_eq!(timeout(DEADLINE, close_code(&mut stream)).await.unwrap(), Some(4010));
    relay.kill();
    let (relay, _) = guarded(folder.path(), &REGION);
    let unnamed =
        token_of(SECRET, &json!({ "sub": "ada", "exp": now() / 1000 + 600, "spaces": { "*": "write" } }));
    for token in [token("ada", -10, &json!({})), unnamed, token("ben", 60, &json!({ "jti": "seven" }))] {
        let refused = refusal(&relay, "team", Some(token)).await;
        assert_eq!(refused, (4010, "the token was revoked".to_owned()));
    }
    let_in(&relay, "team", token("ada", 60, &json!({ "jti": "eight" }))).await;
}

#[tokio::test]
async fn one_file_revokes_at_several_relays_also_for_whoever_follows_by_http() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let file = folders[0].path().join("revoked by us.json");
    let flags = [&REGION[..], &["--revoked", file.to_str().unwrap()]].concat();
    let relays = folders.each_ref().map(|folder| guarded(folder.path(), &flags).0);
    let before = token("ada", -10, &json!({}));
    let mut streams = Vec::new();
    for relay in &relays {
        streams.push(let_in(relay, "team", before.clone()).await);
    }
    let (done, said) = revoke(&["--file", file.to_str().unwrap(), "--subject", "ada"]);
    assert!(done, "{said}");
    for (relay, stream) in relays.iter().zip(&mut streams) {
        assert_eq!(close_code(stream).await, Some(4010));
        let bearer = format!("Bearer {before}");
        let headers = [("authorization", bearer.as_str())];
        let line = "GET /v1/team/changes HTTP/1.1";
        let (status, _, body) = common::request(relay.address(), line, &headers).await;
        assert_eq!(status, 401);
        assert!(body.contains("\"expired\""), "{body}");
    }
}

#[tokio::test]
async fn a_link_goes_on_whose_token_was_renewed_before_its_first_one_was_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let (relay, _) = guarded(folder.path(), &REGION);
    // About to expire, so that it is renewed.
    let brief = json!({ "exp": now() / 1000, "jti": "brief" });
    let mut ada = Client::with_token(&relay.url, "team", 1, &token("ada", 0, &brief));
    ada.until("it is told", |ada| ada.events.iter().any(|event| matches!(event, Event::TokenExpiring))).await;
    ada.replica.set_token(token("ada", 0, &json!({ "jti": "fresh" })));
    ada.drain();
    let mut witness = let_in(&relay, "team", token("ben", -10, &json!({ "jti": "brief" }))).await;
    ada.create(1);
    ada.until_stored().await;
    revoke_in(folder.path(), &["--token", "brief"]);
    assert_eq!(ada.during(close_code(&mut witness)).await, Some(4010));
    ada.create(2);
    ada.until_stored().await;
    assert!(ada.closes.is_empty(), "{:?}", ada.closes);
    revoke_in(folder.path(), &["--token", "fresh"]);
    ada.until("it is closed", |ada| ada.closes.iter().any(|(code, _)| *code == 4010)).await;
}

#[test]
fn a_file_that_is_none_is_said_at_the_start_and_by_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("revoked.json");
    fs::write(&file, "[\"ada\"]").unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let mut serve = eyot_relay();
    serve.args(["serve", "--region", "eu", "--listen", "127.0.0.1:0"]);
    serve
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg("--jwt-secret")
        .arg(&secret)
        .arg("--revoked")
        .arg(&file);
    let said = |command: &mut Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&mut serve).contains("not a file of what is revoked"));
    let mut command = eyot_relay();
    assert!(
        said(command.args(["revoke", "--subject", "ada", "--file"]).arg(&file))
            .contains("not a file of what")
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "[\"ada\"]");
    // A folder of another program.
    let mut command = eyot_relay();
    assert!(
        said(command.args(["revoke", "--subject", "ada", "--data"]).arg(folder.path()))
            .contains("no relay's data")
    );
}
