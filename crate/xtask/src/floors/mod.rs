//! Checks in every room that a file imports only from floors below its own, and that no imports form a circle.

mod circles;
mod import;
mod rooms;
mod rules;
mod rust;
mod typescript;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use self::import::{Import, Sources};
use self::rooms::{Language, ROOMS, Room};
use self::rules::{Violation, floor, folder, roof, violations};
use crate::base::workspace;

/// How many violations are printed of a room that is not moved yet.
const REMAINING_SHOWN_MAX: usize = 3;

/// Prints the floors of each room, and fails if a room that has been moved breaks a rule.
pub fn check() -> Result<()> {
    let mut failures = Vec::new();
    for room in ROOMS {
        let verdict = check_room(room).with_context(|| format!("reading the imports of {}", room.path))?;
        print!("{}", verdict.report);
        failures.extend(verdict.failure);
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("; "));
    }
    Ok(())
}

struct Verdict {
    report: String,
    failure: Option<String>,
}

fn check_room(room: &Room) -> Result<Verdict> {
    let mut sources = Sources::new();
    read_into(&mut sources, &workspace::root().join(room.path), "", room.language)?;
    judge(room, &sources)
}

fn judge(room: &Room, sources: &Sources) -> Result<Verdict> {
    let imports = match room.language {
        Language::Rust => rust::imports(sources)?,
        Language::TypeScript => typescript::imports(sources),
    };
    let violations = violations(room, sources, &imports);
    let failure = match (room.moved, violations.len()) {
        (true, 0) => None,
        (true, count) => Some(format!("{}: {count} violations, printed above", room.path)),
        (false, 0) => Some(format!(
            "{} has no violations left: set `moved: true` in crate/xtask/src/floors/rooms.rs",
            room.path
        )),
        (false, _) => None,
    };
    Ok(Verdict { report: report(room, sources, &imports, &violations)?, failure })
}

fn report(room: &Room, sources: &Sources, imports: &[Import], violations: &[Violation]) -> Result<String> {
    let mut text = String::new();
    let (files, imports) = (sources.len(), imports.len());
    writeln!(text, "{}: {files} files, {imports} imports", room.path)?;
    if !room.floors.is_empty() {
        write_floors(&mut text, room, sources)?;
    }
    let shown = if room.moved { violations.len() } else { REMAINING_SHOWN_MAX.min(violations.len()) };
    for violation in &violations[..shown] {
        writeln!(text, "  ! {violation}")?;
    }
    if violations.len() > shown {
        writeln!(
            text,
            "  ! and {} more; `moved: true` in floors/rooms.rs prints all",
            violations.len() - shown
        )?;
    }
    Ok(text)
}

/// Writes the floors from the top down. Folders side by side have the same number.
fn write_floors(text: &mut String, room: &Room, sources: &Sources) -> Result<()> {
    let mut floors: BTreeMap<(usize, &str), Vec<&str>> = BTreeMap::new();
    for file in sources.keys() {
        let floor = floor(room, file);
        let name = if floor == roof(room) { "(roof)" } else { folder(file) };
        let short = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('/')).unwrap_or(file);
        let short = short.rsplit_once('.').map_or(short, |(stem, _)| stem);
        floors.entry((floor, name)).or_default().push(short);
    }
    for ((floor, name), files) in floors.iter().rev() {
        writeln!(text, "  {:>2}  {name:<10}  {}", floor + 1, files.join(" "))?;
    }
    Ok(())
}

fn read_into(sources: &mut Sources, folder: &Path, prefix: &str, language: Language) -> Result<()> {
    let endings: &[&str] = match language {
        Language::Rust => &["rs"],
        Language::TypeScript => &["ts", "tsx", "js"],
    };
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_into(sources, &entry.path(), &format!("{name}/"), language)?;
        } else if name.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending)) {
            sources.insert(name, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: Room = Room {
        path: "house",
        language: Language::Rust,
        floors: &[&["base"], &["left", "right"]],
        moved: true,
    };

    #[test]
    fn a_room_that_keeps_the_rules_shows_its_floors_from_the_top_down() {
        let verdict = judge(&HOUSE, &house("")).unwrap();
        assert_eq!(verdict.failure, None);
        assert_eq!(
            verdict.report,
            "house: 5 files, 2 imports\n   3  (roof)      lib\n   2  right       a\n   2  left        a\n   \
             1  base        deep/b mod\n"
        );
    }

    #[test]
    fn a_room_that_breaks_them_fails_and_says_where() {
        let verdict = judge(&HOUSE, &house("use crate::left::a::Thing;")).unwrap();
        assert_eq!(verdict.failure.as_deref(), Some("house: 2 violations, printed above"));
        let up = "  ! base/mod.rs:1 imports left/a.rs, which is on a higher floor\n";
        let circle = "  ! circle: base/mod.rs:1 → left/a.rs:1 → base/mod.rs\n";
        assert!(verdict.report.ends_with(&format!("{up}{circle}")), "{}", verdict.report);
    }

    #[test]
    fn what_a_room_that_is_not_moved_breaks_is_only_printed() {
        let not_moved = Room { moved: false, ..HOUSE };
        let verdict = judge(&not_moved, &house("use crate::left::a::Thing;")).unwrap();
        assert_eq!(verdict.failure, None);
        assert!(verdict.report.contains("higher floor"));
    }

    #[test]
    fn a_room_that_is_not_moved_but_keeps_the_rules_is_to_be_moved() {
        let not_moved = Room { moved: false, ..HOUSE };
        assert!(judge(&not_moved, &house("")).unwrap().failure.is_some());
    }

    fn house(base: &str) -> Sources {
        let files = [
            ("base/mod.rs", base),
            ("base/deep/b.rs", ""),
            ("left/a.rs", "use crate::base::Thing;"),
            ("right/a.rs", ""),
            ("lib.rs", "use crate::left::a::Thing;"),
        ];
        files.map(|(path, text)| (path.to_owned(), text.to_owned())).into()
    }
}
