//! What packages must not depend on. The core does no I/O, and a relay has no Automerge. The core is held to its rule by
//! `crate/core/clippy.toml` and by the imports of the Wasm files too (see `wasm`).

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

/// What a relay must not depend on: it never opens a document.
const OF_DOCUMENTS: &[&str] = &["automerge"];

struct Rule {
    package: &'static str,
    /// What else `cargo tree` needs to be told.
    options: &'static [&'static str],
    forbidden: &'static [&'static str],
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        package: "eyot-core",
        options: &["--all-features"],
        forbidden: IMPURE,
        why: "the core does no I/O",
    },
    Rule { package: "eyot-relay", options: &[], forbidden: OF_DOCUMENTS, why: "a relay opens no document" },
    Rule {
        package: "eyot-web-relay",
        options: &["--target", "wasm32-unknown-unknown"],
        forbidden: OF_DOCUMENTS,
        why: "a relay opens no document",
    },
];

pub fn check() -> Result<()> {
    for Rule { package, options, forbidden, why } in RULES {
        let tree = ["tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none"];
        let tree = read(&mut cargo(&[&tree[..], &["--format", "{p}"], options].concat()))?;
        let found = named(&tree, forbidden);
        if !found.is_empty() {
            bail!(
                "{why}, but {package} depends on {found:?}; `cargo tree -p {package} -i NAME` says by which way"
            );
        }
    }
    let library = fs::read_to_string(workspace::root().join("crate/core/src/lib.rs"))?;
    if !library.contains("#![forbid(unsafe_code)]") {
        bail!("crate/core/src/lib.rs lacks #![forbid(unsafe_code)]");
    }
    Ok(())
}

/// The packages of the tree that are among the forbidden ones.
fn named<'a>(tree: &'a str, forbidden: &[&str]) -> BTreeSet<&'a str> {
    tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| forbidden.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_dependency_is_named() {
        let tree = "eyot-core v0.1.0 (/eyot/crate/core)\nautomerge v0.12.0\nmio v1.0.0\nsha2 v0.11.0\nmio v1.0.0 (*)\n";
        assert_eq!(named(tree, IMPURE), BTreeSet::from(["mio"]));
    }
}
