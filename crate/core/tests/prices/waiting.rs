//! Commits that wait for others, and what they cost.

use crate::common::{filled, host, limits};
use crate::host::{Host, after, after_all, chain, commits};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::holder::caps::Caps;
use eyot_core::wire::bodies::{Answer, Want};
use eyot_core::wire::frame::Frame;

#[test]
fn all_that_a_commit_lacks_is_asked_for_in_one_question() {
    let mut host = host();
    let writer = host.come("write");
    let causes: Vec<_> = (1..=20).map(|author| chain(author, 3, 10).pop().expect("three")).collect();
    host.send(writer, &commits(&[after_all(77, &causes)]));
    let asked = host.take(writer).into_iter().find_map(|frame| match frame {
        Frame::Want(Want { ranges, .. }) => Some(ranges),
        _ => None,
    });
    let asked: Vec<_> =
        asked.expect("a question").iter().map(|range| (range.author.0[0], range.to)).collect();
    assert_eq!(asked, (1..=20).map(|author| (author, 3)).collect::<Vec<_>>());
}

#[test]
fn what_waits_for_one_commit_comes_into_the_log_in_turns() {
    let mut host = Host::new(Limits { turn_bytes: 32_768, ..limits() }, Caps::default());
    let writer = host.come("write");
    let cause = &chain(1, 1, 10)[0];
    for author in 2..=100 {
        host.send(writer, &commits(&[after(author, cause)]));
        host.pass(1);
    }
    assert_eq!(host.relay.stored(), 0);
    host.send(writer, &commits(std::slice::from_ref(cause)));
    let first = host.relay.stored();
    assert!((1..50).contains(&first), "{first} at once");
    assert_eq!(host.timer, Some(host.now + 1));
    host.pass(100);
    assert_eq!(host.relay.stored(), 100);
    assert!(host.closed.is_empty(), "{:?}", host.closed);
}

#[test]
fn causes_of_which_only_storage_knows_are_looked_up_some_at_a_time() {
    // Long chains: where their first commits are is not kept in memory.
    let tiny = Limits { turn_bytes: 16_384, hot_chains_max: 4, ..limits() };
    let held: Vec<_> = (1..=20).flat_map(|author| chain(author, 70, 1)).collect();
    let (mut host, _) = filled(tiny, Caps::default(), &held);
    host.pass(1_000);
    let old: Vec<_> = held.iter().filter(|commit| commit.header().seq == 1).cloned().collect();
    let writer = host.come("write");
    host.pass(10);
    let before = host.reads.len();
    for author in 77..80 {
        host.send(writer, &commits(&[after_all(author, &old)]));
    }
    host.pass(100);
    assert!(host.closed.is_empty(), "{:?}", host.closed);
    assert_eq!(host.relay.stored(), held.len() as u64 + 3);
    assert!(host.reads.len() > before);
}

#[test]
fn only_so_much_is_read_at_once_to_admit_commits() {
    let tiny =
        Limits { frame_bytes_max: 8_000, reads_max: 6, commit_reads_max: 4, hot_chains_max: 1, ..limits() };
    let held: Vec<_> = (1..=20).flat_map(|author| chain(author, 70, 1)).collect();
    let (mut host, _) = filled(tiny, Caps::default(), &held);
    host.pass(1_000);
    let old: Vec<_> = held.iter().filter(|commit| commit.header().seq == 1).cloned().collect();
    let writer = host.come("write");
    let many: Vec<_> = (77..80).map(|author| after_all(author, &old)).collect();
    assert_eq!(host.reads_at_once(writer, &commits(&many)), 4, "those of the first");
    // Each asks for its chain's entry.
    let next: Vec<_> = (1..=20).map(|author| chain(author, 71, 1).pop().expect("many")).collect();
    assert_eq!(host.reads_at_once(writer, &commits(&next)), 6);
    host.pass(1_000);
    assert!(host.closed.is_empty(), "{:?}", host.closed);
    assert_eq!(host.relay.stored(), held.len() as u64 + 23);
}

#[test]
fn only_so_many_causes_are_looked_up_for_one_question() {
    let mut host = Host::new(Limits { causes_ahead_max: 4, ..limits() }, Caps::default());
    let writer = host.come("write");
    let causes: Vec<_> = (1..=20).map(|author| chain(author, 1, 10).remove(0)).collect();
    host.send(writer, &commits(&[after_all(77, &causes)]));
    let mut questions = Vec::new();
    loop {
        let frames = host.take(writer);
        let Some(want) = frames.into_iter().find_map(|frame| match frame {
            Frame::Want(want) => Some(want),
            _ => None,
        }) else {
            break;
        };
        questions.push(want.ranges.len());
        let is_wanted =
            |commit: &&Commit| want.ranges.iter().any(|range| range.author == commit.header().author);
        let records = causes.iter().filter(is_wanted).map(|commit| commit.encode().into()).collect();
        host.send(writer, &Frame::Answer(Answer { nonce: want.nonce, records, more: false, cut: false }));
    }
    assert!(questions.iter().all(|ranges| *ranges <= 5), "{questions:?}");
    assert_eq!(host.relay.stored(), 21);
}
