//! What a replica says of itself, and what it and the processes that share its log tell each other of who is there.

use crate::base::id::PresenceId;
use crate::base::time::Millis;
use crate::holder::holder::Holder;
use crate::holder::notice::Notice;
use crate::holder::presences::{Contest, Source};
use crate::holder::showing::GRACE;
use crate::wire::presence::Presence;

/// What a replica is to know before it says who it is.
pub(crate) struct Heard {
    /// Somebody is there who does not know it.
    pub is_asked: bool,
    /// Those that share the log are to be asked, too.
    pub asks_others: bool,
    pub contest: Option<Contest>,
    pub has_others: bool,
}

impl Holder {
    /// What was heard since this was last asked.
    pub fn take_heard_present(&mut self) -> Heard {
        let presences = &mut self.showing.presences;
        let has_newcomer = presences.take_newcomer();
        let asks_others = core::mem::take(&mut self.showing.has_new_link);
        Heard {
            is_asked: core::mem::take(&mut self.showing.is_asked) || asks_others || has_newcomer,
            asks_others,
            contest: presences.take_contest(),
            has_others: presences.has_others(),
        }
    }

    /// This replica is known by that id. Others that are there may not have said so, for they believed to be alone.
    pub fn set_presence(&mut self, id: PresenceId) {
        self.showing.presences.set_own(id);
        self.showing.tells_until = self.now + GRACE;
    }

    /// Says what this replica shows. None: it is not there any more.
    pub fn say_present(&mut self, id: PresenceId, number: u64, state: Option<Vec<u8>>) {
        let state = state.map(Into::into);
        self.hear_present(vec![Presence { id, number, age: 0, state }], Source::Own);
        self.pump();
    }

    /// Says at once that this replica is not there any more.
    pub fn leave_present(&mut self, id: PresenceId, number: u64) {
        self.showing.slot_at = 0;
        self.say_present(id, number, None);
    }

    /// What a process that shares the log has said. Nothing: it wants to be told who is there.
    pub fn hear_shared(&mut self, all: Vec<Presence>, now: Millis) {
        self.now = now;
        self.showing.is_asked |= all.is_empty();
        self.hear_present(all, Source::Shared);
        self.pump();
    }

    /// A process that shares the log knows nobody.
    pub fn share_all_present(&mut self) {
        self.showing.shared = 0;
        self.showing.is_due = true;
    }

    /// When the owner has something to say of itself.
    pub fn set_presence_deadline(&mut self, at: Option<Millis>) {
        if self.showing.owner_at != at {
            self.showing.owner_at = at;
            self.schedule();
        }
    }

    /// Tells the processes that share the log what did not come from one of them.
    pub(super) fn share_presences(&mut self) {
        let told = core::mem::replace(&mut self.showing.shared, self.showing.presences.version);
        let news = self.showing.presences.since(told, self.now, |from, _| from != Source::Shared);
        if !news.is_empty() {
            self.notices.push_back(Notice::PresentHere(news));
        }
    }
}
