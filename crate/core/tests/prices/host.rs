//! A relay, and whoever sends it frames by hand.

use std::collections::{BTreeMap, VecDeque};

use eyot_core::base::id::{AuthorId, DocId, LinkId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;
use eyot_core::holder::caps::Caps;
use eyot_core::holder::io::{Effect, Input};
use eyot_core::relay::region::RelayPeer;
use eyot_core::relay::relay::{Relay, RelayConfig};
use eyot_core::storage::memory::MemoryStore;
use eyot_core::storage::request::{StorageAnswer, StorageRequest};
use eyot_core::wire::access::{Claims, Right};
use eyot_core::wire::batch::Last;
use eyot_core::wire::bodies::{Commits, Head, Hello};
use eyot_core::wire::frame::Frame;

pub struct Host {
    pub relay: Relay,
    config: RelayConfig,
    pub store: MemoryStore,
    pub now: u64,
    /// Whether storage refuses writes.
    pub is_full: bool,
    /// When the relay wants its timer.
    pub timer: Option<u64>,
    /// What was sent on each link and not taken.
    pub sent: BTreeMap<LinkId, VecDeque<Frame>>,
    /// The last commit that was sent on each link.
    last: BTreeMap<LinkId, Option<Last>>,
    pub closed: BTreeMap<LinkId, (u16, String)>,
    /// Reads in this order, by their first key.
    pub reads: Vec<Vec<u8>>,
    pub claims: BTreeMap<String, Claims>,
    /// Tokens that the host was asked to verify and has not.
    pub asked: Vec<(LinkId, String)>,
    /// How many tickets were signed.
    pub signed: usize,
    /// Whether tokens are verified only when the test says so.
    pub verifies_late: bool,
    links: u64,
}

impl Host {
    pub fn new(limits: Limits, caps: Caps) -> Self {
        Self::with_peers(limits, caps, Vec::new())
    }

    pub fn with_peers(limits: Limits, caps: Caps, peers: Vec<RelayPeer>) -> Self {
        let config = RelayConfig {
            space: "space".into(),
            region: "eu".into(),
            // Two relays with other peers are other relays.
            seed: [1 + peers.len() as u8; 32],
            peers,
            token: None,
            caps,
            limits,
        };
        let claims = |right| Claims { spaces: vec![("space".into(), right)], ..Claims::open() };
        let tokens = [("write", Right::Write), ("read", Right::Read), ("more", Right::Write)];
        let claims =
            tokens.map(|(name, right)| (name.to_owned(), Claims { subject: name.into(), ..claims(right) }));
        let mut host = Self {
            relay: Relay::new(config.clone(), 1_000_000),
            config,
            store: MemoryStore::default(),
            now: 1_000_000,
            is_full: false,
            timer: None,
            sent: BTreeMap::new(),
            last: BTreeMap::new(),
            closed: BTreeMap::new(),
            reads: Vec::new(),
            claims: claims.into(),
            asked: Vec::new(),
            signed: 0,
            verifies_late: false,
            links: 0,
        };
        host.run();
        host
    }

    /// The relay is taken out of memory and made again; links go on by their attachments, or end.
    pub fn sleep(&mut self, links: &[LinkId]) {
        let kept: Vec<_> = links.iter().map(|link| (*link, self.relay.attachment(*link))).collect();
        self.wake(&kept);
    }

    /// The relay is taken out of memory, and these links go on from what was kept of them.
    pub fn wake(&mut self, kept: &[(LinkId, Vec<u8>)]) {
        self.relay = Relay::new(RelayConfig { seed: [9; 32], ..self.config.clone() }, self.now);
        self.run();
        for (link, attachment) in kept {
            self.relay.resume(*link, attachment, self.now);
        }
        self.run();
    }

    /// Does what the relay asks for, and rings its timer when it is due at once.
    pub fn run(&mut self) {
        while let Some(effect) = self.relay.poll_effect() {
            self.effect(effect);
        }
    }

    /// Handles a frame, and tells how many reads that asks for before any of them is answered.
    pub fn reads_at_once(&mut self, link: LinkId, frame: &Frame) -> usize {
        self.relay.handle(Input::Received(link, frame.encode()), self.now);
        let effects: Vec<_> = std::iter::from_fn(|| self.relay.poll_effect()).collect();
        let is_read = |effect: &&Effect| {
            matches!(effect, Effect::Storage(_, StorageRequest::Get(_) | StorageRequest::Scan { .. }))
        };
        let reads = effects.iter().filter(is_read).count();
        effects.into_iter().for_each(|effect| self.effect(effect));
        self.run();
        reads
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Storage(id, request) => {
                let key = match &request {
                    StorageRequest::Get(keys) => keys.first().cloned(),
                    StorageRequest::Scan { from, .. } => Some(from.clone()),
                    StorageRequest::Write(_) => None,
                };
                self.reads.extend(key);
                let answer = match &request {
                    StorageRequest::Write(_) if self.is_full => StorageAnswer::Failed("it is full".into()),
                    request => self.store.answer(request),
                };
                self.relay.handle(Input::Storage(id, answer), self.now);
            }
            Effect::Authorize(link, token) => {
                self.asked.push((link, token.unwrap_or_default()));
                if !self.verifies_late {
                    self.verify();
                }
            }
            // A signature by which it can be told that something was signed.
            Effect::Sign(number, _) => {
                self.signed += 1;
                self.relay.handle(Input::Signed(number, Some([7; 64])), self.now);
            }
            Effect::Send(link, frame) => {
                let frame =
                    Frame::decode_next(&frame, &self.config.limits, self.last.entry(link).or_default())
                        .expect("relays send frames");
                self.sent.entry(link).or_default().push_back(frame);
            }
            Effect::Close(link, code, reason) => {
                self.closed.insert(link, (code, reason));
            }
            Effect::SetTimer(at) => self.timer = at,
            Effect::Dial(..) => {}
        }
    }

    pub fn verify(&mut self) {
        for (link, token) in std::mem::take(&mut self.asked) {
            let claims = self.claims.get(&token).cloned().unwrap_or_else(Claims::open);
            self.relay.handle(Input::Authorized(link, Ok(claims)), self.now);
        }
        self.run();
    }

    /// Lets time pass, with every timer at its time.
    pub fn pass(&mut self, wait: u64) {
        let until = self.now + wait;
        while let Some(at) = self.timer.filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.timer = None;
            self.relay.handle(Input::Timer, self.now);
            self.run();
        }
        self.now = until;
    }

    pub fn send(&mut self, link: LinkId, frame: &Frame) {
        self.relay.handle(Input::Received(link, frame.encode()), self.now);
        self.run();
    }

    /// Sends a frame that goes on from the last commit of the one before.
    pub fn send_next(&mut self, link: LinkId, frame: &Frame, last: &mut Option<Last>) {
        self.relay.handle(Input::Received(link, frame.encode_next(last)), self.now);
        self.run();
    }

    /// A link that greets like this.
    pub fn greet(&mut self, hello: Hello) -> LinkId {
        self.links += 1;
        let link = LinkId(self.links);
        self.relay.handle(Input::LinkOpened(link), self.now);
        self.run();
        self.send(link, &Frame::Hello(hello));
        link
    }

    pub fn come(&mut self, token: &str) -> LinkId {
        self.links += 1;
        let hello = self.hello(token, self.links as u8);
        self.links -= 1;
        self.greet(hello)
    }

    pub fn hello(&self, token: &str, log: u8) -> Hello {
        let descriptor = Descriptor::plain("space");
        let credit = self.config.limits.credit_bytes;
        Hello { token: Some(token.into()), ..Hello::empty(descriptor, LogId([log; 16]), credit) }
    }

    /// What was sent on a link since this was last asked.
    pub fn take(&mut self, link: LinkId) -> Vec<Frame> {
        self.sent.remove(&link).unwrap_or_default().into()
    }

    /// Reads all that was sent on a link, and what follows from having read it.
    pub fn read_all(&mut self, link: LinkId) -> Vec<Frame> {
        let mut all = Vec::new();
        loop {
            let frames = self.take(link);
            let Some(nonce) = frames.iter().rev().find_map(question) else {
                all.extend(frames);
                if self.sent.get(&link).is_none_or(VecDeque::is_empty) {
                    return all;
                }
                continue;
            };
            all.extend(frames);
            let at = Some(eyot_core::base::position::Mark::START);
            self.send(link, &Frame::Head(Head { nonce, at }));
        }
    }

    /// The same for a while: not everything is done at one time.
    pub fn read_in_turns(&mut self, link: LinkId) -> Vec<Frame> {
        let mut all = self.read_all(link);
        for _ in 0..20 {
            self.pass(1);
            all.extend(self.read_all(link));
        }
        all
    }

    pub fn code(&self, link: LinkId) -> Option<u16> {
        self.closed.get(&link).map(|(code, _)| *code)
    }
}

