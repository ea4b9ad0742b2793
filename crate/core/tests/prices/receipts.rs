//! What a relay signs for replicas that ask by way of others, and what that costs.

use eyot_core::base::id::CommitId;
use eyot_core::base::id::{AuthorId, InquiryId, LinkId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::header::After;
use eyot_core::commit::vector::Tip;
use eyot_core::holder::caps::Caps;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;
use eyot_core::wire::receipt::{Inquiry, Statement, space_of};

use crate::common::{FLOW, host, limits};
use crate::host::{Host, chain, commits};

fn ask(number: u8, authors: &[u8]) -> Frame {
    let authors = authors.iter().map(|author| AuthorId([*author; 16])).collect();
    Frame::Inquiry(Inquiry { id: InquiryId([number; 16]), authors, hops: 0 })
}

fn commit(author: u8) -> Commit {
    chain(author, 1, 10).remove(0)
}

/// The same without its bytes, which nobody has who sends it.
fn husk(author: u8) -> Commit {
    let mut husk = commit(author);
    let delete = After { author: AuthorId([99; 16]), seq: 1, short: CommitId([9; 32]).short() };
    husk.justify(|_| Some(delete));
    husk.justify(|_| None);
    husk
}

/// What a link was told since this was last asked.
fn statements(host: &mut Host, link: LinkId) -> Vec<Statement> {
    let frames = host.take(link).into_iter().filter_map(|frame| match frame {
        Frame::Receipt(receipt) => Some(Statement::read(&receipt.bytes).expect("what relays sign")),
        _ => None,
    });
    frames.collect()
}

#[test]
fn a_relay_signs_the_ends_of_the_chains_that_it_has_stored() {
    let mut host = host();
    let writer = host.come("write");
    let made = commit(1);
    host.send(writer, &commits(std::slice::from_ref(&made)));
    host.read_all(writer);
    // Who may only read feeds nobody, but may ask.
    let reader = host.come("read");
    host.read_all(reader);
    let reads = host.reads.len();
    host.send(reader, &ask(5, &[1, 2]));
    let [told] = &statements(&mut host, reader)[..] else { panic!("one answer") };
    let tip = Tip { author: made.header().author, seq: 1, id: made.id() };
    let log = told.log;
    let region = "eu".to_owned();
    let expected = Statement {
        id: InquiryId([5; 16]),
        space: space_of("space"),
        partition: 0,
        region,
        log,
        tips: vec![tip],
    };
    assert_eq!(told, &expected);
    assert_eq!(host.reads.len(), reads, "nothing is read for it");
}

#[test]
fn nothing_is_signed_of_who_is_not_known_or_whose_commits_lack_bytes() {
    let mut host = host();
    let writer = host.come("write");
    host.send(writer, &commits(&[husk(1)]));
    host.read_all(writer);
    host.send(writer, &ask(5, &[1, 2]));
    assert_eq!(statements(&mut host, writer), []);
    host.send(writer, &commits(&[commit(1)]));
    host.read_all(writer);
    host.send(writer, &ask(6, &[1]));
    assert_eq!(statements(&mut host, writer).len(), 1, "now it has them");
    assert!(host.closed.is_empty(), "{:?}", host.closed);
}

#[test]
fn who_asks_too_often_or_for_too_many_is_left() {
    let tiny = Limits { signals_per_second: 1, signals_burst: 40, frames_burst: 1_000, ..limits() };
    let mut host = Host::new(tiny, Caps::default());
    let often = host.come("write");
    for number in 0..6 {
        host.send(often, &ask(number, &[1]));
    }
    assert_eq!(host.closed.get(&often).map(|(code, _)| *code), Some(FLOW));
    let many = host.come("more");
    host.send(many, &ask(1, &[1, 2, 3, 4, 5]));
    assert_eq!(host.closed.get(&many).map(|(code, _)| *code), Some(CloseCode::TooLarge as u16));
}
