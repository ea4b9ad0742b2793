//! What the application waits for.

use std::collections::BTreeMap;

use crate::base::id::{DocId, LinkId};
use crate::base::id_map::{IdMap, Key};
use crate::base::rng::Rng;
use crate::document::value::Value;
use crate::wire::bodies::RegionHead;

/// Something the application waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitId(pub u64);

impl Key for WaitId {
    fn bytes(&self) -> [u8; 32] {
        self.0.bytes()
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Wait {
    Open {
        doc: DocId,
    },
    /// For the value of a document.
    Peek {
        doc: DocId,
    },
    /// For the values of all documents that cost no more than reading them.
    Values,
    Named {
        name: String,
        initial: Value,
    },
    /// Until all up to `target` of that link's log is held. Once it is, the process that links to the
    /// relays sets `log_seq`: it is held by whoever has followed this log up to there.
    Synced {
        asked: Option<u64>,
        target: Option<(LinkId, u64)>,
        log_seq: Option<u64>,
    },
    /// Until all that so many regions held when they were asked is held: `at` says where that is in
    /// the log of the link that was asked, by region. `log_seq` is as above.
    Fresh {
        regions: u32,
        asked: Option<u64>,
        at: BTreeMap<String, (LinkId, u64)>,
        log_seq: Option<u64>,
    },
    Durable {
        regions: u32,
        number: u64,
        at_least: u64,
    },
    Flush {
        number: u64,
    },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    next: u64,
    waits: IdMap<WaitId, Wait>,
    /// Waits on behalf of another process, by the number it gave.
    for_tabs: IdMap<WaitId, u64>,
}

impl Waits {
    pub fn add(&mut self, wait: Wait) -> WaitId {
        self.next += 1;
        self.waits.insert(WaitId(self.next), wait);
        WaitId(self.next)
    }

    pub fn remove(&mut self, id: WaitId) {
        self.waits.remove(&id);
    }

    pub fn take_opens(&mut self) -> Vec<(WaitId, Wait)> {
        self.take_if(true, |wait| {
            matches!(wait, Wait::Open { .. } | Wait::Named { .. } | Wait::Peek { .. } | Wait::Values)
        })
    }

    /// What some wait for is held, and this log ends here: whoever follows it so far has it. Those of
    /// other processes only `with_tabs`.
    pub fn hold(&mut self, with_tabs: bool, end: u64, is_held: impl Fn(&Wait) -> bool) {
        for (id, wait) in self.waits.iter_mut() {
            if (with_tabs || !self.for_tabs.contains_key(id))
                && is_held(wait)
                && let Wait::Synced { log_seq, .. } | Wait::Fresh { log_seq, .. } = wait
            {
                log_seq.get_or_insert(end);
            }
        }
    }

    /// Takes those that are over; those of other processes only `with_tabs`.
    pub fn take_if(&mut self, with_tabs: bool, is_over: impl Fn(&Wait) -> bool) -> Vec<(WaitId, Wait)> {
        let ids: Vec<_> = self
            .waits
            .iter()
            .filter(|(id, wait)| (with_tabs || !self.for_tabs.contains_key(id)) && is_over(wait))
            .map(|(id, _)| *id)
            .collect();
        ids.into_iter().filter_map(|id| Some((id, self.waits.remove(&id)?))).collect()
    }

    /// Whether somebody waits for a relay that was not asked for the end of its log yet.
    pub fn wants_heads(&self) -> bool {
        self.waits
            .values()
            .any(|wait| matches!(wait, Wait::Synced { asked: None, target: None, log_seq: None }))
    }

    /// Whether somebody waits for regions that were not asked yet.
    pub fn wants_fresh(&self) -> bool {
        self.waits.values().any(|wait| matches!(wait, Wait::Fresh { asked: None, log_seq: None, .. }))
    }

    pub fn asked_fresh(&mut self, nonce: u64) {
        for wait in self.waits.values_mut() {
            if let Wait::Fresh { asked: asked @ None, .. } = wait {
                *asked = Some(nonce);
            }
        }
    }

    /// A relay says when a region was caught up with: for this question, and for all that were asked before.
    pub fn fresh_at(&mut self, link: LinkId, nonce: u64, head: &RegionHead) {
        for wait in self.waits.values_mut() {
            if let Wait::Fresh { asked: Some(asked), at, .. } = wait
                && *asked <= nonce
            {
                at.insert(head.region.clone(), (link, head.at.seq));
            }
        }
    }

    pub fn asked(&mut self, nonce: u64) {
        for wait in self.waits.values_mut() {
            if let Wait::Synced { asked: asked @ None, target: None, .. } = wait {
                *asked = Some(nonce);
            }
        }
    }

    pub fn head_of(&mut self, link: LinkId, nonce: u64, at: u64) {
        for wait in self.waits.values_mut() {
            if let Wait::Synced { asked, target, .. } = wait
                && *asked == Some(nonce)
            {
                *target = Some((link, at));
            }
        }
    }

    /// Whoever was asked is gone: what is not answered is asked of the next.
    pub fn ask_again(&mut self) {
        for wait in self.waits.values_mut() {
            if let Wait::Synced { asked, target, .. } = wait {
                (*asked, *target) = (None, None);
            }
            if let Wait::Fresh { asked, at, .. } = wait {
                *asked = None;
                at.clear();
            }
        }
    }

    /// The log is another one: what was held in it may not be in this one.
    pub fn log_is_new(&mut self) {
        for wait in self.waits.values_mut() {
            if let Wait::Synced { log_seq, .. } | Wait::Fresh { log_seq, .. } = wait {
                *log_seq = None;
            }
        }
        self.ask_again();
    }

    // Between processes that share a log.

    /// Of how many regions; none: of the relay that is linked.
    pub fn add_for_tab(&mut self, nonce: u64, regions: Option<u32>) {
        let id = self.add(match regions {
            Some(regions) => Wait::Fresh { regions, asked: None, at: BTreeMap::new(), log_seq: None },
            None => Wait::Synced { asked: None, target: None, log_seq: None },
        });
        self.for_tabs.insert(id, nonce);
    }

    pub fn is_for_tab(&self, id: WaitId) -> bool {
        self.for_tabs.contains_key(&id)
    }

    pub fn take_tab(&mut self, id: WaitId) -> u64 {
        self.for_tabs.remove(&id).unwrap_or_default()
    }

    /// Numbers of the waits to ask the linking process about: all processes hear its answer, so that no
    /// two may ask with the same number.
    pub fn ask_leader(&mut self, rng: &mut Rng) -> Vec<(u64, Option<u32>)> {
        let mut nonces = Vec::new();
        for wait in self.waits.values_mut() {
            let (asked, regions) = match wait {
                Wait::Synced { asked: asked @ None, log_seq: None, .. } => (asked, None),
                Wait::Fresh { regions, asked: asked @ None, log_seq: None, .. } => (asked, Some(*regions)),
                _ => continue,
            };
            let nonce = rng.below(u64::MAX);
            *asked = Some(nonce);
            nonces.push((nonce, regions));
        }
        nonces
    }

    pub fn leader_synced(&mut self, nonce: u64, seq: u64) {
        for wait in self.waits.values_mut() {
            if let Wait::Synced { asked, log_seq, .. } | Wait::Fresh { asked, log_seq, .. } = wait
                && *asked == Some(nonce)
            {
                *log_seq = Some(seq);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(regions: u32) -> Wait {
        Wait::Fresh { regions, asked: None, at: BTreeMap::new(), log_seq: None }
    }

    /// Every process hears what the linking one says to any of them (seed 1202).
    #[test]
    fn the_answer_to_one_process_ends_no_wait_of_another() {
        let mut tabs = [[1; 32], [2; 32]].map(|seed| (Waits::default(), Rng::new(seed)));
        let mut nonces = Vec::new();
        for (waits, rng) in &mut tabs {
            waits.add(fresh(1));
            nonces.extend(waits.ask_leader(rng).into_iter().map(|(nonce, _)| nonce));
        }
        for (waits, _) in &mut tabs {
            waits.leader_synced(nonces[0], 7);
        }
        let is_answered = |wait: &Wait| matches!(wait, Wait::Fresh { log_seq: Some(7), .. });
        assert_eq!(tabs.map(|(mut waits, _)| waits.take_if(true, is_answered).len()), [1, 0]);
    }

    /// The process that links to relays may have read its log anew, and be behind it (seed 8518).
    #[test]
    fn what_is_held_is_at_the_end_of_the_log_at_the_latest() {
        let mut waits = Waits::default();
        waits.add(fresh(1));
        waits.add_for_tab(5, Some(1));
        waits.hold(false, 7, |_| true);
        waits.hold(true, 9, |_| true);
        let log_seqs = waits.take_if(true, |_| true).into_iter().filter_map(|(_, wait)| match wait {
            Wait::Fresh { log_seq, .. } => log_seq,
            _ => None,
        });
        assert_eq!(log_seqs.collect::<Vec<_>>(), [7, 9]);
    }
}
