//! Prints the golden vectors of frames and records, to look at or, before the first release, to replace
//! `tests/golden/wire.txt`:
//!
//! `cargo run -p eyot-core --example wire_golden`

#[path = "../tests/wire/vectors.rs"]
#[allow(dead_code)]
mod vectors;

fn main() {
    for line in vectors::lines() {
        println!("{line}");
    }
}
