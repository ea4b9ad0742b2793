//! Replicas that go on in memory, since their disk is full.

use eyot_core::base::id::{AuthorId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::{Marker, Position};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::wire::access::{Right, Side};
use eyot_core::wire::bodies::Commits;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

use crate::world::{World, after, commit, hello};

/// What the one had brought was staged when the link of the other ended, and the write that this began took it
/// for its own.
#[test]
fn each_link_is_acknowledged_its_own_although_another_ends_in_the_same_step() {
    let mut world = World::new(1);
    world.nodes[0].is_full = true;
    world.write(0, 1);
    let [one, other] = [8, 9].map(|log| world.raw(0, Side::Accepter, Right::Write, hello(log)));
    let cause = commit(20);
    let to = Marker::new(LogId([8; 16]), [1; 32], 0).mark(Position { seq: 1, ..Position::START });
    let bring = |commits: &[Commit], to| {
        let records = commits.iter().map(|commit| commit.encode().into()).collect();
        Frame::Commits(Commits { records, to, named: Vec::new() })
    };
    world.say(0, one, &bring(&[after(21, &cause)], Some(to)));
    let said = world.sent.len();

    let elsewhere = Descriptor::plain("another space").chain_start(0);
    let of = (AuthorId([22; 16]), 1, elsewhere);
    let foreign = Commit::new(of, Vec::new(), 0, Vec::new(), &Limits::PROTOCOL).expect("within limits");
    world.say(0, other, &bring(&[cause, foreign], None));
    let codes = [one, other].map(|link| world.code(0, link));
    assert_eq!(codes, [None, Some(CloseCode::Malformed as u16)]);
    // Acknowledgements between replicas wait a little for others.
    world.pass(1_000);
    let read = world.sent[said..].iter().filter_map(|(_, frame)| match frame {
        Frame::Ack(ack) => Some(ack.read),
        _ => None,
    });
    assert_eq!(read.collect::<Vec<_>>(), [1]);
}
