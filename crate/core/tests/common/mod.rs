//! Replicas and a relay in one thread, with storage that answers at once.

use std::collections::{BTreeMap, VecDeque};

use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::id::LinkId;
use eyot_core::base::id::{AuthorId, DocId};
use eyot_core::base::limits::Limits;
use eyot_core::document::value::{Op, Value};
use eyot_core::holder::caps::Caps;
use eyot_core::holder::io as holder;
use eyot_core::log::keys::row_seq;
use eyot_core::relay::region::RelayPeer;
use eyot_core::relay::relay::{Relay, RelayConfig};
use eyot_core::replica::event::Event;
use eyot_core::replica::io::{Effect, Input};
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::replica::waits::WaitId;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::WriteBatch;
use eyot_core::wire::access::{Claims, Refusal};

pub struct Node {
    pub replica: Replica,
    pub store: MemoryStore,
    pub events: Vec<Event>,
    /// What it has told other processes that share its storage.
    pub told: Vec<Vec<u8>>,
    dialled: Option<LinkId>,
}

pub struct World {
    relay: Relay,
    pub relay_store: MemoryStore,
    pub nodes: Vec<Node>,
    /// By the relay's link: which node, and its link.
    links: BTreeMap<LinkId, (usize, LinkId)>,
    next_link: u64,
    pub frames: u64,
    pub bytes: u64,
    pub now: u64,
    pub caps: Caps,
    /// Other regions, none of which answers.
    pub peers: Vec<RelayPeer>,
    /// What the relay's host makes of a token: a node's number.
    pub judge: fn(u8, u64) -> Result<Claims, Refusal>,
}

impl World {
    pub fn new(replicas: u8) -> Self {
        let caps = Caps::default();
        let relay = relay(1, caps, Vec::new());
        let mut world = Self {
            relay,
            relay_store: MemoryStore::default(),
            nodes: Vec::new(),
            links: BTreeMap::new(),
            next_link: 1,
            frames: 0,
            bytes: 0,
            now: 1_000_000,
            caps,
            peers: Vec::new(),
            judge: |_, _| Ok(Claims::open()),
        };
        world.run();
        for number in 0..replicas {
            world.join(number, MemoryStore::default());
        }
        world
    }

    /// A process begins on that storage.
    pub fn join(&mut self, number: u8, store: MemoryStore) -> usize {
        let config = ReplicaConfig {
            space: "space".into(),
            author: AuthorId([number + 1; 16]),
            seed: [number + 100; 32],
            relays: vec!["relay".into()],
            token: Some(number.to_string()),
            descriptor: None,
            limits: Limits::PROTOCOL,
        };
        let replica = Replica::new(config, self.now);
        self.nodes.push(Node { replica, store, events: Vec::new(), told: Vec::new(), dialled: None });
        self.run();
        self.nodes.len() - 1
    }

    pub fn call<R>(&mut self, node: usize, call: impl FnOnce(&mut Replica, u64) -> R) -> R {
        let result = call(&mut self.nodes[node].replica, self.now);
        self.run();
        result
    }

    pub fn open(&mut self, node: usize, doc: DocId) -> bool {
        let wait = self.call(node, |replica, _| replica.open(doc));
        self.opened(node, wait).1
    }

    pub fn named(&mut self, node: usize, name: &str, initial: &Value) -> DocId {
        let wait = self.call(node, |replica, _| replica.named(name, initial)).unwrap();
        self.opened(node, wait).0
    }

    pub fn opened(&self, node: usize, awaited: WaitId) -> (DocId, bool) {
        let answer = self.nodes[node].events.iter().find_map(|event| match event {
            Event::Opened { wait, doc, held } if *wait == awaited => Some((*doc, *held)),
            _ => None,
        });
        answer.expect("storage answers at once")
    }

    pub fn set_online(&mut self, node: usize, online: bool) {
        let now = self.now;
        self.nodes[node].replica.handle(Input::Online(online), now);
        self.run();
    }

    /// The relay's process is another one now, on the same storage.
    pub fn restart_relay(&mut self, seed: u8) {
        self.relay = relay(seed, self.caps, self.peers.clone());
        for (node, link) in std::mem::take(&mut self.links).into_values() {
            self.nodes[node].replica.handle(holder::Input::LinkClosed(link), self.now);
        }
        self.run();
    }

    /// Lets time pass, ringing every timer once.
    pub fn pass(&mut self, milliseconds: u64) {
        self.now += milliseconds;
        let now = self.now;
        self.relay.handle(holder::Input::Timer, now);
        for node in 0..self.nodes.len() {
            let now = self.now;
            self.nodes[node].replica.handle(holder::Input::Timer, now);
        }
        self.run();
    }

