//! Cursors, regions and sleep.

use crate::common::{filled, limits, piece, range};
use crate::host::Host;
use crate::host::after;
use crate::host::chain;
use crate::host::commits;
use eyot_core::base::id::LinkId;
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Cursor;
use eyot_core::base::position::Mark;
use eyot_core::holder::caps::Caps;
use eyot_core::holder::io::Input;
use eyot_core::relay::region::RelayPeer;
use eyot_core::wire::bodies::Commits;
use eyot_core::wire::bodies::Hello;
use eyot_core::wire::bodies::Piece;
use eyot_core::wire::bodies::Want;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

#[test]
fn cursors_that_are_invented_foreign_or_old_cost_their_sender_alone() {
    let (mut host, reader) = filled(limits(), Caps::default(), &chain(1, 8, 10));
    let writer = host.come("write");
    let greeted = |frames: Vec<Frame>| {
        frames.into_iter().find_map(|frame| match frame {
            Frame::Hello(hello) => Some(hello),
            _ => None,
        })
    };
    let hello = greeted(host.read_all(writer)).expect("it was greeted");
    let (log, old) = (hello.log, hello.head);
    let author_two = chain(2, 4, 10);
    host.send(writer, &commits(&author_two));
    let peers = vec![RelayPeer { region: "us".into(), url: "us".into() }];
    let mut other = Host::with_peers(limits(), Caps::default(), peers);
    let elsewhere = other.come("write");
    let records = chain(3, 2, 10).iter().map(|commit| commit.encode().into()).collect();
    let to = Some(Mark::START);
    other.send(elsewhere, &Frame::Commits(Commits { records, to, named: vec![] }));
    let foreign = other.take(elsewhere).into_iter().find_map(|frame| match frame {
        Frame::Ack(ack) => Some(ack.at),
        _ => None,
    });
    let foreign = foreign.expect("it was acknowledged");
    let mut invented = foreign;
    invented.seq = 5;
    for (mark, resumed) in [(invented, false), (foreign, false), (old, true)] {
        let cursors = vec![Cursor { log, read: mark, seen: mark }];
        let hello = Hello { cursors, tips: None, digest: None, ..host.hello("read", 90) };
        let link = host.greet(hello);
        let reply = greeted(host.take(link)).expect("it is let in");
        assert_eq!((reply.log, reply.resumed), (log, resumed), "the log keeps its id");
    }
    assert_eq!((host.code(reader), host.code(writer)), (None, None));
}

#[test]
fn on_an_open_relay_nobody_is_a_region_and_elsewhere_only_those_that_are_configured() {
    let region = |host: &mut Host, token: &str, region: &str| {
        let hello = Hello { region: Some(region.into()), ..host.hello(token, 50) };
        let link = host.greet(hello);
        host.code(link)
    };
    let peers = vec![RelayPeer { region: "us".into(), url: "us".into() }];
    let mut host = Host::with_peers(limits(), Caps::default(), peers);
    let denied = Some(CloseCode::Denied as u16);
    assert_eq!(region(&mut host, "nobody knows", "us"), denied, "an open relay's claims are no relay's");
    let relay = eyot_core::wire::access::Claims::open_with_peers();
    host.claims.insert("relay".into(), relay);
    assert_eq!(region(&mut host, "relay", "ap"), denied);
    assert_eq!(region(&mut host, "relay", "eu"), denied);
    assert_eq!(region(&mut host, "relay", "us"), None);
}

/// A frame leaves out what the last commit before it says.
#[test]
fn a_link_knows_its_last_commit_after_sleep() {
    let mut host = crate::common::host();
    let (link, mut last) = (host.come("write"), None);
    for commit in chain(3, 4, 10) {
        host.send_next(link, &commits(&[commit]), &mut last);
        host.sleep(&[link]);
    }
    assert_eq!((host.relay.stored(), host.code(link)), (4, None));
}

/// A host may put a link back to an older copy of what it keeps of it.
#[test]
fn a_frame_that_goes_on_from_a_commit_that_was_forgotten_ends_the_link_and_its_commit_is_sent_anew() {
    let mut host = crate::common::host();
    let (link, mut last) = (host.come("write"), None);
    let all = chain(3, 3, 10);
    host.send_next(link, &commits(&all[..1]), &mut last);
    let kept = host.relay.attachment(link);
    host.send_next(link, &commits(&all[1..2]), &mut last);
    host.wake(&[(link, kept)]);
    host.send_next(link, &commits(&all[2..]), &mut last);
    assert_eq!((host.relay.stored(), host.code(link)), (2, Some(CloseCode::GoingAway as u16)));
    let again = host.come("write");
    host.send_next(again, &commits(&all[2..]), &mut None);
    assert_eq!((host.relay.stored(), host.code(again)), (3, None));
}

