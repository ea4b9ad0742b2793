//! What clients are told of how much of this relay's log other regions have stored.

use std::collections::BTreeMap;

use crate::base::id::LogId;
use crate::base::time::{Clock, Millis};
use crate::holder::holder::Holder;
use crate::relay::region::mesh_session;
use crate::wire::bodies::Stored;
use crate::wire::frame::Frame;

/// How long what a region was last known to have stored may be told while it is not linked.
pub(super) const TOLD_FOR: Millis = 600_000;

/// What was last said of each other region.
#[derive(Default)]
pub(super) struct StoredReports {
    said: BTreeMap<String, Stored>,
}

impl StoredReports {
    /// Takes up what was known before this relay was taken out of memory.
    pub fn opened(&mut self, holder: &Holder) {
        for peer in holder.peers().iter() {
            let (region, log) = (peer.region.clone(), peer.cursor.log);
            let partition = holder.log().marker().partition;
            let stored = Stored { region: region.clone(), log, upto: 0, is_linked: false, partition };
            self.said.insert(region, stored);
        }
    }

    /// Tells whoever brought commits how far other regions have come with them.
    pub fn tell<'a>(&mut self, regions: impl Iterator<Item = &'a str>, holder: &mut Holder, clock: Clock) {
        let mut all = Vec::new();
        let mut is_news = false;
        for (number, region) in regions.enumerate() {
            let linked = mesh_session(holder, region).map(|(_, s)| (s.peer.log, s.send.whole_acked));
            let is_linked = linked.is_some();
            let known = linked.or_else(|| met_lately(holder, region, clock));
            let partition = holder.log().marker().partition;
            let now =
                known.map(|(log, upto)| Stored { region: region.into(), log, upto, is_linked, partition });
            all.push(now.clone());
            let Some(now) = now else {
                // Who comes meanwhile is told nothing: that it is linked again is news.
                if let Some(before) = self.said.get_mut(region) {
                    before.is_linked = false;
                }
                continue;
            };
            let before = self.said.insert(region.to_owned(), now.clone());
            is_news |= before.as_ref() != Some(&now);
            if before.is_some_and(|before| before.log != now.log) {
                forget(holder, number);
            }
        }
        send(holder, &all, is_news);
    }
}

/// Sends each client what concerns its commits and it was not told before; to all of them where there
/// are news, otherwise to those that have brought something since.
fn send(holder: &mut Holder, all: &[Option<Stored>], is_news: bool) {
    let bringers = holder.take_bringers();
    let ids = if is_news { holder.links().ids() } else { bringers.into_iter().collect() };
    for id in ids {
        let Some(session) = holder.session_mut(id).filter(|session| session.wants_stored()) else { continue };
        let Some(accepted) = session.accepted() else { continue };
        let brought = accepted.brought;
        accepted.told_stored.resize(all.len(), 0);
        let due: Vec<_> = all
            .iter()
            .zip(&mut accepted.told_stored)
            .filter_map(|(stored, told)| {
                let stored = stored.as_ref().filter(|stored| *told < brought && stored.upto > *told)?;
                // What is known from a while ago is said again when it is certain.
                if stored.is_linked {
                    *told = stored.upto;
                }
                Some(stored.clone())
            })
            .collect();
        for stored in due {
            holder.send(id, &Frame::Stored(stored));
        }
    }
}

/// What clients were told of a region does not count any more.
fn forget(holder: &mut Holder, number: usize) {
    for id in holder.links().ids() {
        let accepted = holder.session_mut(id).and_then(|session| session.accepted());
        if let Some(told) = accepted.and_then(|accepted| accepted.told_stored.get_mut(number)) {
            *told = 0;
        }
    }
}

/// What a region had stored when it was last linked, if that was not long ago.
pub(super) fn met_lately(holder: &Holder, region: &str, clock: Clock) -> Option<(LogId, u64)> {
    let peer = holder.peers().iter().find(|peer| peer.region == region)?;
    let age = clock.host().checked_sub(peer.agreed_at?)?;
    (age < TOLD_FOR).then_some((peer.cursor.log, peer.whole_acked))
}
