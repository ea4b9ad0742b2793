//! What is to be told of who is there, and when.

use crate::base::time::Millis;
use crate::holder::presences::Presences;

/// How much time is between two frames on a link at least.
pub(crate) const SLOT: Millis = 250;
/// How long links are told what is new although nobody was heard of there.
pub(super) const GRACE: Millis = 2_000;

/// What a holder does with what is said of who is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Showing {
    pub(super) presences: Presences,
    /// Something is to be told that was not.
    pub(super) is_due: bool,
    /// When links may be told again.
    pub(super) slot_at: Millis,
    /// Those on the links that a relay has accepted are to say again who they are.
    pub(super) asks: bool,
    /// Until then somebody may come of whom this holder has not heard.
    pub(super) tells_until: Millis,
    /// Who is on a link that has come up does not know this replica.
    pub(super) has_new_link: bool,
    /// The other side of a link, or a process that shares the log, wants this replica to say who it is.
    #[cfg_attr(not(feature = "documents"), expect(dead_code))]
    pub(super) is_asked: bool,
    /// Up to which version the processes that share the log were told.
    #[cfg_attr(not(feature = "documents"), expect(dead_code))]
    pub(super) shared: u64,
    /// When the owner has something to say.
    pub(super) owner_at: Option<Millis>,
}

impl Showing {
    /// When something is due.
    pub fn next(&mut self, now: Millis) -> Option<Millis> {
        let told = self.is_due.then_some(self.slot_at);
        [told, self.presences.expire(now), self.owner_at].into_iter().flatten().min()
    }
}
