//! Records and headers of commits, from a peer or a disk.
#![no_main]

use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::header::Header;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(commit) = Commit::decode(bytes, &Limits::PROTOCOL) {
        let again = Commit::decode(&commit.encode(), &Limits::PROTOCOL);
        assert_eq!(again.as_ref().map(Commit::id), Ok(commit.id()));
    }
    if let Ok(header) = Header::decode(bytes, &Limits::PROTOCOL) {
        assert_eq!(header.encode(), bytes, "a header has one encoding");
    }
});