fn question(frame: &Frame) -> Option<u64> {
    match frame {
        Frame::Head(Head { nonce, at: None }) => Some(*nonce),
        _ => None,
    }
}

/// A chain of commits by one author, each with so many bytes.
pub fn chain(author: u8, count: u64, bytes: usize) -> Vec<Commit> {
    let mut prev = Descriptor::plain("space").chain_start(0);
    let mut commits = Vec::new();
    for seq in 1..=count {
        let items = vec![(DocId([author; 16]), Kind::Change, noise(seq + 1_000 * u64::from(author), bytes))];
        let of = (AuthorId([author; 16]), seq, prev);
        let commit = Commit::new(of, Vec::new(), 0, items, &Limits::PROTOCOL).expect("within limits");
        prev = commit.id();
        commits.push(commit);
    }
    commits
}

/// Bytes that no compression makes fewer.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// The first commit of an author, which comes after another.
pub fn after(author: u8, cause: &Commit) -> Commit {
    after_all(author, std::slice::from_ref(cause))
}

/// The first commit of an author, which comes after these.
pub fn after_all(author: u8, causes: &[Commit]) -> Commit {
    let mut after: Vec<After> = causes.iter().map(Commit::name).collect();
    after.sort();
    let of = (AuthorId([author; 16]), 1, Descriptor::plain("space").chain_start(0));
    let items = vec![(DocId([author; 16]), Kind::Change, vec![7; 10])];
    Commit::new(of, after, 0, items, &Limits::PROTOCOL).expect("within limits")
}

pub fn commits(commits: &[Commit]) -> Frame {
    let records = commits.iter().map(|commit| commit.clone().into()).collect();
    Frame::Commits(Commits { records, to: None, named: Vec::new() })
}
