//! The links to other replicas, with how long a round trip on each takes.

use crate::base::id::LinkId;
use crate::base::id_map::IdMap;
use crate::base::time::Millis;

/// A round trip that was measured so long ago is measured again when somebody asks.
const MEASURED_FOR: Millis = 1_000;

#[derive(Clone, Debug, Default)]
pub(crate) struct RoundTrips(IdMap<LinkId, RoundTrip>);

#[derive(Clone, Debug, Default)]
struct RoundTrip {
    /// The number of the question that is out, and when it was asked.
    asked: Option<(u64, Millis)>,
    /// How long it took the last time, and when the answer came.
    measured: Option<(Millis, Millis)>,
}

impl RoundTrips {
    pub fn add(&mut self, link: LinkId) {
        self.0.insert(link, RoundTrip::default());
    }

    /// Whether this is a link to a replica.
    pub fn contains(&self, link: LinkId) -> bool {
        self.0.contains_key(&link)
    }

    /// The link is gone. Whether it was one to a replica.
    pub fn remove(&mut self, link: LinkId) -> bool {
        self.0.remove(&link).is_some()
    }

    /// The last round trip that was measured.
    pub fn measured(&self, link: LinkId) -> Option<Millis> {
        self.0.get(&link)?.measured.map(|(time, _)| time)
    }

    /// Whether it is to be measured again.
    pub fn is_due(&self, link: LinkId, now: Millis) -> bool {
        let is_old = |(_, at): (Millis, Millis)| at + MEASURED_FOR <= now;
        self.0.get(&link).is_some_and(|trip| trip.asked.is_none() && trip.measured.is_none_or(is_old))
    }

    /// A question with this number went out.
    pub fn asked(&mut self, link: LinkId, nonce: u64, now: Millis) {
        if let Some(trip) = self.0.get_mut(&link) {
            trip.asked = Some((nonce, now));
        }
    }

    /// A question was answered. Whether that was on a link to a replica.
    pub fn answered(&mut self, link: LinkId, nonce: u64, now: Millis) -> bool {
        let Some(trip) = self.0.get_mut(&link) else { return false };
        if let Some((_, since)) = trip.asked.take_if(|(asked, _)| *asked == nonce) {
            trip.measured = Some((now.saturating_sub(since), now));
        }
        true
    }
}
