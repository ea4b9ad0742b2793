//! Circles in a graph of imports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::import::Import;

/// Finds the shortest circle through each file that is in one, and returns each circle once. A circle begins with the
/// file whose name comes first in the alphabet.
pub fn circles(imports: &[Import]) -> Vec<Vec<&Import>> {
    let mut leaving: BTreeMap<&str, Vec<&Import>> = BTreeMap::new();
    for import in imports {
        leaving.entry(&import.from).or_default().push(import);
    }
    let found: BTreeSet<_> = leaving.keys().filter_map(|file| shortest_circle(file, &leaving)).collect();
    found.into_iter().collect()
}

/// Searches breadth first, so the first way back to the start is the shortest.
fn shortest_circle<'a>(start: &str, leaving: &BTreeMap<&'a str, Vec<&'a Import>>) -> Option<Vec<&'a Import>> {
    let mut reached_by: BTreeMap<&str, &Import> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(file) = open.pop_front() {
        for &import in leaving.get(file).into_iter().flatten() {
            if reached_by.contains_key(import.to.as_str()) {
                continue;
            }
            reached_by.insert(&import.to, import);
            if import.to == start {
                return Some(path_back(start, &reached_by));
            }
            open.push_back(&import.to);
        }
    }
    None
}

fn path_back<'a>(start: &str, reached_by: &BTreeMap<&str, &'a Import>) -> Vec<&'a Import> {
    let mut circle = vec![reached_by[start]];
    while circle.last().is_some_and(|import| import.from != start) {
        circle.push(reached_by[circle[circle.len() - 1].from.as_str()]);
    }
    circle.reverse();
    let first = (0..circle.len()).min_by_key(|&index| &circle[index].from).expect("a circle has a file");
    circle.rotate_left(first);
    circle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_that_import_each_other_are_a_circle() {
        assert_eq!(found(&["a>b", "b>a", "a>c"]), ["a>b>a"]);
    }

    #[test]
    fn three_files_in_a_ring_are_one_circle() {
        assert_eq!(found(&["c>a", "a>b", "b>c", "b>d"]), ["a>b>c>a"]);
    }

    #[test]
    fn of_two_circles_through_a_file_the_shorter_is_said() {
        assert_eq!(found(&["a>b", "b>c", "c>a", "b>a"]), ["a>b>a", "a>b>c>a"]);
    }

    #[test]
    fn a_file_that_only_leads_to_a_circle_is_not_in_it() {
        assert_eq!(found(&["a>b", "b>c", "c>b", "a>c"]), ["b>c>b"]);
    }

    #[test]
    fn files_that_stand_on_one_another_make_no_circle() {
        assert!(found(&["a>b", "a>c", "b>d", "c>d"]).is_empty());
    }

    fn found(arrows: &[&str]) -> Vec<String> {
        let import = |arrow: &&str| {
            let (from, to) = arrow.split_once('>').unwrap();
            Import { from: from.to_owned(), to: to.to_owned(), line: 1 }
        };
        let imports: Vec<_> = arrows.iter().map(import).collect();
        let written = |circle: Vec<&Import>| {
            let mut files: Vec<_> = circle.iter().map(|import| import.from.as_str()).collect();
            files.push(&circle[circle.len() - 1].to);
            files.join(">")
        };
        circles(&imports).into_iter().map(written).collect()
    }
}
