//! What counts as applied is given to Automerge: replayed, applied in one go, or all of it anew.

use automerge::{Change, ChangeHash};

use super::{History, Outcome, Recent, empty};
use crate::document::checked::operations::ChangeParts;
use crate::document::checked::references::References;
use crate::document::forks::Rank;
use crate::document::quarantine::Why;
use crate::document::replay::{self, Replayed};

/// More changes than this at once are applied and not replayed: Automerge's walk through an object takes about as
/// long as some two hundred replays.
const REPLAYS_MAX: usize = 100;

impl History {
    /// Gives Automerge what counts as applied: what is made on all that it has is replayed, the rest is
    /// applied in one go.
    pub(super) fn flush(&mut self, outcome: &mut Outcome) {
        for (hash, last) in core::mem::take(&mut self.batch_hashes) {
            self.recent.note(hash, last);
        }
        let operations = core::mem::take(&mut self.batch_operations);
        let mut batch = core::mem::take(&mut self.batch);
        let is_small = batch.len() <= REPLAYS_MAX && operations <= replay::OPERATIONS_MAX as u64;
        if self.misplayed == 0 && is_small {
            let replayed = batch.iter().take_while(|change| self.replay(change, outcome)).count();
            self.replayed += replayed as u64;
            outcome.added.extend(batch.drain(..replayed));
        }
        if let Some(wrong) = self.wrong.take() {
            self.misplayed += 1;
            for change in batch {
                let rank = self.rank(&change.hash());
                self.quarantine.keep_back(change, rank, Why::Blocked);
            }
            let to_try = self.set_all_back(Some(wrong), outcome);
            return self.try_all(to_try, outcome);
        }
        if !batch.is_empty() {
            self.apply(batch, outcome);
        }
    }

    /// Makes a change anew where it was made on all that Automerge has. Whether it is there now.
    fn replay(&mut self, change: &Change, outcome: &mut Outcome) -> bool {
        if !self.follows_all(change) {
            return false;
        }
        match replay::replay(&mut self.doc, &self.references, change, &mut outcome.log) {
            Replayed::Done => true,
            Replayed::Not => false,
            Replayed::Wrong(hash) => {
                self.wrong = Some(hash);
                false
            }
        }
    }

    /// Whether a change that is applied to all but Automerge depends on what a transaction of its author would
    /// depend on now, and numbers its operations alike.
    fn follows_all(&self, change: &Change) -> bool {
        let mut all = self.doc.get_heads();
        let before =
            change.seq().checked_sub(1).and_then(|seq| self.applied_with_seq(change.actor_id(), seq));
        all.extend(before.filter(|before| !all.contains(before)));
        all.sort_unstable();
        // The heads have the highest numbers.
        let last = || all.iter().map(|hash| self.last_operation(hash)).max();
        all == change.deps() && change.start_op().get() == last().unwrap_or(0) + 1
    }

    /// Applies changes in one go. Where that fails, which what was checked before should exclude, they are
    /// given one by one, so that an error costs one change and not its neighbours.
    fn apply(&mut self, batch: Vec<Change>, outcome: &mut Outcome) {
        if self.doc.apply_changes_log_patches(batch.clone(), &mut outcome.log).is_ok() {
            return outcome.added.extend(batch);
        }
        self.recent = Recent::default();
        for change in batch.iter().rev() {
            let hash = change.hash();
            let rank = self.ranks.remove(&hash).unwrap_or(Rank::Author);
            if let Some(hashes) = self.applied.get_mut(change.actor_id()) {
                hashes.pop();
            }
            self.quarantine.keep_back(change.clone(), rank, Why::Blocked);
        }
        self.read_references();
        for change in batch {
            let hash = change.hash();
            let checked = if self.is_next(&change) { self.check(&change) } else { continue };
            let is_applied = checked.is_ok()
                && self.doc.apply_changes_log_patches([change.clone()], &mut outcome.log).is_ok();
            if let Ok(checked) = checked
                && is_applied
            {
                let held = self.quarantine.release(&hash).expect("it was just kept back");
                self.note_applied(&change, held.rank, checked);
                outcome.added.push(change);
            } else {
                self.quarantine.set_why(&hash, Why::Refused);
            }
        }
    }

    /// Reads the operations of the changes that are applied anew.
    fn read_references(&mut self) {
        self.references = References::default();
        self.heads = self.doc.get_heads().into_iter().collect();
        for change in self.doc.get_changes(&[]) {
            let parts = ChangeParts::parse(change.raw_bytes());
            let checked = parts.ok().and_then(|parts| self.references.check(&parts, 0, usize::MAX).ok());
            if let Some(checked) = checked {
                self.references.add(checked);
            }
        }
    }

    /// Empties the document, to be built anew: keeps all that is applied back, and gives their hashes. One change
    /// is dropped.
    pub(super) fn set_all_back(
        &mut self,
        drop: Option<ChangeHash>,
        outcome: &mut Outcome,
    ) -> Vec<ChangeHash> {
        let mut hashes = Vec::new();
        for change in self.doc.get_changes(&[]) {
            let hash = change.hash();
            if Some(hash) != drop {
                let rank = self.rank(&hash);
                hashes.push(hash);
                self.quarantine.keep_back(change, rank, Why::Blocked);
            }
        }
        self.doc = empty(self.doc.get_actor().clone());
        self.applied.clear();
        self.ranks.clear();
        self.references = References::default();
        self.heads.clear();
        self.by_operation.clear();
        self.until_fewer_heads.clear();
        self.recent = Recent::default();
        // What they refer to may be another operation now.
        self.quarantine.try_all_again();
        *outcome = Outcome { rebuilt: true, ..Outcome::default() };
        hashes
    }

    /// Applies what can be of these, which come first, and of all that is kept back.
    pub(super) fn try_all(&mut self, mut first: Vec<ChangeHash>, outcome: &mut Outcome) {
        first.extend(self.quarantine.kept_back().map(|(hash, _)| *hash));
        for hash in first {
            self.try_to_apply(hash, outcome);
        }
        self.flush(outcome);
    }
}
