//! The real binary, and real replicas that speak to it over real sockets.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::id::LinkId;
use eyot_core::base::id::{AuthorId, DocId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::document::value::{Op, Value};
use eyot_core::holder::io as holder;
use eyot_core::replica::event::Event;
use eyot_core::replica::io::{Effect, Input};
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::replica::status::State;
use eyot_core::replica::waits::WaitId;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::wire::batch::BatchError;
use eyot_core::wire::bodies::{Bye, Hello};
use eyot_core::wire::frame::{Frame, FrameError};
use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::Value as Json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Nothing in these tests takes so long.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub type Stream = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// The command, to be given what it needs.
pub fn eyot_relay() -> Command {
    Command::new(env!("CARGO_BIN_EXE_eyot-relay"))
}

/// A relay's process. Killed when it is dropped.
pub struct Relay {
    pub child: Child,
    pub url: String,
    pub stderr: Option<ChildStderr>,
}

impl Relay {
    /// One that everybody may use, in region `eu`.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &["--region", "eu"])
    }

    pub fn start_with(data: &Path, flags: &[&str]) -> Self {
        let mut command = eyot_relay();
        command.arg("serve").args(["--listen", "127.0.0.1:0", "--data"]).arg(data).args(flags);
        Self::spawn(command)
    }

    /// Waits until it listens.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut relay = Self { child, url: String::new(), stderr };
        match line.trim().strip_prefix("ready ") {
            Some(url) => relay.url = url.to_owned(),
            None => panic!("the relay said {line:?} and {}", relay.log()),
        }
        relay
    }

    pub fn address(&self) -> &str {
        self.url.strip_prefix("ws://").unwrap()
    }

    /// As a crash would end it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// What it wrote to standard error, until it ends.
    pub fn log(&mut self) -> String {
        let mut log = String::new();
        if let Some(mut stderr) = self.stderr.take() {
            stderr.read_to_string(&mut log).unwrap();
        }
        log
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let (status, headers, body) = request(self.address(), &format!("GET {path} HTTP/1.1"), &[]).await;
        drop(headers);
        (status, body)
    }

    /// The value of a line of `/metrics`, 0 where there is none.
    pub async fn metric(&self, name: &str) -> f64 {
        let (_, page) = self.get("/metrics").await;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or(0.0)
    }

    /// Asks again and again until a metric is as wanted.
    pub async fn until_metric(&self, name: &str, is_wanted: impl Fn(f64) -> bool) -> f64 {
        let asking = async {
            loop {
                let value = self.metric(name).await;
                if is_wanted(value) {
                    return value;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(DEADLINE, asking).await.unwrap_or_else(|_| panic!("{name} is not as wanted"))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub const SECRET: &str = "a secret that nobody would ever guess";

/// A relay that asks for tokens signed with the secret, and the file of that.
pub fn guarded(folder: &Path, flags: &[&str]) -> (Relay, PathBuf) {
    let file = folder.join("secret");
    fs::write(&file, format!("{SECRET}\n")).unwrap();
    let flags = [flags, &["--jwt-secret", file.to_str().unwrap()]].concat();
    (Relay::start_with(&folder.join("data"), &flags), file)
}

pub fn token_of(secret: &str, claims: &Json) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// One request and its answer: status, headers as text, body.
pub async fn request(address: &str, line: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let has_host = headers.iter().any(|(name, _)| *name == "host");
    let host = if has_host { String::new() } else { format!("host: {address}\r\n") };
    let mut text = format!("{line}\r\n{host}connection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

/// A bare connection to a space.
pub async fn connect(relay: &str, space: &str) -> Stream {
    try_connect(relay, space, Some("eyot.v1"), None).await.unwrap()
}

/// Why a connection was refused, before it was one.
pub async fn try_connect(
    relay: &str,
    space: &str,
    protocol: Option<&str>,
    origin: Option<&str>,
) -> Result<Stream, Box<Response<Option<Vec<u8>>>>> {
    let mut request = address(relay, space).into_client_request().unwrap();
    let headers = [("sec-websocket-protocol", protocol), ("origin", origin)];
    for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    match connect_async(request).await {
        Ok((stream, _)) => Ok(stream),
        Err(tungstenite::Error::Http(response)) => Err(response),
        Err(error) => panic!("{error}"),
    }
}

/// The code that the other side closes with.
pub async fn close_code(stream: &mut Stream) -> Option<u16> {
    loop {
        match timeout(DEADLINE, stream.next()).await.unwrap()? {
            Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

/// A replica that speaks to a relay.
pub struct Client {
    pub replica: Replica,
    pub store: MemoryStore,
    pub events: Vec<Event>,
    /// With what links were closed.
    pub closes: Vec<(u16, String)>,
    links: BTreeMap<LinkId, mpsc::UnboundedSender<Message>>,
    inputs: mpsc::UnboundedReceiver<FromLink>,
    from_links: mpsc::UnboundedSender<FromLink>,
    timer: Option<u64>,
    space: String,
}

enum FromLink {
    Input(Input),
    Closed(LinkId, u16, String),
}

impl Client {
    pub fn new(relay: &str, space: &str, author: u8) -> Self {
        Self::on(MemoryStore::default(), relay, space, author, None)
    }

    pub fn with_token(relay: &str, space: &str, author: u8, token: &str) -> Self {
        Self::on(MemoryStore::default(), relay, space, author, Some(token.to_owned()))
    }

    /// A process begins on that storage.
    pub fn on(store: MemoryStore, relay: &str, space: &str, author: u8, token: Option<String>) -> Self {
        let config = ReplicaConfig {
            space: space.to_owned(),
            author: AuthorId([author; 16]),
            seed: [author; 32],
            relays: vec![relay.to_owned()],
            token,
            descriptor: None,
            limits: Limits::PROTOCOL,
        };
        let (from_links, inputs) = mpsc::unbounded_channel();
        let mut client = Self {
            replica: Replica::new(config, now()),
            store,
            events: Vec::new(),
            closes: Vec::new(),
            links: BTreeMap::new(),
            inputs,
            from_links,
            timer: None,
            space: space.to_owned(),
        };
        client.drain();
        client
    }

    /// A document with one number in it.
    pub fn create(&mut self, value: i64) -> DocId {
        let made = self.replica.create(&[put("n", value)], None, now()).unwrap();
        self.drain();
        made.doc
    }

    pub fn change(&mut self, doc: DocId, value: i64) {
        self.replica.change(doc, &[put("n", value)], None, now()).unwrap();
        self.drain();
    }

    /// Goes on until all that was written here is stored at the relay.
    pub async fn until_stored(&mut self) {
        self.until("all is stored", |client| client.replica.status().unsent == 0).await;
    }

    pub async fn until_live(&mut self) {
        self.until("it is live", |client| client.replica.status().state == State::Live).await;
    }

    /// Goes on until a document is held, and gives its value.
    pub async fn until_held(&mut self, doc: DocId) -> Vec<u8> {
        self.until("a document is held", |client| {
            client.replica.documents().iter().any(|info| info.id == doc)
        })
        .await;
        let wait = self.replica.open(doc);
        self.until_done("a document is open", wait).await;
        self.replica.value(doc).unwrap()
    }

    pub async fn until_done(&mut self, what: &str, awaited: WaitId) {
        let is_it = |event: &Event| matches!(event, Event::Waited(wait) | Event::Opened { wait, .. } if *wait == awaited);
        self.until(what, |client| client.events.iter().any(is_it)).await;
    }

    /// Goes on until something is so.
    pub async fn until(&mut self, what: &str, is_so: impl Fn(&mut Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.drain();
            if is_so(self) {
                return;
            }
            let timer = self.timer.map_or(DEADLINE, |at| Duration::from_millis(at.saturating_sub(now())));
            tokio::select! {
                input = self.inputs.recv() => match input.expect("this holds a sender") {
                    FromLink::Input(input) => self.replica.handle(input, now()),
                    FromLink::Closed(link, code, reason) => {
                        self.closes.push((code, reason));
                        self.replica.handle(holder::Input::LinkClosed(link), now());
                    }
                },
                () = sleep_until(Instant::now() + timer) => {
                    self.timer = None;
                    self.replica.handle(holder::Input::Timer, now());
                }
                () = sleep_until(deadline) => {
                    panic!("waited in vain until {what}: {:?}, {:?}", self.replica.status(), self.closes);
                }
            }
        }
    }

    /// Goes on while something else is under way.
    pub async fn during<T>(&mut self, other: impl Future<Output = T>) -> T {
        tokio::select! {
            done = other => done,
            () = self.until("something else is over", |_| false) => unreachable!("that is never so"),
        }
    }

    /// The links are gone, from one moment to the next.
    pub fn cut(&mut self) {
        for link in std::mem::take(&mut self.links).into_keys() {
            self.replica.handle(holder::Input::LinkClosed(link), now());
        }
        self.drain();
    }

    pub fn drain(&mut self) {
        while let Some(effect) = self.replica.poll_effect() {
            match effect {
                Effect::Holder(holder::Effect::Storage(id, request)) => {
                    let answer = self.store.answer(&request);
                    self.replica.handle(holder::Input::Storage(id, answer), now());
                }
                Effect::Holder(holder::Effect::Dial(link, url)) => {
                    let (sender, outgoing) = mpsc::unbounded_channel();
                    self.links.insert(link, sender);
                    tokio::spawn(speak(link, url, self.space.clone(), outgoing, self.from_links.clone()));
                }
                Effect::Holder(holder::Effect::Send(link, frame)) => {
                    self.tell(link, Message::Binary(frame.to_vec().into()))
                }
                Effect::Ping(link) => self.tell(link, Message::text("ping")),
                Effect::Holder(holder::Effect::Close(link, ..)) => drop(self.links.remove(&link)),
                Effect::Holder(holder::Effect::SetTimer(at)) => self.timer = at,
                Effect::App(event) => self.events.push(event),
                Effect::Probe(url) => self.replica.handle(Input::Probed(url, true), now()),
                Effect::Broadcast(_) => {}
                Effect::Holder(holder::Effect::Authorize(..) | holder::Effect::Sign(..)) => {}
            }
        }
    }

    fn tell(&self, link: LinkId, message: Message) {
        if let Some(sender) = self.links.get(&link) {
            let _ = sender.send(message);
        }
    }
}

/// The type of the frame `Bye`.
const FAREWELL: u8 = 12;

async fn speak(
    link: LinkId,
    relay: String,
    space: String,
    mut outgoing: mpsc::UnboundedReceiver<Message>,
    inputs: mpsc::UnboundedSender<FromLink>,
) {
    let tell = |input| drop(inputs.send(FromLink::Input(input)));
    let mut request = address(&relay, &space).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("eyot.v1"));
    let Ok((mut stream, _)) = connect_async(request).await else {
        return tell(holder::Input::LinkClosed(link).into());
    };
    tell(holder::Input::LinkOpened(link).into());
    let mut is_over = false;
    loop {
        tokio::select! {
            // After a farewell the other side closes, and says why: that is waited for although the replica
            // has given the link up.
            message = outgoing.recv(), if !is_over => match message {
                Some(message) => drop(stream.send(message).await),
                // Dropped without a close: it is gone.
                None => return,
            },
            message = stream.next() => match message {
                Some(Ok(Message::Binary(frame))) => {
                    is_over = frame.get(1) == Some(&FAREWELL);
                    tell(holder::Input::Received(link, frame.into()).into());
                }
                Some(Ok(Message::Text(text))) if text.as_str() == "pong" => tell(Input::Pong(link)),
                Some(Ok(Message::Close(Some(close)))) => {
                    let (code, reason) = (close.code.into(), close.reason.to_string());
                    return drop(inputs.send(FromLink::Closed(link, code, reason)));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return tell(holder::Input::LinkClosed(link).into()),
            },
        }
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

pub fn put(key: &str, value: i64) -> Op {
    Op::Put { path: vec![Prop::Map(key.into())], value: Value::Scalar(ScalarValue::Int(value)) }
}

/// Of a space whose name has no other characters that an address can't have.
fn address(relay: &str, space: &str) -> String {
    format!("{relay}/v1/{}", space.replace(' ', "%20").replace('/', "%2F"))
}

/// The greeting of a replica that holds nothing.
pub fn hello(space: &str) -> Hello {
    Hello::empty(Descriptor::plain(space), LogId([9; 16]), 1 << 30)
}

/// A connection on which somebody greets with a token.
pub async fn greet(relay: &Relay, space: &str, token: Option<String>) -> Stream {
    let mut stream = connect(&relay.url, space).await;
    send(&mut stream, &Frame::Hello(Hello { token, ..hello(space) })).await;
    stream
}

/// With what a greeting is refused: the farewell and the code agree.
pub async fn refusal(relay: &Relay, space: &str, token: Option<String>) -> (u16, String) {
    let mut stream = greet(relay, space, token).await;
    let Some(Frame::Bye(Bye { code, reason, .. })) = next_frame(&mut stream).await else {
        panic!("it was let in");
    };
    assert_eq!(close_code(&mut stream).await, Some(code));
    (code, reason)
}

pub async fn send(stream: &mut Stream, frame: &Frame) {
    stream.send(Message::Binary(frame.encode().into())).await.unwrap();
}

/// None once it is closed.
pub async fn next_frame(stream: &mut Stream) -> Option<Frame> {
    loop {
        match timeout(DEADLINE, stream.next()).await.unwrap()? {
            Ok(Message::Binary(bytes)) => match Frame::decode(&bytes, &Limits::PROTOCOL) {
                // Commits that go on from others: nobody here looks at them.
                Err(FrameError::Batch(BatchError::Elsewhere)) => return Some(Frame::Unknown),
                frame => return Some(frame.unwrap()),
            },
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
