//! What the readers of both languages take and give.

use std::collections::BTreeMap;

/// The text of each file of a room, by its path from the room's folder.
pub type Sources = BTreeMap<String, String>;

/// One file of a room uses something of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: String,
    pub to: String,
    /// Where `from` says so, counted from one.
    pub line: usize,
}

/// Each pair of files once, by the first line that imports.
pub fn first_of_each_pair(mut imports: Vec<Import>) -> Vec<Import> {
    imports.retain(|import| import.from != import.to);
    imports.sort();
    imports.dedup_by(|later, first| (&later.from, &later.to) == (&first.from, &first.to));
    imports
}
