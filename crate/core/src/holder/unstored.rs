//! Own commits that a host keeps apart while a process ends: it has no time to wait until a write of
//! the log is done. The next process that opens the log takes them in.

use minicbor::bytes::ByteVec;

use crate::base::cbor::{from_cbor, to_cbor};
use crate::base::limits::Limits;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::commit::vector::Tip;
use crate::holder::holder::Holder;
use crate::holder::pending::{Incoming, Origin, Pending};
use crate::log::lookup::Holding;
use crate::storage::request::Corrupt;

impl Holder {
    /// The own commits that no answer of storage covers yet; none where there are no such.
    pub fn unstored(&self) -> Option<Vec<u8>> {
        let is_own = |origins: &[Origin]| origins.iter().any(|origin| matches!(origin, Origin::Own(_)));
        let in_flight = self.pending.values().flat_map(|(pending, _)| match pending {
            Pending::Append(flight) => flight.entries.as_slice(),
            _ => &[],
        });
        let in_flight = in_flight.filter(|entry| entry.own).map(|entry| &entry.commit);
        let queued = self.intake.inbox.iter().filter(|incoming| is_own(&incoming.origins));
        let commits: Vec<ByteVec> = in_flight
            .chain(queued.map(|incoming| &incoming.commit))
            .map(|commit| commit.encode().into())
            .collect();
        (!commits.is_empty()).then(|| to_cbor(&commits))
    }

    /// Takes in what [`Holder::unstored`] gave in an earlier process, as far as it is not in the log.
    ///
    /// # Errors
    /// These are no such bytes.
    pub fn take_unstored(&mut self, bytes: &[u8], now: Millis) -> Result<(), Corrupt> {
        self.now = now;
        for commit in read(bytes)? {
            self.intake.inbox.push_back(Incoming::new(vec![Origin::Kept], commit));
        }
        self.pump();
        Ok(())
    }

    /// Whether all of these commits are known to be in the log.
    pub fn holds_unstored(&self, bytes: &[u8]) -> bool {
        let is_held = |commit: Commit| {
            let header = commit.header();
            let tip = Tip { author: header.author, seq: header.seq, id: commit.id() };
            matches!(self.log.holds(&tip), Holding::Held)
        };
        !self.disk_failed()
            && self.is_settled()
            && read(bytes).is_ok_and(|commits| commits.into_iter().all(is_held))
    }
}

fn read(bytes: &[u8]) -> Result<Vec<Commit>, Corrupt> {
    let commits: Vec<ByteVec> = from_cbor(bytes)?;
    // What is kept was within the limits when it was made.
    let commits = commits.iter().map(|commit| Commit::decode(commit, &Limits::PROTOCOL));
    Ok(commits.collect::<Result<_, _>>()?)
}
