//! Who is there: what a relay passes on of that, to whom, and what it costs.

use eyot_core::base::id::{LinkId, PresenceId};
use eyot_core::base::limits::Limits;
use eyot_core::holder::caps::Caps;
use eyot_core::holder::io::Input;
use eyot_core::relay::region::RelayPeer;
use eyot_core::wire::access::Claims;
use eyot_core::wire::bodies::Hello;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;
use eyot_core::wire::presence::{Presence, Present};

use crate::common::{host, limits};
use crate::host::Host;

fn said(id: u8, number: u64) -> Presence {
    Presence { id: PresenceId([id; 16]), number, age: 0, state: Some(vec![id; 3].into()) }
}

fn say(host: &mut Host, link: LinkId, all: Vec<Presence>) {
    host.send(link, &Frame::Present(Present { all }));
}

/// What a link was told since this was last asked, frame by frame.
fn told(host: &mut Host, link: LinkId) -> Vec<Vec<(u8, u64, bool)>> {
    let frames = host.take(link).into_iter().filter_map(|frame| match frame {
        Frame::Present(Present { all }) => {
            Some(all.into_iter().map(|said| (said.id.0[0], said.number, said.state.is_some())).collect())
        }
        _ => None,
    });
    frames.collect()
}

fn two_regions() -> (Host, LinkId) {
    let peers = vec![RelayPeer { region: "us".into(), url: "us".into() }];
    let mut host = Host::with_peers(limits(), Caps::default(), peers);
    let us = come_from_us(&mut host);
    host.read_all(us);
    (host, us)
}

/// A link on which the test speaks for the relay of "us".
fn come_from_us(host: &mut Host) -> LinkId {
    host.claims.insert("relay".into(), Claims { subject: "relay".into(), ..Claims::open_with_peers() });
    let hello = host.hello("relay", 99);
    host.greet(Hello { region: Some("us".into()), ..hello })
}

#[test]
fn who_is_there_is_passed_on_to_those_who_show_something_readers_among_them() {
    let mut host = host();
    let [one, other, silent] = ["write", "read", "read"].map(|token| host.come(token));
    say(&mut host, one, vec![said(1, 1)]);
    host.pass(250);
    say(&mut host, other, vec![said(2, 1)]);
    host.pass(250);
    assert_eq!(told(&mut host, other), [[(1, 1, true)]], "who comes is told who is there");
    assert_eq!(told(&mut host, one), [[(2, 1, true)]]);
    assert_eq!(told(&mut host, silent), Vec::<Vec<_>>::new());
    assert!(host.closed.is_empty(), "{:?}", host.closed);
}

#[test]
fn a_link_is_told_four_times_a_second_and_only_the_latest() {
    let mut host = host();
    let links: Vec<_> = (0..3).map(|_| host.come("write")).collect();
    for (link, id) in links.iter().zip(1..) {
        say(&mut host, *link, vec![said(id, 1)]);
    }
    host.pass(1_000);
    told(&mut host, links[0]);
    for number in 2..=18 {
        say(&mut host, links[1], vec![said(2, number)]);
        say(&mut host, links[2], vec![said(3, number)]);
        host.pass(125);
    }
    host.pass(250);
    let frames = told(&mut host, links[0]);
    assert!(frames.len() <= 10, "{} frames in two seconds", frames.len());
    assert_eq!(frames.last().expect("it was told"), &[(2, 18, true), (3, 18, true)]);
}

#[test]
fn whoever_was_there_by_a_link_is_gone_with_it() {
    let mut host = host();
    let [one, other] = ["write", "write"].map(|token| host.come(token));
    say(&mut host, one, vec![said(1, 4), said(2, 1)]);
    say(&mut host, other, vec![said(3, 1)]);
    host.pass(1_000);
    told(&mut host, other);
    host.relay.handle(Input::LinkClosed(one), host.now);
    host.run();
    host.pass(250);
    assert_eq!(told(&mut host, other), [[(1, 4, false), (2, 1, false)]]);
}

