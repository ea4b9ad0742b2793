//! A writer that brings others' commits without their bytes.

use eyot_core::base::id::{AuthorId, ShortId};
use eyot_core::base::limits::Limits;
use eyot_core::commit::commit::Commit;
use eyot_core::commit::header::After;

use crate::actor::actor::{Actor, Deed, Role};
use crate::base::rng::Rng;

impl Actor {
    /// Brings what it heard to the relays that it did not hear it from, at once.
    pub fn bring_husks(&mut self, rng: &mut Rng, deeds: &mut Vec<Deed>) {
        let links: Vec<_> = self.lines.keys().copied().collect();
        for link in links {
            while let Some(commit) = self.lines.get(&link).and_then(|line| self.heard.get(line.sent)).cloned()
            {
                let is_sent = rng.chance(200) || {
                    let record = self.dressed(&commit, rng);
                    self.bring(link, record, deeds)
                };
                if !is_sent {
                    break;
                }
                if let Some(line) = self.lines.get_mut(&link) {
                    line.sent += 1;
                }
            }
        }
    }

    /// A commit as this actor sends it: with an invented reason in place of bytes, mostly.
    pub fn dressed(&self, commit: &Commit, rng: &mut Rng) -> Vec<u8> {
        if self.role != Role::Husks || rng.chance(150) {
            return commit.encode();
        }
        let delete = match rng.pick(&self.heard) {
            Some(other) if rng.chance(300) => other.name(),
            _ => After { author: AuthorId(rng.bytes()), seq: rng.between(1, 9), short: ShortId(rng.bytes()) },
        };
        let mut husk = commit.clone();
        let bit = rng.below(4) as u8;
        husk.justify(|doc| (bit == 0 || doc.0[0] & 1 != bit & 1).then_some(delete));
        if rng.chance(500) {
            husk = Commit::decode(&husk.encode(), &Limits::PROTOCOL).unwrap_or(husk);
            husk.justify(|_| None);
        }
        husk.encode()
    }
}
