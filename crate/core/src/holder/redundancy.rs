//! Between replicas that are linked by several ways a commit would come by each of them. A link that only repeats
//! what others have brought names commits instead; what was named and has not come in time is asked for, and
//! then the link sends again. So those that send come to be a tree, and the others mend it (as in Plumtree).

use crate::base::id::LinkId;
use crate::holder::holder::Holder;
use crate::holder::pending::Origin;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

/// So many commits in a row that were here already, and the link does not send them any more.
const REPEATS: u32 = 3;

impl Holder {
    pub(super) fn naming_came(&mut self, id: LinkId, names: bool) {
        let Some(session) = self.links.session_mut(id) else { return };
        if !session.is_peer() {
            return self.close(id, CloseCode::OutOfOrder, "commits are named to replicas only by replicas");
        }
        session.names = names;
        session.repeats = 0;
        self.say_names(id);
    }

    /// These links have sent a commit that was here already.
    pub(super) fn note_repeated(&mut self, origins: &[Origin]) {
        for id in streams(origins) {
            let Some(session) = self.links.session_mut(id).filter(|session| session.is_peer()) else {
                continue;
            };
            session.repeats += 1;
            if session.repeats >= REPEATS && !session.names {
                session.names = true;
                self.send(id, &Frame::Naming(true));
            }
        }
    }

    /// These links have sent a commit that was not here.
    pub(super) fn note_first(&mut self, origins: &[Origin]) {
        // Of several that have brought it the first one counts.
        let first = streams(origins).next().and_then(|id| self.links.session_mut(id));
        if let Some(session) = first.filter(|session| session.is_peer()) {
            session.repeats = 0;
        }
    }

    /// What a link has named has not come by any other: it is to send again.
    pub(super) fn send_again(&mut self, id: LinkId) {
        let Some(session) = self.links.session_mut(id).filter(|session| session.is_peer() && session.names)
        else {
            return;
        };
        session.names = false;
        session.repeats = 0;
        self.say_names(id);
        self.send(id, &Frame::Naming(false));
    }

    // What waits for more of the kind.

    /// Says at once what commits are named, where names wait: what comes after them on the link counts on that.
    pub(super) fn say_names(&mut self, id: LinkId) {
        let marker = self.log.marker();
        let session = self.links.session_mut(id).filter(|session| session.is_peer());
        if let Some(frame) = session.and_then(|session| session.send.say_names(marker)) {
            self.send(id, &frame);
        }
    }

    pub(super) fn say_what_waits(&mut self, id: LinkId) {
        let now = self.now;
        let Some(session) = self.links.session_mut(id) else { return };
        let later = &mut session.send.later;
        let (are_names_due, is_ack_due) = (later.are_names_due(now), later.ends_wait_of_ack(now));
        if are_names_due {
            self.say_names(id);
        }
        if is_ack_due {
            self.touched.insert(id);
            self.acknowledge();
        }
    }
}

fn streams(origins: &[Origin]) -> impl Iterator<Item = LinkId> {
    origins.iter().filter_map(|origin| match origin {
        Origin::Stream(id, ..) => Some(*id),
        _ => None,
    })
}
