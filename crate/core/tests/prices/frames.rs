//! Pieces, and frames that bring no commits.

use crate::common::{FLOW, host, limits, piece};
use crate::host::Host;
use crate::host::chain;
use crate::host::commits;
use eyot_core::base::id::LinkId;
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Mark;
use eyot_core::holder::caps::Caps;
use eyot_core::holder::io::Input;
use eyot_core::relay::region::RelayPeer;
use eyot_core::wire::bodies::Ack;
use eyot_core::wire::bodies::Commits;
use eyot_core::wire::bodies::Fresh;
use eyot_core::wire::bodies::{Head, Hello, RegionHead};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

#[test]
fn a_piece_is_refused_that_is_smaller_than_pieces_are_or_ends_what_fits_into_a_frame() {
    for frame in [piece(0, false), piece(0, true), piece(999, false), piece(1_500, true)] {
        let mut host = host();
        let link = host.come("write");
        host.send(link, &frame);
        assert_eq!(host.code(link), Some(CloseCode::Malformed as u16), "{frame:?}");
    }
}

#[test]
fn pieces_from_whoever_may_only_read_end_the_link() {
    let mut host = host();
    let link = host.come("read");
    host.send(link, &piece(1_000, false));
    assert_eq!(host.code(link), Some(CloseCode::Denied as u16));
}

#[test]
fn commits_in_pieces_without_the_frame_after_them_run_out_of_credit() {
    let mut host =
        Host::new(Limits { credit_bytes: 4_000, commit_bytes_max: 8_000, ..limits() }, Caps::default());
    let link = host.come("write");
    let mut sent = 0;
    while host.code(link).is_none() && sent < 10_000_000 {
        host.send(link, &piece(1_500, false));
        host.send(link, &piece(1_500, true));
        sent += 3_000;
    }
    let most = 4_000 + 8_000 + 2 * limits().header_bytes_max + limits().frame_bytes_max;
    assert!(sent <= most + 3_000, "{sent} bytes are kept");
}

#[test]
fn of_commits_that_do_not_come_whole_the_oldest_of_whoever_began_most_are_dropped() {
    let mut host = Host::new(Limits { pieces_bytes_max: 10_000, ..limits() }, Caps::default());
    let honest = host.come("more");
    host.send(honest, &piece(1_000, false));
    let first = host.come("write");
    let second = host.come("write");
    for _ in 0..4 {
        host.send(first, &piece(1_000, false));
    }
    host.pass(1);
    for _ in 0..6 {
        host.send(second, &piece(1_000, false));
    }
    assert_eq!(host.code(first), Some(CloseCode::GoingAway as u16));
    assert_eq!((host.code(honest), host.code(second)), (None, None));
}

#[test]
fn frames_without_commits_have_a_rate_and_those_with_commits_have_none() {
    let mark = Mark::START;
    let frames = [
        Frame::Head(Head { nonce: 1, at: None }),
        Frame::Head(Head { nonce: 1, at: Some(mark) }),
        Frame::Ack(Ack { read: 0, whole: None, at: mark, complete: false }),
        Frame::Credit(1),
        Frame::Commits(Commits { records: vec![], to: None, named: vec![] }),
        Frame::Token("write".into()),
        Frame::Fresh(Fresh { nonce: 1, answer: None }),
        Frame::Unknown,
    ];
    for frame in frames {
        let mut host = host();
        let link = host.come("write");
        for _ in 0..15 {
            host.send(link, &frame);
        }
        host.pass(2_000);
        for _ in 0..15 {
            host.send(link, &frame);
        }
        assert_eq!(host.code(link), None, "{frame:?}");
        for _ in 0..30 {
            host.send(link, &frame);
        }
        assert_eq!(host.code(link), Some(FLOW), "{frame:?}");
    }
    let mut host = host();
    let link = host.come("write");
    for commit in chain(1, 60, 10) {
        host.send(link, &commits(&[commit]));
    }
    assert_eq!(host.code(link), None);
    assert_eq!(host.relay.stored(), 60);
}

#[test]
fn a_token_is_verified_one_at_a_time_and_the_newest_counts() {
    let mut host = host();
    let link = host.come("write");
    host.verifies_late = true;
    for token in ["a", "b", "c", "d"] {
        host.send(link, &Frame::Token(token.into()));
    }
    assert_eq!(host.asked, [(link, "a".to_owned())]);
    assert!(host.relay.attachment(link).is_empty(), "what is being verified would be lost");
    host.verify();
    host.pass(900);
    assert_eq!(host.asked, [], "the next one has its time");
    host.pass(100);
    assert_eq!(host.asked, [(link, "d".to_owned())]);
    host.verify();
    assert!(!host.relay.attachment(link).is_empty());
}

#[test]
fn a_token_is_as_long_in_a_greeting_as_in_a_renewal() {
    let mut host = Host::new(Limits { token_bytes_max: 10, ..limits() }, Caps::default());
    let link = host.come("a longer token");
    assert_eq!(host.code(link), Some(CloseCode::TooLarge as u16));
    assert_eq!(host.asked, []);
}

