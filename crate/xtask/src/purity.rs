//! The core does no I/O: held by what it depends on, by `crate/core/clippy.toml`, and by the imports of the Wasm
//! module that is built from it (see `wasm`).

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Result, bail};

use crate::base::run::{cargo, read};
use crate::base::workspace;

/// Whoever depends on one of these can reach a socket, a file, a clock's timer or a JavaScript host.
const IMPURE: &[&str] = &[
    "async-io",
    "async-std",
    "gloo-net",
    "gloo-timers",
    "hyper",
    "js-sys",
    "mio",
    "polling",
    "reqwest",
    "rusqlite",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "tungstenite",
    "wasm-bindgen",
    "wasm-bindgen-futures",
    "web-sys",
];

pub fn check() -> Result<()> {
    let tree = read(&mut cargo(&[
        "tree",
        "--locked",
        "--package",
        "eyot-core",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let impure = impure(&tree);
    if !impure.is_empty() {
        bail!(
            "crate/core does no I/O, but depends on {impure:?}; `cargo tree -p eyot-core -i NAME` says by which way"
        );
    }
    let library = fs::read_to_string(workspace::root().join("crate/core/src/lib.rs"))?;
    if !library.contains("#![forbid(unsafe_code)]") {
        bail!("crate/core/src/lib.rs lacks #![forbid(unsafe_code)]");
    }
    Ok(())
}

fn impure(tree: &str) -> BTreeSet<&str> {
    tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| IMPURE.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_that_does_io_is_named() {
        let tree = "eyot-core v0.1.0 (/eyot/crate/core)\nautomerge v0.12.0\nmio v1.0.0\nsha2 v0.11.0\nmio v1.0.0 (*)\n";
        assert_eq!(impure(tree), BTreeSet::from(["mio"]));
    }
}
