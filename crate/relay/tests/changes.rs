//! What servers are told of what is stored: `GET /v1/SPACE/changes`.

mod common;

use std::fs;
use std::path::Path;

use common::{Client, Relay, SECRET, guarded, now, request, token_of};
use eyot_core::storage::memory::MemoryStore;
use serde_json::{Value, json};

const REGION: [&str; 2] = ["--region", "eu"];

fn token(subject: &str, seconds: i64, spaces: &Value) -> String {
    token_of(SECRET, &json!({ "sub": subject, "exp": now() as i64 / 1000 + seconds, "spaces": spaces }))
}

async fn changes(relay: &Relay, query: &str, token: Option<&str>) -> (u16, Value, String) {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    let (status, head, body) =
        request(relay.address(), &format!("GET /v1/team/changes{query} HTTP/1.1"), &headers).await;
    let body = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status}: {body}"));
    (status, body, head)
}

/// The ids of all documents of a page, in order.
fn documents(page: &Value) -> Vec<&str> {
    let changes = page["changes"].as_array().unwrap().iter();
    changes
        .flat_map(|change| change["items"].as_array().unwrap())
        .filter_map(|item| item["document"].as_str())
        .collect()
}

#[tokio::test]
async fn a_server_reads_what_is_stored_page_by_page_and_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (relay, _) = guarded(folder.path(), &REGION);
    let reader = token("indexer", 60, &json!({ "te*": "read" }));
    let (status, empty, _) = changes(&relay, "", Some(&reader)).await;
    assert_eq!((status, &empty["changes"], &empty["more"]), (200, &json!([]), &json!(false)));
    let mut ada = Client::with_token(&relay.url, "team", 1, &token("ada", 60, &json!({ "team": "write" })));
    let docs = [1, 2, 3].map(|value| ada.create(value).to_url());
    ada.until_stored().await;
    let (_, first, _) = changes(&relay, "?limit=2", Some(&reader)).await;
    assert_eq!(
        (documents(&first), &first["more"]),
        (docs[..2].iter().map(String::as_str).collect(), &json!(true))
    );
    let next = format!("?after={}", first["next"].as_str().unwrap());
    // As a crash would end it: what was told is stored.
    relay.kill();
    let (relay, _) = guarded(folder.path(), &REGION);
    let (_, second, _) = changes(&relay, &next, Some(&reader)).await;
    assert_eq!((documents(&second), &second["more"]), (vec![docs[2].as_str()], &json!(false)));
    let next = format!("?after={}", second["next"].as_str().unwrap());
    assert_eq!(changes(&relay, &next, Some(&reader)).await.1["changes"], json!([]));
}

#[tokio::test]
async fn a_position_of_a_log_that_was_replaced_is_told_by_a_code() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut next = String::new();
    for (folder, status, code) in [(&folders[0], 200, json!(null)), (&folders[1], 410, json!("other-log"))] {
        let relay = Relay::start(folder.path());
        let mut ada = Client::new(&relay.url, "team", 1);
        ada.create(1);
        ada.until_stored().await;
        let (got, page, _) = changes(&relay, &next, None).await;
        assert_eq!((got, &page["code"]), (status, &code));
        next = format!("?after={}", page["next"].as_str().unwrap_or_default());
    }
}

#[tokio::test]
async fn only_whoever_may_read_the_space_is_told_and_mistakes_have_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let (relay, _) = guarded(folder.path(), &REGION);
    let good = token("ada", 60, &json!({ "team": "read" }));
    let expired = token("ada", -60, &json!({ "team": "read" }));
    let other = token("ada", 60, &json!({ "other": "write" }));
    for (query, token, status, code) in [
        ("", None, 401, "denied"),
        ("", Some("nonsense"), 401, "denied"),
        ("", Some(expired.as_str()), 401, "expired"),
        ("", Some(other.as_str()), 401, "denied"),
        ("?after=", Some(good.as_str()), 400, "invalid"),
        ("?after=nonsense", Some(good.as_str()), 400, "invalid"),
        ("?limit=0", Some(good.as_str()), 400, "invalid"),
        ("?limit=1001", Some(good.as_str()), 400, "invalid"),
        ("?since=1", Some(good.as_str()), 400, "invalid"),
    ] {
        let (got, body, _) = changes(&relay, query, token).await;
        assert_eq!((got, &body["code"]), (status, &json!(code)), "{query}");
    }
    // Nobody has made a space by asking.
    assert_eq!(relay.metric("eyot_relays_loaded_total").await, 0.0);
    let (status, ..) = request(relay.address(), "POST /v1/team/changes HTTP/1.1", &[]).await;
    assert_eq!(status, 405);
    let (status, ..) = request(relay.address(), "GET /v1/%f0/changes HTTP/1.1", &[]).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn whoever_asks_too_much_waits_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let (relay, _) = guarded(folder.path(), &REGION);
    let spaces = json!({ "team": "read" });
    let (greedy, modest) = (token("greedy", 60, &spaces), token("modest", 60, &spaces));
    let all = (0..300).map(|_| changes(&relay, "", Some(&greedy)));
    let answers = futures_util::future::join_all(all).await;
    let refused: Vec<_> = answers.iter().filter(|(status, ..)| *status == 429).collect();
    assert!(!refused.is_empty(), "nobody had to wait");
    for (_, body, head) in refused {
        assert_eq!(body["code"], json!("unavailable"));
        assert!(head.contains("retry-after: 1"), "{head}");
    }
    assert_eq!(changes(&relay, "", Some(&modest)).await.0, 200);
}

#[tokio::test]
async fn an_old_copy_that_was_put_back_is_another_log_to_who_has_read_further() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::start_with(folder.path(), &["--region", "eu", "--shards", "1"]);
    let mut ada = Client::on(MemoryStore::default(), &relay.url, "team", 1, None);
    ada.create(1);
    ada.until_stored().await;
    relay.kill();
    let copy = tempfile::tempdir().unwrap();
    let files = |from: &Path, to: &Path| {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    };
    files(folder.path(), copy.path());
    let relay = Relay::start(folder.path());
    let mut ben = Client::new(&relay.url, "team", 2);
    ben.create(2);
    ben.until_stored().await;
    let (_, page, _) = changes(&relay, "", None).await;
    assert_eq!(page["changes"].as_array().unwrap().len(), 2);
    let next = format!("?after={}", page["next"].as_str().unwrap());
    relay.kill();
    let relay = Relay::start(copy.path());
    let (status, body, _) = changes(&relay, &next, None).await;
    assert_eq!((status, &body["code"]), (410, &json!("other-log")));
}
