//! The relay's HTTP server: the routes, and the WebSocket handshake of a space.
//!
//! Paths, status codes and texts are those of the Worker (`js/src/cloudflare/route.ts`).

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use eyot_core::base::id::LinkId;
use eyot_core::base::limits::Limits;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::debug;

use super::changes::{ChangesFeed, no_space};
use super::connection::Connection;
use super::context::ConnectionContext;
use super::door::Comer;
use super::pages::MetricsPage;
use super::response::{Answer, answer, json, readable_by, text, with};
use crate::access::TicketKey;
use crate::base::{Config, LinkKey, LinkOrigin, SUBPROTOCOL, percent_decode};
use crate::metrics;
use crate::websocket::Decoder;

/// Answers HTTP requests and opens connections to spaces.
#[derive(Debug)]
pub struct HttpServer {
    /// Settings of this relay.
    pub config: Arc<Config>,
    /// What all connections share.
    pub context: Arc<ConnectionContext>,
    /// Web origins whose pages may connect.
    pub origins: Origins,
    /// URL of this relay in the directory. Without it, the address that the client has reached.
    pub public_url: Option<String>,
    /// The key that signs tickets, of which the public part is published.
    pub ticket_key: Arc<TicketKey>,
    /// The metrics page.
    pub metrics_page: MetricsPage,
    /// What is stored, for servers.
    pub changes: Arc<ChangesFeed>,
    /// Number of the next accepted link.
    pub next_link: AtomicU64,
}

/// Web origins whose pages may connect. What is no page says none, and may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All: a page needs a token all the same.
    All,
    /// Those of this machine. Any other page could use a relay on it that asks for no token.
    Loopback,
    /// These.
    Listed(Vec<String>),
}

impl Origins {
    fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Origins::All => true,
            Origins::Loopback => origin.to_str().is_ok_and(is_loopback),
            Origins::Listed(origins) => origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()),
        }
    }
}

fn is_loopback(origin: &str) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let host = origin.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    region: &'a str,
}

/// An entry of the directory of relays.
#[derive(Serialize)]
struct Region<'a> {
    region: &'a str,
    url: String,
}

enum Route {
    Health,
    Metrics,
    Regions,
    Keys,
    /// A space by name. None if the name is too long or not valid.
    Space(Option<String>),
    /// What is stored of a space.
    Changes(Option<String>),
}

