//! What processes that share a log (the tabs of a browser profile) tell one another. One of them
//! links to relays; the log itself they meet in storage.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::base::cbor::{from_cbor, to_cbor};
use crate::replica::status::{RelayStatus, State};
use crate::wire::presence::Presence;

/// How the process that links to relays is doing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct LeaderView {
    #[n(0)]
    state: String,
    #[n(1)]
    pub relay: Option<RelayStatus>,
    #[n(2)]
    pub synced: bool,
    /// By region: the log seq up to which it has acknowledged.
    #[n(3)]
    pub acked: BTreeMap<String, u64>,
    /// How many regions there are, once a relay has told.
    #[n(4)]
    pub regions: Option<u32>,
}

impl LeaderView {
    pub fn new(
        state: State,
        relay: Option<RelayStatus>,
        synced: bool,
        acked: BTreeMap<String, u64>,
        regions: Option<usize>,
    ) -> Self {
        let regions = regions.map(|regions| regions as u32);
        Self { state: state.name().into(), relay, synced, acked, regions }
    }

    pub fn state(&self) -> State {
        State::from_name(&self.state).unwrap_or(State::Connecting)
    }
}

/// What this process knows of the others, and they of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tabs {
    /// How the process that links to relays is doing, where that is another one.
    leader: Option<LeaderView>,
    /// The view that this process broadcast last, where it links to relays.
    broadcast: Option<LeaderView>,
}

impl Tabs {
    /// How the process that links to relays is doing; none where it is this one, or has said nothing.
    pub fn leader(&self) -> Option<&LeaderView> {
        self.leader.as_ref()
    }

    pub fn set_leader(&mut self, view: LeaderView) {
        self.leader = Some(view);
    }

    /// This process links to relays from now on.
    pub fn lead(&mut self) {
        self.leader = None;
    }

    /// The others do not know how this process is doing.
    pub fn forget_broadcast(&mut self) {
        self.broadcast = None;
    }

    /// What to broadcast of how this process is doing, where the others do not know it.
    pub fn news(&mut self, view: LeaderView) -> Option<Message> {
        if self.broadcast.as_ref() == Some(&view) {
            return None;
        }
        self.broadcast = Some(view.clone());
        Some(Message::View(view))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Message {
    /// The log has grown.
    #[n(0)]
    Grew,
    /// Who links to relays, and how does it go?
    #[n(1)]
    Ask,
    /// The answer, and whenever it changes.
    #[n(2)]
    View(#[n(0)] LeaderView),
    /// Say when all that the relay holds now is in the log.
    #[n(3)]
    Sync {
        #[n(0)]
        nonce: u64,
        /// Or what so many regions hold.
        #[n(1)]
        regions: Option<u32>,
    },
    /// It is, at or before this number.
    #[n(4)]
    Synced {
        #[n(0)]
        nonce: u64,
        #[n(1)]
        seq: u64,
    },
    /// This process links to relays from now on: ask it.
    #[n(5)]
    Leads,
    /// The log has another id, or was told what the space is.
    #[n(6)]
    Renewed,
    /// Who is there, as far as this process has it from elsewhere. Nobody: say it again.
    #[n(7)]
    Present(#[n(0)] Vec<Presence>),
}

impl Message {
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        from_cbor(bytes).ok()
    }
}
