//! Replicas meet at a relay: whom it tells of whom, what it passes on, and what that costs.

use eyot_core::base::id::{LinkId, PeerKey};
use eyot_core::base::limits::Limits;
use eyot_core::holder::caps::Caps;
use eyot_core::holder::io::Input;
use eyot_core::relay::region::RelayPeer;
use eyot_core::wire::access::{Claims, Right};
use eyot_core::wire::bodies::{Hello, Terms};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;
use eyot_core::wire::meeting::{Announce, Introduction, Signal};
use eyot_core::wire::ticket::{Ticket, signed};

use crate::common::{FLOW, host, limits};
use crate::host::Host;

fn key(number: u8) -> PeerKey {
    PeerKey([number; 32])
}

fn announce(number: u8) -> Frame {
    Frame::Announce(Announce { key: Some(key(number)), terms: None })
}

fn signal(to: u8, region: &str, bytes: usize) -> Frame {
    Frame::Signal(Signal { key: key(to), region: region.into(), bytes: vec![1; bytes].into(), from: None })
}

/// A replica comes and announces itself.
fn replica(host: &mut Host, token: &str, number: u8) -> LinkId {
    let link = host.come(token);
    host.send(link, &announce(number));
    link
}

/// Of whom a link was told since this was last asked.
fn introductions(host: &mut Host, link: LinkId) -> Vec<Introduction> {
    let frames = host.take(link).into_iter().filter_map(|frame| match frame {
        Frame::Introduction(introduction) => Some(introduction),
        _ => None,
    });
    frames.collect()
}

/// What a link was told by others since this was last asked.
fn signals(host: &mut Host, link: LinkId) -> Vec<Signal> {
    let frames = host.take(link).into_iter().filter_map(|frame| match frame {
        Frame::Signal(signal) => Some(signal),
        _ => None,
    });
    frames.collect()
}

/// Links between which there is no introduction before they announce themselves.
fn met(host: &mut Host, links: &[LinkId]) -> Vec<usize> {
    links.iter().map(|link| introductions(host, *link).len()).collect()
}

#[test]
fn two_that_announce_themselves_are_told_of_each_other_with_one_signed_ticket() {
    let mut host = host();
    let one = replica(&mut host, "write", 1);
    assert_eq!(introductions(&mut host, one), []);
    let other = replica(&mut host, "read", 2);
    let ends = [(key(1), Right::Write), (key(2), Right::Read)];
    let ticket = Ticket { space: "space", ends, expires_at: host.now + 600_000 };
    let ticket = signed(&ticket.to_sign(), &[7; 64]);
    let introduction = |number| Introduction {
        key: key(number),
        region: "eu".into(),
        ticket: ticket.clone().into(),
        to: None,
    };
    assert_eq!(introductions(&mut host, one), [introduction(2)]);
    assert_eq!(introductions(&mut host, other), [introduction(1)]);
}

#[test]
fn a_ticket_expires_with_the_token_that_expires_first() {
    let mut host = host();
    let expires_at = Some(host.now + 5_000);
    host.claims.insert("brief".into(), Claims { expires_at, subject: "brief".into(), ..Claims::open() });
    replica(&mut host, "write", 1);
    let brief = replica(&mut host, "brief", 2);
    let ends = [(key(1), Right::Write), (key(2), Right::Write)];
    let ticket = Ticket { space: "space", ends, expires_at: host.now + 5_000 };
    assert_eq!(introductions(&mut host, brief)[0].ticket.to_vec(), signed(&ticket.to_sign(), &[7; 64]));
}

#[test]
fn two_that_may_only_read_are_told_nothing_of_each_other() {
    let mut host = host();
    // Who tells the relay what the space is.
    host.come("write");
    let readers = [replica(&mut host, "read", 1), replica(&mut host, "read", 2)];
    assert_eq!(met(&mut host, &readers), [0, 0]);
    let writer = replica(&mut host, "write", 3);
    assert_eq!(met(&mut host, &[readers[0], readers[1], writer]), [1, 1, 2]);
    assert_eq!(host.signed, 2);
}

#[test]
fn what_one_says_reaches_only_the_other_and_says_from_whom_it_is() {
    let mut host = host();
    let links = [1, 2, 3].map(|number| replica(&mut host, "write", number));
    met(&mut host, &links);
    host.send(links[0], &signal(2, "eu", 100));
    let from = Signal { key: key(1), region: "eu".into(), bytes: vec![1; 100].into(), from: None };
    assert_eq!(signals(&mut host, links[1]), [from]);
    assert_eq!(signals(&mut host, links[2]), []);
    // Nobody is there: it comes back empty. And there is no such region.
    host.send(links[0], &signal(9, "eu", 100));
    let nobody = Signal { key: key(9), region: "eu".into(), bytes: Vec::new().into(), from: None };
    assert_eq!(signals(&mut host, links[0]), [nobody]);
    host.send(links[0], &signal(2, "us", 100));
    assert_eq!(signals(&mut host, links[0]), []);
    assert!(host.closed.is_empty(), "{:?}", host.closed);
}

