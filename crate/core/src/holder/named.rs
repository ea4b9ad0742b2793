//! Commits that are named in place of being sent: a relay leaves them to others to send, and a commit stands
//! for those before it in its chain.

use std::collections::{BTreeSet, VecDeque};

use crate::base::id::{AuthorId, CommitId, LinkId};
use crate::base::limits::NAMED_COST_BYTES;
use crate::base::mutation::Mutation;
use crate::holder::admission::ReadKey;
use crate::holder::holder::Holder;
use crate::holder::pending::Named;
use crate::log::holes::Word;
use crate::log::lookup::Holding;

impl Holder {
    /// A commit that was brought or named stands for all before it in its chain, except what came from
    /// there by itself: a pass leaves out what comes before the last commit of a chain.
    pub(super) fn chain_arrived(&mut self, link: LinkId, author: AuthorId, through: u64) {
        let holes = self.log.holes().of_chain(author, through);
        let Some(session) = self.links.session(link).filter(|_| !holes.is_empty()) else { return };
        let bringer = (session.peer.log, Word::Named(self.whole_before(session)));
        let read = session.receive.read.seq;
        for seq in holes {
            self.log.brought_hole(seq, bringer, read);
        }
    }

    /// Settles what other relays have named and is in the log; the rest waits for its own way.
    pub(super) fn look_up_named(&mut self, reads: &mut BTreeSet<ReadKey>) {
        let mut unread = VecDeque::new();
        while let Some(named) = self.intake.named.pop_front() {
            match self.log.holds(&named.tip) {
                Holding::Held => self.name_arrived(&named),
                Holding::Missing if self.limits.is_mutated(Mutation::NamedCounts) => {
                    self.name_arrived(&named);
                }
                Holding::Missing => self.intake.waiting.wait_for(named),
                Holding::Reads(read) => {
                    reads.insert(ReadKey(read));
                    unread.push_back(named);
                    if reads.len() >= self.limits.reads_max {
                        break;
                    }
                }
            }
        }
        unread.append(&mut self.intake.named);
        self.intake.named = unread;
    }

    /// This commit is in the log, at that number: so say relays that have named it.
    pub(super) fn named_arrived(&mut self, id: &CommitId, at: Option<u64>) {
        for named in self.intake.waiting.take_named(id) {
            if let (Some(at), Some(session)) = (at, self.links.session_mut(named.link)) {
                session.send.came_from_peer(at, &self.limits);
            }
            self.name_arrived(&named);
        }
    }

    fn name_arrived(&mut self, named: &Named) {
        let now = self.now;
        self.chain_arrived(named.link, named.tip.author, named.tip.seq);
        if let Some(session) = self.links.session_mut(named.link) {
            // It may not have had the bytes when it was asked before.
            session.asked_holes.remove(&named.tip.id);
            session.receive.arrived(named.frame, &named.tip.id);
            session.send.is_known(&named.tip, now);
            self.touched.insert(named.link);
            self.done_with(named.link, NAMED_COST_BYTES);
        }
    }
}
