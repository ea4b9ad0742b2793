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

/// The whole message, from the line that says that there is an error.
fn said(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(stdout.is_empty(), "{stdout:?}");
    let at = stderr.find("error: ").unwrap_or_else(|| panic!("{stderr}"));
    stderr[at..].to_owned()
}

#[test]
fn a_flag_of_a_wrong_kind_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (flags, reason) in [
        (&["--nonsense"][..], "unexpected argument '--nonsense'"),
        (&["--listen", "7701"], "invalid socket address"),
        (&["--listen", "127.0.0.1:65536"], "invalid socket address"),
        (&["--listen", "localhost:7701"], "invalid socket address"),
        (&["--shards", "0"], "0 is not in 1..=256"),
        (&["--shards", "257"], "257 is not in 1..=256"),
        (&["--shards", "many"], "invalid digit found in string"),
        (&["--peer", "us"], "a peer is given as REGION=URL"),
        (&["--peer", "=ws://a"], "a region has a name of 1 to 48 bytes"),
        (&["--peer", "us=https://a"], "an address begins with ws:// or wss://"),
        (&["--peer", "us=wss://ada:secret@a"], "an address has no user and no password"),
        (&["--peer", "us=wss://a?token=secret"], "an address has no query"),
        (&["--public-url", "eu.example"], "an address begins with ws:// or wss://"),
        (&["--public-url", ""], "an address begins with ws:// or wss://"),
        (&["--origin", "app.example"], "an origin is given as https://HOST"),
        (&["--origin", "https://app.example/"], "an origin is given as https://HOST"),
        (&["--auth", "closed"], "invalid value 'closed'"),
        (&["--auth", "open", "--jwt-key", "a"], "cannot be used with"),
        (&["--auth", "open", "--jwt-secret", "a"], "cannot be used with"),
        (&["--jwt-key", "a", "--jwt-secret", "b"], "cannot be used with"),
        (&["--connections-max", "0"], "0 is not in 1.."),
        (&["--space-bytes-max", "-1"], "unexpected argument '-1'"),
        (&["--space-bytes-max", "1e9"], "invalid digit found in string"),
        (&["--log", "xml"], "invalid value 'xml'"),
        (&["--region", "us"], "cannot be used multiple times"),
    ] {
        let said = said(eyot_relay().args(["serve", "--region", "eu", "--data"]).arg(&data).args(flags));
        assert!(said.contains(reason), "{flags:?}: {said}");
    }
    let empty = said(eyot_relay().args(["serve", "--region", "", "--data"]).arg(&data));
    assert!(empty.contains("a region has a name of 1 to 48 bytes"), "{empty}");
    let long = said(eyot_relay().args(["serve", "--region", &"a".repeat(49), "--data"]).arg(&data));
    assert!(long.contains("a region has a name of 1 to 48 bytes"), "{long}");
    let missing = said(eyot_relay().args(["serve", "--region", "eu"]));
    assert!(missing.contains("required arguments were not provided"), "{missing}");
    use std::os::unix::ffi::OsStrExt;
    let garbled = std::ffi::OsStr::from_bytes(b"\xff");
    let garbled = said(eyot_relay().args(["serve", "--data"]).arg(&data).arg("--region").arg(garbled));
    assert!(garbled.contains("invalid UTF-8"), "{garbled}");
    assert!(!data.exists());
}

