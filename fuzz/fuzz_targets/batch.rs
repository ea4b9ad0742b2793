//! Commits of a frame, written together. The batches of the golden vectors go on from nothing or from their first commit.
#![no_main]

use std::sync::LazyLock;

use eyot_core::base::id::{AuthorId, CommitId, DocId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::kind::Kind;
use eyot_core::wire::batch::record::Record;
use eyot_core::wire::batch::{BatchError, Last, decode, encode};
use libfuzzer_sys::fuzz_target;

static BEFORE: LazyLock<Last> = LazyLock::new(|| {
    let items = vec![(DocId([7; 16]), Kind::Change, vec![1, 2, 3])];
    let of = (AuthorId([1; 16]), 1, CommitId([9; 32]));
    Last::of(&Commit::new(of, Vec::new(), 1_790_000_000_000, items, &Limits::PROTOCOL).expect("a commit"))
});

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { frame_bytes_max: 16 * 1024, ..Limits::PROTOCOL };
    let mut bytes = bytes.to_vec();
    if let Some(form) = bytes.first().copied().filter(|form| form & 2 != 0) {
        // What it goes on from is no secret, and is hard to guess.
        bytes.splice(..1, [&[form], BEFORE.check().as_slice()].concat());
    }
    let read = match decode(&bytes, &limits, Some(&BEFORE)) {
        Ok(read) => read,
        Err(error) => return assert_ne!(error, BatchError::Elsewhere),
    };
    for record in &read {
        assert_eq!(record.encoded_len(), record.bytes().len());
        if let Record::Checked(commit) = record {
            assert_eq!(Commit::decode(&record.bytes(), &limits).as_ref(), Ok(commit));
        }
    }
    // What was understood is written and read as the same.
    assert_eq!(decode(&encode(&read, Some(&BEFORE)), &limits, Some(&BEFORE)), Ok(read));
});
