//! The rooms and their floors, which is all that is to be changed here when folders come or go.

/// Sources whose files may import each other.
pub struct Room {
    /// Their folder, from the workspace's root.
    pub path: &'static str,
    pub language: Language,
    /// From the ground up. A floor is one folder of the room (or one file, by its name without the ending), or several
    /// side by side. A file imports from floors below its own and from its own folder; folders side by side do not
    /// import each other. What is not named here is the roof: it may import from every floor, and no floor from it.
    pub floors: &'static [&'static [&'static str]],
    /// Whether the room keeps the rules. If not, what is against them is only printed; once nothing is, the check
    /// asks for `true` here.
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
        moved: false,
    },
    Room { path: "crate/relay/src", language: Language::Rust, floors: &[], moved: false },
    Room {
        path: "crate/web/src",
        language: Language::Rust,
        floors: &[&["base"], &["convert"], &["io"], &["driver"]],
        moved: false,
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
            &["draft"],
            &["engine"],
            &["storage"],
            &["relays"],
            &["space"],
            &["cloudflare", "react"],
            &["entries"],
        ],
        moved: false,
    },
    Room { path: "tests/simulation/src", language: Language::Rust, floors: &[], moved: false },
    Room { path: "tests/relay-bench/src", language: Language::Rust, floors: &[], moved: true },
    Room { path: "demo/src", language: Language::TypeScript, floors: &[], moved: true },
    Room { path: "worker/src", language: Language::TypeScript, floors: &[], moved: true },
];
