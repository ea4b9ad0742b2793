//! The bytes of frames and records, and what is hashed of them.

mod vectors;

use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::wire::batch::{decode, encode};
use eyot_core::wire::frame::Frame;

/// Law: the format never changes.
#[test]
fn the_bytes_of_frames_and_records_are_these_for_ever() {
    let golden: Vec<_> = include_str!("../golden/wire.txt").lines().collect();
    assert_eq!(vectors::lines(), golden);
}

/// Law: what is written is what is read.
#[test]
fn the_bytes_of_frames_and_records_read_back_as_what_they_were() {
    for (name, frame) in vectors::frames() {
        assert_eq!(Frame::decode(&frame.encode(), &Limits::PROTOCOL).as_ref(), Ok(&frame), "{name}");
    }
    for (name, commit) in vectors::records() {
        assert_eq!(Commit::decode(&commit.encode(), &Limits::PROTOCOL).as_ref(), Ok(&commit), "{name}");
    }
    for (name, records, last) in vectors::batches() {
        let bytes = encode(&records, last.as_ref());
        assert_eq!(decode(&bytes, &Limits::PROTOCOL, last.as_ref()).as_ref(), Ok(&records), "{name}");
    }
}

/// Law: what others have compressed is read, however well they did it.
#[test]
fn a_compressed_batch_reads_as_what_it_was() {
    let (_, records, _) = vectors::batches().swap_remove(0);
    assert_eq!(decode(&vectors::compressed(), &Limits::PROTOCOL, None), Ok(records));
}