#[test]
fn a_relay_forgets_who_says_nothing_and_can_rest_then() {
    let mut host = host();
    let [one, other] = ["write", "write"].map(|token| host.come(token));
    say(&mut host, one, vec![said(1, 1)]);
    host.pass(9_500);
    say(&mut host, other, vec![said(2, 1)]);
    host.pass(250);
    assert_eq!(told(&mut host, other), [[(1, 1, true)]]);
    host.pass(10_000);
    let late = host.come("write");
    say(&mut host, late, vec![said(3, 1)]);
    host.pass(250);
    assert_eq!(told(&mut host, late), Vec::<Vec<_>>::new());
}

#[test]
fn a_relay_that_was_taken_out_of_memory_still_knows_who_wants_to_be_told() {
    let mut host = host();
    let [one, other, silent] = ["write", "write", "write"].map(|token| host.come(token));
    say(&mut host, one, vec![said(1, 1)]);
    host.pass(60_000);
    host.sleep(&[one, other, silent]);
    told(&mut host, one);
    say(&mut host, other, vec![said(2, 1)]);
    host.pass(250);
    assert_eq!(told(&mut host, one), [[(2, 1, true)]]);
    assert_eq!(told(&mut host, silent), Vec::<Vec<_>>::new());
}

#[test]
fn more_at_once_than_may_be_there_is_refused_and_more_than_its_rate_is_dropped() {
    let few =
        Limits { presences_max: 3, presence_bytes_per_second: 100, presence_bytes_burst: 600, ..limits() };
    let mut host = Host::new(few, Caps::default());
    let [one, other] = ["write", "write"].map(|token| host.come(token));
    say(&mut host, other, vec![said(9, 1)]);
    for number in 1..=10 {
        say(&mut host, one, vec![said(1, number)]);
    }
    host.pass(250);
    let frames = told(&mut host, other);
    let last = frames.last().and_then(|frame| frame.last()).expect("it was told").1;
    assert!((3..6).contains(&last), "{last} were paid for");
    say(&mut host, one, (1..=4).map(|id| said(id, 20)).collect());
    assert_eq!(host.code(one), Some(CloseCode::TooLarge as u16));
}

#[test]
fn of_many_a_relay_knows_a_part_and_everybody_has_a_share_of_it() {
    let mut host = Host::new(Limits { presences_max: 4, ..limits() }, Caps::default());
    let [crowd, one, watcher] = ["write", "more", "read"].map(|token| host.come(token));
    say(&mut host, watcher, vec![said(100, 1)]);
    say(&mut host, crowd, (1..=4).map(|id| said(id, 1)).collect());
    say(&mut host, crowd, (5..=8).map(|id| said(id, 1)).collect());
    say(&mut host, one, vec![said(50, 1)]);
    host.pass(500);
    let mut known: Vec<_> = told(&mut host, watcher).into_iter().flatten().map(|(id, ..)| id).collect();
    known.sort_unstable();
    known.dedup();
    assert!(known.len() <= 5 && known.contains(&50), "{known:?}");
}

#[test]
fn regions_tell_each_other_what_came_first_hand() {
    let (mut host, us) = two_regions();
    let [one, other] = ["write", "write"].map(|token| host.come(token));
    say(&mut host, one, vec![said(1, 1)]);
    host.pass(250);
    assert_eq!(told(&mut host, us), [[(1, 1, true)]]);
    say(&mut host, us, vec![said(7, 1)]);
    say(&mut host, other, vec![said(2, 1)]);
    host.pass(500);
    assert_eq!(told(&mut host, us), [[(2, 1, true)]], "not what came from a region");
    assert_eq!(told(&mut host, one).concat().len(), 2);
}

#[test]
fn who_has_said_nothing_for_long_is_asked_when_a_region_can_be_told() {
    let peers = vec![RelayPeer { region: "us".into(), url: "us".into() }];
    let mut host = Host::with_peers(limits(), Caps::default(), peers);
    let [one, silent] = ["write", "write"].map(|token| host.come(token));
    say(&mut host, one, vec![said(1, 1)]);
    host.pass(60_000);
    host.take(one);
    come_from_us(&mut host);
    host.pass(250);
    assert_eq!(told(&mut host, one), [Vec::new()], "nobody: say it again");
    assert_eq!(told(&mut host, silent), Vec::<Vec<_>>::new());
}
