//! A relay with three links that mean no good, and an honest replica. Whatever the three send, in whatever order, with
//! sleeps between: nothing panics, and the honest link is never closed.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::id::{AuthorId, CommitId, DocId, InquiryId, LinkId, LogId, PeerKey, PresenceId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::{Cursor, Mark};
use eyot_core::commit::commit::Commit;
use eyot_core::commit::kind::Kind;
use eyot_core::commit::vector::{Tip, Vector};
use eyot_core::document::value::{Op, Value};
use eyot_core::holder::io::{Effect as HolderEffect, Input};
use eyot_core::replica::io::Effect;
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::storage::memory::MemoryStore;
use eyot_core::wire::batch::Last;
use eyot_core::wire::bodies::{
    Ack, Answer, Bye, ChainRange, Commits, Fresh, Head, Piece, Quiet, RegionHead, Stored, Terms, VectorPart, Want,
};
use eyot_core::wire::frame::Frame;
use eyot_core::wire::meeting::{Announce, Introduction, Signal};
use eyot_core::wire::presence::{Presence, Present};
use eyot_core::wire::receipt::{Inquiry, Receipt};
use eyot_fuzz::{DOC, Host, NOW, Out, commit, greeting, relay};
use libfuzzer_sys::fuzz_target;

const HONEST: LinkId = LinkId(1);
const STEP_MS: u64 = 500;

#[derive(Arbitrary, Debug)]
enum Step {
    Open(Who),
    Close(Who),
    Say(Who, Word),
    Raw(Who, Vec<u8>),
    Pass(u8),
    /// The relay loses its memory, if all links can go on.
    Sleep,
    Edit,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Who {
    A,
    B,
    C,
}

#[derive(Arbitrary, Debug)]
enum Word {
    Hello { log: u8, cursor: Option<(AnyMark, AnyMark)>, tips: Option<Vec<AnyTip>>, is_relay: bool, reads: bool },
    /// A commit that fits, or nearly so.
    Commit { author: u8, place: Place, kind: u8, bytes: u16, absent: Option<(bool, AnyTip)>, to: Option<AnyMark> },
    /// Those made so far, again.
    Again { first: u8, count: u8, named: bool, to: Option<AnyMark> },
    Piece { bytes: u16, last: bool, answer: bool },
    Ack(u16, Option<u16>, AnyMark, bool),
    Credit(u64),
    Vector { tips: Vec<AnyTip>, last: bool, answer: bool, holes: bool },
    Quiet(AnyMark, u16),
    Agree(AnyMark),
    Want(u64, Vec<(AnyTip, u8, bool)>),
    Answer { nonce: u64, first: u8, count: u8, more: bool, cut: bool },
    Head(u64, Option<AnyMark>),
    Bye(u16),
    Stored(u64, bool),
    Fresh(u64, Option<AnyMark>),
    Token(bool),
    Terms(bool, Option<u64>),
    Announce(Option<u8>, bool),
    Introduction { key: u8, to: Option<u8>, bytes: u8 },
    Signal { key: u8, is_there: bool, bytes: u16, from: Option<u8> },
    Naming(bool),
    Present(Vec<(u8, u64, u64, Option<u16>)>),
    Inquiry { id: u8, authors: Vec<u8>, hops: u64 },
    Receipt { id: u8, bytes: u16 },
}

#[derive(Arbitrary, Debug)]
enum Place {
    Next,
    Fork,
    Later(u8),
    /// After a commit of another.
    After(AnyTip),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum AnyMark {
    Start,
    /// One that the relay gave.
    Seen,
    Made(u8, u8, u8),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum AnyTip {
    Made(u8),
    Invented(u8, u8, u8),
}

struct World {
    host: Host,
    replica: Replica,
    store: MemoryStore,
    /// The honest link as the replica knows it.
    theirs: Option<LinkId>,
    /// By who: its link, if it is open.
    open: BTreeMap<u8, LinkId>,
    next_link: u64,
    made: Vec<Commit>,
    seen: Mark,
    /// The last commit that was sent on each link.
    last: BTreeMap<LinkId, Option<Last>>,
    now: u64,
}

fuzz_target!(|steps: Vec<Step>| {
    let config = ReplicaConfig {
        space: eyot_fuzz::SPACE.into(),
        author: AuthorId([0xee; 16]),
        seed: [2; 32],
        relays: vec!["relay".into()],
        token: Some("honest".into()),
        descriptor: None,
        limits: Limits::PROTOCOL,
    };
    let mut world = World {
        host: Host::new(relay()),
        replica: Replica::new(config, NOW),
        store: MemoryStore::default(),
        theirs: None,
        open: BTreeMap::new(),
        next_link: 2,
        made: Vec::new(),
        seen: Mark::START,
        last: BTreeMap::new(),
        now: NOW,
    };
    world.settle();
    world.edit();
    for step in steps.into_iter().take(64) {
        world.step(step);
    }
    world.edit();
    world.pass(40);
});

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Open(who) => {
                if self.open.contains_key(&(who as u8)) {
                    return;
                }
                let link = LinkId(self.next_link);
                self.next_link += 1;
                self.open.insert(who as u8, link);
                self.receive(Input::LinkOpened(link));
            }
            Step::Close(who) => {
                if let Some(link) = self.open.remove(&(who as u8)) {
                    self.receive(Input::LinkClosed(link));
                }
            }
            Step::Say(who, word) => {
                let Some(link) = self.open.get(&(who as u8)).copied() else { return };
                let frame = self.frame(word).encode();
                self.receive(Input::Received(link, frame));
            }
            Step::Raw(who, bytes) => {
                let Some(link) = self.open.get(&(who as u8)).copied() else { return };
                self.receive(Input::Received(link, bytes));
            }
            Step::Pass(steps) => self.pass(steps % 32),
            Step::Sleep => self.sleep(),
            Step::Edit => self.edit(),
        }
    }