#[test]
fn credit_that_is_owed_survives_sleep() {
    let tiny = Limits { credit_bytes: 20_000, ..limits() };
    let mut host = Host::new(tiny, Caps::default());
    let link = host.come("write");
    let mut credit = 20_000i64;
    for commit in chain(1, 120, 700) {
        credit -= commit.encode().len() as i64 + 256;
        host.send(link, &commits(&[commit]));
        for frame in host.read_all(link) {
            if let Frame::Credit(bytes) = frame {
                credit += bytes as i64;
            }
        }
        host.sleep(&[link]);
        assert!(credit > 10_000, "credit is lost");
    }
    assert_eq!((host.relay.stored(), host.code(link)), (120, None));
}

#[test]
fn a_link_with_a_partial_commit_a_waiting_one_or_an_answer_under_way_does_not_sleep() {
    let (mut host, reader) =
        filled(Limits { unread_bytes: 2_000, ..limits() }, Caps::default(), &chain(1, 40, 200));
    assert!(!host.relay.attachment(reader).is_empty());
    host.send(reader, &Frame::Want(Want { nonce: 1, ranges: vec![range(1, 1, 40)] }));
    assert!(host.relay.attachment(reader).is_empty(), "an answer");
    host.read_all(reader);
    assert!(!host.relay.attachment(reader).is_empty());

    let writer = host.come("write");
    host.read_all(writer);
    host.send(writer, &piece(1_000, false));
    assert!(host.relay.attachment(writer).is_empty(), "a partial commit");
    let other = host.come("more");
    host.read_all(other);
    host.send(other, &commits(&[after(2, &chain(3, 2, 10)[1])]));
    assert!(host.relay.attachment(other).is_empty(), "a waiting commit");
}

/// The frame after the last piece acknowledged a commit that sleep had dropped.
#[test]
fn a_commit_whose_last_piece_has_come_is_stored_and_acknowledged_with_the_frame_after_it() {
    let mut host = crate::common::host();
    let link = host.come("write");
    host.read_all(link);
    let record = chain(3, 1, 2_500)[0].encode();
    let count = record.len().div_ceil(1_000);
    for (number, bytes) in record.chunks(1_000).enumerate() {
        let bytes = bytes.to_vec().into();
        host.send(link, &Frame::Piece(Piece { bytes, last: number + 1 == count, answer: false }));
        assert!(host.relay.attachment(link).is_empty(), "it would be forgotten in sleep");
    }
    let acked = |frames: &[Frame]| frames.iter().any(|frame| matches!(frame, Frame::Ack(_)));
    assert!(!acked(&host.read_all(link)) && host.relay.stored() == 0);
    let to = Some(Mark::START);
    host.send(link, &Frame::Commits(Commits { records: Vec::new(), to, named: Vec::new() }));
    assert_eq!((host.relay.stored(), host.code(link)), (1, None));
    assert!(acked(&host.read_all(link)));
    assert!(!host.relay.attachment(link).is_empty());
}

#[test]
fn what_was_not_read_is_not_forgotten_in_sleep() {
    let held = chain(1, 100, 1_000);
    let tiny = Limits { probe_bytes: 2_000, ..limits() };
    let (mut host, reader) = filled(tiny, Caps::default(), &held[..4]);
    let writer = host.come("write");
    host.read_all(writer);
    for part in held[4..].chunks(1) {
        host.send(writer, &commits(part));
        host.read_all(writer);
        host.sleep(&[reader, writer]);
        host.send(reader, &Frame::Credit(u64::MAX));
        host.pass(100);
    }
    let unread = host.sent[&reader].iter().map(|frame| frame.encode().len()).sum::<usize>();
    assert!(unread < 8_000 + 2_500, "{unread} bytes wait to be read");
}

/// It would tell others what it can't remember.
#[test]
fn a_relay_that_can_not_write_what_it_knows_of_others_stops() {
    let peers = vec![RelayPeer { region: "us".into(), url: "us".into() }];
    let mut host = Host::with_peers(limits(), Caps::default(), peers);
    let client = host.come("write");
    host.send(client, &commits(&chain(1, 1, 10)));
    let us = LinkId(1 << 32);
    host.relay.handle(Input::LinkOpened(us), host.now);
    host.run();
    host.send(us, &Frame::Hello(Hello { region: Some("us".into()), ..host.hello("write", 9) }));
    assert_eq!((host.code(us), host.relay.failure()), (None, None));
    host.is_full = true;
    host.relay.handle(Input::LinkClosed(us), host.now);
    host.run();
    host.pass(1_000);
    assert_eq!(host.relay.failure(), Some("it is full"));
    assert_eq!(host.code(client), Some(CloseCode::Storage as u16));
}
