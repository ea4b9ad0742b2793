//! Replicas in one thread, and peers for which the test speaks.

use std::collections::{BTreeMap, VecDeque};

use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::id::{AuthorId, DocId, LinkId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;
use eyot_core::document::value::{Op, Value};
use eyot_core::holder::io as holder;
use eyot_core::replica::event::{Event, Made};
use eyot_core::replica::io::Effect;
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use eyot_core::wire::access::{Right, Side};
use eyot_core::wire::batch::Last;
use eyot_core::wire::bodies::{Commits, Hello};
use eyot_core::wire::frame::Frame;

pub struct Node {
    pub replica: Replica,
    pub store: MemoryStore,
    pub events: Vec<Event>,
    /// Whether storage refuses writes.
    pub is_full: bool,
    timer: Option<u64>,
}

/// An end of a link: a node and its number there.
type End = (usize, LinkId);

pub struct World {
    pub nodes: Vec<Node>,
    pub now: u64,
    /// Those of the nodes that are added from now on, and who they are where two are to be one author.
    pub limits: Limits,
    pub author: Option<AuthorId>,
    /// What is sent to a node over the link to that one is lost.
    pub is_lost: fn(End) -> bool,
    /// All that was sent, by which node.
    pub sent: Vec<(usize, Frame)>,
    /// The keys that each write put or deleted, by which node.
    pub written: Vec<(usize, Vec<Vec<u8>>)>,
    /// Links that nodes dialled, which are not open.
    pub dialed: Vec<End>,
    /// Which links were closed, and why.
    pub closed: Vec<(End, u16)>,
    others: BTreeMap<End, End>,
    last: BTreeMap<End, Option<Last>>,
    wires: VecDeque<(End, Vec<u8>)>,
    /// How many nodes there have been.
    added: u8,
}

impl World {
    pub fn new(replicas: u8) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            now: 1_000_000,
            limits: Limits::PROTOCOL,
            author: None,
            is_lost: |_| false,
            sent: Vec::new(),
            written: Vec::new(),
            dialed: Vec::new(),
            closed: Vec::new(),
            others: BTreeMap::new(),
            last: BTreeMap::new(),
            wires: VecDeque::new(),
            added: 0,
        };
        for _ in 0..replicas {
            world.add("space", None);
        }
        world
    }

    pub fn add(&mut self, space: &str, descriptor: Option<Descriptor>) -> usize {
        let number = self.added;
        self.added += 1;
        let config = ReplicaConfig {
            space: space.into(),
            author: self.author.unwrap_or(AuthorId([number + 1; 16])),
            seed: [number + 100; 32],
            // Nobody answers there.
            relays: vec!["relay".into()],
            token: Some("secret".into()),
            descriptor,
            limits: self.limits,
        };
        let replica = Replica::new(config, self.now);
        let (store, events) = (MemoryStore::default(), Vec::new());
        self.nodes.push(Node { replica, store, events, is_full: false, timer: None });
        self.run();
        self.nodes.len() - 1
    }

    /// Two link; what each may do at the other is given. Their numbers of the link.
    pub fn link(&mut self, one: usize, other: usize, rights: [Right; 2]) -> [LinkId; 2] {
        let dialled = self.nodes[one].replica.open_peer(Side::Dialer, rights[1], self.now);
        let accepted = self.nodes[other].replica.open_peer(Side::Accepter, rights[0], self.now);
        self.others.insert((one, dialled), (other, accepted));
        self.others.insert((other, accepted), (one, dialled));
        self.run();
        [dialled, accepted]
    }

    /// A link to a peer for which the test speaks, which has greeted.
    pub fn raw(&mut self, node: usize, side: Side, right: Right, hello: Hello) -> LinkId {
        let link = self.nodes[node].replica.open_peer(side, right, self.now);
        self.run();
        self.say(node, link, &Frame::Hello(hello));
        link
    }

    /// A relay for which the test speaks greets at the link that a node has dialled.
    pub fn relay(&mut self, node: usize, hello: Hello) -> LinkId {
        let (_, link) = *self.dialed.iter().rfind(|(from, _)| *from == node).expect("it has dialled");
        self.nodes[node].replica.handle(holder::Input::LinkOpened(link), self.now);
        self.run();
        let region = Some("eu".to_owned());
        self.say(node, link, &Frame::Hello(Hello { region, regions: vec!["eu".into()], ..hello }));
        link
    }

    pub fn say(&mut self, node: usize, link: LinkId, frame: &Frame) {
        self.nodes[node].replica.handle(holder::Input::Received(link, frame.encode()), self.now);
        self.run();
    }

    pub fn call<R>(&mut self, node: usize, call: impl FnOnce(&mut Replica, u64) -> R) -> R {
        let result = call(&mut self.nodes[node].replica, self.now);
        self.run();
        result
    }

    pub fn write(&mut self, node: usize, n: i64) -> Made {
        let value = Value::Scalar(ScalarValue::Int(n));
        let op = Op::Put { path: vec![Prop::Map("n".into())], value };
        self.call(node, |replica, now| replica.create(&[op], None, now)).expect("it fits")
    }

    /// The code with which a node has closed a link.
    pub fn code(&self, node: usize, link: LinkId) -> Option<u16> {
        self.closed.iter().find(|(end, _)| *end == (node, link)).map(|(_, code)| *code)
    }

    pub fn hold_the_same(&self) -> bool {
        let vectors: Vec<_> = self.nodes.iter().map(|node| node.replica.vector().digest()).collect();
        vectors.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// The commits that a node has sent.
    pub fn commits_of(&self, node: usize) -> usize {
        let commits = self.sent.iter().filter(|(from, _)| *from == node).map(|(_, frame)| match frame {
            Frame::Commits(commits) => commits.records.len(),
            _ => 0,
        });
        commits.sum()
    }

    /// Lets time pass, with every timer at its time.
    pub fn pass(&mut self, wait: u64) {
        let until = self.now + wait;
        while let Some(at) = self.nodes.iter().filter_map(|node| node.timer).min().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let now = self.now;
            for node in self.nodes.iter_mut().filter(|node| node.timer.is_some_and(|at| at <= now)) {
                node.timer = None;
                node.replica.handle(holder::Input::Timer, now);
            }
            self.run();
        }
        self.now = until;
    }

    fn run(&mut self) {
        loop {
            let mut is_idle = true;
            for number in 0..self.nodes.len() {
                while let Some(effect) = self.nodes[number].replica.poll_effect() {
                    is_idle = false;
                    self.effect(number, effect);
                }
            }
            while let Some(((node, link), frame)) = self.wires.pop_front() {
                is_idle = false;
                self.nodes[node].replica.handle(holder::Input::Received(link, frame), self.now);
            }
            if is_idle {
                return;
            }
        }
    }

    fn effect(&mut self, number: usize, effect: Effect) {
        let now = self.now;
        let node = &mut self.nodes[number];
        match effect {
            Effect::Holder(holder::Effect::Storage(id, request)) => {
                if let StorageRequest::Write(batch) = &request {
                    let put = batch.puts.iter().map(|(key, _)| key);
                    self.written.push((number, put.chain(&batch.deletes).cloned().collect()));
                }
                let answer = match &request {
                    StorageRequest::Write(_) if node.is_full => StorageAnswer::Failed("it is full".into()),
                    request => node.store.answer(request),
                };
                node.replica.handle(holder::Input::Storage(id, answer), now);
            }
            Effect::Holder(holder::Effect::Send(link, frame)) => {
                let said = Frame::decode_next(
                    &frame,
                    &Limits::PROTOCOL,
                    self.last.entry((number, link)).or_default(),
                )
                .expect("replicas send frames");
                self.sent.push((number, said));
                if let Some(other) = self.others.get(&(number, link)).filter(|end| !(self.is_lost)(**end)) {
                    self.wires.push_back((*other, frame.to_vec()));
                }
            }
            Effect::Holder(holder::Effect::Close(link, code, _)) => {
                self.closed.push(((number, link), code));
                if let Some((other, theirs)) = self.others.remove(&(number, link)) {
                    self.others.remove(&(other, theirs));
                    // What was sent before still arrives.
                    let (sent, rest): (VecDeque<_>, VecDeque<_>) =
                        self.wires.drain(..).partition(|(end, _)| *end == (other, theirs));
                    self.wires = rest;
                    for (_, frame) in sent {
                        self.nodes[other].replica.handle(holder::Input::Received(theirs, frame), now);
                    }
                    self.nodes[other].replica.handle(holder::Input::LinkClosed(theirs), now);
                }
            }
            Effect::Holder(holder::Effect::SetTimer(at)) => node.timer = at,
            Effect::Holder(holder::Effect::Dial(link, _)) => self.dialed.push((number, link)),
            Effect::App(event) => node.events.push(event),
            _ => {}
        }
    }
}

