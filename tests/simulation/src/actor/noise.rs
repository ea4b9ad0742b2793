//! A peer that sends frames of all kinds at any time.

use eyot_core::base::id::{AuthorId, CommitId, InquiryId, LogId, PeerKey, PresenceId};
use eyot_core::base::position::Mark;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::vector::{Tip, Vector};
use eyot_core::wire::bodies::{
    Ack, Answer, Bye, ChainRange, Commits, Fresh, Head, Hello, Piece, Quiet, RegionHead, Stored, Terms,
    VectorPart, Want,
};
use eyot_core::wire::frame::Frame;
use eyot_core::wire::meeting::{Announce, Signal};
use eyot_core::wire::presence::{Presence, Present};
use eyot_core::wire::receipt::Receipt;

use crate::actor::actor::{Actor, Deed};
use crate::base::rng::Rng;

/// The first byte of what an actor shows.
pub const OF_ACTOR: u8 = 0xff;

impl Actor {
    pub fn make_noise(&mut self, rng: &mut Rng, deeds: &mut Vec<Deed>) {
        let up: Vec<_> = self.lines.iter().filter(|(_, line)| line.is_up).map(|(link, _)| *link).collect();
        for _ in 0..rng.between(1, 4) {
            let Some(link) = rng.pick(&up).copied() else { return };
            let with = self.lines[&link].with;
            let frame = if rng.chance(30) {
                (0..rng.below(200)).map(|_| rng.next() as u8).collect()
            } else if self.shows && rng.chance(200) {
                self.anybody(rng).encode()
            } else {
                self.any_frame(with, rng).encode()
            };
            deeds.push(Deed::Send(link, frame));
        }
    }

    /// Makes replicas up that are there, or not any more, now and then too many or too large.
    fn anybody(&self, rng: &mut Rng) -> Frame {
        let more = if rng.chance(20) { 9 } else { 1 };
        let count = rng.below(self.limits.presences_max as u64 + more);
        let most = if rng.chance(10) { self.limits.presence_bytes_max + 9 } else { 20 };
        let all = (0..count).map(|_| {
            let shown = vec![OF_ACTOR; 9 + rng.below(most as u64 - 8) as usize];
            Presence {
                id: PresenceId([rng.below(250) as u8; 16]),
                number: if rng.chance(50) { rng.next() } else { rng.below(9) },
                age: rng.below(12_000),
                state: rng.chance(900).then(|| shown.into()),
            }
        });
        Frame::Present(Present { all: all.collect() })
    }

    /// Makes a greeting that may be wrong in many ways.
    pub fn twist(&self, hello: &mut Hello, with: usize, rng: &mut Rng) {
        match rng.below(12) {
            0 => hello.required = 1 << rng.below(64),
            1 => hello.version_min = 2,
            2 => hello.partition = rng.below(3) as u32,
            3 => hello.space = "another".into(),
            4 => hello.tips = None,
            5 => hello.tips = Some((0..rng.below(6)).map(|_| self.any_tip(rng)).collect()),
            6 => hello.holes = rng.below(5),
            7 => hello.digest = Some(Vector::default().digest()),
            8 if self.token.is_some() => hello.region = Some("us".into()),
            9 if !self.may_write => {
                hello.descriptor = Some(Descriptor { partitions: 2, ..Descriptor::plain("space") });
            }
            10 => hello.credit = rng.next(),
            _ => {}
        }
        if rng.chance(600) {
            hello.cursors.extend(self.invented_cursor(with, rng));
        }
    }

