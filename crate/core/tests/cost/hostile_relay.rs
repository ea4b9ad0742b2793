//! A replica whose relay means no good: what it sends is bounded by what was granted, as at relays.

use eyot_core::base::id::{AuthorId, CommitId, LinkId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::header::After;
use eyot_core::commit::vector::Tip;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::wire::bodies::{Answer, Bye, Commits, Hello, Piece, VectorPart};
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;

use crate::net::{Machine, Net, NodeId};
use crate::peers::{commit, replica, start};

fn limits() -> Limits {
    Limits {
        frame_bytes_max: 2_000,
        piece_bytes: 1_000,
        commit_bytes_max: 8_000,
        header_bytes_max: 1_000,
        credit_bytes: 4_000,
        vector_tips_max: 100,
        vector_frame_tips_max: 8,
        hello_tips_max: 2,
        ..Limits::PROTOCOL
    }
}

/// What a replica may be made to keep of commits: its credit, and the commit and the frame that were begun
/// with the last of it.
fn kept_max() -> usize {
    let limits = limits();
    limits.credit_bytes as usize
        + limits.commit_bytes_max
        + 2 * limits.header_bytes_max
        + limits.frame_bytes_max
}

/// A replica that is linked to a relay for which the test speaks.
struct Victim {
    net: Net,
    replica: NodeId,
    relay: NodeId,
    link: LinkId,
}

impl Victim {
    fn new() -> Self {
        let mut net = Net::new(limits());
        let relay = net.add(Machine::Raw, MemoryStore::default());
        net.addresses.insert("eu".into(), relay);
        let replica = replica(&mut net, &["eu"], 0);
        assert!(net.run_until(10_000, |net| !net.nodes[relay].heard.is_empty()));
        let link = net.nodes[relay].heard[0].0;
        let hello = Hello::empty(Descriptor::plain("space"), LogId([9; 16]), 1 << 20);
        let hello = Hello { region: Some("eu".into()), regions: vec!["eu".into()], tips: None, ..hello };
        net.send(relay, link, &Frame::Hello(hello));
        net.run(100);
        assert_eq!(net.replica(replica).status().peers, 1);
        Self { net, replica, relay, link }
    }

    /// Sends one frame after another until the replica has had enough: how many bytes that took, and why.
    fn sends(&mut self, frame: impl Fn(u64) -> Frame) -> (usize, Option<u16>) {
        let mut sent = 0;
        for number in 0..10_000 {
            let frame = frame(number);
            sent += frame.encode().len();
            self.net.send(self.relay, self.link, &frame);
            self.net.run(20);
            if let Some(code) = self.code() {
                return (sent, Some(code));
            }
        }
        (sent, None)
    }

    fn code(&self) -> Option<u16> {
        self.net.nodes[self.relay].heard.iter().find_map(|(link, frame)| match frame {
            Frame::Bye(Bye { code, .. }) if *link == self.link => Some(*code),
            _ => None,
        })
    }
}

fn piece(bytes: usize, last: bool) -> Frame {
    Frame::Piece(Piece { bytes: vec![0; bytes].into(), last, answer: false })
}

/// Commits of ever other authors that all come after one that never comes.
fn waiting(number: u64) -> Frame {
    let missing = After { author: AuthorId([99; 16]), seq: 1, short: CommitId([9; 32]).short() };
    let commit = commit(1 + (number % 90) as u8, 1, start(), vec![missing], number);
    Frame::Commits(Commits { records: vec![commit.encode().into()], to: None, named: Vec::new() })
}

fn tips(number: u64) -> Frame {
    let tip = |n: u64| Tip { author: AuthorId([n as u8; 16]), seq: number + 1, id: CommitId([1; 32]) };
    Frame::Vector(VectorPart {
        tips: (1..=8).map(tip).collect(),
        last: false,
        answer: false,
        hole_tips: Vec::new(),
    })
}

/// What is sent, with which code that ends, and after how many bytes at most.
type Attack = (&'static str, fn(u64) -> Frame, CloseCode, usize);

#[test]
fn a_relay_makes_a_replica_keep_no_more_than_it_was_granted() {
    let attacks: [Attack; 5] = [
        ("a commit without an end", |_| piece(1_000, false), CloseCode::Flow, kept_max()),
        ("commits in pieces, of no frame", |n| piece(1_500, n % 2 == 1), CloseCode::Flow, kept_max()),
        ("commits whose cause never comes", waiting, CloseCode::Flow, kept_max()),
        ("a vector without an end", tips, CloseCode::TooLarge, 100 * 80),
        (
            "an answer to no question",
            |_| Frame::Answer(Answer { nonce: 1, records: Vec::new(), more: false, cut: false }),
            CloseCode::OutOfOrder,
            100,
        ),
    ];
    for (name, frame, code, most) in attacks {
        let mut victim = Victim::new();
        let (sent, why) = victim.sends(frame);
        assert_eq!(why, Some(code as u16), "{name}, after {sent} bytes");
        assert!(sent <= most + 2_000, "{name}: {sent} bytes");
        // It goes on without.
        let made = victim.net.call(victim.replica, |replica, now| replica.create(&[], None, now));
        assert!(made.is_ok(), "{name}");
        assert!(victim.net.run_until(1_000, |net| net.replica(victim.replica).status().unsaved == 0));
    }
}
