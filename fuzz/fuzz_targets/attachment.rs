//! What a link kept while its relay was out of memory: from a disk, so that it may be anything.
#![no_main]

use eyot_core::base::id::LinkId;
use eyot_core::holder::io::Input;
use eyot_fuzz::{Host, NOW, relay};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, Vec<Vec<u8>>)| {
    let (attachment, frames) = input;
    let mut host = Host::new(relay());
    host.relay.resume(LinkId(1), &attachment, NOW);
    host.run(NOW);
    for frame in frames.into_iter().take(16) {
        host.handle(Input::Received(LinkId(1), frame), NOW);
    }
    host.handle(Input::Timer, NOW + 100_000);
    let _ = host.relay.attachment(LinkId(1));
});
