//! What two holders do that have no valid cursor: each says what it holds, and makes a pass over its
//! log that skips what the other has.

use crate::base::id::LinkId;
use crate::holder::holder::{Holder, LogState};
use crate::holder::notice::Notice;
use crate::link::filter::Holdings;
use crate::link::session::Exchange;
use crate::wire::bodies::Hello;

impl Holder {
    /// Both sides say what they hold (`told`: this side has), and send what the other lacks.
    pub(super) fn reconcile(&mut self, id: LinkId, told: bool, hello: &Hello) {
        if !told {
            self.send_vector(id, false);
        }
        let mut theirs = Holdings::default();
        let exchange = match &hello.tips {
            Some(tips) => {
                theirs.take(tips, &hello.hole_tips, self.log.vector());
                Exchange::Ready(theirs)
            }
            None => Exchange::Awaiting(theirs),
        };
        if let Some(session) = self.links.session_mut(id) {
            session.exchange = exchange;
            session.is_comparison_due = true;
        }
        self.notices.push_back(Notice::LinkChanged);
        self.start_passes();
    }

    /// Begins the passes that wait for the vector to say what is stored and nothing more.
    pub(super) fn start_passes(&mut self) {
        if self.appending || self.state != LogState::Open {
            return;
        }
        // Half of a commit is not left there.
        let is_ready = |session: &crate::link::session::Session| {
            matches!(session.exchange, Exchange::Ready(_)) && session.send.begun.is_none()
        };
        let ready = self.links.sessions().filter(|(_, session)| is_ready(session)).map(|(id, _)| id);
        for id in ready.collect::<Vec<_>>() {
            let Some(session) = self.links.session_mut(id) else { continue };
            let Exchange::Ready(theirs) = core::mem::replace(&mut session.exchange, Exchange::None) else {
                continue;
            };
            session.send.start_filtered(theirs, self.log.vector(), self.stored);
            session.moved(self.now);
            self.feed(id);
        }
    }
}
