//! What several targets share: a relay with storage that answers at once, and commits of made-up authors.

use std::collections::VecDeque;

use eyot_core::base::id::{AuthorId, CommitId, DocId, LinkId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Mark;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::header::After;
use eyot_core::commit::kind::Kind;
use eyot_core::holder::caps::Caps;
use eyot_core::holder::io::{Effect, Input};
use eyot_core::relay::region::RelayPeer;
use eyot_core::relay::relay::{Relay, RelayConfig};
use eyot_core::storage::memory::MemoryStore;
use eyot_core::wire::access::Claims;
use eyot_core::wire::bodies::{Hello, Terms};
use eyot_core::wire::frame::Frame;

pub const SPACE: &str = "space";
pub const NOW: u64 = 1_700_000_000_000;
pub const DOC: DocId = DocId([7; 16]);

/// A relay, its storage, and what it has asked of its host.
pub struct Host {
    pub relay: Relay,
    pub store: MemoryStore,
    /// Frames and closes, in order, until somebody takes them.
    pub out: VecDeque<Out>,
}

pub enum Out {
    Frame(LinkId, Vec<u8>),
    Closed(LinkId, u16, String),
}

impl Host {
    /// Loaded from empty storage.
    pub fn new(relay: Relay) -> Self {
        let mut host = Self::bare(relay);
        host.run(NOW);
        host
    }

    pub fn bare(relay: Relay) -> Self {
        Self { relay, store: MemoryStore::default(), out: VecDeque::new() }
    }

    pub fn handle(&mut self, input: Input, now: u64) {
        self.relay.handle(input, now);
        self.run(now);
    }

    /// Does what the relay asks for until it asks for nothing more.
    pub fn run(&mut self, now: u64) {
        while let Some(effect) = self.relay.poll_effect() {
            match effect {
                Effect::Storage(id, request) => {
                    let answer = self.store.answer(&request);
                    self.relay.handle(Input::Storage(id, answer), now);
                }
                Effect::Authorize(link, token) => {
                    let claims = Claims { subject: token.unwrap_or_default(), ..Claims::open() };
                    self.relay.handle(Input::Authorized(link, Ok(claims)), now);
                }
                Effect::Sign(number, _) => self.relay.handle(Input::Signed(number, Some([7; 64])), now),
                Effect::Send(link, frame) => self.out.push_back(Out::Frame(link, frame.to_vec())),
                Effect::Close(link, code, reason) => self.out.push_back(Out::Closed(link, code, reason)),
                // Nobody is there.
                Effect::Dial(link, _) => self.relay.handle(Input::LinkClosed(link), now),
                Effect::SetTimer(_) => {}
            }
        }
    }
}

pub fn relay() -> Relay {
    let config = RelayConfig {
        space: SPACE.into(),
        region: "eu".into(),
        peers: vec![RelayPeer { region: "us".into(), url: "wss://us".into() }],
        token: None,
        caps: Caps::default(),
        limits: Limits::PROTOCOL,
        seed: [1; 32],
    };
    Relay::new(config, NOW)
}

/// The greeting of a client with a log of that number, which has nothing.
pub fn hello(log: u8) -> Vec<u8> {
    Frame::Hello(greeting(log)).encode()
}

pub fn greeting(log: u8) -> Hello {
    Hello {
        version_min: 1,
        version_max: 1,
        space: SPACE.into(),
        log: LogId([log; 16]),
        region: None,
        token: Some(log.to_string()),
        cursors: Vec::new(),
        digest: None,
        resumed: false,
        tips: Some(Vec::new()),
        credit: Limits::PROTOCOL.credit_bytes,
        head: Mark::START,
        regions: Vec::new(),
        terms: Terms { read_only: false, expires_in: None },
        descriptor: Some(Descriptor::plain(SPACE)),
        partition: 0,
        holes: 0,
        hole_tips: Vec::new(),
        required: 0,
    }
}

/// A commit of an author, after `last` of the same.
pub fn commit(
    author: u8,
    last: Option<(u64, CommitId)>,
    after: Vec<After>,
    items: Vec<(DocId, Kind, Vec<u8>)>,
    limits: &Limits,
) -> Commit {
    let start = Descriptor::plain(SPACE).chain_start(0);
    let (seq, prev) = last.map_or((1, start), |(seq, id)| (seq + 1, id));
    Commit::new((AuthorId([author; 16]), seq, prev), after, NOW, items, limits).expect("it is within the limits")
}
