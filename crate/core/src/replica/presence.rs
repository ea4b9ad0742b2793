//! What the application shows of this replica to others.
//!
//! It is said when it has changed, at most four times a second, and again before it would expire; where nobody
//! else is there it is said once, and again when somebody comes: a relay with one replica can sleep.

use crate::base::id::PresenceId;
use crate::base::time::Millis;
use crate::holder::own_presence::Heard;
use crate::holder::presences::Contest;
use crate::replica::event::{Event, ReplicaError};
use crate::replica::own_presence::OwnPresence;
use crate::replica::replica::Replica;
use crate::replica::tabs::Message;
use crate::wire::presence::Presence;

impl Replica {
    /// Lets others see that this replica is there, and what it shows; without a state nothing. It gets to know
    /// who else is there: [`Event::Present`]. Gives the id by which others know it.
    ///
    /// # Errors
    /// [`ReplicaError::TooLarge`]: all is as it was.
    pub fn show(&mut self, state: Option<Vec<u8>>, now: Millis) -> Result<PresenceId, ReplicaError> {
        let now = self.observe(now);
        self.holder.catch_up(now);
        let state = state.unwrap_or_default();
        let most = self.holder.limits().presence_bytes_max;
        if state.len() > most {
            let count = state.len();
            return Err(ReplicaError::TooLarge(format!(
                "what is shown has {count} bytes, and {most} may be"
            )));
        }
        let id = match &mut self.presence {
            Some(own) => {
                own.has_changed |= own.state != state;
                own.state = state;
                own.id
            }
            None => {
                let id = self.new_presence();
                let own =
                    OwnPresence { id, state, number: 0, said_at: None, has_changed: false, is_due: true };
                self.presence = Some(own);
                // Others that share the log may know who is there.
                self.broadcast(&Message::Present(Vec::new()));
                id
            }
        };
        self.advance();
        Ok(id)
    }

    /// Tells others that this replica is not there any more. It is about to close.
    pub fn leave(&mut self, now: Millis) {
        let now = self.observe(now);
        self.holder.catch_up(now);
        if let Some(own) = self.presence.take() {
            self.holder.leave_present(own.id, own.number + 1);
            self.holder.set_presence_deadline(None);
        }
        self.advance();
        self.write_checkpoint(true);
    }

    /// Of how many replicas it knows that they are there, or were a moment ago.
    pub fn present(&self) -> usize {
        self.holder.present()
    }

    /// Says again who this is, where it is time to.
    pub(super) fn run_presence(&mut self) {
        let Heard { is_asked, asks_others, contest, has_others } = self.holder.take_heard_present();
        let now = self.now;
        if asks_others {
            self.broadcast(&Message::Present(Vec::new()));
        }
        let another = (matches!(contest, Some(Contest::Doubled)) && self.presence.is_some())
            .then(|| self.new_presence());
        let Some(own) = &mut self.presence else { return };
        own.id = another.unwrap_or(own.id);
        if let Some(Contest::Gone(number)) = contest {
            own.number = own.number.max(number);
        }
        own.is_due |= is_asked || contest.is_some();
        if own.due(has_others).is_some_and(|at| at <= now) {
            own.number += 1;
            own.said_at = Some(now);
            (own.is_due, own.has_changed) = (false, false);
            self.holder.say_present(own.id, own.number, Some(own.state.clone()));
        }
        self.holder.set_presence_deadline(own.due(has_others));
    }

    /// What was said while the log was being loaded may have been told to nobody (seed 751593).
    pub(super) fn say_presence_again(&mut self) {
        if let Some(own) = &mut self.presence {
            own.is_due = true;
        }
    }

    /// An id of its own, although another process may be a copy of this one.
    fn new_presence(&mut self) -> PresenceId {
        let now = self.now.to_be_bytes();
        let rng = self.holder.rng();
        rng.take_in(&now);
        let id = PresenceId(rng.bytes16());
        self.holder.set_presence(id);
        id
    }

    /// What another process that shares the log knows.
    pub(super) fn heard_present(&mut self, all: Vec<Presence>) {
        if all.is_empty() {
            self.holder.share_all_present();
        }
        self.holder.hear_shared(all, self.now);
    }

    pub(super) fn tell_present(&mut self, id: PresenceId, state: Option<&[u8]>) {
        self.tell(Event::Present { id, state: state.map(<[u8]>::to_vec) });
    }
}
