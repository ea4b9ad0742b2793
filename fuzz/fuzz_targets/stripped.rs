//! Stripped changes: an item of kind 1, whatever it refers to.
#![no_main]

use eyot_core::base::id::AuthorId;
use eyot_core::base::limits::Limits as Protocol;
use eyot_core::commit::commit::Commit;
use eyot_core::document::budget::Budget;
use eyot_core::document::document::Document;
use eyot_core::commit::kind::Kind;
use eyot_fuzz::{DOC, commit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|items: Vec<(u8, bool, Vec<u8>)>| {
    let mut commits: Vec<Commit> = Vec::new();
    for (author, follows, bytes) in items.into_iter().take(8) {
        let author = author % 3;
        let last = commits.iter().rev().find(|commit| commit.header().author == AuthorId([author; 16]));
        let place = last.map(|commit| (commit.header().seq, commit.id()));
        let after = commits.last().filter(|last| follows && last.header().author != AuthorId([author; 16]));
        let after = after.map(Commit::name).into_iter().collect();
        commits.push(commit(author, place, after, vec![(DOC, Kind::Change, bytes)], &Protocol::PROTOCOL));
    }
    let mut document = Document::new(AuthorId([9; 16]), Budget::default());
    document.apply_commits(DOC, &commits);
    let _ = document.value();
    let _ = document.save();
});
