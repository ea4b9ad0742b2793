//! What processes on one storage come to, whichever of them writes.

use std::collections::BTreeMap;

use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::id::{AuthorId, DocId, LinkId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::{Cursor, Mark, Marker, Position};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::kind::Kind;
use eyot_core::document::value::{Op, Value};
use eyot_core::holder::io::Input;
use eyot_core::replica::event::Event;
use eyot_core::wire::access::{Right, Side};
use eyot_core::wire::bodies::{Ack, ChainRange, Commits, Hello, Want};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

use crate::world::{World, hello};

/// Seed 7207: what another process had taken out of a row was sent without its bytes, and without a reason.
#[test]
fn what_another_process_has_taken_out_of_the_log_is_sent_once_its_delete_is_known() {
    let mut world = World::new(2);
    let made = world.write(0, 1);
    world.write(0, 2);
    world.is_deaf = true;
    world.call(1, |replica, now| replica.delete(made.doc, now)).expect("it is held");
    world.pass(60_000);
    assert!(world.processes[1].replica.is_scrubbed(), "the bytes are gone from the rows");
    assert_eq!(world.processes[0].replica.documents().len(), 2, "nobody has told the first process");
    let link = world.link(0, Side::Accepter, hello(9));
    let sent = world.commits(0, link);
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|commit| !commit.has_holes()), "each says which delete has taken its bytes");
}

/// Seed 4725: one log had two ids.
#[test]
fn of_processes_that_begin_on_empty_storage_none_tells_an_id_of_its_own() {
    let mut world = World::new(3);
    world.write(1, 1);
    let logs = [0, 1, 2].map(|process| {
        let link = world.link(process, Side::Accepter, hello(9));
        world.greeting(process, link).log
    });
    assert_eq!(logs, [logs[1]; 3]);
}

/// Seed 4821: a relay was put back to a copy, and the copy went on too.
#[test]
fn a_link_goes_on_after_the_cursor_that_it_showed_wherever_a_copy_of_that_log_was_read_to_meanwhile() {
    let mut world = World::new(1);
    let marker = Marker::new(LogId([9; 16]), [5; 32], 0);
    let begin = |world: &mut World, side, to: &[Commit]| {
        let hello = Hello { resumed: true, head: end(&marker, to), ..hello(9) };
        world.link(0, side, hello)
    };
    let common = chain(1, 5);
    let first = begin(&mut world, Side::Dialer, &common);
    world.say(0, first, &bring(&common, end(&marker, &common)));
    world.call(0, |replica, now| replica.close_peer(first, now));
    // Both are greeted with the same cursor, and one of them answers late.
    let late = world.call(0, |replica, now| replica.open_peer(Side::Dialer, Right::Write, now));
    assert_eq!(world.greeting(0, late).cursors.len(), 1);
    let of_copy = [common.clone(), chain(2, 4)].concat();
    let copy = begin(&mut world, Side::Dialer, &of_copy);
    world.say(0, copy, &bring(&of_copy[5..], end(&marker, &of_copy)));
    world.call(0, |replica, now| replica.close_peer(copy, now));
    let hello = Hello { resumed: true, head: end(&marker, &common), ..hello(9) };
    world.say(0, late, &Frame::Hello(hello));
    world.call(0, |replica, now| replica.close_peer(late, now));
    assert_eq!(world.code(0, late), Some(CloseCode::GoingAway as u16), "not for a broken rule");
    let next = world.call(0, |replica, now| replica.open_peer(Side::Dialer, Right::Write, now));
    let read = world.greeting(0, next).cursors[0].read;
    assert_eq!(read, end(&marker, &common), "of the log that was linked last");
}

/// Seed 205111: another process had given the log another id, and this one had nothing to write.
#[test]
fn all_processes_greet_with_the_id_that_one_of_them_has_given_the_log() {
    let mut world = World::new(1);
    world.write(0, 1);
    let copy = world.store.clone();
    world.write(0, 2);
    let link = world.link(0, Side::Accepter, hello(9));
    let lost = world.greeting(0, link);
    let mut world = World::new(0);
    world.store = copy;
    let (first, second) = (world.begin(), world.begin());
    let cursor = Cursor { log: lost.log, read: lost.head, seen: lost.head };
    let link = world.link(second, Side::Accepter, Hello { cursors: vec![cursor], ..hello(9) });
    let renewed = world.greeting(second, link).log;
    assert_ne!(renewed, lost.log, "an older copy was put back");
    let link = world.link(first, Side::Accepter, hello(8));
    assert_eq!(world.greeting(first, link).log, renewed);
}

