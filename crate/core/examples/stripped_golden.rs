//! Prints the golden vectors of stripped changes, to look at or, before the first release, to replace
//! `tests/golden/stripped.txt`:
//!
//! `cargo run -p eyot-core --features documents --example stripped_golden`

#[path = "../tests/stripped/vectors.rs"]
mod vectors;

fn main() {
    for line in vectors::lines() {
        println!("{line}");
    }
}
