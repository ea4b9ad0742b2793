//! Keystrokes in a long text.

use std::time::{Duration, Instant};

use eyot_core::automerge::transaction::{CommitOptions, Transactable};
use eyot_core::automerge::{ActorId, Automerge, ObjType, ROOT, TextEncoding};
use eyot_core::commit::commit::Commit;
use eyot_core::document::patch::encode_patches;
use eyot_core::document::value::Op;

use crate::author::{Author, DOC};
use crate::history::seph_blog1;
use crate::replica::Typist;
use crate::say;

/// As many keystrokes as make a source file of 18,000 characters.
const TYPED: usize = 18_335;
/// How many are measured at the text's full length.
const LAST: usize = 2_000;

pub fn typing() {
    let history = seph_blog1();
    let full = history.len() - LAST;
    let (mut replica, mut document, mut alone, mut asked) = (vec![], vec![], vec![], vec![]);
    let mut typist = Typist::new();
    replica.extend(history.iter().map(|ops| timed(|| typist.change(ops))));
    let mut author = Author::new(1);
    document.extend(history.iter().map(|ops| timed(|| author.commit(ops))));
    let encoding = TextEncoding::Utf16CodeUnit;
    let mut doc = Automerge::new_with_encoding(encoding).with_actor(ActorId::from(&[1u8; 16][..]));
    let mut tx = doc.transaction();
    let text = tx.put_object(ROOT, "text", ObjType::Text).unwrap();
    tx.commit_with(CommitOptions::default().with_time(1));
    for ops in &history[1..] {
        let spent = timed(|| {
            let mut tx = doc.transaction();
            for op in ops {
                let Op::Splice { index, remove, insert, .. } = op else { unreachable!() };
                tx.splice_text(&text, *index, *remove as isize, insert).unwrap();
            }
            tx.commit_with(CommitOptions::default().with_time(1));
        });
        alone.push(spent);
        asked.push(timed(|| doc.get_last_local_change()));
    }
    for (length, range) in [("first 18,335", 0..TYPED), ("last 2,000", full..history.len() - 1)] {
        say(&format!("typing, {length}: Replica::change"), &replica[range.clone()]);
        say(&format!("typing, {length}: document and commit alone"), &document[range.clone()]);
        say(&format!("typing, {length}: Automerge's transaction alone"), &alone[range.clone()]);
        say(&format!("typing, {length}: Automerge's last change, asked for"), &asked[range]);
    }
}

pub fn reading() {
    let history = seph_blog1();
    let mut author = Author::new(1);
    let commits: Vec<Commit> = history.iter().map(|ops| author.commit(ops)).collect();
    for length in [20_000, commits.len()] {
        let cut = length - 200;
        let mut reader = Author::new(2).document;
        let spent = timed(|| reader.apply_commits(DOC, &commits[..cut]));
        println!("{cut} keystrokes of another at once: {:.2} s", spent.as_secs_f64());
        let mut patches = Vec::new();
        let one_by_one = commits[cut..length].iter().map(|commit| {
            let mut applied = None;
            let spent = timed(|| applied = Some(reader.apply_commits(DOC, [commit])));
            let applied = applied.unwrap();
            patches.push(timed(|| encode_patches(&applied.patches)));
            spent
        });
        let one_by_one: Vec<_> = one_by_one.collect();
        say(&format!("reading, after {cut} keystrokes: one more"), &one_by_one);
        say(&format!("reading, after {cut} keystrokes: its patches as bytes"), &patches);
        if length == commits.len() {
            assert_eq!(reader.heads(), author.document.heads());
        }
    }
}

fn timed<T>(task: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    std::hint::black_box(task());
    start.elapsed()
}
