//! Every frame that a peer can send has a price, from readers as from writers.

mod host;

use eyot_core::base::id::{AuthorId, CommitId, LinkId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::{Cursor, Mark};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::vector::Tip;
use eyot_core::holder::caps::Caps;
use eyot_core::relay::region::RelayPeer;
use eyot_core::wire::bodies::{
    Ack, Answer, ChainRange, Commits, Fresh, Head, Hello, Piece, Quiet, VectorPart, Want,
};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;
use host::{Host, after, chain, commits};

const FLOW: u16 = CloseCode::Flow as u16;

fn limits() -> Limits {
    Limits {
        frame_bytes_max: 2_000,
        hello_bytes_max: 2_000,
        piece_bytes: 1_000,
        unread_bytes: 8_000,
        probe_bytes: 500,
        frames_per_second: 10,
        frames_burst: 20,
        hello_tips_max: 2,
        vector_frame_tips_max: 8,
        ..Limits::PROTOCOL
    }
}

fn host() -> Host {
    Host::new(limits(), Caps::default())
}

/// A relay that holds what a writer has brought, and the link of a reader that has read all of it.
fn filled(limits: Limits, caps: Caps, brought: &[Commit]) -> (Host, LinkId) {
    let mut host = Host::new(limits, caps);
    let writer = host.come("write");
    for part in brought.chunks(1) {
        host.send(writer, &commits(part));
        host.read_all(writer);
    }
    let reader = host.come("read");
    host.read_all(reader);
    assert!(host.closed.is_empty(), "{:?}", host.closed);
    (host, reader)
}

fn range(author: u8, from: u64, to: u64) -> ChainRange {
    ChainRange { author: AuthorId([author; 16]), from, to, branch: None }
}

fn tip(author: u8, seq: u64, id: u8) -> Tip {
    Tip { author: AuthorId([author; 16]), seq, id: CommitId([id; 32]) }
}

fn vector(tips: Vec<Tip>, last: bool, answer: bool) -> Frame {
    Frame::Vector(VectorPart { tips, last, answer, hole_tips: Vec::new() })
}

fn answered(frames: &[Frame]) -> Vec<(u64, bool)> {
    let end = |frame: &Frame| match frame {
        Frame::Answer(Answer { nonce, more: false, cut, .. }) => Some((*nonce, *cut)),
        _ => None,
    };
    frames.iter().filter_map(end).collect()
}

fn records(frames: &[Frame]) -> usize {
    let of = |frame: &Frame| match frame {
        Frame::Commits(commits) => commits.records.len(),
        Frame::Answer(answer) => answer.records.len(),
        _ => 0,
    };
    frames.iter().map(of).sum()
}

// Pieces.

fn piece(bytes: usize, last: bool) -> Frame {
    Frame::Piece(Piece { bytes: vec![0; bytes].into(), last, answer: false })
}

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

// Frames.

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
fn questions_of_a_link_are_bounded_while_a_region_is_down() {
    let peers = vec![RelayPeer { region: "us".into(), url: "us".into() }];
    let tiny = Limits { questions_max: 3, frames_burst: 1_000, ..limits() };
    let mut host = Host::with_peers(tiny, Caps::default(), peers);
    let link = host.come("read");
    for nonce in 0..3 {
        host.send(link, &Frame::Fresh(Fresh { nonce, answer: None }));
    }
    assert_eq!(host.code(link), None);
    host.send(link, &Frame::Fresh(Fresh { nonce: 3, answer: None }));
    assert_eq!(host.code(link), Some(FLOW));
}

// Vectors.

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

// Wants.

#[test]
fn a_second_question_before_the_first_is_answered_ends_the_link() {
    let tiny = Limits { unread_bytes: 2_000, ..limits() };
    let (mut host, reader) = filled(tiny, Caps::default(), &chain(1, 40, 200));
    let want = |nonce| Frame::Want(Want { nonce, ranges: vec![range(1, 1, 40)] });
    host.send(reader, &want(1));
    assert_eq!(answered(&host.take(reader)), [], "there is no room for all of it");
    host.send(reader, &want(2));
    assert_eq!(host.code(reader), Some(FLOW));
}

#[test]
fn ranges_that_are_asked_for_many_times_are_looked_up_and_read_once() {
    let (mut host, reader) = filled(limits(), Caps::default(), &chain(1, 200, 10));
    let before = host.reads.len();
    host.send(reader, &Frame::Want(Want { nonce: 1, ranges: vec![range(1, 1, 1)] }));
    let one = host.reads.len() - before;
    host.read_all(reader);
    let ranges = (0..40).map(|number| range(1, 1 + number % 3, 200)).collect();
    let before = host.reads.len();
    host.send(reader, &Frame::Want(Want { nonce: 2, ranges }));
    let frames = host.read_all(reader);
    assert_eq!(records(&frames), 200);
    assert_eq!(answered(&frames), [(2, false)]);
    // The chain's entry, a chunk for each 32 commits, and rows that follow one another.
    assert!(host.reads.len() - before <= one + 10, "{} reads", host.reads.len() - before);
    let chunks: Vec<_> = host.reads[before..].iter().filter(|key| key[0] == b'c').collect();
    assert_eq!(chunks.len(), 5, "each chunk once");
}

#[test]
fn reading_for_an_answer_holds_nobody_up() {
    let (mut host, reader) =
        filled(Limits { unread_bytes: 2_000, ..limits() }, Caps::default(), &chain(1, 40, 200));
    host.send(reader, &Frame::Want(Want { nonce: 1, ranges: vec![range(1, 1, 40)] }));
    let writer = host.come("more");
    host.send(writer, &commits(&chain(2, 1, 10)));
    assert_eq!(host.relay.stored(), 41, "the answer is under way still");
    assert_eq!(answered(&host.take(reader)), []);
}

#[test]
fn a_reader_is_charged_for_what_it_makes_the_relay_read() {
    let caps =
        Caps { connection_reads_per_second: 1 << 20, subject_reads_per_second: 1 << 20, ..Caps::default() };
    let tiny = Limits { frames_burst: 10_000, ..limits() };
    let (mut host, reader) = filled(tiny, caps, &chain(1, 40, 200));
    let mut asked = 0;
    // At least 4 KiB a read: the burst of 1 MiB is 256 reads.
    loop {
        host.send(reader, &Frame::Want(Want { nonce: asked, ranges: vec![range(1, 40, 40)] }));
        if answered(&host.read_all(reader)).is_empty() || asked == 1_000 {
            break;
        }
        asked += 1;
        host.pass(1);
    }
    assert!((50..400).contains(&asked), "{asked} answers at once");
    assert_eq!(host.code(reader), None, "it waits");
    host.pass(1_000);
    assert_eq!(answered(&host.read_all(reader)), [(asked, false)]);
}

#[test]
fn an_answer_with_nothing_new_is_no_answer() {
    let mut host = host();
    let writer = host.come("write");
    let causes = chain(1, 3, 10);
    let effect = after(2, &causes[2]);
    host.send(writer, &commits(std::slice::from_ref(&effect)));
    let want = |frames: Vec<Frame>| {
        frames.into_iter().find_map(|frame| match frame {
            Frame::Want(want) => Some(want.nonce),
            _ => None,
        })
    };
    let nonce = want(host.read_all(writer)).expect("causes are asked for");
    // A commit that waits as well, and that the answer is cut.
    let record = causes[2].encode();
    let answer = |nonce, records: Vec<Vec<u8>>| {
        let records = records.into_iter().map(Into::into).collect();
        Frame::Answer(Answer { nonce, records, more: false, cut: true })
    };
    host.send(writer, &answer(nonce, vec![record.clone()]));
    let nonce = want(host.read_all(writer)).expect("the rest is asked for");
    assert_eq!(host.code(writer), None, "that was new");
    host.send(writer, &answer(nonce, vec![]));
    assert_eq!(host.code(writer), Some(CloseCode::Withheld as u16));
}

#[test]
fn an_answer_with_what_was_not_asked_for_ends_the_link() {
    let mut host = host();
    let writer = host.come("write");
    let causes = chain(1, 3, 10);
    host.send(writer, &commits(&[after(2, &causes[2])]));
    let nonce = host.read_all(writer).iter().find_map(|frame| match frame {
        Frame::Want(want) => Some(want.nonce),
        _ => None,
    });
    let records = vec![chain(9, 1, 10)[0].encode().into()];
    let nonce = nonce.expect("causes are asked for");
    host.send(writer, &Frame::Answer(Answer { nonce, records, more: false, cut: false }));
    assert_eq!(host.code(writer), Some(FLOW));
}

// What goes out.

#[test]
fn a_link_is_sent_no_more_than_it_reads_however_much_credit_it_grants() {
    let held = chain(1, 100, 1_000);
    let (mut host, reader) = filled(limits(), Caps::default(), &held[..4]);
    let writer = host.come("write");
    host.read_all(writer);
    for part in held[4..].chunks(1) {
        host.send(writer, &commits(part));
        host.read_all(writer);
        host.send(reader, &Frame::Credit(u64::MAX));
        host.pass(100);
    }
    let unread = host.sent[&reader].iter().map(|frame| frame.encode().len()).sum::<usize>();
    assert!(unread < 8_000 + 2_500, "{unread} bytes wait to be read");
    assert_eq!(host.code(reader), None);
    assert_eq!(records(&host.read_all(reader)), 96, "it goes on from the log");
}

#[test]
fn a_large_commit_passes_a_slow_link_in_parts() {
    let large = chain(1, 1, 50_000);
    let mut host = host();
    let slow = host.come("read");
    host.read_all(slow);
    let writer = host.come("write");
    let record = large[0].encode();
    let count = record.chunks(1_500).len();
    for (number, bytes) in record.chunks(1_500).enumerate() {
        let last = number + 1 == count;
        host.send(writer, &Frame::Piece(Piece { bytes: bytes.to_vec().into(), last, answer: false }));
        host.read_all(writer);
    }
    host.send(writer, &commits(&[]));
    assert_eq!(host.relay.stored(), 1);
    // The last part has fewer bytes than a piece, which no rule is broken by.
    let mut bytes = Vec::new();
    let mut most = 0;
    loop {
        let frames = host.take(slow);
        most = most.max(frames.iter().map(|frame| frame.encode().len()).sum());
        let mut answered = false;
        for frame in frames {
            match frame {
                Frame::Piece(piece) => bytes.extend_from_slice(&piece.bytes),
                Frame::Head(Head { nonce, at: None }) => {
                    host.send(slow, &Frame::Head(Head { nonce, at: Some(Mark::START) }));
                    answered = true;
                }
                _ => {}
            }
        }
        if !answered {
            break;
        }
        host.pass(1_000);
    }
    assert!(bytes == record, "{} of {} bytes came", bytes.len(), record.len());
    assert!(most < 8_000 + 2_500, "{most} bytes wait to be read");
    assert_eq!(host.code(slow), None);
}

#[test]
fn whoever_does_not_even_read_what_it_asks_for_is_closed() {
    let tiny = Limits { unread_bytes: 1_000, frames_burst: 10_000, ..limits() };
    let mut host = Host::new(tiny, Caps::default());
    let link = host.come("read");
    let mut asked = 0;
    while host.code(link).is_none() && asked < 10_000 {
        host.send(link, &Frame::Head(Head { nonce: 1, at: None }));
        asked += 1;
    }
    assert_eq!(host.code(link), Some(CloseCode::GoingAway as u16));
    assert!(asked < 1_000);
}

#[test]
fn after_so_many_bytes_for_all_links_other_inputs_have_their_turn() {
    let tiny = Limits { turn_bytes: 8_192, unread_bytes: 1 << 20, ..limits() };
    let (mut host, _) = filled(tiny, Caps::default(), &chain(1, 60, 1_500));
    // A reader that has nothing: what it is sent is read in several turns, each after a timer.
    let link = host.come("read");
    let first = records(&host.take(link));
    assert!(first < 60);
    assert_eq!(host.timer, Some(host.now + 1));
    let mut all = first;
    for _ in 0..60 {
        host.pass(1);
        all += records(&host.read_all(link));
    }
    assert_eq!(all, 60);
}

// Cursors and regions.

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

// Sleep.

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
