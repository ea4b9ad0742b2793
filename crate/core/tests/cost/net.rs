//! Relays, replicas and raw peers in one thread, with a virtual clock, slow links and slow disks, that
//! count what is asked of storage.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::id::{LinkId, RequestId};
use eyot_core::base::limits::Limits;
use eyot_core::holder::io::{Effect, Input};
use eyot_core::relay::relay::Relay;
use eyot_core::replica::event::Event;
use eyot_core::replica::io as replica;
use eyot_core::replica::replica::Replica;
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use eyot_core::wire::access::Claims;
use eyot_core::wire::batch::Last;
use eyot_core::wire::bodies::Bye;
use eyot_core::wire::frame::Frame;

pub type NodeId = usize;

pub enum Machine {
    Relay(Box<Relay>),
    Replica(Box<Replica>),
    /// A test speaks for it.
    Raw,
}

/// What was asked of a node's storage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    pub gets: usize,
    pub scans: usize,
    /// Those of rows of commits.
    pub row_scans: usize,
    /// Bytes that scans gave.
    pub bytes_scanned: usize,
    /// Keys put or deleted.
    pub rows_written: usize,
    pub largest_value: usize,
}

pub struct Node {
    pub machine: Machine,
    pub store: MemoryStore,
    pub disk_delay: u64,
    pub asked: Asked,
    /// What the last write put.
    pub last_write: Vec<Vec<u8>>,
    pub events: Vec<Event>,
    pub dials: usize,
    pub probes: usize,
    /// What came in.
    frames: Vec<Frame>,
    /// The last commit that came on each link.
    last: BTreeMap<LinkId, Option<Last>>,
    /// Of a raw peer.
    pub heard: Vec<(LinkId, Frame)>,
    timer: Option<u64>,
    next_link: u64,
}

enum Happening {
    Opened(NodeId, LinkId),
    Frame(NodeId, LinkId, Vec<u8>),
    Closed(NodeId, LinkId),
    Probed(NodeId, String, bool),
    Storage(NodeId, RequestId, StorageRequest),
}

pub struct Net {
    pub nodes: Vec<Node>,
    pub limits: Limits,
    pub now: u64,
    pub link_delay: u64,
    /// By URL: which node answers there.
    pub addresses: BTreeMap<String, NodeId>,
    /// Pairs that can't reach each other.
    pub cut: BTreeSet<(NodeId, NodeId)>,
    /// Why links were closed, by whoever closed them.
    pub closes: Vec<(NodeId, u16)>,
    ends: BTreeMap<(NodeId, LinkId), (NodeId, LinkId)>,
    queue: BTreeMap<(u64, u64), Happening>,
    next: u64,
}

impl Net {
    pub fn new(limits: Limits) -> Self {
        Self {
            nodes: Vec::new(),
            limits,
            now: 1_000_000,
            link_delay: 10,
            addresses: BTreeMap::new(),
            cut: BTreeSet::new(),
            closes: Vec::new(),
            ends: BTreeMap::new(),
            queue: BTreeMap::new(),
            next: 0,
        }
    }

    pub fn add(&mut self, machine: Machine, store: MemoryStore) -> NodeId {
        self.nodes.push(Node {
            machine,
            store,
            disk_delay: 0,
            asked: Asked::default(),
            last_write: Vec::new(),
            events: Vec::new(),
            dials: 0,
            probes: 0,
            frames: Vec::new(),
            last: BTreeMap::new(),
            heard: Vec::new(),
            timer: None,
            next_link: 1,
        });
        let node = self.nodes.len() - 1;
        self.drain(node);
        node
    }

    /// Connects a raw peer.
    pub fn connect(&mut self, from: NodeId, to: NodeId) -> LinkId {
        let near = self.number(from);
        let far = self.number(to);
        self.ends.insert((from, near), (to, far));
        self.ends.insert((to, far), (from, near));
        self.later(self.link_delay, Happening::Opened(to, far));
        near
    }

    /// Sends as a raw peer.
    pub fn send(&mut self, from: NodeId, link: LinkId, frame: &Frame) {
        self.effect(from, Effect::Send(link, frame.encode().into()));
    }

