//! Receipts that replicas pass on: what is read is what was signed.
#![no_main]

use eyot_core::wire::receipt::{Statement, receipt};
use eyot_core::wire::ticket::SIGNATURE_BYTES;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(statement) = Statement::read(bytes) else { return };
    let (_, signature) = bytes.split_last_chunk::<SIGNATURE_BYTES>().expect("a receipt has a signature");
    assert_eq!(receipt(&statement.to_sign(), signature), bytes);
});