/// The greeting of a peer for which the test speaks.
pub fn hello(log: u8) -> Hello {
    Hello::empty(Descriptor::plain("space"), LogId([log; 16]), Limits::PROTOCOL.credit_bytes)
}

/// A commit of an author that nobody else is.
pub fn commit(author: u8) -> Commit {
    first_of(author, Vec::new())
}

/// The same after another one.
pub fn after(author: u8, cause: &Commit) -> Commit {
    first_of(author, vec![cause.name()])
}

fn first_of(author: u8, after: Vec<After>) -> Commit {
    let of = (AuthorId([author; 16]), 1, Descriptor::plain("space").chain_start(0));
    let items = vec![(DocId([author; 16]), Kind::Change, vec![1; 10])];
    Commit::new(of, after, 0, items, &Limits::PROTOCOL).expect("within limits")
}

/// The same without its bytes, which nobody has who sends it.
pub fn husk(author: u8) -> Commit {
    let whole = commit(author);
    let delete = After { author: AuthorId([99; 16]), seq: 1, short: whole.id().short() };
    let mut husk = whole;
    husk.justify(|_| Some(delete));
    husk.justify(|_| None);
    husk
}

pub fn commits(commits: &[Commit]) -> Frame {
    let records = commits.iter().map(|commit| commit.encode().into()).collect();
    Frame::Commits(Commits { records, to: None, named: Vec::new() })
}
