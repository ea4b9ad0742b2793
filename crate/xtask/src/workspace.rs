//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

pub fn root() -> &'static Path {
    let room = Path::new(env!("CARGO_MANIFEST_DIR"));
    room.ancestors().nth(2).expect("this crate is at crate/xtask")
}

/// Cargo's target folder, wherever it was told to put it: this program runs from `debug` in it.
pub fn target() -> PathBuf {
    let program = env::current_exe().expect("a running program has a path");
    let target = program
        .ancestors()
        .nth(2)
        .expect("cargo puts programs into a folder by profile");
    target.to_owned()
}
