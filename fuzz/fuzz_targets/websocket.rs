//! Bytes of a connection to the native relay, in pieces of any size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use websocket::Decoder;

#[allow(dead_code, unused_imports)]
#[path = "../../crate/relay/src/websocket/mod.rs"]
mod websocket;

const MESSAGE_BYTES_MAX: usize = 4096;

fuzz_target!(|pieces: Vec<&[u8]>| {
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX, &[]);
    for piece in pieces {
        let buffer = decoder.read_buffer();
        assert!(buffer.capacity() <= 64 * 1024 + 2 * MESSAGE_BYTES_MAX + piece.len());
        buffer.extend_from_slice(piece);
        loop {
            match decoder.next() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        decoder.release_buffer();
    }
});
