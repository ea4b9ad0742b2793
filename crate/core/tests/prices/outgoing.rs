//! What goes out on a link, and whose turn it is.

use crate::common::{filled, host, limits, records};
use crate::host::Host;
use crate::host::chain;
use crate::host::commits;
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Mark;
use eyot_core::holder::caps::Caps;
use eyot_core::wire::bodies::Head;
use eyot_core::wire::bodies::Piece;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

#[test]
fn a_link_is_sent_no_more_than_it_reads_however_much_credit_it_grants() {
    let held = chain(1, 100, 1_000);
    let (mut host, reader) = filled(limits(), Caps::default(), &held[..4]);
    let writer = host.come("write");
    host.read_all(writer);
    for part in held[4..].chunks(1) {
        host.send(writer, &commits(part));
        host.read_all(writer);
        host.send(reader, &Frame::Credit(u64::MAX));
        host.pass(100);
    }
    let unread = host.sent[&reader].iter().map(|frame| frame.encode().len()).sum::<usize>();
    assert!(unread < 8_000 + 2_500, "{unread} bytes wait to be read");
    assert_eq!(host.code(reader), None);
    assert_eq!(records(&host.read_all(reader)), 96, "it goes on from the log");
}

#[test]
fn a_large_commit_passes_a_slow_link_in_parts() {
    let large = chain(1, 1, 50_000);
    let mut host = host();
    let writer = host.come("write");
    let slow = host.come("read");
    host.read_all(slow);
    let record = large[0].encode();
    let count = record.chunks(1_500).len();
    for (number, bytes) in record.chunks(1_500).enumerate() {
        let last = number + 1 == count;
        host.send(writer, &Frame::Piece(Piece { bytes: bytes.to_vec().into(), last, answer: false }));
        host.read_all(writer);
    }
    host.send(writer, &commits(&[]));
    assert_eq!(host.relay.stored(), 1);
    // The last part has fewer bytes than a piece, which no rule is broken by.
    let mut bytes = Vec::new();
    let mut most = 0;
    loop {
        let frames = host.take(slow);
        most = most.max(frames.iter().map(|frame| frame.encode().len()).sum());
        let mut answered = false;
        for frame in frames {
            match frame {
                Frame::Piece(piece) => bytes.extend_from_slice(&piece.bytes),
                Frame::Head(Head { nonce, at: None }) => {
                    host.send(slow, &Frame::Head(Head { nonce, at: Some(Mark::START) }));
                    answered = true;
                }
                _ => {}
            }
        }
        if !answered {
            break;
        }
        host.pass(1_000);
    }
    assert!(bytes == record, "{} of {} bytes came", bytes.len(), record.len());
    assert!(most < 8_000 + 2_500, "{most} bytes wait to be read");
    assert_eq!(host.code(slow), None);
}

#[test]
fn whoever_does_not_even_read_what_it_asks_for_is_closed() {
    let tiny = Limits { unread_bytes: 1_000, frames_burst: 10_000, ..limits() };
    let mut host = Host::new(tiny, Caps::default());
    let link = host.come("read");
    let mut asked = 0;
    while host.code(link).is_none() && asked < 10_000 {
        host.send(link, &Frame::Head(Head { nonce: 1, at: None }));
        asked += 1;
    }
    assert_eq!(host.code(link), Some(CloseCode::GoingAway as u16));
    assert!(asked < 1_000);
}

#[test]
fn after_so_many_bytes_for_all_links_other_inputs_have_their_turn() {
    let tiny = Limits { turn_bytes: 8_192, unread_bytes: 1 << 20, ..limits() };
    let (mut host, _) = filled(tiny, Caps::default(), &chain(1, 60, 1_500));
    // A reader that has nothing: what it is sent is read in several turns, each after a timer.
    let link = host.come("read");
    let first = records(&host.take(link));
    assert!(first < 60);
    assert_eq!(host.timer, Some(host.now + 1));
    let mut all = first;
    for _ in 0..60 {
        host.pass(1);
        all += records(&host.read_all(link));
    }
    assert_eq!(all, 60);
}

#[test]
fn tiny_commits_use_up_a_turn_before_their_bytes_do() {
    let mut host = Host::new(Limits { turn_bytes: 32_768, read_bytes: 3_000, ..limits() }, Caps::default());
    let writer = host.come("write");
    for commit in chain(1, 100, 10) {
        host.send(writer, &commits(&[commit]));
    }
    host.pass(1);
    let reader = host.come("read");
    let first = records(&host.read_all(reader));
    assert!((1..100).contains(&first), "{first} at once");
    assert_eq!(first + records(&host.read_in_turns(reader)), 100);
}
