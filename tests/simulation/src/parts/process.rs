//! Processes: machines with a clock, a timer, links and a place on a disk, as hosts run them.

use std::collections::{BTreeMap, BTreeSet};

use eyot_core::base::id::{CommitId, DocId, LinkId};
use eyot_core::base::time::Millis;
use eyot_core::relay::relay::Relay;
use eyot_core::replica::replica::Replica;
use eyot_core::replica::waits::WaitId;
use eyot_core::wire::access::Right;

use crate::actor::actor::Actor;
use crate::base::clock::Clock;
use crate::base::ids::ConnectionId;
use crate::parts::history::Waiting;

pub enum Machine {
    Replica(Box<Replica>),
    Relay(Box<Relay>),
    /// Taken out of memory; its links are kept open by what it said of them.
    Asleep(BTreeMap<LinkId, Vec<u8>>),
    /// Somebody who keeps to no rules.
    Actor(Box<Actor>),
}

pub struct Process {
    pub machine: Machine,
    pub disk: usize,
    /// How many machines there were before this one.
    pub life: u64,
    pub clock: Clock,
    pub timer: u64,
    /// How many inputs it was given.
    pub inputs: u64,
    pub links: BTreeMap<LinkId, ConnectionId>,
    /// What a relay's host has kept of its links, each since something last happened on it.
    pub kept: BTreeMap<LinkId, Vec<u8>>,
    /// The links on which something happens just now.
    pub touched: BTreeSet<LinkId>,
    pub next_accepted: u64,
    /// What the bearers of its links' tokens may do, as far as its host was asked.
    pub rights: BTreeMap<LinkId, Right>,
    pub token: Option<String>,
    pub online: bool,
    /// Documents the application has open.
    pub open: BTreeSet<DocId>,
    /// Whether its application wants to hear what changes in documents that are not open.
    pub is_watching: bool,
    /// Values of documents as it was last told then.
    pub peeked: BTreeMap<DocId, Vec<u8>>,
    pub is_ready: bool,
    /// The commits it made.
    pub made: Vec<CommitId>,
    /// What its application waits for.
    pub waits: BTreeMap<WaitId, Waiting>,
    /// Waits that were over at once.
    pub over: BTreeSet<WaitId>,
    pub is_clone: bool,
    pub is_failing: bool,
    pub watched: Watched,
}

/// What is remembered of a replica's links.
pub struct Watched {
    /// Since when it is not linked to a relay and could be, as far as was seen.
    pub apart_since: Millis,
    /// By region: since when its relay is there for this replica.
    pub there_since: Vec<Option<Millis>>,
    /// The relays it was linked to, one after the other.
    pub linked_to: Vec<usize>,
    /// By region: how many of its commits it has said that region has stored.
    pub stored: Vec<usize>,
}

impl Watched {
    pub fn new(regions: usize, now: Millis) -> Self {
        Self {
            apart_since: now,
            there_since: vec![None; regions],
            linked_to: Vec::new(),
            stored: vec![0; regions],
        }
    }
}
