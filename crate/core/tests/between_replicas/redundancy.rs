//! Replicas that are linked by several ways: how often a commit comes to each, and what becomes of it when a way ends.

use eyot_core::base::id::LinkId;
use eyot_core::wire::access::{Right, Side};
use eyot_core::wire::bodies::Commits;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

use crate::world::{World, commit, hello};

const BOTH: [Right; 2] = [Right::Write, Right::Write];

/// Each is linked to some others, as if drawn at random: the ends of all links.
fn mesh(nodes: usize, each: usize) -> (World, Vec<(usize, [LinkId; 2])>) {
    let mut world = World::new(nodes as u8);
    let mut links = Vec::new();
    let mut number = 12_345_usize;
    for node in 0..nodes {
        for _ in 0..each {
            number = number.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << 31);
            let other = (number >> 8) % nodes;
            if other != node {
                links.push((node, world.link(node, other, BOTH)));
            }
        }
    }
    (world, links)
}

/// How many copies of a commit came to a node beyond the first, where each of some writes one.
fn redundancy(world: &mut World, writers: impl Iterator<Item = usize>) -> f64 {
    let sent = |world: &World| (0..world.nodes.len()).map(|node| world.commits_of(node)).sum::<usize>();
    let before = sent(world);
    let mut written = 0;
    for (n, writer) in writers.enumerate() {
        world.write(writer, n as i64);
        written += 1;
    }
    let needed = written * (world.nodes.len() - 1);
    (sent(world) - before) as f64 / needed as f64 - 1.0
}

#[test]
fn a_commit_comes_to_each_of_thirty_hardly_more_than_once() {
    let (mut world, _) = mesh(30, 3);
    let first = redundancy(&mut world, [0; 5].into_iter());
    let one = redundancy(&mut world, [0; 50].into_iter());
    let changing = redundancy(&mut world, (0..150).map(|n| n * 7 % 30));
    println!(
        "redundant copies: the first commits {first:.2}, then one writer {one:.2}, changing ones {changing:.2}"
    );
    assert!(world.hold_the_same());
    assert!(world.closed.is_empty(), "{:?}", world.closed);
    assert!(one <= 0.1 && changing <= 0.5, "{one} {changing}");
}

#[test]
fn what_was_only_named_comes_all_the_same_when_the_way_that_sent_it_ends() {
    let (mut world, links) = mesh(12, 3);
    redundancy(&mut world, (0..60).map(|n| n % 12));
    for (node, [link, _]) in links.iter().step_by(3) {
        world.call(*node, |replica, now| replica.close_peer(*link, now));
        world.write(*node, 7);
    }
    world.pass(5_000);
    assert!(world.hold_the_same());
    let names = |frame: &Frame| matches!(frame, Frame::Naming(false));
    assert!(world.sent.iter().any(|(_, frame)| names(frame)), "somebody has had to ask");
}

#[test]
fn a_link_that_repeats_what_is_here_names_until_something_of_it_is_asked_for() {
    let mut world = World::new(1);
    let link = world.raw(0, Side::Accepter, Right::Write, hello(9));
    let other = world.raw(0, Side::Accepter, Right::Write, hello(8));
    let say = |world: &mut World, link, records: &[u8], named: &[u8]| {
        let records = records.iter().map(|author| commit(*author).encode().into()).collect();
        let named = named.iter().map(|author| commit(*author).tip()).collect();
        world.say(0, link, &Frame::Commits(Commits { records, to: None, named }));
    };
    let asked = |world: &World| world.sent.iter().filter(|(_, frame)| *frame == Frame::Naming(true)).count();
    say(&mut world, link, &[1, 2, 3], &[]);
    say(&mut world, other, &[1, 2], &[]);
    assert_eq!(asked(&world), 0);
    say(&mut world, other, &[3], &[]);
    assert_eq!(asked(&world), 1);
    // Only what the other side names is told to it from now on.
    world.sent.clear();
    say(&mut world, link, &[4], &[]);
    // There may be more to name.
    world.pass(500);
    let told = world.sent.iter().filter_map(|(_, frame)| match frame {
        Frame::Commits(commits) => Some((commits.records.len(), commits.named.clone())),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(0, vec![commit(4).tip()])]);
    // What it names, and nobody sends, is asked for after half a second.
    say(&mut world, other, &[], &[5]);
    let wants =
        |world: &World| world.sent.iter().filter(|(_, frame)| matches!(frame, Frame::Want(_))).count();
    world.pass(400);
    assert_eq!(wants(&world), 0);
    world.pass(200);
    assert_eq!(wants(&world), 1);
    // Some commits are of this replica's author, so it asks what regions have stored, too.
    let last = world.sent.iter().rfind(|(_, frame)| !matches!(frame, Frame::Inquiry(_)));
    assert_eq!(last.map(|(_, frame)| frame), Some(&Frame::Naming(false)));
}

#[test]
fn who_may_only_read_names_nothing() {
    let mut world = World::new(1);
    let link = world.raw(0, Side::Accepter, Right::Read, hello(9));
    let named = vec![commit(1).tip()];
    world.say(0, link, &Frame::Commits(Commits { records: Vec::new(), to: None, named }));
    assert_eq!(world.code(0, link), Some(CloseCode::Denied as u16));
}

#[test]
fn commits_that_come_one_after_another_are_named_and_acknowledged_together() {
    let (mut world, _) = mesh(12, 3);
    redundancy(&mut world, (0..120).map(|n| n * 7 % 12));
    world.pass(5_000);
    world.sent.clear();
    let written = 40;
    for n in 0..written {
        world.write(n % 12, n as i64);
        world.pass(100);
    }
    world.pass(2_000);
    assert!(world.hold_the_same());
    let (mut acks, mut names, mut named) = (0, 0, 0);
    for (_, frame) in &world.sent {
        match frame {
            Frame::Ack(_) => acks += 1,
            Frame::Commits(commits) if !commits.named.is_empty() => {
                names += 1;
                named += commits.named.len();
            }
            _ => {}
        }
    }
    println!("{written} commits in 12 replicas: {acks} acknowledgements, {named} names in {names} frames");
    // Of every commit that it did not bring each way of each link had one of each: some 2,500.
    let ways = 2 * 12 * 3;
    assert!(acks < written * ways / 5 && names < written * ways / 3 && named < written * ways / 2);
}
