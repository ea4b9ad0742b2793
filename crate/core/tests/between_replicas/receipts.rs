//! What a replica without a relay learns of regions by way of others, and what it believes of that.

use eyot_core::base::id::{AuthorId, CommitId, InquiryId, LinkId, LogId};
use eyot_core::commit::vector::Tip;
use eyot_core::replica::event::Event;
use eyot_core::replica::waits::WaitId;
use eyot_core::wire::access::{Right, Side};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;
use eyot_core::wire::receipt::{Inquiry, Receipt, Statement, receipt, space_of};

use crate::world::{World, hello};

const BOTH: [Right; 2] = [Right::Write, Right::Write];
const RELAY: LogId = LogId([50; 16]);

/// Replicas in a line, the first of which has a relay, for which the test speaks.
fn line(replicas: u8) -> (World, LinkId) {
    let mut world = World::new(replicas);
    let relay = world.relay(0, hello(50));
    for node in 1..usize::from(replicas) {
        world.link(node - 1, node, BOTH);
    }
    (world, relay)
}

/// The last commit that a node has made.
fn tip(world: &World, node: usize) -> Tip {
    *world.nodes[node]
        .replica
        .vector()
        .of(&AuthorId([node as u8 + 1; 16]))
        .iter()
        .next()
        .expect("it has written")
}

/// The questions that a node has passed on to its relay, or asked others.
fn inquiries(world: &World, node: usize) -> Vec<Inquiry> {
    let sent = world.sent.iter().filter(|(from, _)| *from == node);
    let asked = sent.filter_map(|(_, frame)| match frame {
        Frame::Inquiry(inquiry) => Some(inquiry.clone()),
        _ => None,
    });
    asked.collect()
}

fn statement(id: InquiryId, tips: Vec<Tip>) -> Statement {
    Statement { id, space: space_of("space"), partition: 0, region: "eu".into(), log: RELAY, tips }
}

fn bytes_of(statement: &Statement) -> Vec<u8> {
    receipt(&statement.to_sign(), &[7; 64])
}

/// The relay answers: what the last of the line is told, its host finds signed by that relay.
fn answer(world: &mut World, relay: LinkId, node: usize, statement: &Statement) {
    let bytes = bytes_of(statement).into();
    world.say(0, relay, &Frame::Receipt(Receipt { id: statement.id, bytes }));
    for event in std::mem::take(&mut world.nodes[node].events) {
        match event {
            Event::Receipt { bytes } => world.call(node, |replica, now| replica.take_receipt(&bytes, now)),
            event => world.nodes[node].events.push(event),
        }
    }
}

fn durable(world: &mut World, node: usize) -> WaitId {
    world.call(node, |replica, _| replica.durable(1, None)).expect("there may be a region")
}

fn is_over(world: &World, node: usize, wait: WaitId) -> bool {
    world.nodes[node].events.iter().any(|event| matches!(event, Event::Waited(over) if *over == wait))
}

#[test]
fn durable_through_another_resolves_on_a_receipt_of_its_relay_and_not_before() {
    let (mut world, relay) = line(2);
    world.write(1, 1);
    let wait = durable(&mut world, 1);
    world.pass(5_000);
    let asked = inquiries(&world, 0);
    let (author, own) = (AuthorId([2; 16]), tip(&world, 1));
    assert!(asked.iter().all(|inquiry| inquiry.authors == [author]));
    assert!((2..=4).contains(&asked.len()), "it is asked again, ever more rarely: {}", asked.len());
    assert!(!is_over(&world, 1, wait), "nobody has said that it is stored");
    answer(&mut world, relay, 1, &statement(asked.last().expect("asked").id, vec![own]));
    assert!(is_over(&world, 1, wait));
    assert_eq!(world.nodes[1].replica.status().behind, [("eu".to_owned(), 0)].into());
    let before = inquiries(&world, 1).len();
    world.pass(5_000);
    assert_eq!(inquiries(&world, 1).len(), before, "there is nothing more to ask");
}

#[test]
fn what_is_made_after_the_commit_that_a_receipt_names_is_not_stored_by_it() {
    let (mut world, relay) = line(2);
    world.write(1, 1);
    let first = tip(&world, 1);
    world.write(1, 2);
    let wait = durable(&mut world, 1);
    let asked = inquiries(&world, 0).last().expect("asked").id;
    answer(&mut world, relay, 1, &statement(asked, vec![first]));
    assert!(!is_over(&world, 1, wait));
    assert_eq!(world.nodes[1].replica.status().behind, [("eu".to_owned(), 1)].into());
}

