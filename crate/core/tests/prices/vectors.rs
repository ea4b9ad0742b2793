//! Vectors.

use crate::common::{FLOW, filled, host, limits, records, tip, vector};
use crate::host::Host;
use crate::host::chain;
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Mark;
use eyot_core::holder::caps::Caps;
use eyot_core::wire::bodies::Hello;
use eyot_core::wire::bodies::Quiet;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

#[test]
fn a_vector_is_taken_only_when_it_is_due() {
    let (mut host, reader) = filled(limits(), Caps::default(), &chain(1, 4, 10));
    let reads = host.reads.len();
    host.send(reader, &vector(vec![], true, true));
    assert_eq!(host.code(reader), Some(FLOW));
    assert_eq!(host.reads.len(), reads, "no pass begins");
}

#[test]
fn a_vector_that_was_asked_for_buys_no_other() {
    let mut host = host();
    let hello = Hello { tips: None, digest: None, ..host.hello("read", 77) };
    let link = host.greet(hello);
    let told = |frames: &[Frame]| frames.iter().filter(|frame| matches!(frame, Frame::Vector(_))).count();
    let before = told(&host.take(link));
    host.send(link, &vector(vec![], true, true));
    assert_eq!(before + told(&host.take(link)), before);
    assert_eq!(host.code(link), None);
}

#[test]
fn what_is_kept_of_vectors_is_no_more_than_matters_here_and_is_bounded_over_all_links() {
    let held: Vec<_> = (1..=6).flat_map(|author| chain(author, 1, 10)).collect();
    let tiny = Limits { vector_tips_max: 100, hello_tips_max: 0, ..limits() };
    let (mut host, _) = filled(tiny, Caps::default(), &held);
    let come = |host: &mut Host| {
        let hello = Hello { tips: None, ..host.hello("read", 77) };
        let link = host.greet(hello);
        host.read_all(link);
        link
    };
    // Nothing is kept of authors that are not here.
    let link = come(&mut host);
    for author in 100..190 {
        host.send(link, &vector(vec![tip(author, 1, 1)], false, false));
    }
    assert_eq!(host.code(link), None);
    // Of more tips than a vector may have the link ends all the same.
    for author in 190..202 {
        host.send(link, &vector(vec![tip(author, 1, 1)], false, false));
    }
    assert_eq!(host.code(link), Some(CloseCode::TooLarge as u16));
    // Vectors that are never finished count together: 6 authors each.
    let links: Vec<_> = (0..20)
        .map(|_| {
            let link = come(&mut host);
            host.send(link, &vector((1..=6).map(|author| tip(author, 9, 1)).collect(), false, false));
            link
        })
        .collect();
    let ended = links.iter().filter(|link| host.code(**link).is_some()).count();
    assert_eq!(ended, 20 - 100 / 6, "of 20 links those beyond 100 tips end");
}

#[test]
fn many_tips_of_one_author_are_not_kept() {
    let tiny = Limits { vector_tips_max: 10_000, frame_bytes_max: 20_000, ..limits() };
    let (mut host, _) = filled(tiny, Caps::default(), &chain(1, 3, 10));
    let hello = Hello { tips: None, ..host.hello("read", 77) };
    let link = host.greet(hello);
    let forks = (0..=250).map(|id| tip(1, 9, id)).collect();
    host.send(link, &vector(forks, true, false));
    assert_eq!(records(&host.read_all(link)), 3, "what they say of a fork is not believed");
    assert_eq!(host.code(link), None);
}

/// They count together with those of all links, so that many of one author would end the links of others.
#[test]
fn many_tips_of_one_author_take_no_room_from_others() {
    let tiny = Limits { vector_tips_max: 300, frame_bytes_max: 20_000, ..limits() };
    let (mut host, _) = filled(tiny, Caps::default(), &chain(1, 3, 10));
    let links: Vec<_> = (0..20)
        .map(|_| {
            let link = host.greet(Hello { tips: None, ..host.hello("read", 77) });
            host.read_all(link);
            host.send(link, &vector((0..250).map(|id| tip(1, 9, id)).collect(), false, false));
            link
        })
        .collect();
    let ended: Vec<_> = links.iter().filter_map(|link| host.code(*link)).collect();
    assert_eq!(ended, Vec::<u16>::new());
}

#[test]
fn a_large_vector_goes_out_in_parts_as_they_are_read() {
    let held: Vec<_> = (1..=200).flat_map(|author| chain(author, 1, 10)).collect();
    let (mut host, _) = filled(Limits { unread_bytes: 2_000, ..limits() }, Caps::default(), &held);
    let hello = Hello { tips: None, ..host.hello("read", 77) };
    let link = host.greet(hello);
    let unread = host.sent[&link].iter().map(|frame| frame.encode().len()).sum::<usize>();
    assert!(unread < 3_500, "{unread} bytes wait to be read");
    let tips = |frames: &[Frame]| {
        let tips = frames.iter().map(|frame| match frame {
            Frame::Vector(part) => part.tips.len(),
            _ => 0,
        });
        tips.sum::<usize>()
    };
    assert_eq!(tips(&host.read_all(link)), 200);
}

#[test]
fn whoever_says_that_both_differ_is_told_a_vector_now_and_then() {
    let (mut host, reader) = filled(limits(), Caps::default(), &chain(1, 4, 10));
    let differs = |host: &Host| {
        Frame::Quiet(Quiet {
            head: Mark::START,
            read: host.relay.stored(),
            digest: eyot_core::commit::vector::Vector::default().digest(),
        })
    };
    let mut told = 0;
    for _ in 0..4 {
        let quiet = differs(&host);
        host.send(reader, &quiet);
        let frames = host.read_all(reader);
        told += frames.iter().filter(|frame| matches!(frame, Frame::Vector(_))).count();
        if frames.iter().any(|frame| matches!(frame, Frame::Vector(_))) {
            host.send(reader, &vector(vec![], true, false));
            host.read_all(reader);
        }
        host.pass(1_000);
    }
    assert_eq!((told, host.code(reader)), (1, None));
    host.pass(4_000);
    let quiet = differs(&host);
    host.send(reader, &quiet);
    assert!(host.read_all(reader).iter().any(|frame| matches!(frame, Frame::Vector(_))));
}