    fn receive(&mut self, input: Input) {
        self.host.handle(input, self.now);
        self.settle();
    }

    fn edit(&mut self) {
        let op = Op::Put { path: vec![Prop::Map("key".into())], value: Value::Scalar(ScalarValue::Int(self.now as i64)) };
        let _ = self.replica.create(&[op], None, self.now);
        self.settle();
    }

    fn pass(&mut self, steps: u8) {
        for _ in 0..steps {
            self.now += STEP_MS;
            self.host.handle(Input::Timer, self.now);
            self.replica.handle(Input::Timer, self.now);
            self.settle();
        }
    }

    fn sleep(&mut self) {
        let links: Vec<_> = self.open.values().copied().chain(self.theirs.map(|_| HONEST)).collect();
        let kept: Vec<_> = links.iter().map(|link| (*link, self.host.relay.attachment(*link))).collect();
        if kept.iter().any(|(_, attachment)| attachment.is_empty()) {
            return;
        }
        let mut host = Host { store: std::mem::take(&mut self.host.store), ..Host::bare(relay()) };
        host.run(self.now);
        for (link, attachment) in kept {
            host.relay.resume(link, &attachment, self.now);
        }
        host.run(self.now);
        self.host = host;
        self.settle();
    }

    /// Everything that is on its way arrives.
    fn settle(&mut self) {
        loop {
            let mut is_still = true;
            while let Some(effect) = self.replica.poll_effect() {
                is_still = false;
                self.effect(effect);
            }
            while let Some(out) = self.host.out.pop_front() {
                is_still = false;
                self.out(out);
            }
            if is_still {
                return;
            }
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Holder(HolderEffect::Storage(id, request)) => {
                let answer = self.store.answer(&request);
                self.replica.handle(Input::Storage(id, answer), self.now);
            }
            Effect::Holder(HolderEffect::Dial(link, _)) => {
                assert_eq!(self.theirs, None, "the honest replica dials again");
                self.theirs = Some(link);
                self.host.handle(Input::LinkOpened(HONEST), self.now);
                self.replica.handle(Input::LinkOpened(link), self.now);
            }
            Effect::Holder(HolderEffect::Send(_, frame)) => {
                self.host.handle(Input::Received(HONEST, frame.to_vec()), self.now);
            }
            Effect::Holder(HolderEffect::Close(_, code, reason)) => {
                panic!("the honest replica left the relay: {code} {reason}");
            }
            Effect::Ping(link) => self.replica.handle(eyot_core::replica::io::Input::Pong(link), self.now),
            Effect::Probe(relay) => {
                self.replica.handle(eyot_core::replica::io::Input::Probed(relay, true), self.now);
            }
            _ => {}
        }
    }

    fn out(&mut self, out: Out) {
        match out {
            Out::Frame(HONEST, frame) => {
                let link = self.theirs.expect("the relay answers a link");
                self.replica.handle(Input::Received(link, frame), self.now);
            }
            Out::Closed(HONEST, code, reason) => panic!("the honest link was closed: {code} {reason}"),
            Out::Frame(link, frame) => match Frame::decode_next(
                &frame,
                &Limits::PROTOCOL,
                self.last.entry(link).or_default(),
            ) {
                Ok(Frame::Hello(hello)) => self.seen = hello.head,
                Ok(Frame::Ack(Ack { at, .. })) => self.seen = at,
                Ok(Frame::Commits(Commits { to: Some(to), .. })) => self.seen = to,
                Ok(_) => {}
                Err(error) => panic!("the relay sent no frame: {error}"),
            },
            Out::Closed(link, ..) => self.open.retain(|_, other| *other != link),
        }
    }

