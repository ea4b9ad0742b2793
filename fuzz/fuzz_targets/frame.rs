//! Frames from a peer.
#![no_main]

use eyot_core::base::limits::Limits;
use eyot_core::wire::frame::Frame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = Frame::decode(bytes, &Limits::PROTOCOL) {
        // What was understood is written and read as the same.
        assert_eq!(Frame::decode(&frame.encode(), &Limits::PROTOCOL), Ok(frame));
    }
});
