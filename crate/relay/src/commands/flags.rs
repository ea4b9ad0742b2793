//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use eyot_core::base::limits;
use eyot_core::holder::caps::Caps;
use eyot_core::relay::region::RelayPeer;
use hyper::Uri;

const REGION_BYTES_MAX: usize = limits::Limits::PROTOCOL.region_bytes_max;

/// The native relay of eyot.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Flags {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve spaces until SIGTERM or SIGINT.
    Serve(Box<Serve>),
    /// Print what a folder holds. A relay may be serving it at the same time.
    Inspect(Inspect),
    /// Rebuild the databases of a folder that are damaged, without the spaces that can't be read. They
    /// are filled again by other regions and by clients. No relay may be serving the folder.
    Repair(Repair),
    /// Make tokens count no more before they expire. Relays that are serving end their links within seconds.
    Revoke(Revoke),
}

/// `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Folder with the relay's data.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// `repair`.
#[derive(Debug, Args)]
pub struct Repair {
    /// Folder with the relay's data.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Leave this space out though it can be read. May be repeated.
    #[arg(long, value_name = "SPACE")]
    pub leave_out: Vec<String>,
}

/// `revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// Folder with the relay's data, in which the file is.
    #[arg(long, value_name = "DIR", required_unless_present = "file", conflicts_with = "file")]
    pub data: Option<PathBuf>,
    /// The file that relays were given with --revoked.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Whose tokens (`sub`) count no more, if they were issued (`iat`) until now, or do not say when. Later
    /// ones count. May be repeated.
    #[arg(long = "subject", value_name = "SUBJECT", required_unless_present = "tokens")]
    pub subjects: Vec<String>,
    /// A token (`jti`) that counts no more. May be repeated.
    #[arg(long = "token", value_name = "ID")]
    pub tokens: Vec<String>,
    /// In place of now: seconds since 1970.
    #[arg(long, value_name = "TIME", requires = "subjects")]
    pub before: Option<u64>,
}

/// `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Region of this relay.
    #[arg(long, value_parser = region)]
    pub region: String,
    /// Address to listen at. With port 0, any free port.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7701")]
    pub listen: SocketAddr,
    /// Folder for the relay's data.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Relay of another region. May be repeated.
    #[arg(long = "peer", value_name = "REGION=URL", value_parser = peer)]
    pub peers: Vec<RelayPeer>,
    /// File with the token that this relay sends to its peers.
    #[arg(long, value_name = "FILE")]
    pub peer_token: Option<PathBuf>,
    /// Who may connect. Required without --jwt-key or --jwt-secret, unless the address is a loopback
    /// address.
    #[arg(long, value_enum, conflicts_with_all = ["jwt_key", "jwt_secret"])]
    pub auth: Option<Auth>,
    /// File with keys; tokens signed by one of them give access. JSON: a JWK, an array or a set of JWKs
    /// (Ed25519, P-256 or secret). SIGHUP reads the file again.
    #[arg(long, value_name = "FILE", conflicts_with = "jwt_secret")]
    pub jwt_key: Option<PathBuf>,
    /// File with a secret of at least 32 bytes; tokens signed with it (HS256) give access. Space around
    /// it is left out. SIGHUP reads the file again.
    #[arg(long, value_name = "FILE")]
    pub jwt_secret: Option<PathBuf>,
    /// File of what is revoked, see `revoke`. It is looked at each second. Default: revoked.json in the data
    /// folder.
    #[arg(long, value_name = "FILE")]
    pub revoked: Option<PathBuf>,
    /// URL of the application, which has the last word on who may come in: it is asked by POST for each token
    /// that is good.
    #[arg(long, value_name = "URL", value_parser = web_url, conflicts_with = "auth")]
    pub authorize: Option<Uri>,
    /// File with the private key (Ed25519, as JWK) that signs tickets, by which replicas link to each other
    /// directly. Default: a key of its own, which is kept in the data folder.
    #[arg(long, value_name = "FILE")]
    pub ticket_key: Option<PathBuf>,
    /// Web origin whose pages may connect, or * for all. May be repeated. Default: all where tokens are
    /// asked for, otherwise those of this machine.
    #[arg(long = "origin", value_name = "URL", value_parser = origin)]
    pub origins: Vec<String>,
    /// URL at which clients reach this relay, for the directory at /v1/regions.
    #[arg(long, value_name = "URL", value_parser = url)]
    pub public_url: Option<String>,
    /// Number of shards of a new folder. Default: one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: Option<u16>,
    /// Format of the log. Default: text on a terminal, JSON elsewhere.
    #[arg(long, value_enum)]
    pub log: Option<LogFormat>,
    /// What clients may use at most.
    #[command(flatten)]
    pub limits: Limits,
    /// Time without activity after which a space is unloaded from memory.
    #[arg(long, value_name = "MS", default_value_t = 10_000, hide = true)]
    pub idle_ms: u64,
    /// How long whoever comes may take for a request, and then for a greeting.
    #[arg(long, value_name = "MS", default_value_t = 10_000, hide = true)]
    pub comer_ms: u64,
    /// Delay everything that is sent to a region.
    #[arg(long = "simulate-delay", value_name = "REGION=MS", value_parser = delay, hide = true)]
    pub delays: Vec<(String, Duration)>,
}

