//! What is read from the files of a room, in either language.

use std::collections::BTreeMap;

/// The text of each file of a room, by its path from the room's folder.
pub type Sources = BTreeMap<String, String>;

/// One file of a room imports something from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: String,
    pub to: String,
    /// In `from`, counted from one.
    pub line: usize,
}

/// Keeps the first import of each pair of files, and none of a file from itself.
pub fn first_of_each_pair(mut imports: Vec<Import>) -> Vec<Import> {
    imports.retain(|import| import.from != import.to);
    imports.sort();
    imports.dedup_by(|later, first| (&later.from, &later.to) == (&first.from, &first.to));
    imports
}
