//! Items of documents that others made: imports, beginnings of named documents, deletes. What is checked before
//! Automerge sees them must hold whatever Automerge is given.
#![no_main]

use eyot_core::base::id::AuthorId;
use eyot_core::base::limits::Limits;
use eyot_core::commit::kind::Kind;
use eyot_core::document::budget::Budget;
use eyot_core::document::document::Document;
use eyot_core::document::value::decode_value;
use eyot_fuzz::{DOC, commit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|items: Vec<(u8, bool, Vec<u8>)>| {
    let budget = Budget { commit_bytes: 1 << 20, commit_operations: 10_000, ..Budget::default() };
    let mut document = Document::new(AuthorId([9; 16]), budget);
    for (number, (author, is_import, bytes)) in items.into_iter().take(8).enumerate() {
        let _ = document.allows(&bytes);
        let _ = document.missing_of_file(&bytes);
        let kind = if is_import { Kind::Import } else { Kind::Genesis };
        let author = (author % 3) * 16 + number as u8;
        let commit = commit(author, None, Vec::new(), vec![(DOC, kind, bytes)], &Limits::PROTOCOL);
        document.apply_commits(DOC, [&commit]);
    }
    // The value is one that can be read, and the file one that can be opened.
    decode_value(&document.value()).expect("a document's value can be read");
    let _ = document.save();
});