impl HttpServer {
    /// Answers one request of a comer who has reached this relay at that address.
    ///
    /// # Errors
    /// Never; hyper asks for a `Result`.
    pub async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        local: Option<SocketAddr>,
        comer: Arc<Comer>,
    ) -> Result<Answer, Infallible> {
        let Some(route) = route(request.uri().path(), is_upgrade(request.headers())) else {
            return Ok(text(StatusCode::NOT_FOUND, "there is nothing here"));
        };
        if request.method() != Method::GET {
            let refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here");
            return Ok(with(refused, [(header::ALLOW, "GET")]));
        }
        let origin = request.headers().get(header::ORIGIN).cloned();
        if origin.as_ref().is_some_and(|origin| !self.origins.allow(origin)) {
            return Ok(text(StatusCode::FORBIDDEN, "this origin may not use this relay"));
        }
        Ok(match route {
            Route::Health => {
                let health = Health { status: "ok", region: &self.config.region };
                with(readable_by(origin, json(&health)), [(header::CACHE_CONTROL, "no-store")])
            }
            Route::Regions => readable_by(origin, json(&self.regions(local))),
            Route::Keys => readable_by(origin, json(&self.ticket_key.published())),
            Route::Metrics => {
                let page = self.metrics_page.get(&self.context.metrics, &self.context.inboxes).await;
                with(answer(StatusCode::OK, page), [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)])
            }
            Route::Space(space) => self.connect(space, &mut request, comer),
            Route::Changes(None) => no_space(),
            Route::Changes(Some(space)) => {
                let (query, headers) = (request.uri().query(), request.headers());
                self.changes.answer(&self.context, &space, query, headers, &comer).await
            }
        })
    }

    fn regions(&self, local: Option<SocketAddr>) -> Vec<Region<'_>> {
        // Not the host of the request: whoever asks may say there what it likes.
        let reached = || local.map_or_else(String::new, |local| format!("ws://{local}"));
        let url = self.public_url.clone().unwrap_or_else(reached);
        let own = Region { region: &self.config.region, url };
        let others = self.config.peers.iter();
        let others = others.map(|peer| Region { region: &peer.region, url: peer.url.clone() });
        [own].into_iter().chain(others).collect()
    }

    /// Checks a WebSocket handshake (RFC 6455, section 4.2) and answers it.
    fn connect(&self, space: Option<String>, request: &mut Request<Incoming>, comer: Arc<Comer>) -> Answer {
        let headers = request.headers();
        let Some(space) = space else { return no_space() };
        let upgrade = [(header::UPGRADE, "websocket"), (header::CONNECTION, "upgrade")];
        if !is_upgrade(headers)
            || !has_value(headers, header::CONNECTION, |option| option.eq_ignore_ascii_case("upgrade"))
        {
            return with(text(StatusCode::UPGRADE_REQUIRED, "a space is spoken to over WebSocket"), upgrade);
        }
        if !has_value(headers, header::SEC_WEBSOCKET_PROTOCOL, |protocol| protocol == SUBPROTOCOL) {
            let reason = format!("the subprotocol {SUBPROTOCOL} must be asked for");
            return text(StatusCode::BAD_REQUEST, &reason);
        }
        let is_supported = has_value(headers, header::SEC_WEBSOCKET_VERSION, |version| version == "13");
        let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_supported) else {
            let refused = text(StatusCode::BAD_REQUEST, "only version 13 of WebSocket is spoken here");
            return with(refused, [(header::SEC_WEBSOCKET_VERSION, "13")]);
        };
        if self.context.places.available_permits() == 0 {
            return text(StatusCode::SERVICE_UNAVAILABLE, "this relay has all the connections it takes");
        }
        let accept = derive_accept_key(key.as_bytes());
        let id = LinkId(self.next_link.fetch_add(1, Ordering::Relaxed));
        let link = LinkKey { origin: LinkOrigin::Accepted, id };
        let space: Arc<str> = space.into();
        let connection = Connection {
            context: self.context.clone(),
            inbox: self.context.inboxes.of(&space).of_link(space.clone(), link),
            space,
            comer: Mutex::new(Some(comer)),
            place: OnceLock::new(),
            facts: Mutex::default(),
        };
        self.context.tasks.spawn(run(connection, hyper::upgrade::on(request)));
        let accepted =
            [(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL), (header::SEC_WEBSOCKET_ACCEPT, &accept)];
        with(with(answer(StatusCode::SWITCHING_PROTOCOLS, ""), upgrade), accepted)
    }
}

/// Takes the connection over from hyper once the handshake is answered.
async fn run(connection: Connection, upgrade: OnUpgrade) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => return debug!(%error, "a connection was not upgraded"),
    };
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("`accept` serves TCP streams");
    let stream = parts.io.into_inner();
    let decoder = Decoder::new(Limits::PROTOCOL.hello_bytes_max, &parts.read_buf);
    // It may keep hyper's whole read buffer in memory for as long as the connection lasts.
    drop(parts.read_buf);
    connection.context.metrics.accepted.inc();
    connection.run(stream, decoder).await;
}

/// Whether a WebSocket is asked for.
fn is_upgrade(headers: &HeaderMap) -> bool {
    has_value(headers, header::UPGRADE, |upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

/// A space may be named like a page: who wants a WebSocket means the space.
fn route(path: &str, is_upgrade: bool) -> Option<Route> {
    match path {
        "/health" => Some(Route::Health),
        "/metrics" => Some(Route::Metrics),
        "/v1/regions" if !is_upgrade => Some(Route::Regions),
        "/v1/keys" if !is_upgrade => Some(Route::Keys),
        _ => {
            let path = path.strip_prefix("/v1/")?;
            let of_changes = path.strip_suffix("/changes");
            let name = of_changes.unwrap_or(path);
            let is_name = !name.is_empty() && !name.contains('/');
            let space =
                percent_decode(name).filter(|space| space.len() <= Limits::PROTOCOL.space_name_bytes_max);
            is_name.then(|| if of_changes.is_some() { Route::Changes(space) } else { Route::Space(space) })
        }
    }
}

/// Whether one of the comma-separated values of a header is wanted.
fn has_value(headers: &HeaderMap, name: HeaderName, is_wanted: impl Fn(&str) -> bool) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| is_wanted(value.trim()))
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_origins_of_this_machine_are_loopback() {
        for here in
            ["http://localhost:5173", "https://app.localhost", "http://127.0.0.1:8080", "http://[::1]:3000"]
        {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in [
            "https://evil.example",
            "https://localhost.evil.example",
            "https://127.0.0.1.evil.example",
            "http://localhost@evil.example",
            "null",
            "",
        ] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