#[test]
fn nothing_of_a_meeting_is_stored() {
    let mut host = host();
    let links = [1, 2].map(|number| host.come(if number == 1 { "write" } else { "more" }));
    for link in links {
        host.read_all(link);
    }
    let (before, read) = (host.store.clone(), host.reads.len());
    host.send(links[0], &announce(1));
    host.send(links[1], &announce(2));
    host.send(links[0], &signal(2, "eu", 100));
    assert_eq!(host.signed, 1);
    assert!(host.store == before);
    assert_eq!(host.reads.len(), read);
}

#[test]
fn who_says_that_it_is_gone_is_told_nothing_more_and_nobody_of_it() {
    let mut host = host();
    let one = replica(&mut host, "write", 1);
    host.send(one, &Frame::Announce(Announce { key: None, terms: None }));
    let other = replica(&mut host, "more", 2);
    assert_eq!(met(&mut host, &[one, other]), [0, 0]);
    host.relay.handle(Input::LinkClosed(other), host.now);
    host.run();
    let third = replica(&mut host, "write", 3);
    assert_eq!(met(&mut host, &[one, third]), [0, 0]);
}

#[test]
fn a_relay_that_was_taken_out_of_memory_knows_who_is_there() {
    let mut host = host();
    let one = replica(&mut host, "write", 1);
    host.read_all(one);
    host.sleep(&[one]);
    let other = replica(&mut host, "more", 2);
    assert_eq!(met(&mut host, &[one, other]), [1, 1]);
    host.send(one, &signal(2, "eu", 10));
    assert_eq!(signals(&mut host, other).len(), 1);
}

#[test]
fn a_key_belongs_to_the_subject_that_announced_it_and_to_its_newest_link() {
    let mut host = host();
    let old = replica(&mut host, "write", 1);
    let new = replica(&mut host, "write", 1);
    let thief = replica(&mut host, "more", 1);
    let other = replica(&mut host, "more", 2);
    assert_eq!(met(&mut host, &[old, new, thief, other]), [0, 1, 0, 1]);
    host.send(other, &signal(1, "eu", 1));
    assert_eq!([new, thief].map(|link| signals(&mut host, link).len()), [1, 0]);
    assert!(host.closed.is_empty(), "{:?}", host.closed);
}

#[test]
fn who_announces_itself_is_told_of_so_many_and_no_more() {
    let mut host = Host::new(Limits { introductions_max: 3, ..limits() }, Caps::default());
    let links: Vec<_> = (1..=10).map(|number| replica(&mut host, "write", number)).collect();
    met(&mut host, &links);
    let signed = host.signed;
    let last = replica(&mut host, "write", 11);
    let told = introductions(&mut host, last);
    assert_eq!((told.len(), host.signed - signed), (3, 3));
    assert_eq!(met(&mut host, &links).into_iter().sum::<usize>(), 3);
}

#[test]
fn signals_have_a_rate_and_so_have_announcements() {
    let tiny = Limits { signals_per_second: 1, signals_burst: 40, frames_burst: 1_000, ..limits() };
    let mut host = Host::new(tiny, Caps::default());
    let [one, other] = [1, 2].map(|number| replica(&mut host, "write", number));
    // An announcement costs 16.
    for _ in 0..24 {
        host.send(one, &signal(2, "eu", 1));
    }
    assert_eq!(host.code(one), None);
    host.send(one, &signal(2, "eu", 1));
    assert_eq!(host.code(one), Some(FLOW));
    host.send(other, &announce(2));
    assert_eq!(host.code(other), None);
    host.send(other, &announce(2));
    assert_eq!(host.code(other), Some(FLOW));
}

#[test]
fn of_what_many_say_to_one_no_more_is_passed_on_than_its_rate() {
    let tiny = Limits { signals_per_second: 1, signals_burst: 20, frames_burst: 1_000, ..limits() };
    let mut host = Host::new(tiny, Caps::default());
    let all: Vec<_> = (1..=12).map(|number| replica(&mut host, "write", number)).collect();
    host.pass(60_000);
    host.take(all[0]);
    let senders: Vec<_> = (21..=32).map(|number| replica(&mut host, "write", number)).collect();
    for sender in &senders {
        for _ in 0..4 {
            host.send(*sender, &signal(1, "eu", 1));
        }
    }
    let frames = host.take(all[0]);
    let meetings = frames.iter().filter(|f| matches!(f, Frame::Introduction(_) | Frame::Signal(_))).count();
    assert_eq!(meetings, 20);
    assert!(host.closed.is_empty(), "{:?}", host.closed);
}

#[test]
fn what_breaks_the_rules_of_meetings_ends_the_link() {
    let mut host = Host::new(Limits { signal_bytes_max: 100, ..limits() }, Caps::default());
    let large = replica(&mut host, "write", 1);
    host.send(large, &signal(2, "eu", 101));
    assert_eq!(host.code(large), Some(CloseCode::TooLarge as u16));
    let nobody = host.come("write");
    let there = replica(&mut host, "write", 2);
    host.send(nobody, &signal(2, "eu", 1));
    assert_eq!((signals(&mut host, there), host.code(nobody)), (Vec::new(), None));
    let naming = host.come("write");
    host.send(naming, &Frame::Naming(true));
    assert_eq!(host.code(naming), Some(CloseCode::OutOfOrder as u16));
    let relay = replica(&mut host, "write", 3);
    let ticket = vec![1].into();
    let to = Some(key(1));
    host.send(relay, &Frame::Introduction(Introduction { key: key(4), region: "eu".into(), ticket, to }));
    assert_eq!(host.code(relay), Some(CloseCode::OutOfOrder as u16));
}