    fn frame(&mut self, word: Word) -> Frame {
        match word {
            Word::Hello { log, cursor, tips, is_relay, reads } => {
                let mut hello = greeting(log % 4 + 10);
                hello.terms.read_only = reads;
                hello.region = is_relay.then(|| "us".into());
                if let Some((read, seen)) = cursor {
                    let log = LogId([log; 16]);
                    hello.cursors = vec![Cursor { log, read: self.mark(read), seen: self.mark(seen) }];
                }
                hello.tips = tips.map(|tips| self.tips(tips));
                Frame::Hello(hello)
            }
            Word::Commit { author, place, kind, bytes, absent, to } => {
                let commit = self.commit(author % 4 + 1, place, kind, usize::from(bytes % 2048));
                let record = match absent {
                    Some((is_hole, delete)) => self.without_bytes(&commit, is_hole, delete),
                    None => commit.encode(),
                };
                self.made.push(commit);
                let to = to.map(|to| self.mark(to));
                Frame::Commits(Commits { records: vec![record.into()], to, named: Vec::new() })
            }
            Word::Again { first, count, named, to } => {
                let commits: Vec<_> = self.some(first, count).collect();
                let to = to.map(|to| self.mark(to));
                if named {
                    let named = commits.into_iter().map(Commit::tip).collect();
                    return Frame::Commits(Commits { records: Vec::new(), to, named });
                }
                let records = commits.into_iter().map(|commit| commit.clone().into()).collect();
                Frame::Commits(Commits { records, to, named: Vec::new() })
            }
            Word::Piece { bytes, last, answer } => {
                Frame::Piece(Piece { bytes: vec![0x82; usize::from(bytes)].into(), last, answer })
            }
            Word::Ack(read, whole, at, complete) => Frame::Ack(Ack {
                read: u64::from(read),
                whole: whole.map(u64::from),
                at: self.mark(at),
                complete,
            }),
            Word::Credit(bytes) => Frame::Credit(bytes),
            Word::Vector { tips, last, answer, holes } => {
                let tips = self.tips(tips);
                let hole_tips = if holes { tips.clone() } else { Vec::new() };
                Frame::Vector(VectorPart { tips, last, answer, hole_tips })
            }
            Word::Quiet(head, read) => Frame::Quiet(Quiet {
                head: self.mark(head),
                read: u64::from(read),
                digest: Vector::from_tips(self.made.iter().map(Commit::tip)).digest(),
            }),
            Word::Agree(head) => Frame::Agree(self.mark(head)),
            Word::Want(nonce, ranges) => {
                let range = |(tip, count, is_branch): (AnyTip, u8, bool)| {
                    let Tip { author, seq, id } = self.tip(tip);
                    let to = seq.saturating_add(u64::from(count));
                    ChainRange { author, from: seq, to, branch: is_branch.then(|| id.short()) }
                };
                Frame::Want(Want { nonce, ranges: ranges.into_iter().map(range).collect() })
            }
            Word::Answer { nonce, first, count, more, cut } => {
                let records = self.some(first, count).map(|commit| commit.clone().into()).collect();
                Frame::Answer(Answer { nonce, records, more, cut })
            }
            Word::Head(nonce, at) => Frame::Head(Head { nonce, at: at.map(|at| self.mark(at)) }),
            Word::Bye(code) => Frame::Bye(Bye { code, reason: "so long".into(), descriptor: None }),
            Word::Stored(upto, is_linked) => Frame::Stored(Stored {
                region: "us".into(),
                log: LogId([9; 16]),
                upto,
                is_linked,
                partition: 0,
            }),
            Word::Fresh(nonce, at) => {
                let answer = at.map(|at| RegionHead { region: "us".into(), at: self.mark(at) });
                Frame::Fresh(Fresh { nonce, answer })
            }
            Word::Token(is_other) => Frame::Token(if is_other { "other" } else { "same" }.into()),
            Word::Terms(read_only, expires_in) => Frame::Terms(Terms { read_only, expires_in }),
            Word::Announce(key, has_terms) => Frame::Announce(Announce {
                key: key.map(peer),
                terms: has_terms.then(Terms::default),
            }),
            Word::Introduction { key, to, bytes } => Frame::Introduction(Introduction {
                key: peer(key),
                region: "us".into(),
                ticket: vec![1; usize::from(bytes)].into(),
                to: to.map(peer),
            }),
            Word::Signal { key, is_there, bytes, from } => Frame::Signal(Signal {
                key: peer(key),
                region: if is_there { "us" } else { "nowhere" }.into(),
                bytes: vec![1; usize::from(bytes)].into(),
                from: from.map(peer),
            }),
            Word::Naming(names) => Frame::Naming(names),
            Word::Present(all) => {
                let presence = |(id, number, age, bytes): (u8, u64, u64, Option<u16>)| Presence {
                    id: PresenceId([id; 16]),
                    number,
                    age,
                    state: bytes.map(|bytes| vec![1; usize::from(bytes)].into()),
                };
                Frame::Present(Present { all: all.into_iter().map(presence).collect() })
            }
            Word::Inquiry { id, authors, hops } => Frame::Inquiry(Inquiry {
                id: InquiryId([id; 16]),
                authors: authors.into_iter().map(|author| AuthorId([author; 16])).collect(),
                hops,
            }),
            Word::Receipt { id, bytes } => Frame::Receipt(Receipt {
                id: InquiryId([id; 16]),
                bytes: vec![1; usize::from(bytes)].into(),
            }),
        }
    }

