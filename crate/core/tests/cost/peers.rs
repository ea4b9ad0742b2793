//! What the tests begin with: relays, replicas, and a raw peer that brings commits.

use eyot_core::automerge::{Prop, ScalarValue};
use eyot_core::base::id::{AuthorId, CommitId, LinkId, LogId};
use eyot_core::base::limits::Limits;
use eyot_core::base::position::Mark;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::descriptor::Descriptor;
use eyot_core::commit::header::After;
use eyot_core::document::value::{Op, Value};
use eyot_core::holder::caps::Caps;
use eyot_core::relay::region::RelayPeer;
use eyot_core::relay::relay::{Relay, RelayConfig};
use eyot_core::replica::replica::{Replica, ReplicaConfig};
use eyot_core::storage::memory::MemoryStore;
use eyot_core::wire::bodies::{Commits, Hello};
use eyot_core::wire::frame::Frame;

use crate::net::{Machine, Net, NodeId};

pub fn relay(net: &mut Net, region: &str, peers: &[&str], caps: Caps, store: MemoryStore) -> NodeId {
    let peers = peers.iter().map(|peer| RelayPeer { region: (*peer).into(), url: (*peer).into() });
    let config = RelayConfig {
        space: "space".into(),
        region: region.into(),
        peers: peers.collect(),
        token: None,
        caps,
        limits: net.limits,
        seed: [net.nodes.len() as u8 + 1; 32],
    };
    let relay = Relay::new(config, net.now);
    let node = net.add(Machine::Relay(Box::new(relay)), store);
    net.addresses.insert(region.into(), node);
    node
}

pub fn replica(net: &mut Net, relays: &[&str], disk_delay: u64) -> NodeId {
    replica_on(net, relays, disk_delay, MemoryStore::default())
}

pub fn replica_on(net: &mut Net, relays: &[&str], disk_delay: u64, store: MemoryStore) -> NodeId {
    let number = net.nodes.len() as u8 + 1;
    let config = ReplicaConfig {
        space: "space".into(),
        author: AuthorId([number; 16]),
        seed: [number; 32],
        relays: relays.iter().map(|relay| (*relay).into()).collect(),
        token: None,
        descriptor: None,
        limits: net.limits,
    };
    let replica = Replica::new(config, net.now);
    let node = net.add(Machine::Replica(Box::new(replica)), store);
    net.nodes[node].disk_delay = disk_delay;
    node
}

pub fn put(key: &str, value: i64) -> Op {
    Op::Put { path: vec![Prop::Map(key.into())], value: Value::Scalar(ScalarValue::Int(value)) }
}

/// A peer for which the test speaks, linked to a relay.
pub struct Raw {
    pub node: NodeId,
    pub link: LinkId,
}

impl Raw {
    pub fn new(net: &mut Net, relay: NodeId) -> Self {
        let node = net.add(Machine::Raw, MemoryStore::default());
        let link = net.connect(node, relay);
        let log = LogId([100 + node as u8; 16]);
        let hello = Hello::empty(Descriptor::plain("space"), log, 64 << 20);
        net.run(20);
        net.send(node, link, &Frame::Hello(hello));
        net.run(50);
        Self { node, link }
    }

    /// Brings commits, each in a frame of its own.
    pub fn bring(&self, net: &mut Net, commits: &[Commit]) {
        for commit in commits {
            let records = vec![commit.encode().into()];
            let frame = Frame::Commits(Commits { records, to: None::<Mark>, named: Vec::new() });
            net.send(self.node, self.link, &frame);
        }
    }

    pub fn hears(&self, net: &Net) -> impl Iterator<Item = Frame> {
        net.nodes[self.node].heard.iter().map(|(_, frame)| frame.clone()).collect::<Vec<_>>().into_iter()
    }
}

/// Where every chain begins.
pub fn start() -> CommitId {
    Descriptor::plain("space").chain_start(0)
}

/// A commit without items. `time` tells branches apart.
pub fn commit(author: u8, seq: u64, prev: CommitId, after: Vec<After>, time: u64) -> Commit {
    Commit::new((AuthorId([author; 16]), seq, prev), after, time, Vec::new(), &Limits::PROTOCOL).unwrap()
}

/// A chain of so many commits.
pub fn chain(author: u8, len: u64) -> Vec<Commit> {
    let mut commits: Vec<Commit> = Vec::new();
    for seq in 1..=len {
        let prev = commits.last().map_or_else(start, Commit::id);
        commits.push(commit(author, seq, prev, Vec::new(), seq));
    }
    commits
}