    fn any_frame(&self, with: usize, rng: &mut Rng) -> Frame {
        let mark = self.any_mark(with, rng);
        // Those by which replicas meet would make a relay do for others what they did not ask for.
        let kinds = if with >= self.regions { 28 } else { 22 };
        match rng.below(kinds) {
            0 => {
                let mut hello = self.hello();
                self.twist(&mut hello, with, rng);
                Frame::Hello(hello)
            }
            1..=4 => Frame::Commits(Commits {
                records: self.any_record(rng).into_iter().map(Into::into).collect(),
                to: rng.chance(300).then_some(mark),
                named: if rng.chance(50) { vec![self.any_tip(rng)] } else { Vec::new() },
            }),
            5 | 6 => {
                let bytes: Vec<u8> = (0..rng.below(600)).map(|_| rng.next() as u8).collect();
                Frame::Piece(Piece { bytes: bytes.into(), last: rng.chance(500), answer: rng.chance(200) })
            }
            7 => {
                let read = rng.below(50);
                let whole = rng.chance(300).then(|| rng.below(60));
                Frame::Ack(Ack { read, whole, at: mark, complete: rng.chance(500) })
            }
            8 => Frame::Credit(if rng.chance(500) { rng.next() } else { rng.below(5_000) }),
            9 | 10 => Frame::Vector(VectorPart {
                tips: (0..rng.below(5)).map(|_| self.any_tip(rng)).collect(),
                last: rng.chance(700),
                answer: rng.chance(500),
                hole_tips: (0..rng.below(2)).map(|_| self.any_tip(rng)).collect(),
            }),
            11 => {
                Frame::Quiet(Quiet { head: mark, read: rng.below(100), digest: Vector::default().digest() })
            }
            12 => Frame::Agree(mark),
            13 | 14 => {
                let count =
                    if rng.chance(50) { self.limits.want_ranges_max as u64 + 1 } else { rng.below(3) };
                let ranges = (0..count).map(|_| self.any_range(rng)).collect();
                Frame::Want(Want { nonce: rng.below(9), ranges })
            }
            15 => Frame::Answer(Answer {
                nonce: rng.below(9),
                records: self.any_record(rng).into_iter().map(Into::into).collect(),
                more: rng.chance(500),
                cut: rng.chance(500),
            }),
            16 => Frame::Head(Head { nonce: rng.below(9), at: rng.chance(500).then_some(mark) }),
            17 if rng.chance(200) => Frame::Bye(Bye { code: 4006, reason: String::new(), descriptor: None }),
            18 => Frame::Stored(Stored {
                region: "us".into(),
                log: LogId(rng.bytes()),
                upto: rng.below(1_000),
                is_linked: true,
                partition: 0,
            }),
            19 => {
                let answer = RegionHead { region: "us".into(), at: mark };
                Frame::Fresh(Fresh { nonce: rng.below(9), answer: rng.chance(500).then_some(answer) })
            }
            20 => Frame::Token(self.token.clone().filter(|_| rng.chance(800)).unwrap_or_default()),
            21 => Frame::Terms(Terms { read_only: rng.chance(500), expires_in: None }),
            22 => Frame::Announce(Announce { key: None, terms: None }),
            23 => {
                let bytes = Vec::new().into();
                Frame::Signal(Signal { key: PeerKey(rng.bytes()), region: "us".into(), bytes, from: None })
            }
            24 | 25 => Frame::Naming(rng.chance(500)),
            26 => Frame::Inquiry(self.inquiry(rng)),
            27 => Frame::Receipt(Receipt {
                id: InquiryId(rng.bytes()),
                bytes: rng.bytes::<90>().to_vec().into(),
            }),
            _ => Frame::Unknown,
        }
    }

    /// A commit that is one, or almost.
    fn any_record(&self, rng: &mut Rng) -> Option<Vec<u8>> {
        // Whoever may only read has nothing better to bring than what would be taken from others.
        if !self.may_write && rng.chance(400) {
            return self.branch(rng).map(|commit| commit.encode());
        }
        let heard = rng.pick(&self.heard).map(Commit::encode);
        match rng.below(6) {
            0 => heard,
            1 => self.stranger(rng).map(|commit| commit.encode()),
            // The first byte of a header that is a number is its format.
            2 => heard.map(|mut record| {
                if let Some(at) = record.windows(4).position(|bytes| bytes == [0xa7, 0, 1, 1]) {
                    record[at + 2] = 2;
                }
                record
            }),
            3 => heard.map(|mut record| {
                let at = rng.below(record.len() as u64) as usize;
                record[at] ^= 1 << rng.below(8);
                record
            }),
            _ => None,
        }
    }

    pub fn any_tip(&self, rng: &mut Rng) -> Tip {
        match rng.pick(&self.heard) {
            Some(commit) if rng.chance(700) => commit.tip(),
            _ => Tip { author: AuthorId(rng.bytes()), seq: rng.below(20), id: CommitId(rng.bytes()) },
        }
    }

    fn any_range(&self, rng: &mut Rng) -> ChainRange {
        let tip = self.any_tip(rng);
        let from = rng.below(tip.seq + 2);
        let branch = rng.chance(300).then(|| tip.id.short());
        ChainRange { author: tip.author, from, to: from + rng.below(100), branch }
    }

    pub fn any_mark(&self, with: usize, rng: &mut Rng) -> Mark {
        self.invented_cursor(with, rng).map_or(Mark::START, |cursor| cursor.seen)
    }
}