/// Seed 1002135: the link that ended over it noted what was acknowledged under the id before. A relay that remembers by that id
/// which bytes it lacks then said that all is whole.
#[test]
fn what_was_read_without_all_bytes_is_sent_again_once_the_log_has_another_id() {
    let mut world = World::new(1);
    world.write(0, 1);
    let copy = world.store.clone();
    world.write(0, 2);
    let link = world.link(0, Side::Accepter, hello(9));
    let lost = world.greeting(0, link);
    let mut world = World::new(0);
    world.store = copy;
    let process = world.begin();
    let lacking = || Hello { holes: 1, resumed: true, ..hello(8) };
    let link = world.link(process, Side::Dialer, lacking());
    let (read, at) = (world.greeting(process, link).head.seq, lacking().head);
    let ack = |read, whole| Frame::Ack(Ack { read, whole, at, complete: true });
    world.say(process, link, &ack(read, Some(0)));
    let cursor = Cursor { log: lost.log, read: lost.head, seen: lost.head };
    world.link(process, Side::Accepter, Hello { cursors: vec![cursor], ..hello(9) });
    assert_eq!(world.code(process, link), Some(CloseCode::LogReplaced as u16));
    let link = world.link(process, Side::Dialer, lacking());
    world.say(process, link, &ack(0, None));
    assert_eq!(world.commits(process, link).len() as u64, read);
}

/// Seed 209746: what a copy had acknowledged was not sent, and the delete that others' absent bytes speak of.
#[test]
fn a_link_goes_on_after_what_its_log_had_acknowledged_wherever_a_copy_has_acknowledged_more_meanwhile() {
    let mut world = World::new(1);
    let made = world.write(0, 1);
    let marker = Marker::new(LogId([9; 16]), [5; 32], 0);
    let (common, of_copy) = (chain(1, 5), chain(1, 6));
    let hello_of = |log: &[Commit]| Hello { resumed: true, head: end(&marker, log), ..hello(9) };
    let first = world.link(0, Side::Dialer, hello_of(&common));
    world.say(0, first, &bring(&common, end(&marker, &common)));
    world.call(0, |replica, now| replica.close_peer(first, now));
    let late = world.call(0, |replica, now| replica.open_peer(Side::Dialer, Right::Write, now));
    assert_eq!(world.greeting(0, late).cursors.len(), 1);
    let copy = world.link(0, Side::Dialer, hello_of(&of_copy));
    let ack = Ack { read: 6, whole: None, at: end(&marker, &of_copy), complete: false };
    world.say(0, copy, &Frame::Ack(ack));
    world.call(0, |replica, now| replica.close_peer(copy, now));
    world.say(0, late, &Frame::Hello(hello_of(&common)));
    assert!(world.commits(0, late).iter().any(|commit| Some(commit.id()) == made.id));
}

/// Seed 207066: what came after the greeting was taken for one that is too large.
#[test]
fn what_follows_a_greeting_may_be_large_although_the_log_is_being_read() {
    let mut world = World::new(2);
    world.write(0, 0);
    let link = world.call(0, |replica, now| replica.open_peer(Side::Dialer, Right::Write, now));
    world.is_deaf = true;
    world.write(1, 1);
    world.is_slow = true;
    world.write(0, 2);
    let place = (AuthorId([9; 16]), 1, Descriptor::plain("space").chain_start(0));
    let items = vec![(DocId([9; 16]), Kind::Change, vec![7; Limits::PROTOCOL.hello_bytes_max])];
    let large = Commit::new(place, Vec::new(), 0, items, &Limits::PROTOCOL).expect("within limits");
    let marker = Marker::new(LogId([9; 16]), [5; 32], 0);
    let log = [large];
    world.say(0, link, &Frame::Hello(Hello { head: end(&marker, &log), ..hello(9) }));
    world.say(0, link, &bring(&log, end(&marker, &log)));
    world.read();
    assert_eq!(world.code(0, link), None);
    assert_eq!(world.processes[0].replica.vector().seq(&AuthorId([9; 16])), 1);
}