/// Who may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Everybody.
    Open,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For programs.
    Json,
    /// For people.
    Text,
}

/// What clients may use at most. The sizes of frames and commits are constants of the protocol.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Connections to this relay at the same time.
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_max: u32,
    /// Connections at the same time that have not shown a token yet. Whoever has had most time for it
    /// leaves when more come.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub comers_max: u32,
    /// Connections to a space at the same time.
    #[arg(long, value_name = "N", default_value_t = Caps::default().space_connections_max)]
    pub space_connections_max: u64,
    /// Connections of a token's subject to a space at the same time.
    #[arg(long, value_name = "N", default_value_t = Caps::default().subject_connections_max)]
    pub subject_connections_max: u64,
    /// Bytes of commits a second from a connection.
    #[arg(long, value_name = "BYTES", default_value_t = Caps::default().connection_bytes_per_second)]
    pub connection_bytes_per_second: u64,
    /// Bytes of commits a second from a subject.
    #[arg(long, value_name = "BYTES", default_value_t = Caps::default().subject_bytes_per_second)]
    pub subject_bytes_per_second: u64,
    /// Bytes of commits stored in a space.
    #[arg(long, value_name = "BYTES", default_value_t = Caps::default().space_bytes_max)]
    pub space_bytes_max: u64,
    /// Bytes of commits stored in a space that came from one subject.
    #[arg(long, value_name = "BYTES", default_value_t = Caps::default().subject_bytes_max)]
    pub subject_bytes_max: u64,
    /// Authors in a space.
    #[arg(long, value_name = "N", default_value_t = Caps::default().space_authors_max)]
    pub space_authors_max: u64,
    /// Authors in a space that came from one subject.
    #[arg(long, value_name = "N", default_value_t = Caps::default().subject_authors_max)]
    pub subject_authors_max: u64,
    /// Branches of one author's chain. Only a process that was copied while it ran makes some.
    #[arg(long, value_name = "N", default_value_t = Caps::default().author_branches_max)]
    pub author_branches_max: u64,
}

impl Limits {
    /// The limits that the core enforces.
    pub fn caps(&self) -> Caps {
        Caps {
            connection_bytes_per_second: self.connection_bytes_per_second,
            subject_bytes_per_second: self.subject_bytes_per_second,
            space_bytes_max: self.space_bytes_max,
            subject_bytes_max: self.subject_bytes_max,
            space_authors_max: self.space_authors_max,
            subject_authors_max: self.subject_authors_max,
            author_branches_max: self.author_branches_max,
            space_connections_max: self.space_connections_max,
            subject_connections_max: self.subject_connections_max,
            ..Caps::default()
        }
    }
}