#[test]
fn what_was_signed_for_something_else_counts_for_nothing() {
    let (mut world, _) = line(2);
    world.write(1, 1);
    let wait = durable(&mut world, 1);
    let (asked, own) = (inquiries(&world, 0).last().expect("asked").id, tip(&world, 1));
    let good = statement(asked, vec![own]);
    let bad = [
        Statement { id: InquiryId([9; 16]), ..good.clone() },
        Statement { space: space_of("another"), ..good.clone() },
        Statement { partition: 1, ..good.clone() },
        Statement { tips: vec![Tip { id: CommitId([9; 32]), ..own }], ..good.clone() },
        Statement { tips: vec![Tip { author: AuthorId([9; 16]), ..own }], ..good.clone() },
        Statement { tips: vec![Tip { seq: 100, ..own }], ..good.clone() },
        Statement { tips: Vec::new(), ..good.clone() },
    ];
    for statement in bad {
        world.call(1, |replica, now| replica.take_receipt(&bytes_of(&statement), now));
        assert!(!is_over(&world, 1, wait), "{statement:?}");
    }
    world.call(1, |replica, now| replica.take_receipt(&bytes_of(&good)[1..], now));
    assert!(!is_over(&world, 1, wait));
    world.call(1, |replica, now| replica.take_receipt(&bytes_of(&good), now));
    assert!(is_over(&world, 1, wait));
}

#[test]
fn a_receipt_that_nobody_asked_for_is_not_shown_to_the_host() {
    let (mut world, _) = line(2);
    world.write(1, 1);
    let link = world.raw(1, Side::Accepter, Right::Write, hello(9));
    let bytes = bytes_of(&statement(InquiryId([9; 16]), vec![tip(&world, 1)])).into();
    world.say(1, link, &Frame::Receipt(Receipt { id: InquiryId([9; 16]), bytes }));
    assert!(!world.nodes[1].events.iter().any(|event| matches!(event, Event::Receipt { .. })));
    assert_eq!(world.code(1, link), None);
}

#[test]
fn what_the_log_of_before_had_stored_is_void_once_a_receipt_names_another() {
    let (mut world, relay) = line(2);
    world.write(1, 1);
    let own = tip(&world, 1);
    let asked = inquiries(&world, 0).last().expect("asked").id;
    answer(&mut world, relay, 1, &statement(asked, vec![own]));
    world.write(1, 2);
    world.pass(2_000);
    let asked = inquiries(&world, 0).last().expect("asked").id;
    let another = Statement { log: LogId([51; 16]), ..statement(asked, vec![]) };
    answer(&mut world, relay, 1, &another);
    assert_eq!(world.nodes[1].replica.status().behind, [("eu".to_owned(), 2)].into());
}

#[test]
fn a_question_passes_three_replicas_and_no_more_and_the_answer_finds_its_way_back() {
    let (mut world, relay) = line(5);
    world.write(3, 1);
    let wait = durable(&mut world, 3);
    world.pass(2_000);
    let asked = inquiries(&world, 0).last().expect("it has come so far").id;
    let own = tip(&world, 3);
    answer(&mut world, relay, 3, &statement(asked, vec![own]));
    assert!(is_over(&world, 3, wait));
    let before = inquiries(&world, 0).len();
    world.write(4, 1);
    world.pass(2_000);
    assert!(!inquiries(&world, 4).is_empty());
    assert_eq!(inquiries(&world, 0).len(), before);
}

#[test]
fn who_asks_too_often_is_not_heard_and_for_too_many_is_left() {
    let (mut world, _) = line(1);
    let link = world.raw(0, Side::Accepter, Right::Read, hello(9));
    let ask = |number: u8, authors: usize| {
        let authors = vec![AuthorId([9; 16]); authors];
        Frame::Inquiry(Inquiry { id: InquiryId([number; 16]), authors, hops: u64::MAX })
    };
    for number in 0..100 {
        world.say(0, link, &ask(number, 4));
    }
    assert!((1..=16).contains(&inquiries(&world, 0).len()), "{}", inquiries(&world, 0).len());
    assert_eq!(world.code(0, link), None);
    world.say(0, link, &ask(200, 5));
    assert_eq!(world.code(0, link), Some(CloseCode::TooLarge as u16));
}

#[test]
fn a_replica_answers_no_relay_and_asks_nobody_while_it_has_one() {
    let (mut world, relay) = line(2);
    world.write(0, 1);
    world.pass(5_000);
    assert!(inquiries(&world, 0).is_empty(), "its relay says it itself");
    world.say(0, relay, &Frame::Inquiry(Inquiry { id: InquiryId([9; 16]), authors: Vec::new(), hops: 1 }));
    assert_eq!(world.code(0, relay), Some(CloseCode::OutOfOrder as u16));
}
