//! Where things are.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The workspace's folder. It is `cargo run` that says so, not the compiler: clones that share a target folder share
/// this program.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let room = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&room).ancestors().nth(2).expect("this crate is at crate/xtask").to_owned()
    });
    &ROOT
}

/// Cargo's target folder, wherever it was told to put it: this program runs from `debug` in it.
pub fn target() -> PathBuf {
    let program = env::current_exe().expect("a running program has a path");
    let target = program.ancestors().nth(2).expect("cargo puts programs into a folder by profile");
    target.to_owned()
}