#[test]
fn a_file_of_a_wrong_kind_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let folder_path = folder.path().to_str().unwrap().to_owned();
    let ssh =
        file("ssh", b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtcgHmQrfpW5uOv3QVhhoeP9s8nnJxQyNmGGCDhAwmW ada");
    let text = file("text", b"a secret that nobody would ever guess");
    let jwk =
        file("jwk", br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#);
    let garbled = file("garbled", &[0xff; 40]);
    let empty = file("empty", b"");
    let short = file("short", b"short");
    let words = file("words", b"two words");
    let long = file("long", &[b'a'; 9_000]);
    let missing = "/nowhere/file".to_owned();
    for (flag, file, reason) in [
        ("--jwt-key", &missing, "No such file or directory"),
        ("--jwt-key", &folder_path, "Is a directory"),
        ("--jwt-key", &garbled, "valid UTF-8"),
        ("--jwt-key", &empty, "the file is empty"),
        ("--jwt-key", &text, "a shared secret has a flag of its own, --jwt-secret"),
        ("--jwt-key", &ssh, "not in the form of OpenSSH"),
        ("--jwt-key", &"/dev/zero".to_owned(), "more than 1048576 bytes"),
        ("--jwt-secret", &missing, "No such file or directory"),
        ("--jwt-secret", &empty, "a secret has at least 32 bytes"),
        ("--jwt-secret", &short, "a secret has at least 32 bytes"),
        ("--jwt-secret", &garbled, "valid UTF-8"),
        ("--jwt-secret", &ssh, "this looks like a key that everybody may know"),
        ("--jwt-secret", &jwk, "this looks like a key that everybody may know"),
        ("--peer-token", &missing, "No such file or directory"),
        ("--peer-token", &empty, "the file is empty"),
        ("--peer-token", &words, "a token has no spaces"),
        ("--peer-token", &long, "a token has at most 8192 bytes"),
        ("--peer-token", &garbled, "valid UTF-8"),
    ] {
        let refused = refusal(&mut serve(&data, ANY, &[flag, file]));
        assert!(refused.starts_with(&format!("error: {file}: ")), "{flag}: {refused}");
        assert!(refused.contains(reason), "{flag} {file}: {refused}");
    }
    assert!(!data.exists());
    // The folder itself.
    let not_a_folder = refusal(&mut serve(Path::new(&text), ANY, &[]));
    assert!(not_a_folder.starts_with(&format!("error: {text}: ")), "{not_a_folder}");
}

#[test]
fn a_folder_that_does_not_fit_together_is_not_served() {
    let data = tempfile::tempdir().unwrap();
    let mut relay = Relay::start_with(data.path(), &["--region", "eu", "--shards", "2"]);
    // In an orderly way, so that all is in the files that are looked at here.
    relay.signal("TERM");
    assert!(relay.child.wait().unwrap().success());
    let layout = data.path().join("layout.json");
    let right = std::fs::read_to_string(&layout).unwrap();
    let [first, second] = ["shard-000.sqlite", "shard-001.sqlite"].map(|name| data.path().join(name));
    for (text, reason) in [
        ("", "EOF while parsing"),
        ("{}", "missing field"),
        (r#"{"version":9,"shards":2}"#, "was made by a newer version of eyot-relay"),
        (r#"{"version":1,"shards":3}"#, "shard-002.sqlite is missing"),
        (
            r#"{"version":1,"shards":1}"#,
            "this database is number 0 of 2, but its name and layout.json say number 0 of 1",
        ),
    ] {
        std::fs::write(&layout, text).unwrap();
        let refused = refusal(&mut serve(data.path(), ANY, &[]));
        assert!(refused.contains(reason), "{text}: {refused}");
    }
    std::fs::remove_file(&layout).unwrap();
    let refused = refusal(&mut serve(data.path(), ANY, &[]));
    assert!(refused.contains("has databases and no layout.json"), "{refused}");
    std::fs::write(&layout, &right).unwrap();
    let aside = data.path().join("aside");
    for (from, to) in [(&first, &aside), (&second, &first), (&aside, &second)] {
        std::fs::rename(from, to).unwrap();
    }
    let refused = refusal(&mut serve(data.path(), ANY, &[]));
    assert!(refused.contains("this database is number 1 of 2"), "{refused}");
    std::fs::write(
        &first,
        "not a database, though long enough to be looked at as if it were one ".repeat(20),
    )
    .unwrap();
    let refused = refusal(&mut serve(data.path(), ANY, &[]));
    assert!(refused.contains("file is not a database"), "{refused}");
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
