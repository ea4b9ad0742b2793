//! Edits and values from JavaScript.
#![no_main]

use eyot_core::document::value::{decode_ops, decode_value, encode_value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = decode_ops(bytes);
    if let Ok(value) = decode_value(bytes) {
        let written = encode_value(&value);
        let again = decode_value(&written).expect("what was written can be read");
        assert_eq!(encode_value(&again), written);
    }
});
