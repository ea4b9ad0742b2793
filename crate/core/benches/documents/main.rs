//! What a change costs in a document, natively: made here, and come from another.
//!
//! `cargo bench -p eyot-core --features documents --bench documents -- [PART …]`. The parts are `typing`,
//! `reading`, `map`, `writers`, `budget`, `objects` and `boards`; without one, all of them.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "measures of real time")]

mod author;
mod history;
mod map;
mod opening;
mod replica;
mod text;

use std::time::Duration;

fn main() {
    // Cargo itself adds `--bench`.
    let parts: Vec<String> = std::env::args().skip(1).filter(|part| !part.starts_with("--")).collect();
    let all: [(&str, fn()); 7] = [
        ("typing", text::typing),
        ("reading", text::reading),
        ("map", map::in_turn),
        ("writers", map::at_once),
        ("budget", opening::at_budget),
        ("objects", opening::objects),
        ("boards", opening::boards),
    ];
    for (name, measure) in all {
        if parts.is_empty() || parts.iter().any(|part| part == name) {
            measure();
        }
    }
}

/// Prints how long each of so many took on average, and the longest.
fn say(what: &str, spent: &[Duration]) {
    let all: Duration = spent.iter().sum();
    let mut sorted = spent.to_vec();
    sorted.sort_unstable();
    let mean = all.as_secs_f64() * 1e6 / spent.len() as f64;
    let [median, most] = [sorted[sorted.len() / 2], sorted[sorted.len() - 1]].map(|d| d.as_secs_f64() * 1e6);
    let rate = 1e6 / mean;
    println!("{what:<58} {mean:>9.1} µs  (median {median:.1}, most {most:.1}; {rate:.0}/s)");
}
