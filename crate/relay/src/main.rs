//! The native relay: sockets, SQLite and signals around the core's [`eyot_core::relay::relay::Relay`].
//!
//! ```text
//! connections (a task each) ──inboxes──▶ shards (a thread and a database each) ──▶ relays of spaces
//!    ▲                                                                                │
//!    └──────────────────────────────────── outboxes ◀─────────────────────────────────┘
//! ```
//!
//! The folders are floors. A file uses files of its own folder and of the folders before it here:
//! `base`, `storage`, `access`, `metrics`, `queues`, `spaces`, `websocket`, `net`, `commands`. The
//! shards in `spaces` and the connections in `net` know only the queues between them.

#![forbid(unsafe_code)]

mod access;
mod base;
mod commands;
mod metrics;
mod net;
mod queues;
mod spaces;
mod storage;
mod websocket;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use tracing::Level;
use tracing_appender::non_blocking::WorkerGuard;

use crate::commands::{Command, Flags, LogFormat, inspect, repair, revoke, serve};

// The system's allocator keeps most of the memory of spaces that have gone to sleep: ten thousand of
// them take as much as ten thousand that are awake. This one gives it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done: Result<(), Box<dyn Error>> = match Flags::parse().command {
        Command::Serve(flags) => {
            // Writes the remaining lines when it is dropped.
            let _guard = start_logging(flags.log);
            serve(*flags).map_err(Into::into)
        }
        Command::Inspect(flags) => inspect(&flags).map_err(Into::into),
        Command::Repair(flags) => repair(&flags).map_err(Into::into),
        Command::Revoke(flags) => revoke(&flags).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Logs to standard error from a thread of its own: if the reader of the log is too slow, lines are
/// lost, but the relay does not wait.
fn start_logging(format: Option<LogFormat>) -> WorkerGuard {
    let is_terminal = io::stderr().is_terminal();
    let default = if is_terminal { LogFormat::Text } else { LogFormat::Json };
    let (stderr, guard) = tracing_appender::non_blocking(io::stderr());
    let builder =
        tracing_subscriber::fmt().with_writer(stderr).with_max_level(Level::INFO).with_target(false);
    match format.unwrap_or(default) {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.with_ansi(is_terminal).init(),
    }
    guard
}
