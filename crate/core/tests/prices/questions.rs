//! Questions for commits, and their answers.

use crate::common::{FLOW, answered, filled, host, limits, range, records};
use crate::host::after;
use crate::host::chain;
use crate::host::commits;
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::holder::caps::Caps;
use eyot_core::wire::bodies::Answer;
use eyot_core::wire::bodies::ChainRange;
use eyot_core::wire::bodies::Want;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

#[test]
fn a_second_question_before_the_first_is_answered_ends_the_link() {
    let tiny = Limits { unread_bytes: 2_000, ..limits() };
    let (mut host, reader) = filled(tiny, Caps::default(), &chain(1, 40, 200));
    let want = |nonce| Frame::Want(Want { nonce, ranges: vec![range(1, 1, 40)] });
    host.send(reader, &want(1));
    assert_eq!(answered(&host.take(reader)), [], "there is no room for all of it");
    host.send(reader, &want(2));
    assert_eq!(host.code(reader), Some(FLOW));
}

#[test]
fn ranges_that_are_asked_for_many_times_are_looked_up_and_read_once() {
    let (mut host, reader) = filled(limits(), Caps::default(), &chain(1, 200, 10));
    let before = host.reads.len();
    host.send(reader, &Frame::Want(Want { nonce: 1, ranges: vec![range(1, 1, 1)] }));
    let one = host.reads.len() - before;
    host.read_all(reader);
    let ranges = (0..40).map(|number| range(1, 1 + number % 3, 200)).collect();
    let before = host.reads.len();
    host.send(reader, &Frame::Want(Want { nonce: 2, ranges }));
    let frames = host.read_all(reader);
    assert_eq!(records(&frames), 200);
    assert_eq!(answered(&frames), [(2, false)]);
    // The chain's entry, a chunk for each 32 commits, and rows that follow one another.
    assert!(host.reads.len() - before <= one + 10, "{} reads", host.reads.len() - before);
    let chunks: Vec<_> = host.reads[before..].iter().filter(|key| key[0] == b'c').collect();
    assert_eq!(chunks.len(), 5, "each chunk once");
}

/// A row may hold more than an answer may: whoever had asked closed the link (seed 720370).
#[test]
fn an_answer_ends_with_the_commit_that_fills_it() {
    let small = Limits { answer_bytes: 1_000, ..limits() };
    let brought = chain(1, 40, 200);
    let (mut host, reader) = filled(small, Caps::default(), &brought);
    host.send(reader, &Frame::Want(Want { nonce: 1, ranges: vec![range(1, 1, 40)] }));
    let frames = host.read_all(reader);
    assert_eq!(answered(&frames), [(1, true)]);
    let most = 1_000 / brought[0].encoded_len() + 1;
    assert!((1..=most).contains(&records(&frames)), "{} commits", records(&frames));
}

#[test]
fn reading_for_an_answer_holds_nobody_up() {
    let (mut host, reader) =
        filled(Limits { unread_bytes: 2_000, ..limits() }, Caps::default(), &chain(1, 40, 200));
    host.send(reader, &Frame::Want(Want { nonce: 1, ranges: vec![range(1, 1, 40)] }));
    let writer = host.come("more");
    host.send(writer, &commits(&chain(2, 1, 10)));
    assert_eq!(host.relay.stored(), 41, "the answer is under way still");
    assert_eq!(answered(&host.take(reader)), []);
}

#[test]
fn a_reader_is_charged_for_what_it_makes_the_relay_read() {
    let caps =
        Caps { connection_reads_per_second: 1 << 20, subject_reads_per_second: 1 << 20, ..Caps::default() };
    let tiny = Limits { frames_burst: 10_000, ..limits() };
    let (mut host, reader) = filled(tiny, caps, &chain(1, 40, 200));
    let mut asked = 0;
    // At least 4 KiB a read: the burst of 1 MiB is 256 reads.
    loop {
        host.send(reader, &Frame::Want(Want { nonce: asked, ranges: vec![range(1, 40, 40)] }));
        if answered(&host.read_all(reader)).is_empty() || asked == 1_000 {
            break;
        }
        asked += 1;
        host.pass(1);
    }
    assert!((50..400).contains(&asked), "{asked} answers at once");
    assert_eq!(host.code(reader), None, "it waits");
    host.pass(1_000);
    assert_eq!(answered(&host.read_all(reader)), [(asked, false)]);
}

