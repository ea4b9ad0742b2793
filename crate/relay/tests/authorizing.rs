//! `--authorize URL`: the application has the last word.

mod common;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{
    Client, Relay, SECRET, close_code, connect, eyot_relay, guarded, hello, next_frame, now, refusal, send,
    token_of,
};
use eyot_core::wire::bodies::Hello;
use eyot_core::wire::frame::Frame;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The status and body of an answer; none is never given.
type Answer = Option<(u16, String)>;

/// An application: what it was asked, and what it answers, in turn; the last answer again and again.
#[derive(Clone)]
struct Application {
    url: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Application {
    /// One that gives these answers; it never gives one that is none.
    async fn start(answers: &[Option<(u16, &str)>]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answers = answers.iter().map(|answer| answer.map(|(status, body)| (status, body.to_owned())));
        let application = Self {
            url: format!("http://{}/may", listener.local_addr().unwrap()),
            asked: Arc::default(),
            answers: Arc::new(Mutex::new(answers.collect())),
        };
        let serving = application.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().answer(stream));
            }
        });
        application
    }

    async fn answer(self, mut stream: TcpStream) {
        let mut request = Vec::new();
        let body_at = |request: &[u8]| request.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4);
        let (head, body) = loop {
            if stream.read_buf(&mut request).await.unwrap() == 0 {
                return;
            }
            let Some(at) = body_at(&request) else { continue };
            if let Ok(body) = serde_json::from_slice(&request[at..]) {
                break (String::from_utf8(request[..at].to_vec()).unwrap(), body);
            }
        };
        self.asked.lock().unwrap().push((head, body));
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
        };
        let Some((status, body)) = answer else { return std::future::pending().await };
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    }

    fn relay(&self, folder: &std::path::Path) -> Relay {
        guarded(folder, &["--region", "eu", "--authorize", &self.url]).0
    }
}

fn token(subject: &str) -> String {
    let exp = now() / 1000 + 600;
    token_of(SECRET, &json!({ "sub": subject, "exp": exp, "role": "editor", "spaces": { "*": "write" } }))
}

#[tokio::test]
async fn the_application_is_told_what_the_token_says_and_not_the_token_and_may_narrow_the_right() {
    let application = Application::start(&[
        Some((200, r#"{"allow":true}"#)),
        Some((200, r#"{"allow":true,"right":"read"}"#)),
    ])
    .await;
    let folder = tempfile::tempdir().unwrap();
    let relay = application.relay(folder.path());
    let tokens = [token("ada"), token("ben")];
    let mut ada = Client::with_token(&relay.url, "team", 1, &tokens[0]);
    let doc = ada.create(1);
    ada.until_stored().await;
    let mut ben = Client::with_token(&relay.url, "team", 2, &tokens[1]);
    ben.until_held(doc).await;
    ben.create(2);
    ada.change(doc, 3);
    ada.until_stored().await;
    let value = ada.replica.value(doc).unwrap();
    ben.until("the change is there", |ben| ben.replica.value(doc).unwrap() == value).await;
    assert_eq!(ben.replica.status().unsent, 1);
    let asked = application.asked.lock().unwrap().clone();
    let (head, body) = &asked[0];
    assert!(head.starts_with("POST /may HTTP/1.1\r\n"), "{head}");
    assert_eq!((&body["space"], &body["region"]), (&json!("team"), &json!("eu")));
    assert_eq!((&body["claims"]["sub"], &body["claims"]["role"]), (&json!("ada"), &json!("editor")));
    for (head, body) in &asked {
        assert!(tokens.iter().all(|token| !head.contains(token) && !body.to_string().contains(token)));
    }
}

#[tokio::test]
async fn whom_the_application_refuses_is_denied_and_where_it_fails_one_may_come_again() {
    let allow = r#"{"allow":true}"#;
    let answers = [
        Some((200, r#"{"allow":false}"#)),
        Some((403, "no")),
        Some((500, allow)),
        Some((302, allow)),
        Some((200, "nonsense")),
        Some((200, r#"{"right":"write"}"#)),
        Some((200, r#"{"allow":true,"right":"own"}"#)),
        None,
        Some((200, allow)),
    ];
    let application = Application::start(&answers).await;
    let folder = tempfile::tempdir().unwrap();
    let mut relay = application.relay(folder.path());
    for subject in ["a", "b"] {
        assert_eq!(
            refusal(&relay, "team", Some(token(subject))).await,
            (4004, "the application does not let you in".to_owned())
        );
    }
    let same = token("c");
    for _ in 0..6 {
        let (code, reason) = refusal(&relay, "team", Some(same.clone())).await;
        assert_eq!(
            (code, reason.as_str()),
            (4009, "the application can't be asked whether you may come in; try again")
        );
    }
    // The same token, once the application answers: a failure is not remembered.
    let mut client = Client::with_token(&relay.url, "team", 1, &same);
    client.until_live().await;
    relay.signal("TERM");
    let log = client.during(async { tokio::task::spawn_blocking(move || relay.log()).await.unwrap() }).await;
    assert!(log.contains("the application can't be asked") && !log.contains(&same), "{log}");
}

#[tokio::test]
async fn an_answer_counts_for_a_while_and_a_token_that_is_bad_is_not_asked_about() {
    let application = Application::start(&[Some((200, r#"{"allow":true}"#))]).await;
    let folder = tempfile::tempdir().unwrap();
    let relay = application.relay(folder.path());
    let forged = token_of("another secret that somebody did guess", &json!({ "sub": "eve" }));
    assert_eq!(refusal(&relay, "team", Some(forged)).await.0, 4004);
    let good = token("ada");
    for _ in 0..5 {
        let mut stream = connect(&relay.url, "team").await;
        send(&mut stream, &Frame::Hello(Hello { token: Some(good.clone()), ..hello("team") })).await;
        assert!(matches!(next_frame(&mut stream).await, Some(Frame::Hello(_))));
    }
    let asked = application.asked.lock().unwrap().len();
    assert!((1..5).contains(&asked), "it was asked {asked} times");
}

#[tokio::test]
async fn many_that_wait_for_an_application_that_is_silent_hold_up_nobody_who_is_in() {
    let application = Application::start(&[Some((200, r#"{"allow":true}"#)), None]).await;
    let folder = tempfile::tempdir().unwrap();
    let relay = application.relay(folder.path());
    let mut ada = Client::with_token(&relay.url, "team", 1, &token("ada"));
    ada.until_live().await;
    let mut waiting = Vec::new();
    for number in 0..200 {
        let mut stream = connect(&relay.url, "team").await;
        let token = token(&number.to_string());
        send(&mut stream, &Frame::Hello(Hello { token: Some(token), ..hello("team") })).await;
        waiting.push(stream);
    }
    ada.create(1);
    ada.until_stored().await;
    // No more questions at once than there may be.
    assert!(application.asked.lock().unwrap().len() <= 65);
    for stream in &mut waiting {
        assert_eq!(ada.during(close_code(stream)).await, Some(4009));
    }
    tokio::time::timeout(Duration::from_secs(20), ada.until_live()).await.unwrap();
}

#[test]
fn an_application_has_no_say_where_no_tokens_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (flags, reason) in [
        (&["--authorize", "http://127.0.0.1:9"][..], "--authorize judges tokens"),
        (&["--authorize", "ftp://127.0.0.1:9"], "an address begins with http:// or https://"),
        (&["--authorize", "https://ada:secret@a"], "an address has no user and no password"),
    ] {
        let mut command = eyot_relay();
        command
            .args(["serve", "--region", "eu", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path())
            .args(flags);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}