fn region(text: &str) -> Result<String, String> {
    match text.len() {
        _ if text.chars().any(char::is_control) => {
            Err("a region's name has no control characters".to_owned())
        }
        len if (1..=REGION_BYTES_MAX).contains(&len) => Ok(text.to_owned()),
        _ => Err(format!("a region has a name of 1 to {REGION_BYTES_MAX} bytes")),
    }
}

/// An address is told to everybody who asks for the directory, and is in the log.
fn url(text: &str) -> Result<String, String> {
    if !text.starts_with("ws://") && !text.starts_with("wss://") {
        return Err("an address begins with ws:// or wss://".to_owned());
    }
    let url: Uri = text.parse().map_err(|error| format!("not an address: {error}"))?;
    match url.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("an address has no user and no password; use --peer-token".to_owned())
        }
        Some(authority) if !authority.host().is_empty() => match url.query() {
            None => Ok(text.trim_end_matches('/').to_owned()),
            Some(_) => Err("an address has no query".to_owned()),
        },
        _ => Err("an address names a host".to_owned()),
    }
}

fn web_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("not an address: {error}"))?;
    match (url.scheme_str(), url.authority()) {
        (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
            Err("an address has no user and no password".to_owned())
        }
        (Some("http" | "https"), Some(authority)) if !authority.host().is_empty() => Ok(url),
        _ => Err("an address begins with http:// or https:// and names a host".to_owned()),
    }
}

fn origin(text: &str) -> Result<String, String> {
    let is_origin = |url: Uri| {
        let is_web = matches!(url.scheme_str(), Some("http" | "https"));
        is_web
            && url.host().is_some_and(|host| !host.is_empty())
            && url.path() == "/"
            && url.query().is_none()
    };
    if text == "*" || !text.ends_with('/') && text.parse().is_ok_and(is_origin) {
        Ok(text.to_owned())
    } else {
        Err("an origin is given as https://HOST, with a port where it has one and without a path".to_owned())
    }
}

fn peer(text: &str) -> Result<RelayPeer, String> {
    let (name, address) = text.split_once('=').ok_or("a peer is given as REGION=URL")?;
    Ok(RelayPeer { region: region(name)?, url: url(address)? })
}

fn delay(text: &str) -> Result<(String, Duration), String> {
    let (name, millis) = text.split_once('=').ok_or("a delay is given as REGION=MS")?;
    let millis = millis.parse().map_err(|_| "a delay is a number of milliseconds")?;
    Ok((region(name)?, Duration::from_millis(millis)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn origins_are_those_that_browsers_send() {
        for right in ["*", "https://app.example", "http://localhost:5173"] {
            assert_eq!(origin(right).as_deref(), Ok(right));
        }
        for wrong in
            ["", "app.example", "https://app.example/", "https://app.example/a", "ws://a", "https://"]
        {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_and_peers_are_checked() {
        for right in ["http://127.0.0.1:8080", "https://app.example/may?they=in"] {
            assert_eq!(web_url(right).map(|url| url.to_string().starts_with(right)), Ok(true));
        }
        for wrong in
            ["", "app.example", "ws://app.example", "https://", "https://ada:secret@app.example", "/a"]
        {
            assert!(web_url(wrong).is_err(), "{wrong}");
        }
        let us = RelayPeer { region: "us".to_owned(), url: "ws://127.0.0.1:7702".to_owned() };
        assert_eq!(peer("us=ws://127.0.0.1:7702/"), Ok(us));
        for wrong in [
            "us",
            "us=",
            "us=http://a",
            "=ws://a",
            "us=ws://",
            "us=ws://:7701",
            "us=ws://a b",
            "us=wss://ada:secret@us.example",
            "us=wss://us.example?token=secret",
            "u\u{1b}s=ws://a",
        ] {
            assert!(peer(wrong).is_err(), "{wrong}");
        }
        assert_eq!(delay("us=80"), Ok(("us".to_owned(), Duration::from_millis(80))));
        assert!(delay("us=soon").is_err());
    }
}
