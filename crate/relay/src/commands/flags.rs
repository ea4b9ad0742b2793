//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use eyot_core::base::limits;
use eyot_core::holder::caps::Caps;
use eyot_core::relay::region::RelayPeer;

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
    /// Who may connect. Required without --jwt-key, unless the address is a loopback address.
    #[arg(long, value_enum, conflicts_with = "jwt_key")]
    pub auth: Option<Auth>,
    /// File with keys; tokens signed by one of them give access. A JWK, an array or a set of JWKs
    /// (Ed25519, P-256 or secret), or a secret as plain text. SIGHUP reads the file again.
    #[arg(long, value_name = "FILE")]
    pub jwt_key: Option<PathBuf>,
    /// Web origin whose pages may connect. May be repeated. Default: all.
    #[arg(long = "origin", value_name = "URL")]
    pub origins: Vec<String>,
    /// URL at which clients reach this relay, for the directory at /v1/regions.
    #[arg(long, value_name = "URL", value_parser = url)]
    pub public_url: Option<String>,
    /// Number of shards of a new folder. Default: one for each core.
    #[arg(long, value_name = "N")]
    pub shards: Option<usize>,
    /// Format of the log. Default: text on a terminal, JSON elsewhere.
    #[arg(long, value_enum)]
    pub log: Option<LogFormat>,
    /// What clients may use at most.
    #[command(flatten)]
    pub limits: Limits,
    /// Time without activity after which a space is unloaded from memory.
    #[arg(long, value_name = "MS", default_value_t = 10_000, hide = true)]
    pub idle_ms: u64,
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
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    pub connections_max: u64,
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
        }
    }
}

fn region(text: &str) -> Result<String, String> {
    match text.len() {
        len if (1..=REGION_BYTES_MAX).contains(&len) => Ok(text.to_owned()),
        _ => Err(format!("a region has a name of 1 to {REGION_BYTES_MAX} bytes")),
    }
}

fn url(text: &str) -> Result<String, String> {
    if text.starts_with("ws://") || text.starts_with("wss://") {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("an address begins with ws:// or wss://".to_owned())
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
    fn addresses_and_peers_are_checked() {
        let us = RelayPeer { region: "us".to_owned(), url: "ws://127.0.0.1:7702".to_owned() };
        assert_eq!(peer("us=ws://127.0.0.1:7702/"), Ok(us));
        for wrong in ["us", "us=", "us=http://a", "=ws://a"] {
            assert!(peer(wrong).is_err(), "{wrong}");
        }
        assert_eq!(delay("us=80"), Ok(("us".to_owned(), Duration::from_millis(80))));
        assert!(delay("us=soon").is_err());
    }
}