    fn run(&mut self) {
        let mut wires: VecDeque<(LinkId, bool, Vec<u8>)> = VecDeque::new();
        loop {
            let mut is_idle = true;
            while let Some(effect) = self.relay.poll_effect() {
                is_idle = false;
                match effect {
                    holder::Effect::Storage(id, request) => {
                        let answer = self.relay_store.answer(&request);
                        self.relay.handle(holder::Input::Storage(id, answer), self.now);
                    }
                    holder::Effect::Authorize(link, token) => {
                        let number = token.and_then(|token| token.parse().ok()).expect("nodes have numbers");
                        let verdict = (self.judge)(number, self.now);
                        self.relay.handle(holder::Input::Authorized(link, verdict), self.now);
                    }
                    holder::Effect::Sign(number, _) => {
                        self.relay.handle(holder::Input::Signed(number, None), self.now);
                    }
                    holder::Effect::Send(link, frame) => wires.push_back((link, false, frame.to_vec())),
                    holder::Effect::Close(link, ..) => {
                        if let Some((node, theirs)) = self.links.remove(&link) {
                            // What was sent before still arrives.
                            let (sent, rest): (VecDeque<_>, VecDeque<_>) =
                                wires.drain(..).partition(|(to, to_relay, _)| *to == link && !to_relay);
                            wires = rest;
                            for (_, _, frame) in sent {
                                self.nodes[node]
                                    .replica
                                    .handle(holder::Input::Received(theirs, frame), self.now);
                            }
                            self.nodes[node].replica.handle(holder::Input::LinkClosed(theirs), self.now);
                        }
                    }
                    _ => {}
                }
            }
            for number in 0..self.nodes.len() {
                while let Some(effect) = self.nodes[number].replica.poll_effect() {
                    is_idle = false;
                    self.effect(number, effect, &mut wires);
                }
            }
            while let Some((link, to_relay, frame)) = wires.pop_front() {
                is_idle = false;
                self.frames += 1;
                self.bytes += frame.len() as u64;
                if to_relay {
                    self.relay.handle(holder::Input::Received(link, frame), self.now);
                } else if let Some((node, theirs)) = self.links.get(&link).copied() {
                    self.nodes[node].replica.handle(holder::Input::Received(theirs, frame), self.now);
                }
            }
            if is_idle {
                return;
            }
        }
    }

    fn effect(&mut self, number: usize, effect: Effect, wires: &mut VecDeque<(LinkId, bool, Vec<u8>)>) {
        let now = self.now;
        let link_of = |links: &BTreeMap<LinkId, (usize, LinkId)>, link: LinkId| {
            links.iter().find(|(_, end)| **end == (number, link)).map(|(relays, _)| *relays)
        };
        match effect {
            Effect::Ping(link) => self.nodes[number].replica.handle(Input::Pong(link), now),
            Effect::Holder(holder::Effect::Authorize(..) | holder::Effect::Sign(..)) | Effect::Probe(_) => {}
            Effect::Holder(holder::Effect::Storage(id, request)) => {
                let answer = self.nodes[number].store.answer(&request);
                self.nodes[number].replica.handle(holder::Input::Storage(id, answer), now);
            }
            Effect::Holder(holder::Effect::Dial(link, _)) => {
                let relays = LinkId(self.next_link);
                self.next_link += 1;
                self.links.insert(relays, (number, link));
                self.nodes[number].dialled = Some(link);
                self.relay.handle(holder::Input::LinkOpened(relays), now);
                self.nodes[number].replica.handle(holder::Input::LinkOpened(link), now);
            }
            Effect::Holder(holder::Effect::Send(link, frame)) => {
                if let Some(relays) = link_of(&self.links, link) {
                    wires.push_back((relays, true, frame.to_vec()));
                }
            }
            Effect::Holder(holder::Effect::Close(link, ..)) => {
                if let Some(relays) = link_of(&self.links, link) {
                    self.links.remove(&relays);
                    self.relay.handle(holder::Input::LinkClosed(relays), now);
                }
            }
            Effect::App(event) => self.nodes[number].events.push(event),
            Effect::Broadcast(message) => self.nodes[number].told.push(message),
            Effect::Holder(holder::Effect::SetTimer(_)) => {}
        }
    }
}

fn relay(seed: u8, caps: Caps, peers: Vec<RelayPeer>) -> Relay {
    let config = RelayConfig {
        space: "space".into(),
        region: "eu".into(),
        peers,
        token: None,
        caps,
        limits: Limits::PROTOCOL,
        seed: [seed; 32],
    };
    Relay::new(config, 0)
}

pub fn put(key: &str, value: impl Into<Value>) -> Op {
    Op::Put { path: vec![Prop::Map(key.into())], value: value.into() }
}

pub fn int(value: i64) -> Value {
    Value::Scalar(ScalarValue::Int(value))
}

/// Without the rows of the log: whoever reads them is stuck.
pub fn without_rows(store: &MemoryStore) -> MemoryStore {
    let mut store = store.clone();
    let deletes = store.iter().map(|(key, _)| key.clone()).filter(|key| row_seq(key).is_some()).collect();
    store.write(&WriteBatch { deletes, ..WriteBatch::default() });
    store
}
