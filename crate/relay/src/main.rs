//! The native relay: sockets, SQLite and signals around the core's [`eyot_core::Relay`].
//!
//! ```text
//! sockets (a task each) ──frames──▶ shards (a thread and a SQLite file each) ──▶ relays of spaces
//!    ▲                                                                              │
//!    └──────────────────────────────── outboxes ◀───────────────────────────────────┘
//! ```

#![forbid(unsafe_code)]

mod dial;
mod event;
mod flags;
mod folder;
mod http;
mod inspect;
mod metrics;
mod outbox;
mod serve;
mod setup;
mod shard;
mod socket;
mod space;
mod store;
mod token;
mod websocket;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use tracing::Level;

use crate::flags::{Command, Flags, LogFormat};

fn main() -> ExitCode {
    let done: Result<(), Box<dyn Error>> = match Flags::parse().command {
        Command::Serve(flags) => {
            log(flags.log);
            serve::serve(*flags).map_err(Into::into)
        }
        Command::Inspect(flags) => inspect::inspect(&flags).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn log(format: Option<LogFormat>) {
    let default = if io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
    let builder =
        tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(Level::INFO).with_target(false);
    match format.unwrap_or(default) {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
    }
}