/// Seeds 205672 and 207047: a link went on under the id that the log had before, and the next greeting, under
/// another one, acknowledged more than was there.
#[test]
fn whoever_was_greeted_before_another_process_began_the_log_is_greeted_anew() {
    let mut world = World::new(2);
    world.is_deaf = true;
    let before = world.link(0, Side::Accepter, hello(9));
    let began = world.link(1, Side::Accepter, hello(8));
    world.write(1, 1);
    world.write(0, 1);
    let again = world.link(0, Side::Accepter, hello(9));
    let log = world.greeting(1, began).log;
    assert_eq!(world.greeting(0, again).log, log);
    if world.greeting(0, before).log != log {
        assert_eq!(world.code(0, before), Some(CloseCode::GoingAway as u16));
    }
}

/// Seed 200271: it was sent with holes, and its acknowledgement counted for the whole commit.
#[test]
fn a_process_whose_writes_are_refused_sends_no_row_that_another_process_has_scrubbed() {
    let mut world = World::new(2);
    let made = world.write(0, 1);
    world.write(0, 2);
    world.is_deaf = true;
    world.refused.insert(0);
    world.write(0, 3);
    world.call(1, |replica, now| replica.delete(made.doc, now)).expect("it is held");
    world.pass(60_000);
    assert!(world.processes[1].replica.is_scrubbed(), "the bytes are gone from the rows");
    let while_refused = world.link(0, Side::Accepter, hello(9));
    world.refused.clear();
    world.pass(60_000);
    let afterwards = world.link(0, Side::Accepter, hello(9));
    let sent = world.commits(0, afterwards);
    assert_eq!(sent.len(), 4);
    let sent = [world.commits(0, while_refused), sent].concat();
    assert!(sent.iter().all(|commit| !commit.has_holes()), "each says which delete has taken its bytes");
}

/// Seed 620283: the index told at which positions another process had written commits, and in memory others were
/// there: who asked for the one was sent the other.
#[test]
fn a_process_whose_writes_are_refused_answers_with_what_was_asked_for_although_others_append() {
    let mut world = World::new(1);
    let marker = Marker::new(LogId([9; 16]), [5; 32], 0);
    let commits = chain(3, 2);
    let brought = |world: &mut World, process, log, commits: &[Commit]| {
        let to = end(&marker, commits);
        let link = world.link(process, Side::Dialer, Hello { resumed: true, head: to, ..hello(log) });
        world.say(process, link, &bring(commits, to));
    };
    brought(&mut world, 0, 9, &commits[..1]);
    world.write(0, 1);
    let full = world.begin();
    world.is_deaf = true;
    world.refused.insert(full);
    world.write(full, 2);
    // Both write at one position.
    brought(&mut world, 0, 9, &commits);
    brought(&mut world, full, 8, &commits);
    let asker = world.link(full, Side::Accepter, hello(7));
    let range = ChainRange { author: commits[1].header().author, from: 2, to: 2, branch: None };
    world.say(full, asker, &Frame::Want(Want { nonce: 1, ranges: vec![range] }));
    let answers = world.answers(full, asker);
    assert_eq!(answers.iter().map(Commit::id).collect::<Vec<_>>(), [commits[1].id()]);
    let fails = |world: &World| matches!(world.processes[full].replica.status().error, Some(("storage", _)));
    assert!(fails(&world), "storage still fails");
    world.refused.clear();
    world.is_deaf = false;
    world.pass(60_000);
    assert!(!fails(&world));
    let link = world.link(0, Side::Accepter, hello(6));
    assert_eq!(world.commits(0, link).len(), 4, "what was in memory is in storage");
}

/// It believed to be alone, and the other did not know that there was somebody to ask.
#[test]
fn what_a_process_shows_is_said_by_the_link_of_another_that_began_later() {
    let mut world = World::new(1);
    world.call(0, |replica, now| replica.show(Some(b"first".to_vec()), now)).expect("it is small");
    world.pass(20_000);
    let other = world.begin();
    world.call(0, |replica, now| replica.show(Some(b"second".to_vec()), now)).expect("it is small");
    world.pass(20_000);
    let link = world.link(other, Side::Accepter, hello(9));
    world.pass(1_000);
    assert_eq!(world.shown(other, link), Some(b"second".to_vec()));
}

