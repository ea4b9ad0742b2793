//! The least edits that make one text of another, for applications that set a text as a whole.

/// Where more characters than this are removed and inserted, what differs is replaced as one: the
/// search for the least edits takes time and space by their number.
const EDITS_MAX: usize = 512;

/// One edit, in UTF-16 code units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub index: usize,
    pub remove: usize,
    pub insert: String,
}

/// The edits from the end of the text to its start, so that none moves the next.
pub(crate) fn edits(before: &str, after: &str) -> Vec<Edit> {
    let (a, b): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    if a.is_empty() && b.is_empty() {
        return Vec::new();
    }
    let spans = match least(a, b) {
        Some(spans) if !a.is_empty() && !b.is_empty() => spans,
        _ => vec![Span { from: Point { a: 0, b: 0 }, to: Point { a: a.len(), b: b.len() } }],
    };
    let offset = width(before.chars().take(start));
    let edit = |Span { from, to }: Span| Edit {
        index: offset + width(a[..from.a].iter().copied()),
        remove: width(a[from.a..to.a].iter().copied()),
        insert: b[from.b..to.b].iter().collect(),
    };
    spans.into_iter().map(edit).collect()
}

/// How far both texts have been walked.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Point {
    a: usize,
    b: usize,
}

/// A part of `a` and what stands in its place in `b`.
struct Span {
    from: Point,
    to: Point,
}

/// Myers' search: how far one gets with 0, 1, 2 … characters removed or inserted, for each
/// difference of the two positions. The spans from the last to the first; none where it takes too
/// many.
fn least(a: &[char], b: &[char]) -> Option<Vec<Span>> {
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let most = EDITS_MAX.min(a.len() + b.len());
    for edits in 0..=most {
        let mut reached = Vec::with_capacity(edits + 1);
        for place in 0..=edits {
            let (from, is_insert) = rounds.last().map_or((0, true), |last| step(last, place));
            let mut x = if is_insert { from } else { from + 1 };
            // Of the edits so far, `place` are removals and the others insertions.
            let mut y = x + edits - 2 * place;
            while x < a.len() && y < b.len() && a[x] == b[y] {
                x += 1;
                y += 1;
            }
            if x >= a.len() && y >= b.len() {
                return Some(walk_back(&rounds, Point { a: a.len(), b: b.len() }));
            }
            reached.push(x);
        }
        rounds.push(reached);
    }
    None
}

/// From which place of the round before one gets furthest, and whether by an insertion.
fn step(last: &[usize], place: usize) -> (usize, bool) {
    let by_insert = last.get(place).copied();
    let by_remove = place.checked_sub(1).map(|place| last[place]);
    match (by_insert, by_remove) {
        (Some(insert), Some(remove)) if remove >= insert => (remove, false),
        (Some(insert), _) => (insert, true),
        (None, remove) => (remove.expect("a place follows one of the round before"), false),
    }
}

fn walk_back(rounds: &[Vec<usize>], end: Point) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut at = end;
    for edits in (1..=rounds.len()).rev() {
        let place = (at.a + edits - at.b) / 2;
        let (a, is_insert) = step(&rounds[edits - 1], place);
        let place_before = if is_insert { place } else { place - 1 };
        let from = Point { a, b: a + (edits - 1) - 2 * place_before };
        let to = if is_insert { Point { b: from.b + 1, ..from } } else { Point { a: from.a + 1, ..from } };
        match spans.last_mut() {
            Some(span) if span.from == to => span.from = from,
            _ => spans.push(Span { from, to }),
        }
        at = from;
    }
    spans
}

fn width(chars: impl Iterator<Item = char>) -> usize {
    chars.map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(before: &str, edits: &[Edit]) -> String {
        let mut units: Vec<u16> = before.encode_utf16().collect();
        for Edit { index, remove, insert } in edits {
            units.splice(*index..index + remove, insert.encode_utf16());
        }
        String::from_utf16(&units).expect("no edit cuts a character")
    }

    fn size(edits: &[Edit]) -> usize {
        edits.iter().map(|edit| edit.remove + edit.insert.encode_utf16().count()).sum()
    }

    #[test]
    fn edits_make_the_other_text_and_are_few() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("the cat sat", "the hat sat on", 5),
            ("abcabba", "cbabac", 5),
            ("xaxbx", "xbxax", 4),
            ("one 😀 two", "one 😁 two 😀", 7),
        ];
        for (before, after, least) in cases {
            let edits = edits(before, after);
            assert_eq!(apply(before, &edits), after);
            assert_eq!(size(&edits), least, "{before} to {after}: {edits:?}");
        }
    }

    #[test]
    fn edits_make_the_other_text_whatever_the_two_are() {
        let mut random = 1u64;
        let mut text = |letters: u64| -> String {
            let mut next = || {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                random >> 33
            };
            (0..next() % 40).map(|_| ['a', 'b', '😀', 'd'][(next() % letters) as usize]).collect()
        };
        for round in 0..5_000 {
            let (before, after) = (text(2 + round % 3), text(2 + round % 3));
            assert_eq!(apply(&before, &edits(&before, &after)), after);
        }
    }

    #[test]
    fn two_edits_far_apart_in_a_long_text_stay_two() {
        let before = "lorem ipsum ".repeat(10_000);
        let after = format!("L{}!", &before[1..]).replacen("ipsum", "IPSUM", 1);
        let edits = edits(&before, &after);
        assert_eq!(apply(&before, &edits), after);
        assert!(size(&edits) < 20, "{edits:?}");
    }

    #[test]
    fn texts_with_nothing_in_common_are_replaced_as_one() {
        let (before, after) = ("a".repeat(20_000), "b".repeat(20_000));
        let edits = edits(&before, &after);
        assert_eq!(edits.len(), 1);
        assert_eq!(apply(&before, &edits), after);
    }
}
