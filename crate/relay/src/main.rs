//! The native relay: sockets, SQLite and signals around the core's [`eyot_core::Relay`].
//!
//! ```text
//! sockets (a task each) ──frames──▶ shards (a thread and a SQLite file each) ──▶ relays of spaces
//!    ▲                                                                              │
//!    └──────────────────────────────── outboxes ◀───────────────────────────────────┘
//! ```

#![forbid(unsafe_code)]

mod access;
mod base;
mod dial;
mod event;
mod flags;
mod http;
mod inspect;
mod metrics;
mod outbox;
mod serve;
mod setup;
mod shard;
mod socket;
mod space;
mod storage;
mod websocket;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use tracing::Level;
use tracing_appender::non_blocking::WorkerGuard;

use crate::flags::{Command, Flags, LogFormat};

/// The system's own keeps what it once had: with it ten thousand spaces that have gone to sleep cost
/// as much as ten thousand that are awake.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done: Result<(), Box<dyn Error>> = match Flags::parse().command {
        Command::Serve(flags) => {
            // Says what is left to say when it is dropped.
            let _logs = log(flags.log);
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

/// A thread of its own writes: who reads logs too slowly loses lines, and stops nothing else.
fn log(format: Option<LogFormat>) -> WorkerGuard {
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
