//! What a replica makes of what relays say of other regions.

use crate::base::id::LinkId;
use crate::replica::event::Event;
use crate::replica::replica::Replica;
use crate::wire::bodies::Stored;

impl Replica {
    /// The regions there are, as a relay knows them.
    pub(super) fn learn_regions(&mut self, regions: &[String]) {
        if let Some(known) = self.holder.role_mut().regions_mut() {
            known.learn(regions);
        }
    }

    /// Another region has stored so much of what the relay at the other end holds.
    pub(super) fn stored_elsewhere(&mut self, link: LinkId, stored: Stored) {
        let is_known = self.regions().contains_key(&stored.region);
        let is_same_partition = stored.partition == self.holder.log().marker().partition;
        let is_dialer = self.holder.session(link).is_some_and(|session| session.is_dialer());
        if is_dialer && is_known && is_same_partition {
            self.said.get_or_default(link).stored.insert(stored.region.clone(), stored);
            self.note_elsewhere(link);
        }
    }

    /// Makes sense of what a relay has said of other regions by where it has what it acknowledged.
    pub(super) fn note_elsewhere(&mut self, link: LinkId) {
        let Some(session) = self.holder.session(link) else { return };
        let Some(said) = self.said.get(&link) else { return };
        let acked = |said: &Stored| session.send.acked_by_holder_of(said.upto);
        let said: Vec<_> = said.stored.values().map(|said| (said.clone(), acked(said))).collect();
        for (said, acked) in said {
            // What is known from a while ago does not stand against what this replica has seen since.
            let known = self.regions().get(&said.region).and_then(|region| region.log);
            if said.is_linked || known.is_none_or(|log| log == said.log) {
                if let Some(regions) = self.holder.role_mut().regions_mut() {
                    regions.stored(said.region, said.log, acked);
                }
                self.tell(Event::Status);
            } else {
                self.have_looked_up(link);
            }
        }
    }

    /// This replica or the relay is mistaken about a region's log. The question makes the relay link to
    /// it.
    fn have_looked_up(&mut self, link: LinkId) {
        if !core::mem::replace(&mut self.said.get_or_default(link).has_asked, true) {
            self.holder.ask_fresh(link);
        }
    }
}