/// The relay of "eu", and a link on which the test speaks for that of "us".
fn two_regions(limits: Limits) -> (Host, LinkId) {
    let peers = vec![RelayPeer { region: "us".into(), url: "us".into() }];
    let mut host = Host::with_peers(limits, Caps::default(), peers);
    let claims = Claims { subject: "relay".into(), ..Claims::open_with_peers() };
    host.claims.insert("relay".into(), claims);
    let hello = host.hello("relay", 99);
    let us = host.greet(Hello { region: Some("us".into()), ..hello });
    host.read_all(us);
    (host, us)
}

#[test]
fn replicas_of_two_regions_meet_by_way_of_both_relays() {
    let (mut host, us) = two_regions(limits());
    let here = replica(&mut host, "write", 1);
    // The other relay is told who is here.
    let terms = Some(Terms { read_only: false, expires_in: None });
    let told = Frame::Announce(Announce { key: Some(key(1)), terms });
    assert!(host.take(us).contains(&told));
    // One of its replicas has announced itself there.
    let terms = Some(Terms { read_only: true, expires_in: Some(1_000) });
    host.send(us, &Frame::Announce(Announce { key: Some(key(2)), terms }));
    let ends = [(key(1), Right::Write), (key(2), Right::Read)];
    let ticket = Ticket { space: "space", ends, expires_at: host.now + 1_000 };
    let ticket = signed(&ticket.to_sign(), &[7; 64]);
    let introduction = |number, region: &str, to| Introduction {
        key: key(number),
        region: region.into(),
        ticket: ticket.clone().into(),
        to,
    };
    assert_eq!(introductions(&mut host, here), [introduction(2, "us", None)]);
    assert_eq!(introductions(&mut host, us), [introduction(1, "eu", Some(key(2)))]);
    // One that was met by the other relay's doing.
    host.send(us, &Frame::Introduction(introduction(3, "somewhere", Some(key(1)))));
    assert_eq!(introductions(&mut host, here), [introduction(3, "us", None)]);
    // What they say.
    host.send(here, &signal(2, "us", 5));
    let to = Signal { key: key(2), region: "us".into(), bytes: vec![1; 5].into(), from: Some(key(1)) };
    assert_eq!(signals(&mut host, us), [to]);
    let bytes: Vec<u8> = vec![2];
    let from = Signal { key: key(1), region: "eu".into(), bytes: bytes.clone().into(), from: Some(key(2)) };
    host.send(us, &Frame::Signal(from));
    let heard = Signal { key: key(2), region: "us".into(), bytes: bytes.into(), from: None };
    assert_eq!(signals(&mut host, here), [heard]);
    // It comes back from there, and goes back there, where nobody is.
    let bytes: Vec<u8> = vec![2];
    let lost = |bytes: Vec<u8>, to, from| Signal {
        key: key(to),
        region: "eu".into(),
        bytes: bytes.into(),
        from: Some(key(from)),
    };
    host.send(us, &Frame::Signal(lost(bytes, 9, 2)));
    assert_eq!(signals(&mut host, us), [Signal { region: "us".into(), ..lost(Vec::new(), 2, 9) }]);
    host.send(us, &Frame::Signal(lost(Vec::new(), 9, 2)));
    assert_eq!(signals(&mut host, us), []);
    assert!(host.closed.is_empty(), "{:?}", host.closed);
}

#[test]
fn what_waits_for_a_region_is_bounded_and_given_up() {
    let peers = vec![RelayPeer { region: "us".into(), url: "us".into() }];
    let tiny = Limits { meetings_max: 5, frames_burst: 1_000, ..limits() };
    let mut host = Host::with_peers(tiny, Caps::default(), peers);
    let here = replica(&mut host, "write", 1);
    for _ in 0..20 {
        host.send(here, &signal(2, "us", 1));
    }
    let us = LinkId(1 << 32);
    host.relay.handle(Input::LinkOpened(us), host.now);
    host.run();
    host.send(us, &Frame::Hello(Hello { region: Some("us".into()), ..host.hello("write", 9) }));
    assert_eq!(signals(&mut host, us).len(), 5);
    host.relay.handle(Input::LinkClosed(us), host.now);
    host.run();
    host.send(here, &signal(2, "us", 1));
    host.read_all(here);
    assert!(!host.relay.is_idle());
    host.pass(10_000);
    host.read_all(here);
    let again = LinkId((1 << 32) + 1);
    host.relay.handle(Input::LinkOpened(again), host.now);
    host.run();
    host.send(again, &Frame::Hello(Hello { region: Some("us".into()), ..host.hello("write", 9) }));
    assert_eq!(signals(&mut host, again), []);
}
