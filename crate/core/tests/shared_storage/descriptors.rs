//! What the space is, where a relay has told one process and not the other.

use eyot_core::base::id::LinkId;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::holder::io as holder;
use eyot_core::replica::event::Event;
use eyot_core::storage::request::StorageFault;
use eyot_core::wire::access::Side;
use eyot_core::wire::bodies::{Bye, Hello};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

use crate::world::{World, hello};

fn other() -> Descriptor {
    Descriptor { partitions: 2, ..Descriptor::plain("space") }
}

fn hello_of_other(log: u8) -> Hello {
    Hello { descriptor: Some(other()), ..hello(log) }
}

/// Two processes, of which the second is linked to a replica that takes the space for a plain one. A relay
/// has told the first that it is another one.
fn world() -> (World, LinkId) {
    let mut world = World::new(2);
    let link = world.link(1, Side::Accepter, hello(9));
    let relay = world.processes[0].dialled[0];
    world.input(0, holder::Input::LinkOpened(relay));
    let bye = Bye { code: CloseCode::Incompatible as u16, reason: String::new(), descriptor: Some(other()) };
    world.say(0, relay, &Frame::Bye(bye));
    (world, link)
}

#[test]
fn what_another_process_took_the_space_for_is_found_out_before_anything_of_it_is_sent() {
    let (mut world, plain) = world();
    world.write(0, 1);
    assert_eq!(world.code(1, plain), Some(CloseCode::GoingAway as u16));
    assert!(world.commits(1, plain).is_empty());
    let link = world.link(1, Side::Accepter, hello_of_other(8));
    assert_eq!(world.commits(1, link).len(), 1);
    world.write(1, 2);
    assert_eq!((world.commits(1, link).len(), world.code(1, link)), (2, None));
}

#[test]
fn what_was_written_for_another_space_than_the_log_is_of_is_refused_and_not_dropped() {
    let (mut world, plain) = world();
    world.is_deaf = true;
    world.write(0, 1);
    world.write(1, 2);
    let has_failed = |event: &Event| matches!(event, Event::Failed { fault: StorageFault::Incompatible, .. });
    assert!(world.processes[1].events.iter().any(has_failed));
    assert!(!world.processes[1].events.iter().any(|event| matches!(event, Event::Saved { .. })));
    assert!(world.commits(1, plain).is_empty());
    // Whoever begins now has what was written first.
    let next = world.begin();
    assert_eq!(world.processes[next].replica.documents().len(), 1);
}
