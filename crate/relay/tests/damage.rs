//! What happens to a folder behind the relay's back.

mod common;

use std::fs;
use std::path::Path;

use common::{Client, Relay, eyot_relay};
use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::document::value::{Op, Value};

/// Bytes that are found again in a file, and are in no other.
const PATTERN: &[u8] = b"these bytes are in one commit and nowhere else in the folder";
const PAGE: usize = 4096;

fn pattern(bytes: usize) -> Op {
    let bytes = PATTERN.iter().copied().cycle().take(bytes).collect();
    Op::Put { path: vec![Prop::Map("pattern".into())], value: Value::Scalar(ScalarValue::Bytes(bytes)) }
}

#[tokio::test]
async fn a_relay_whose_folder_is_deleted_acknowledges_nothing_more_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    for is_replaced in [false, true] {
        let data = folder.path().join(format!("data-{is_replaced}"));
        let mut relay = Relay::start(&data);
        let mut ada = Client::new(&relay.url, "space", 1);
        ada.create(1);
        ada.until_stored().await;
        if is_replaced {
            fs::rename(&data, folder.path().join("away")).unwrap();
            drop(Relay::start(&data));
        } else {
            fs::remove_dir_all(&data).unwrap();
        }
        ada.create(2);
        ada.until("the relay gives up", |ada| !ada.closes.is_empty()).await;
        assert_eq!(ada.closes[0].0, 4008, "{:?}", ada.closes);
        assert!(ada.replica.status().unsent > 0);
        assert_eq!(relay.child.wait().unwrap().code(), Some(2));
        let log = relay.log();
        assert!(log.contains("was deleted or replaced while this relay was running"), "{log}");
    }
}

#[tokio::test]
async fn a_relay_that_has_nothing_to_store_notices_too_that_its_folder_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut relay = Relay::start(&data);
    fs::remove_dir_all(&data).unwrap();
    let log = relay.log();
    assert!(log.contains("was deleted or replaced"), "{log}");
    assert_eq!(relay.child.wait().unwrap().code(), Some(2));
}

/// Stores a large commit in one space and a small one in another, and destroys a page of the large one.
async fn damaged(data: &Path) {
    let mut relay = Relay::start_with(data, &["--region", "eu", "--shards", "1"]);
    let mut ada = Client::new(&relay.url, "broken", 1);
    ada.replica.create(&[pattern(300_000)], None, common::now()).unwrap();
    ada.until_stored().await;
    let mut ben = Client::new(&relay.url, "sound", 2);
    ben.create(1);
    ben.until_stored().await;
    relay.signal("TERM");
    assert!(relay.child.wait().unwrap().success());
    let file = data.join("shard-000.sqlite");
    let mut bytes = fs::read(&file).unwrap();
    let pages: Vec<_> = (0..bytes.len() / PAGE)
        .filter(|page| bytes[page * PAGE..][..PAGE].windows(PATTERN.len()).any(|bytes| bytes == PATTERN))
        .collect();
    bytes[pages[pages.len() / 2] * PAGE..][..PAGE].fill(0);
    fs::write(&file, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_page_ends_the_service_of_its_space_alone() {
    let data = tempfile::tempdir().unwrap();
    damaged(data.path()).await;
    let relay = Relay::start(data.path());
    let mut cleo = Client::new(&relay.url, "broken", 3);
    cleo.create(1);
    cleo.until("the space fails", |cleo| cleo.closes.iter().any(|(code, _)| *code == 4008)).await;
    let mut ben = Client::new(&relay.url, "sound", 4);
    let doc = ben.create(2);
    ben.until_stored().await;
    let mut dan = Client::new(&relay.url, "sound", 5);
    dan.until_held(doc).await;
    assert_eq!(dan.replica.documents().len(), 2);
    assert!(ben.closes.is_empty() && dan.closes.is_empty());
}

#[tokio::test]
async fn a_damaged_space_is_left_out_by_repair_and_filled_again_by_who_has_it() {
    let data = tempfile::tempdir().unwrap();
    damaged(data.path()).await;
    let repair = || eyot_relay().args(["repair", "--data"]).arg(data.path()).output().unwrap();
    let output = repair();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("broken: can't be read and is left out"), "{said}");
    assert!(said.contains("1 of 2 spaces kept"), "{said}");
    assert!(String::from_utf8(repair().stdout).unwrap().contains("nothing is damaged"));
    let relay = Relay::start(data.path());
    let mut cleo = Client::new(&relay.url, "broken", 3);
    let doc = cleo.create(1);
    cleo.until_stored().await;
    Client::new(&relay.url, "broken", 4).until_held(doc).await;
    let mut dan = Client::new(&relay.url, "sound", 5);
    dan.until("what was sound is there", |dan| dan.replica.documents().len() == 1).await;
    // Nobody repairs what is being served.
    let refused = repair();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("is used by another process"));
}
