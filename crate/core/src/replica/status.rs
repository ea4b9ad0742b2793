//! How a replica is doing.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no relay to link to.
    Local,
    /// On the way to a relay.
    Connecting,
    /// Linked; one side still lacks what the other holds.
    Syncing,
    /// Linked and caught up.
    Live,
    /// Not linked.
    Offline,
    /// The relay does not let this replica in.
    Denied,
}

impl State {
    /// As JavaScript sees it.
    pub fn name(self) -> &'static str {
        match self {
            State::Local => "local",
            State::Connecting => "connecting",
            State::Syncing => "syncing",
            State::Live => "live",
            State::Offline => "offline",
            State::Denied => "denied",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [State::Local, State::Connecting, State::Syncing, State::Live, State::Offline, State::Denied]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// The codes of what may be wrong with links.
pub(crate) const LINK_ERRORS: [&str; 6] =
    ["denied", "expired", "incompatible", "too-large", "quota", "unavailable"];

/// How a replica is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// In one word.
    pub state: State,
    /// The relay it is linked to.
    pub relay: Option<RelayStatus>,
    /// Whether it has caught up with a relay since it was opened.
    pub synced: bool,
    /// Own commits not yet on disk.
    pub unsaved: u64,
    /// Own commits that no region has stored yet; none where there are no relays.
    pub unsent: u64,
    /// By region: how many own commits it has yet to store.
    pub behind: BTreeMap<String, u64>,
    /// Links that are up.
    pub peers: u32,
    /// Changes held and not applied, in the documents that are open. Where others have written what is too
    /// large or can't be read, `error` says so.
    pub quarantined: u64,
    /// A code and what happened, while it lasts.
    pub error: Option<(&'static str, String)>,
}

/// The relay that is linked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RelayStatus {
    /// Its address.
    #[n(0)]
    pub url: String,
    /// Its region.
    #[n(1)]
    pub region: String,
    /// The time its greeting took, in milliseconds.
    #[n(2)]
    pub rtt: u64,
    /// Whether it takes no commits from this replica.
    #[cbor(n(3), default)]
    pub is_read_only: bool,
}
