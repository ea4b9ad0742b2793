//! The regions of a space, as one of its relays knows them.

use crate::base::id::LinkId;
use crate::holder::holder::Holder;
use crate::holder::records::PeerRecord;
use crate::link::session::Session;

/// A relay of the same space in another region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayPeer {
    /// Its region.
    pub region: String,
    /// Its address, as [`Effect::Dial`](crate::holder::io::Effect::Dial) will give it.
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

/// The link to the relay of that region, where it is up.
pub(super) fn mesh_session<'a>(holder: &'a Holder, region: &str) -> Option<(LinkId, &'a Session)> {
    mesh_sessions(holder, region).next()
}

/// The links to the relay of that region that are up: for a moment there may be two.
pub(super) fn mesh_sessions<'a>(
    holder: &'a Holder,
    region: &str,
) -> impl Iterator<Item = (LinkId, &'a Session)> {
    holder.links().mesh().filter(move |(_, session)| session.peer.region.as_deref() == Some(region))
}

/// How much of this log a region is not known to have read.
pub(super) fn unsent(holder: &Holder, region: &str) -> u64 {
    let acked = match mesh_session(holder, region) {
        Some((_, session)) => session.send.read_acked,
        None => known(holder, region, |peer| peer.read_acked),
    };
    holder.stored().seq.saturating_sub(acked)
}

/// How much of this log a region is not known to have stored with all bytes.
pub(super) fn behind(holder: &Holder, region: &str) -> u64 {
    let acked = match mesh_session(holder, region) {
        Some((_, session)) => session.send.whole_acked,
        None => known(holder, region, |peer| peer.whole_acked),
    };
    holder.stored().seq.saturating_sub(acked)
}

fn known(holder: &Holder, region: &str, acked: impl Fn(&PeerRecord) -> u64) -> u64 {
    holder.peers().iter().filter(|peer| peer.region == region).map(acked).max().unwrap_or(0)
}