#[test]
fn an_answer_with_nothing_new_is_no_answer() {
    let mut host = host();
    let writer = host.come("write");
    let causes = chain(1, 3, 10);
    let effect = after(2, &causes[2]);
    host.send(writer, &commits(std::slice::from_ref(&effect)));
    let want = |frames: Vec<Frame>| {
        frames.into_iter().find_map(|frame| match frame {
            Frame::Want(want) => Some(want.nonce),
            _ => None,
        })
    };
    let nonce = want(host.read_all(writer)).expect("causes are asked for");
    // A commit that waits as well, and that the answer is cut.
    let record = causes[2].encode();
    let answer = |nonce, records: Vec<Vec<u8>>| {
        let records = records.into_iter().map(Into::into).collect();
        Frame::Answer(Answer { nonce, records, more: false, cut: true })
    };
    host.send(writer, &answer(nonce, vec![record.clone()]));
    let nonce = want(host.read_all(writer)).expect("the rest is asked for");
    assert_eq!(host.code(writer), None, "that was new");
    host.send(writer, &answer(nonce, vec![]));
    assert_eq!(host.code(writer), Some(CloseCode::Withheld as u16));
}

/// Its stream was ahead of the answer, which had no room for the other branch (seed 201317).
#[test]
fn a_cut_answer_with_what_the_stream_has_brought_meanwhile_is_of_use_once() {
    let mut host = host();
    let writer = host.come("write");
    host.send(writer, &commits(&chain(1, 3, 10)));
    let (one, other) = (chain(1, 3, 11), chain(1, 3, 12));
    let want = |frames: Vec<Frame>| {
        frames.into_iter().find_map(|frame| match frame {
            Frame::Want(want) => Some(want),
            _ => None,
        })
    };
    host.send(writer, &commits(&[after(2, &one[2]), after(3, &other[2])]));
    let wanted = want(host.read_all(writer)).expect("causes are asked for");
    assert_eq!(wanted.ranges.len(), 2, "a range for each branch");
    host.send(writer, &commits(std::slice::from_ref(&one[2])));
    let answer = |nonce| {
        let records = vec![one[2].encode().into()];
        Frame::Answer(Answer { nonce, records, more: false, cut: true })
    };
    host.send(writer, &answer(wanted.nonce));
    let wanted = want(host.read_all(writer)).expect("the rest is asked for");
    assert_eq!(host.code(writer), None, "that was on its way");
    assert!(wanted.ranges.iter().any(|range| range.branch == Some(other[2].id().short())));
    let empty = Frame::Answer(Answer { nonce: wanted.nonce, records: Vec::new(), more: false, cut: true });
    host.send(writer, &empty);
    assert_eq!(host.code(writer), Some(CloseCode::Withheld as u16));
}

/// There was no room for what was asked for behind what waits already (seed 204748).
#[test]
fn after_a_cut_answer_with_nothing_new_the_ends_of_what_is_missing_are_asked_for_once() {
    let mut host = host();
    let writer = host.come("write");
    // Two branches of one author: the first commit of one waits, the last one of the other is awaited.
    let (cause, other) = (chain(9, 1, 10), chain(1, 5, 10));
    let one = after(1, &cause[0]);
    let want = |frames: Vec<Frame>| {
        frames.into_iter().find_map(|frame| match frame {
            Frame::Want(want) => Some(want),
            _ => None,
        })
    };
    host.send(writer, &commits(&[one.clone(), after(2, &other[4])]));
    let wanted = want(host.read_all(writer)).expect("causes are asked for");
    assert!(wanted.ranges.contains(&range(1, 1, 5)), "from the first one on");
    let cut = |nonce, records: &[&Commit]| {
        let records = records.iter().map(|commit| commit.encode().into()).collect();
        Frame::Answer(Answer { nonce, records, more: false, cut: true })
    };
    host.send(writer, &cut(wanted.nonce, &[&one]));
    let wanted = want(host.read_all(writer)).expect("the ends are asked for");
    assert_eq!(host.code(writer), None);
    let end = ChainRange { branch: Some(other[4].id().short()), ..range(1, 1, 5) };
    assert!(wanted.ranges.contains(&end));
    host.send(writer, &cut(wanted.nonce, &[&other[4], &other[3]]));
    let wanted = want(host.read_all(writer)).expect("what comes before is asked for");
    host.send(writer, &cut(wanted.nonce, &[&one]));
    let wanted = want(host.read_all(writer)).expect("the ends are asked for");
    host.send(writer, &cut(wanted.nonce, &[&one]));
    assert_eq!(host.code(writer), Some(CloseCode::Withheld as u16), "there is nothing else to ask for");
}

#[test]
fn an_answer_with_what_was_not_asked_for_ends_the_link() {
    let mut host = host();
    let writer = host.come("write");
    let causes = chain(1, 3, 10);
    host.send(writer, &commits(&[after(2, &causes[2])]));
    let nonce = host.read_all(writer).iter().find_map(|frame| match frame {
        Frame::Want(want) => Some(want.nonce),
        _ => None,
    });
    let records = vec![chain(9, 1, 10)[0].encode().into()];
    let nonce = nonce.expect("causes are asked for");
    host.send(writer, &Frame::Answer(Answer { nonce, records, more: false, cut: false }));
    assert_eq!(host.code(writer), Some(FLOW));
}