    fn commit(&self, author: u8, place: Place, kind: u8, bytes: usize) -> Commit {
        let own: Vec<_> =
            self.made.iter().filter(|commit| commit.header().author == AuthorId([author; 16])).collect();
        let place_of = |commit: &&&Commit| (commit.header().seq, commit.id());
        let mut after = Vec::new();
        let last = match place {
            Place::Next => own.last().as_ref().map(place_of),
            Place::Fork => own.iter().rev().nth(1).as_ref().map(place_of),
            Place::Later(by) => Some((u64::from(by) + 1, CommitId([by; 32]))),
            Place::After(tip) => {
                let Tip { author: other, seq, id } = self.tip(tip);
                if other != AuthorId([author; 16]) {
                    after.push(eyot_core::commit::header::After { author: other, seq, short: id.short() });
                }
                own.last().as_ref().map(place_of)
            }
        };
        let kind = [Kind::Change, Kind::Import, Kind::Genesis, Kind::Delete][usize::from(kind % 4)];
        let bytes = if kind == Kind::Delete { Vec::new() } else { vec![author; bytes] };
        let doc = if kind == Kind::Delete { DOC } else { DocId([author % 2 + 7; 16]) };
        commit(author, last, after, vec![(doc, kind, bytes)], &Limits::PROTOCOL)
    }

    /// The record of a commit whose bytes are said to be deleted, or a hole.
    fn without_bytes(&self, commit: &Commit, is_hole: bool, delete: AnyTip) -> Vec<u8> {
        let Tip { author, seq, id } = self.tip(delete);
        let name = eyot_core::commit::header::After { author, seq, short: id.short() };
        let mut encoder = minicbor::Encoder::new(Vec::new());
        encoder.array(2).unwrap().bytes(&commit.header().encode()).unwrap().array(1).unwrap();
        encoder.array(2).unwrap().u8(if is_hole { 2 } else { 1 }).unwrap().encode(name).unwrap();
        encoder.into_writer()
    }

    fn some(&self, first: u8, count: u8) -> impl Iterator<Item = &Commit> {
        self.made.iter().skip(usize::from(first)).take(usize::from(count % 16))
    }

    fn mark(&self, mark: AnyMark) -> Mark {
        match mark {
            AnyMark::Start => Mark::START,
            AnyMark::Seen => self.seen,
            AnyMark::Made(seq, hash, mac) => {
                // As it travels: its fields are nobody's but its maker's.
                let bytes = [&[0x83, 0x18, seq | 0x18, 0x48][..], &[hash; 8], &[0x48], &[mac; 8]].concat();
                minicbor::decode(&bytes).unwrap_or(Mark::START)
            }
        }
    }

    fn tips(&self, tips: Vec<AnyTip>) -> Vec<Tip> {
        tips.into_iter().map(|tip| self.tip(tip)).collect()
    }

    fn tip(&self, tip: AnyTip) -> Tip {
        match tip {
            AnyTip::Made(number) if !self.made.is_empty() => {
                self.made[usize::from(number) % self.made.len()].tip()
            }
            AnyTip::Made(number) | AnyTip::Invented(number, ..) if number == 0 => {
                Tip { author: AuthorId([1; 16]), seq: 1, id: CommitId([0; 32]) }
            }
            AnyTip::Made(number) => Tip { author: AuthorId([number; 16]), seq: 1, id: CommitId([1; 32]) },
            AnyTip::Invented(author, seq, id) => {
                Tip { author: AuthorId([author % 8; 16]), seq: u64::from(seq), id: CommitId([id; 32]) }
            }
        }
    }
}

fn peer(key: u8) -> PeerKey {
    PeerKey([key % 4; 32])
}
