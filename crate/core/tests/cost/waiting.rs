//! What commits cost that wait for causes.

use eyot_core::base::id::{AuthorId, CommitId, DocId, LogId, ShortId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::{Marker, Position};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;
use eyot_core::holder::caps::Caps;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::wire::bodies::{Ack, Answer, Commits, Want};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

use crate::net::{Net, NodeId};
use crate::peers::{Raw, chain, commit, relay, start};

fn world() -> (Net, NodeId, Raw) {
    let mut net = Net::new(Limits::PROTOCOL);
    let relay = relay(&mut net, "eu", &[], Caps::default(), MemoryStore::default());
    let raw = Raw::new(&mut net, relay);
    (net, relay, raw)
}

fn wants(raw: &Raw, net: &Net) -> Vec<Want> {
    let wants = raw.hears(net).filter_map(|frame| match frame {
        Frame::Want(want) => Some(want),
        _ => None,
    });
    wants.collect()
}

#[test]
fn commits_that_name_one_another_are_asked_for_and_found_to_be_withheld() {
    let (mut net, relay, raw) = world();
    // Each names the number of every other, with an id that none has.
    let name = |author: u8| After { author: AuthorId([author; 16]), seq: 1, short: ShortId([9; 16]) };
    let circle = (1..40).map(|author| {
        let after = (1..40).filter(|other| *other != author).map(name).collect();
        commit(author, 1, start(), after, 0)
    });
    raw.bring(&mut net, &circle.collect::<Vec<_>>());
    net.run(100);
    let want = wants(&raw, &net).pop().expect("what is missing is asked for");
    let answer = Answer { nonce: want.nonce, records: Vec::new(), more: false, cut: false };
    net.send(raw.node, raw.link, &Frame::Answer(answer));
    net.run(100);
    assert_eq!(net.bye_to(raw.node), Some(CloseCode::Withheld as u16));
    assert!(net.relay(relay).is_idle(), "nothing waits any more");
}

/// Answers every Want with these records, and says that there is more.
fn answer_cut(records: &[&Commit]) -> (Net, Raw, usize) {
    let (mut net, _, raw) = world();
    let chain = chain(3, 10);
    raw.bring(&mut net, &[chain[9].clone()]);
    let mut answered = 0;
    for _ in 0..20 {
        net.run(100);
        let Some(want) = wants(&raw, &net).into_iter().nth(answered) else { break };
        answered += 1;
        let records = records.iter().map(|commit| commit.encode().into()).collect();
        let answer = Answer { nonce: want.nonce, records, more: false, cut: true };
        net.send(raw.node, raw.link, &Frame::Answer(answer));
    }
    (net, raw, answered)
}

#[test]
fn a_peer_that_answers_that_there_is_more_and_brings_nothing_is_left() {
    let chain = chain(3, 10);
    for (records, code) in [(&[][..], CloseCode::Withheld), (&[&chain[9]], CloseCode::Flow)] {
        let (net, raw, answered) = answer_cut(records);
        assert_eq!(net.bye_to(raw.node), Some(code as u16));
        assert!(answered <= 2, "{answered} answers were taken for useful");
    }
}

#[test]
fn a_commit_that_many_wait_for_lets_them_all_in() {
    let (mut net, relay, raw) = world();
    let cause = commit(1, 1, start(), Vec::new(), 0);
    let others: Vec<_> = (2..100).map(|author| commit(author, 1, start(), vec![cause.name()], 0)).collect();
    raw.bring(&mut net, &others);
    net.run(100);
    assert_eq!(net.relay(relay).stored(), 0);
    raw.bring(&mut net, &[cause]);
    net.run(100);
    assert_eq!(net.relay(relay).stored(), 99);
}

#[test]
fn a_commit_that_waits_for_many_is_taken_when_the_last_has_come() {
    let (mut net, relay, raw) = world();
    let causes: Vec<_> = (2..100).map(|author| commit(author, 1, start(), Vec::new(), 0)).collect();
    let last = commit(1, 1, start(), causes.iter().map(Commit::name).collect(), 0);
    raw.bring(&mut net, &[last]);
    raw.bring(&mut net, &causes[1..]);
    net.run(100);
    assert_eq!(net.relay(relay).stored(), 97);
    raw.bring(&mut net, &causes[..1]);
    net.run(100);
    assert_eq!(net.relay(relay).stored(), 99);
}

#[test]
fn who_waits_for_a_branch_asks_for_it_when_another_one_has_come_meanwhile() {
    let (mut net, relay, raw) = world();
    let meant = chain(3, 3);
    let mut other = vec![commit(3, 1, start(), Vec::new(), 100)];
    for seq in 2..=5 {
        other.push(commit(3, seq, other[other.len() - 1].id(), Vec::new(), 100));
    }
    raw.bring(&mut net, &[commit(1, 1, start(), vec![meant[2].name()], 0)]);
    net.run(100);
    Raw::new(&mut net, relay).bring(&mut net, &other);
    net.run(100);
    let answer = |nonce, records: &[&Commit], cut| {
        let records = records.iter().map(|commit| commit.encode().into()).collect();
        Frame::Answer(Answer { nonce, records, more: false, cut })
    };
    let first = wants(&raw, &net).pop().expect("what is missing is asked for");
    assert_eq!(first.ranges[0].branch, None);
    // It was full of commits that are here by now.
    net.send(raw.node, raw.link, &answer(first.nonce, &[&other[0], &other[1]], true));
    net.run(100);
    let second = wants(&raw, &net).pop().unwrap();
    assert_eq!(second.ranges[0].branch, Some(meant[2].id().short()));
    net.send(raw.node, raw.link, &answer(second.nonce, &[&meant[2], &meant[1], &meant[0]], false));
    net.run(100);
    assert_eq!(net.relay(relay).stored(), 9);
    assert_eq!(net.bye_to(raw.node), None);
}

/// Two bring the same commit, and only one of them said that its document is deleted (seed 539).
#[test]
fn nobody_owes_a_delete_of_which_another_has_spoken() {
    let (mut net, relay, liar) = world();
    let honest = Raw::new(&mut net, relay);
    let cause = commit(1, 1, start(), Vec::new(), 0);
    let items = vec![(DocId([5; 16]), Kind::Change, vec![1, 2, 3])];
    let place = (AuthorId([2; 16]), 1, start());
    let whole = Commit::new(place, vec![cause.name()], 0, items, &Limits::PROTOCOL).unwrap();
    let mut husk = whole.clone();
    husk.justify(|_| Some(cause.name()));
    liar.bring(&mut net, &[husk]);
    net.run(100);
    honest.bring(&mut net, &[whole, cause]);
    let end = Position::START.then(&CommitId([1; 32])).then(&CommitId([2; 32]));
    let at = Marker::new(LogId([9; 16]), [9; 32], 0).mark(end);
    for raw in [&honest, &liar] {
        let place = Commits { records: Vec::new(), to: Some(at), named: Vec::new() };
        net.send(raw.node, raw.link, &Frame::Ack(Ack { read: 0, whole: None, at, complete: false }));
        net.send(raw.node, raw.link, &Frame::Commits(place));
    }
    net.run(100);
    assert_eq!(net.relay(relay).stored(), 2);
    assert_eq!(net.bye_to(honest.node), None);
    assert_eq!(net.bye_to(liar.node), Some(CloseCode::Withheld as u16));
}
