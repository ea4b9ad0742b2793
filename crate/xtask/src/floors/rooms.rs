//! The rooms and their floors. Change this table when a room gets, loses or reorders a folder.

/// A folder of source files that import each other.
pub struct Room {
    /// From the workspace's root.
    pub path: &'static str,
    pub language: Language,
    /// From the ground up. A floor is one folder at the root of the room, or several side by side; a file at the root
    /// counts as a folder, by its name without the ending. A file may import from its own folder and from lower floors.
    /// Folders side by side must not import each other. Everything that is not named here is the roof: it may import
    /// from every floor, and no floor may import from it.
    pub floors: &'static [&'static [&'static str]],
    /// Whether the files have been moved to the floors above. Until then violations are printed, but do not fail the
    /// check. Once there are none, the check fails until this says `true`.
    pub moved: bool,
}

#[derive(Clone, Copy)]
pub enum Language {
    Rust,
    TypeScript,
}

pub const ROOMS: &[Room] = &[
    Room {
        path: "crate/core/src",
        language: Language::Rust,
        floors: &[
            &["base"],
            &["commit"],
            &["storage"],
            &["wire"],
            &["log"],
            &["link"],
            &["holder"],
            &["relay", "document"],
            &["replica"],
        ],
        moved: true,
    },
    Room { path: "crate/relay/src", language: Language::Rust, floors: &[], moved: true },
    Room {
        path: "crate/web/src",
        language: Language::Rust,
        floors: &[&["base"], &["convert"], &["io"], &["driver"]],
        moved: true,
    },
    Room {
        path: "crate/xtask/src",
        language: Language::Rust,
        floors: &[&["base"], &["build"], &["floors", "purity", "serve", "size", "trials"]],
        moved: true,
    },
    Room {
        path: "js/src",
        language: Language::TypeScript,
        floors: &[
            &["base"],
            &["value"],
            &["draft", "undo"],
            &["engine"],
            &["storage"],
            &["relays", "peers"],
            &["space"],
            &["editor"],
            &["access"],
            &["host"],
            &["cloudflare", "react", "inspector", "codemirror", "conformance", "testing", "server"],
            &["entries"],
        ],
        moved: true,
    },
    Room {
        path: "tests/simulation/src",
        language: Language::Rust,
        floors: &[
            &["base"],
            &["actor"],
            &["plan"],
            &["parts"],
            &["world"],
            &["host", "laws", "acts", "faults"],
            &["run"],
        ],
        moved: true,
    },
    Room { path: "tests/relay-bench/src", language: Language::Rust, floors: &[], moved: true },
    Room { path: "demo/src", language: Language::TypeScript, floors: &[], moved: true },
    Room { path: "worker/src", language: Language::TypeScript, floors: &[], moved: true },
];
