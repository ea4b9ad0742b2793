//! What a replica shows of itself, and when it is to be said.

use crate::base::id::PresenceId;
use crate::base::time::Millis;
use crate::holder::showing::SLOT;

/// After so long it is said again although it is the same.
const AGAIN: Millis = 4_000;

/// This process, as others see it.
#[derive(Clone, Debug)]
pub(crate) struct OwnPresence {
    pub id: PresenceId,
    /// Empty: it shows nothing.
    pub state: Vec<u8>,
    /// Of what was said last.
    pub number: u64,
    pub said_at: Option<Millis>,
    pub has_changed: bool,
    /// It is to be said although it may be the same.
    pub is_due: bool,
}

impl OwnPresence {
    /// When it is to be said.
    pub fn due(&self, has_others: bool) -> Option<Millis> {
        let Some(said_at) = self.said_at else { return Some(0) };
        let is_due = self.is_due || (self.has_changed && has_others);
        if is_due { Some(said_at + SLOT) } else { has_others.then_some(said_at + AGAIN) }
    }
}