#[test]
fn however_often_a_link_asks_while_a_region_is_down_one_question_goes_there_at_a_time() {
    let peers = vec![RelayPeer { region: "us".into(), url: "us".into() }];
    let mut host = Host::with_peers(Limits { frames_burst: 1_000, ..limits() }, Caps::default(), peers);
    let link = host.come("write");
    for nonce in 1..=200 {
        host.send(link, &Frame::Fresh(Fresh { nonce, answer: None }));
    }
    assert_eq!(host.code(link), None);
    let us = LinkId(1 << 32);
    host.relay.handle(Input::LinkOpened(us), host.now);
    host.run();
    host.send(us, &Frame::Hello(Hello { region: Some("us".into()), ..host.hello("write", 9) }));
    let mut answered = Vec::new();
    for _ in 0..5 {
        let frames = host.take(us).into_iter();
        let asked: Vec<_> = frames.filter_map(|frame| question(&frame)).collect();
        assert!(asked.len() <= 1, "{asked:?}");
        for nonce in asked {
            let answer = Some(RegionHead { region: "us".into(), at: Mark::START });
            host.send(us, &Frame::Fresh(Fresh { nonce, answer }));
        }
        let told = host.take(link).into_iter().filter_map(|frame| match frame {
            Frame::Fresh(Fresh { nonce, answer: Some(head) }) if head.region == "us" => Some(nonce),
            _ => None,
        });
        answered.extend(told);
    }
    assert_eq!(answered, [1, 200], "the first, and the last that came meanwhile");
}

/// A reader was let in while nobody had said what the space is: what it may see has to be compared.
#[test]
fn who_is_linked_before_a_relay_is_told_what_the_space_is_connects_again() {
    let mut host = Host::new(limits(), Caps::default());
    let reader = host.come("read");
    assert_eq!(host.code(reader), None);
    let writer = host.come("write");
    assert_eq!(host.code(reader), Some(CloseCode::GoingAway as u16));
    assert_eq!(host.code(writer), None);
}

fn question(frame: &Frame) -> Option<u64> {
    match frame {
        Frame::Fresh(Fresh { nonce, answer: None }) => Some(*nonce),
        _ => None,
    }
}

#[test]
fn credit_is_granted_as_fast_as_the_caps_say() {
    let tiny = Limits { credit_bytes: 20_000, ..limits() };
    let caps = Caps { connection_bytes_per_second: 10_000, ..Caps::default() };
    let mut host = Host::new(tiny, caps);
    let link = host.come("write");
    let mut spent = 0;
    let mut granted = 0;
    let mut chain = chain(1, 100, 50).into_iter().peekable();
    for _ in 0..30 {
        while spent - granted < 15_000
            && let Some(commit) = chain.next()
        {
            spent += commit.encode().len() as u64 + 256;
            host.send(link, &commits(&[commit]));
        }
        for frame in host.read_all(link) {
            if let Frame::Credit(bytes) = frame {
                granted += bytes;
            }
        }
        host.pass(100);
    }
    // Each commit is counted with 256 bytes more than it has, once: 3 seconds, and the first at once.
    assert!((28_000..=36_000).contains(&granted), "{granted} bytes are granted");
}

/// What a link was granted since this was last asked.
fn granted(host: &mut Host, link: LinkId) -> u64 {
    let of = |frame| match frame {
        Frame::Hello(hello) => hello.credit,
        Frame::Credit(bytes) => bytes,
        _ => 0,
    };
    host.read_all(link).into_iter().map(of).sum()
}

#[test]
fn whoever_comes_again_and_again_brings_no_more_than_whoever_stays() {
    let tiny = Limits { credit_bytes: 20_000, ..limits() };
    let caps = Caps { subject_bytes_per_second: 10_000, ..Caps::default() };
    let mut host = Host::new(tiny, caps);
    let mut brought = 0;
    for _ in 0..100 {
        let link = host.come("write");
        for _ in 0..granted(&mut host, link) / 1_000 {
            host.send(link, &piece(1_000, false));
            brought += 1_000;
        }
        host.relay.handle(Input::LinkClosed(link), host.now);
        host.run();
        host.pass(100);
    }
    // Ten seconds, and the first at once.
    assert!((80_000..=140_000).contains(&brought), "{brought} bytes were brought");
    let other = host.come("more");
    assert_eq!(granted(&mut host, other), 20_000, "another subject waits for nothing");
}

#[test]
fn a_piece_that_is_refused_is_paid_for_like_any_other() {
    let caps = Caps { subject_bytes_per_second: 10_000, ..Caps::default() };
    let mut host = Host::new(limits(), caps);
    let link = host.come("write");
    host.send(link, &piece(1_500, true));
    assert_eq!(host.code(link), Some(CloseCode::Malformed as u16));
    let link = host.come("write");
    assert_eq!(granted(&mut host, link), 0);
    host.pass(200);
    assert_eq!(granted(&mut host, link), limits().credit_bytes);
}

#[test]
fn who_is_greeted_without_credit_is_granted_it_when_its_subject_has_its_turn() {
    let tiny = Limits { credit_bytes: 20_000, ..limits() };
    let caps = Caps { subject_bytes_per_second: 10_000, ..Caps::default() };
    let mut host = Host::new(tiny, caps);
    let link = host.come("write");
    for _ in 0..20 {
        host.send(link, &piece(1_000, false));
    }
    host.relay.handle(Input::LinkClosed(link), host.now);
    host.run();
    let link = host.come("write");
    assert_eq!(granted(&mut host, link), 0);
    host.pass(1_900);
    assert_eq!(granted(&mut host, link), 0);
    host.pass(200);
    assert_eq!(granted(&mut host, link), 20_000);
    for commit in chain(1, 20, 400) {
        host.send(link, &commits(&[commit]));
    }
    assert_eq!((host.relay.stored(), host.code(link)), (20, None));
}
