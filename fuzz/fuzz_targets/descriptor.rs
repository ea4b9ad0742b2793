//! What a peer says that a space is.
#![no_main]

use eyot_core::commit::descriptor::Descriptor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(descriptor) = minicbor::decode::<Descriptor>(bytes) {
        let written = minicbor::to_vec(&descriptor).unwrap();
        assert_eq!(minicbor::decode::<Descriptor>(&written).unwrap(), descriptor);
        let _ = descriptor.chain_start(0);
    }
});
