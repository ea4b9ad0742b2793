//! The relay's addresses: what is asked over HTTP, and the way in to a space.
//!
//! Outside it looks like the Worker (`js/src/cloudflare/route.ts`): the same addresses, codes and texts.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use eyot_core::{LinkId, limits};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::debug;

use crate::event::LinkRef;
use crate::metrics;
use crate::setup::Setup;
use crate::socket::{Connection, decoder};

/// What is spoken on a connection to a space.
pub const SUBPROTOCOL: &str = "eyot.v1";

type Answer = Response<Full<Bytes>>;

/// What answers requests.
#[derive(Debug)]
pub struct Doors {
    /// What all share.
    pub setup: Arc<Setup>,
    /// The origins whose pages may come; all where there are none.
    pub origins: Vec<String>,
    /// The address that clients reach this relay at, where it is not the one they ask.
    pub public_url: Option<String>,
    /// Connections that are taken at once.
    pub connections_max: u64,
    /// The number of the next link.
    pub next_link: AtomicU64,
}

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    region: &'a str,
}

/// An entry of the directory.
#[derive(Serialize)]
struct Region<'a> {
    region: &'a str,
    url: String,
}

enum Route {
    Health,
    Metrics,
    Regions,
    Space(Option<String>),
}

impl Doors {
    /// Answers one request.
    ///
    /// # Errors
    /// None.
    pub async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Result<Answer, Infallible> {
        let Some(route) = route(request.uri().path()) else {
            return Ok(text(StatusCode::NOT_FOUND, "there is nothing here"));
        };
        if request.method() != Method::GET {
            let answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here");
            return Ok(with(answer, [(header::ALLOW, "GET")]));
        }
        let origin = request.headers().get(header::ORIGIN).cloned();
        if let Some(origin) = &origin
            && !self.origins.is_empty()
            && !self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
        {
            return Ok(text(StatusCode::FORBIDDEN, "this origin may not use this relay"));
        }
        Ok(match route {
            Route::Health => {
                let health = Health { status: "ok", region: &self.setup.region };
                with(shared(json(&health), origin), [(header::CACHE_CONTROL, "no-store")])
            }
            Route::Regions => shared(json(&self.regions(request.headers())), origin),
            Route::Metrics => {
                let page = self.setup.metrics.page(&self.setup.shards.survey().await);
                let mut answer = Response::new(Full::from(page));
                let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
                answer.headers_mut().insert(header::CONTENT_TYPE, kind);
                answer
            }
            Route::Space(space) => self.connect(space, &mut request),
        })
    }

    fn regions(&self, asked: &HeaderMap) -> Vec<Region<'_>> {
        let host = asked.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let url = self.public_url.clone().unwrap_or_else(|| format!("ws://{host}"));
        let own = Region { region: &self.setup.region, url };
        let others = self.setup.peers.iter();
        let others = others.map(|peer| Region { region: &peer.region, url: peer.url.clone() });
        [own].into_iter().chain(others).collect()
    }

    fn connect(&self, space: Option<String>, request: &mut Request<Incoming>) -> Answer {
        let headers = request.headers();
        let Some(space) = space else {
            let most = limits::SPACE_NAME_BYTES_MAX;
            return text(StatusCode::BAD_REQUEST, &format!("a space has a name of at most {most} bytes"));
        };
        if !says(headers, header::UPGRADE, |upgrade| upgrade.eq_ignore_ascii_case("websocket")) {
            let answer = text(StatusCode::UPGRADE_REQUIRED, "a space is spoken to over WebSocket");
            return with(answer, [(header::UPGRADE, "websocket"), (header::CONNECTION, "upgrade")]);
        }
        if !says(headers, header::SEC_WEBSOCKET_PROTOCOL, |protocol| protocol == SUBPROTOCOL) {
            return text(
                StatusCode::BAD_REQUEST,
                &format!("the subprotocol {SUBPROTOCOL} must be asked for"),
            );
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        let Some(key) =
            key.filter(|_| says(headers, header::SEC_WEBSOCKET_VERSION, |version| version == "13"))
        else {
            let answer = text(StatusCode::BAD_REQUEST, "only version 13 of WebSocket is spoken here");
            return with(answer, [(header::SEC_WEBSOCKET_VERSION, "13")]);
        };
        if self.setup.metrics.connections.get() as u64 >= self.connections_max {
            return text(StatusCode::SERVICE_UNAVAILABLE, "this relay has all the connections it takes");
        }
        let accept = derive_accept_key(key.as_bytes());
        let link = LinkRef { epoch: None, id: LinkId(self.next_link.fetch_add(1, Ordering::Relaxed)) };
        let connection = Connection { setup: self.setup.clone(), space: space.into(), link };
        self.setup.connections.spawn(speak(connection, hyper::upgrade::on(request)));
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let upgrade = [(header::UPGRADE, "websocket"), (header::CONNECTION, "upgrade")];
        let spoken = [(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL), (header::SEC_WEBSOCKET_ACCEPT, &accept)];
        with(with(answer, upgrade), spoken)
    }
}

/// Takes the connection over from HTTP.
async fn speak(connection: Connection, upgrade: OnUpgrade) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => return debug!(%error, "a connection was not upgraded"),
    };
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("what is accepted is TCP");
    let (stream, read) = (parts.io.into_inner(), decoder(&parts.read_buf));
    // It may be a part of a buffer that is much larger.
    drop(parts.read_buf);
    connection.setup.metrics.accepted.inc();
    connection.run(stream, read).await;
}

fn route(path: &str) -> Option<Route> {
    match path {
        "/health" => Some(Route::Health),
        "/metrics" => Some(Route::Metrics),
        "/v1/regions" => Some(Route::Regions),
        _ => {
            let name = path.strip_prefix("/v1/").filter(|name| !name.is_empty() && !name.contains('/'))?;
            let space = percent_decoded(name).filter(|space| space.len() <= limits::SPACE_NAME_BYTES_MAX);
            Some(Route::Space(space))
        }
    }
}

/// As `decodeURIComponent` does it: none where it is not the encoding of a text.
pub fn percent_decoded(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        rest = after;
        let digit = |digit: u8| char::from(digit).to_digit(16);
        bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
    }
    String::from_utf8(bytes).ok()
}

/// Whether one of the values of a header is this one.
fn says(headers: &HeaderMap, name: HeaderName, is_it: impl Fn(&str) -> bool) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| is_it(value.trim()))
}

fn text(status: StatusCode, body: &str) -> Answer {
    let mut answer = Response::new(Full::from(format!("{body}\n")));
    *answer.status_mut() = status;
    with(answer, [(header::CONTENT_TYPE, "text/plain;charset=UTF-8")])
}

fn json(value: &impl Serialize) -> Answer {
    let body = serde_json::to_string(value).expect("texts are JSON");
    with(Response::new(Full::from(body)), [(header::CONTENT_TYPE, "application/json")])
}

/// Pages of any origin that may come may read this.
fn shared(answer: Answer, origin: Option<HeaderValue>) -> Answer {
    let mut answer = with(answer, [(header::VARY, "origin")]);
    let allowed = origin.unwrap_or_else(|| HeaderValue::from_static("*"));
    answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    answer
}

fn with<const N: usize>(mut answer: Answer, headers: [(HeaderName, &str); N]) -> Answer {
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("written here, and of plain characters");
        answer.headers_mut().insert(name, value);
    }
    answer
}