    pub fn call<R>(&mut self, node: NodeId, call: impl FnOnce(&mut Replica, u64) -> R) -> R {
        let now = self.now;
        let Machine::Replica(replica) = &mut self.nodes[node].machine else { panic!("no replica") };
        let result = call(replica, now);
        self.drain(node);
        result
    }

    pub fn relay(&self, node: NodeId) -> &Relay {
        let Machine::Relay(relay) = &self.nodes[node].machine else { panic!("no relay") };
        relay
    }

    pub fn replica(&self, node: NodeId) -> &Replica {
        let Machine::Replica(replica) = &self.nodes[node].machine else { panic!("no replica") };
        replica
    }

    /// Cuts two nodes off each other, or joins them again.
    pub fn set_cut(&mut self, a: NodeId, b: NodeId, is_cut: bool) {
        if !is_cut {
            self.cut.retain(|pair| *pair != (a, b) && *pair != (b, a));
            return;
        }
        self.cut.extend([(a, b), (b, a)]);
        let between: Vec<_> =
            self.ends.iter().filter(|((x, _), (y, _))| (*x, *y) == (a, b)).map(|(a, b)| (*a, *b)).collect();
        for (near, far) in between {
            self.ends.remove(&near);
            self.ends.remove(&far);
            self.input(near.0, Input::LinkClosed(near.1));
            self.input(far.0, Input::LinkClosed(far.1));
        }
    }

    /// Runs until that is so, for so long at most; whether it came to be.
    pub fn run_until(&mut self, milliseconds: u64, is_done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + milliseconds;
        while !is_done(self) {
            if !self.step(end) {
                self.now = end;
                return is_done(self);
            }
        }
        true
    }

    pub fn run(&mut self, milliseconds: u64) {
        self.run_until(milliseconds, |_| false);
    }

    /// Does what happens next, if that is before `end`.
    fn step(&mut self, end: u64) -> bool {
        let queued = self.queue.keys().next().copied();
        let timers = self.nodes.iter().enumerate().filter_map(|(node, it)| Some((it.timer?, node)));
        let timer = timers.min();
        match (queued, timer) {
            (Some((at, _)), timer) if at <= end && timer.is_none_or(|(ring, _)| at <= ring) => {
                self.now = self.now.max(at);
                let (_, happening) = self.queue.pop_first().expect("there is one");
                self.happen(happening);
            }
            (_, Some((at, node))) if at <= end => {
                self.now = self.now.max(at);
                self.nodes[node].timer = None;
                self.input(node, Input::Timer);
            }
            _ => return false,
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Opened(node, link) => {
                if self.ends.contains_key(&(node, link)) {
                    self.input(node, Input::LinkOpened(link));
                }
            }
            Happening::Frame(node, link, bytes) => {
                if self.ends.contains_key(&(node, link)) {
                    let here = &mut self.nodes[node];
                    let last = here.last.entry(link).or_default();
                    let frame = Frame::decode_next(&bytes, &self.limits, last).expect("a frame");
                    here.frames.push(frame.clone());
                    if matches!(here.machine, Machine::Raw) {
                        here.heard.push((link, frame));
                    }
                    self.input(node, Input::Received(link, bytes));
                }
            }
            Happening::Closed(node, link) => {
                self.ends.remove(&(node, link));
                self.input(node, Input::LinkClosed(link));
            }
            Happening::Probed(node, url, is_there) => {
                let now = self.now;
                if let Machine::Replica(replica) = &mut self.nodes[node].machine {
                    replica.handle(replica::Input::Probed(url, is_there), now);
                }
                self.drain(node);
            }
            Happening::Storage(node, id, request) => {
                let it = &mut self.nodes[node];
                match &request {
                    StorageRequest::Get(_) => it.asked.gets += 1,
                    StorageRequest::Scan { from, .. } => {
                        it.asked.scans += 1;
                        it.asked.row_scans += usize::from(from.first() == Some(&b'b'));
                    }
                    StorageRequest::Write(batch) => {
                        it.asked.rows_written += batch.puts.len() + batch.deletes.len();
                        let largest = batch.puts.iter().map(|(_, value)| value.len()).max();
                        it.asked.largest_value = it.asked.largest_value.max(largest.unwrap_or(0));
                        it.last_write = batch.puts.iter().map(|(key, _)| key.clone()).collect();
                    }
                }
                let answer = it.store.answer(&request);
                if let StorageAnswer::Scanned { entries, .. } = &answer {
                    it.asked.bytes_scanned += entries.iter().map(|(_, value)| value.len()).sum::<usize>();
                }
                self.input(node, Input::Storage(id, answer));
            }
        }
    }