/// Seed 751593: what it had said expired while it read the log again, and as it believed to be alone it said nothing
/// any more.
#[test]
fn what_a_process_shows_is_said_again_once_the_log_is_loaded() {
    let mut world = World::new(2);
    world.call(0, |replica, now| replica.show(Some(b"shown".to_vec()), now)).expect("it is small");
    world.pass(20_000);
    // It is asked, says it, and may not tell it at once.
    let link = world.link(1, Side::Accepter, hello(9));
    world.is_deaf = true;
    world.write(1, 1);
    world.is_slow = true;
    world.write(0, 2);
    world.pass(12_000);
    world.is_deaf = false;
    world.read();
    world.pass(1_000);
    assert_eq!(world.shown(1, link), Some(b"shown".to_vec()));
}

/// A timer measures what was asked for, whatever the clock shows since: what was due soon after the clock had been
/// set waited for it.
#[test]
fn after_the_clock_was_set_forward_the_timer_is_set_again() {
    let mut world = World::new(1);
    world.link(0, Side::Accepter, hello(9));
    let due = world.processes[0].timer.take().expect("it minds the link");
    assert!(due > world.now + 2_000);
    world.input(0, Input::LinkClosed(LinkId(0)));
    assert_eq!(world.processes[0].timer, None, "the one that was asked for runs");
    world.now = due - 10;
    world.input(0, Input::LinkClosed(LinkId(0)));
    assert_eq!(world.processes[0].timer, Some(due));
}

#[test]
fn what_is_known_of_others_is_kept_in_memory_while_storage_refuses_it_and_written_later() {
    let mut world = World::new(1);
    world.write(0, 1);
    let gone = world.link(0, Side::Accepter, hello(9));
    let stays = world.link(0, Side::Accepter, hello(8));
    world.refused.insert(0);
    world.call(0, |replica, now| replica.close_peer(gone, now));
    world.pass(1_000);
    world.say(0, stays, &Frame::Credit(1));
    assert_eq!((world.peers_stored(), world.code(0, stays)), (0, None));
    let again = world.link(0, Side::Accepter, hello(9));
    assert_eq!(world.code(0, again), None, "it goes on from memory");
    world.refused.clear();
    world.pass(6_000);
    assert_eq!(world.peers_stored(), 2);
    assert_eq!(world.code(0, stays), None);
}

#[test]
fn whoever_waits_for_a_document_that_can_not_be_read_is_told_whichever_way_it_was_asked_for() {
    let mut world = World::new(1);
    let initial = Value::Map(BTreeMap::new());
    world.call(0, |replica, _| replica.named("note", &initial)).expect("a name");
    let note = DocId::named("note", 0);
    let value = Value::Scalar(ScalarValue::Int(1));
    let put = Op::Put { path: vec![Prop::Map("n".into())], value };
    world.call(0, |replica, now| replica.change(note, &[put], None, now)).expect("it is open");
    let next = world.begin();
    world.is_unreadable = true;
    let waits = [
        world.call(next, |replica, _| replica.named("note", &initial)).expect("a name"),
        world.call(next, |replica, _| replica.open(note)),
    ];
    let told: Vec<_> = world.processes[next]
        .events
        .iter()
        .filter_map(|event| match event {
            Event::NotOpened { wait, .. } => Some(*wait),
            _ => None,
        })
        .collect();
    assert_eq!(told, waits);
    // It may be asked for again.
    world.is_unreadable = false;
    let again = world.call(next, |replica, _| replica.named("note", &initial)).expect("a name");
    let is_opened = |event: &Event| matches!(event, Event::Opened { wait, held: true, .. } if *wait == again);
    assert!(world.processes[next].events.iter().any(is_opened));
}

fn chain(author: u8, count: u64) -> Vec<Commit> {
    let mut prev = Descriptor::plain("space").chain_start(0);
    let mut commits = Vec::new();
    for seq in 1..=count {
        let items = vec![(DocId([author; 16]), Kind::Change, vec![seq as u8; 10])];
        let of = (AuthorId([author + 50; 16]), seq, prev);
        let commit = Commit::new(of, Vec::new(), 0, items, &Limits::PROTOCOL).expect("within limits");
        prev = commit.id();
        commits.push(commit);
    }
    commits
}

/// The end of a log with these commits.
fn end(marker: &Marker, commits: &[Commit]) -> Mark {
    marker.mark(commits.iter().fold(Position::START, |at, commit| at.then(&commit.id())))
}

fn bring(commits: &[Commit], to: Mark) -> Frame {
    let records = commits.iter().map(|commit| commit.encode().into()).collect();
    Frame::Commits(Commits { records, to: Some(to), named: Vec::new() })
}
