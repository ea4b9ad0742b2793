//! The rules for the imports of a room, and what breaks them.

use std::collections::BTreeSet;
use std::fmt;

use super::circles::circles;
use super::import::{Import, Sources};
use super::rooms::Room;

#[derive(Debug, PartialEq)]
pub enum Violation {
    /// A declared floor has no file.
    Missing(String),
    /// From a higher floor.
    Up(Import),
    /// From another folder on the same floor.
    Beside(Import),
    Circle(Vec<Import>),
}

pub fn violations(room: &Room, sources: &Sources, imports: &[Import]) -> Vec<Violation> {
    let there: BTreeSet<_> = sources.keys().map(|file| folder(file)).collect();
    let declared = room.floors.iter().copied().flatten();
    let missing = declared.filter(|name| !there.contains(**name));
    let mut found: Vec<_> = missing.map(|name| Violation::Missing((*name).to_owned())).collect();
    for import in imports {
        let (from, to) = (floor(room, &import.from), floor(room, &import.to));
        if from < to {
            found.push(Violation::Up(import.clone()));
        } else if from == to && from < roof(room) && folder(&import.from) != folder(&import.to) {
            found.push(Violation::Beside(import.clone()));
        }
    }
    let circles = circles(imports).into_iter();
    found.extend(circles.map(|circle| Violation::Circle(circle.into_iter().cloned().collect())));
    found
}

/// Counted from the ground, which is 0.
pub fn floor(room: &Room, file: &str) -> usize {
    room.floors.iter().position(|names| names.contains(&folder(file))).unwrap_or(roof(room))
}

pub fn roof(room: &Room) -> usize {
    room.floors.len()
}

/// The folder at the root of the room that a file is in. For a file at the root: its name without the ending.
pub fn folder(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or(file)
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => {
                write!(f, "floors/rooms.rs declares `{name}`, but there is no such folder")
            }
            Self::Up(Import { from, to, line }) => {
                write!(f, "{from}:{line} imports {to}, which is on a higher floor")
            }
            Self::Beside(Import { from, to, line }) => {
                write!(f, "{from}:{line} imports {to}, but folders side by side must not import each other")
            }
            Self::Circle(imports) => {
                write!(f, "circle: ")?;
                for Import { from, line, .. } in imports {
                    write!(f, "{from}:{line} → ")?;
                }
                write!(f, "{}", imports[0].from)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rooms::Language;
    use super::*;

    const HOUSE: Room = Room {
        path: "house",
        language: Language::Rust,
        floors: &[&["base"], &["left", "right"], &["top"]],
        moved: true,
    };

    #[test]
    fn imports_from_lower_floors_and_of_the_own_folder_are_fine() {
        let fine = [
            ("top/a.rs", "left/a.rs"),
            ("left/a.rs", "base/a.rs"),
            ("left/a.rs", "left/b.rs"),
            ("lib.rs", "base/a.rs"),
            ("lib.rs", "extra/a.rs"),
        ];
        assert_eq!(said(&fine), [""; 0]);
    }

    #[test]
    fn an_import_from_a_higher_floor_is_named_with_its_line() {
        let up = [("base/a.rs", "left/a.rs")];
        assert_eq!(said(&up), ["base/a.rs:7 imports left/a.rs, which is on a higher floor"]);
    }

    #[test]
    fn the_roof_is_above_every_floor() {
        let up = [("top/a.rs", "lib.rs"), ("top/a.rs", "extra/a.rs")];
        assert_eq!(said(&up).len(), 2);
        assert!(said(&up)[0].contains("higher floor"));
    }

    #[test]
    fn folders_side_by_side_do_not_import_each_other() {
        let beside = [("left/a.rs", "right/a.rs")];
        assert_eq!(
            said(&beside),
            ["left/a.rs:7 imports right/a.rs, but folders side by side must not import each other"]
        );
    }

    #[test]
    fn a_circle_within_a_folder_is_said_as_a_path() {
        let circle = [("top/a.rs", "top/b.rs"), ("top/b.rs", "top/mod.rs"), ("top/mod.rs", "top/a.rs")];
        assert_eq!(said(&circle), ["circle: top/a.rs:7 → top/b.rs:7 → top/mod.rs:7 → top/a.rs"]);
    }

    #[test]
    fn a_floor_without_a_file_is_missing_and_a_file_can_be_a_floor() {
        let sources = sources(&["base.rs", "left/a.rs", "top/a.rs"]);
        assert_eq!(violations(&HOUSE, &sources, &[]), [Violation::Missing("right".to_owned())]);
    }

    fn said(imports: &[(&str, &str)]) -> Vec<String> {
        let files = ["base/a.rs", "left/a.rs", "left/b.rs", "right/a.rs", "top/a.rs", "lib.rs"];
        let import =
            |&(from, to): &(&str, &str)| Import { from: from.to_owned(), to: to.to_owned(), line: 7 };
        let imports: Vec<_> = imports.iter().map(import).collect();
        violations(&HOUSE, &sources(&files), &imports).iter().map(Violation::to_string).collect()
    }

    fn sources(files: &[&str]) -> Sources {
        files.iter().map(|file| ((*file).to_owned(), String::new())).collect()
    }
}