    fn input(&mut self, node: NodeId, input: Input) {
        let now = self.now;
        match &mut self.nodes[node].machine {
            Machine::Relay(relay) => relay.handle(input, now),
            Machine::Replica(replica) => replica.handle(input, now),
            Machine::Raw => {}
        }
        self.drain(node);
    }

    fn drain(&mut self, node: NodeId) {
        loop {
            let effect = match &mut self.nodes[node].machine {
                Machine::Relay(relay) => relay.poll_effect(),
                Machine::Replica(replica) => match replica.poll_effect() {
                    Some(replica::Effect::Holder(effect)) => Some(effect),
                    Some(replica::Effect::App(event)) => {
                        self.nodes[node].events.push(event);
                        continue;
                    }
                    Some(replica::Effect::Probe(url)) => {
                        self.nodes[node].probes += 1;
                        let is_there = self.addresses.contains_key(&url);
                        let delay = 2 * self.link_delay;
                        self.later(delay, Happening::Probed(node, url, is_there));
                        continue;
                    }
                    Some(_) => continue,
                    None => None,
                },
                Machine::Raw => None,
            };
            match effect {
                Some(effect) => self.effect(node, effect),
                None => return,
            }
        }
    }

    fn effect(&mut self, node: NodeId, effect: Effect) {
        match effect {
            Effect::Dial(link, url) => match self.dialed(node, &url) {
                Some(to) => {
                    let far = self.number(to);
                    self.ends.insert((node, link), (to, far));
                    self.ends.insert((to, far), (node, link));
                    self.later(self.link_delay, Happening::Opened(to, far));
                    self.later(self.link_delay, Happening::Opened(node, link));
                }
                None => self.later(self.link_delay, Happening::Closed(node, link)),
            },
            Effect::Send(link, frame) => {
                if let Some((to, far)) = self.ends.get(&(node, link)).copied() {
                    self.later(self.link_delay, Happening::Frame(to, far, frame.to_vec()));
                }
            }
            Effect::Close(link, code, _) => {
                self.closes.push((node, code));
                if let Some((to, far)) = self.ends.remove(&(node, link)) {
                    self.later(self.link_delay, Happening::Closed(to, far));
                }
            }
            Effect::Storage(id, request) => {
                let delay = self.nodes[node].disk_delay;
                self.later(delay, Happening::Storage(node, id, request));
            }
            Effect::SetTimer(at) => self.nodes[node].timer = at,
            Effect::Sign(number, _) => self.input(node, Input::Signed(number, None)),
            Effect::Authorize(link, _) => {
                let mut claims = Claims::open_with_peers();
                claims.subject = "somebody".into();
                self.input(node, Input::Authorized(link, Ok(claims)));
            }
        }
    }

    /// Who is there, if it can be reached.
    fn dialed(&mut self, from: NodeId, url: &str) -> Option<NodeId> {
        self.nodes[from].dials += 1;
        self.addresses.get(url).copied().filter(|to| !self.cut.contains(&(from, *to)))
    }

    /// The frames that have come to a node.
    pub fn frames_to(&self, node: NodeId) -> &[Frame] {
        &self.nodes[node].frames
    }

    fn later(&mut self, delay: u64, happening: Happening) {
        self.next += 1;
        self.queue.insert((self.now + delay, self.next), happening);
    }

    fn number(&mut self, node: NodeId) -> LinkId {
        self.nodes[node].next_link += 1;
        LinkId(self.nodes[node].next_link)
    }

    /// Why the node at the other end of a raw peer's link has ended it.
    pub fn bye_to(&self, raw: NodeId) -> Option<u16> {
        self.nodes[raw].heard.iter().find_map(|(_, frame)| match frame {
            Frame::Bye(Bye { code, .. }) => Some(*code),
            _ => None,
        })
    }
}
