//! The regions of a space, as one of its relays knows them.

/// A relay of the same space in another region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayPeer {
    /// Its region.
    pub region: String,
    /// Its address, as [`Effect::Dial`] will give it.
    pub url: String,
}

/// How another region is doing, seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionView {
    /// Its name.
    pub region: String,
    /// Whether there is a link to it.
    pub is_linked: bool,
    /// How many of this log's commits it is not known to have stored.
    pub behind: u64,
}
