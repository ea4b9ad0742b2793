//! Commits that wait for others, and what they cost.

use crate::common::{filled, host, limits};
use crate::host::{Host, after, after_all, chain, commits};
use eyot_core::base::id::{AuthorId, DocId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::kind::Kind;
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

#[test]
fn a_commit_that_waits_is_kept_once_and_asked_for_once_however_often_it_comes() {
    let large = |author, after| {
        let of = (AuthorId([author; 16]), 1, Descriptor::plain("space").chain_start(0));
        let items = vec![(DocId([author; 16]), Kind::Change, vec![7; 1_000])];
        Commit::new(of, after, 0, items, &Limits::PROTOCOL).expect("within limits")
    };
    let cause = large(1, Vec::new());
    let waiting = large(2, vec![cause.name()]);
    // There is room for two.
    let tiny = Limits { waiting_commits_max: 2, waiting_bytes_max: 3_000, credit_bytes: 700_000, ..limits() };
    let mut host = Host::new(tiny, Caps::default());
    let writers = [host.come("write"), host.come("more")];
    for _ in 0..500 {
        for writer in writers {
            host.send(writer, &commits(std::slice::from_ref(&waiting)));
        }
    }
    for writer in writers {
        assert_eq!(host.code(writer), None);
        let frames = host.take(writer);
        let of = |is: fn(&Frame) -> bool| frames.iter().filter(|frame| is(frame)).count();
        assert_eq!(of(|frame| matches!(frame, Frame::Want(_))), 1, "questions");
        assert_eq!(of(|frame| matches!(frame, Frame::Credit(_))), 0, "what waits is not paid back");
    }
    host.send(writers[0], &commits(std::slice::from_ref(&cause)));
    assert_eq!(host.relay.stored(), 2);
    host.pass(10_000);
    for writer in writers {
        let granted = host.take(writer).into_iter().filter_map(|frame| match frame {
            Frame::Credit(bytes) => Some(bytes),
            _ => None,
        });
        assert!(granted.sum::<u64>() >= 500 * 1_000, "each copy is paid back once it is of no use any more");
    }
}
