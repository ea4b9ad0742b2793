//! How what has come in gets into the log: admitted in causal order, staged into one write, and
//! acknowledged once that is durable.

use std::collections::BTreeSet;

use crate::base::id::{LinkId, LogId};
use crate::base::mutation::Mutation;
use crate::commit::commit::Commit;
use crate::commit::header::After;
use crate::holder::gate::{Charge, Load};
use crate::holder::holder::{Holder, LogState};
use crate::holder::notice::Notice;
use crate::holder::pending::{Brought, InFlight, Incoming, Origin, Pending};
use crate::holder::turns::COMMIT_BYTES;
use crate::holder::work::READ_BYTES_MIN;
use crate::link::session::Session;
use crate::log::holes::Word;
use crate::log::lookup::Admission;
use crate::log::rows::Entry;
use crate::storage::request::{StorageAnswer, StorageFault, StorageRequest, WriteBatch};
use crate::wire::close::CloseCode;

/// Commits in the inbox whose reads are made along with those of the first, as long as these are not many.
const READ_AHEAD: usize = 1000;

/// To look up a cause takes as long as to read so many bytes.
const CAUSE_BYTES: usize = 32;

/// What became of a commit that was looked at.
enum Looked {
    /// It is dealt with.
    Done,
    /// Storage must be asked first.
    Reads(Incoming, Vec<StorageRequest>),
    /// Nothing else is admitted before the bytes that it brings are in place.
    Fills(Incoming, u64),
}

impl Holder {
    /// Admits what has come in, as far as it goes without waiting for storage.
    pub(super) fn pump(&mut self) {
        loop {
            self.step();
            let Some((pending, request)) = self.done.pop_front() else { break };
            if let Err(error) = self.answered(pending, &request, StorageAnswer::Written) {
                self.fail(StorageFault::Corrupt, error.to_string());
            }
        }
        if !self.disk_failed()
            && let Some(saved) = self.intake.take_saved()
        {
            self.notices.push_back(Notice::Saved(saved));
        }
        self.tell_presences();
        self.schedule();
    }

    fn step(&mut self) {
        if self.state != LogState::Open || self.writing > 0 || self.intake.lookups > 0 {
            return;
        }
        if self.lagging {
            return self.reload();
        }
        if !self.disk_failed() && core::mem::take(&mut self.moved) {
            self.notices.push_back(Notice::LogMoved);
        }
        let mut origins = Vec::new();
        let mut reads = BTreeSet::new();
        let mut fill = None;
        self.look_up_named(&mut reads);
        while self.admitting.is_free(self.now, &self.limits)
            && let Some(incoming) = self.intake.inbox.pop_front()
        {
            match self.look_at(incoming, &mut origins) {
                Looked::Done if self.log.staged_bytes() < self.limits.write_bytes_max => {}
                Looked::Done => break,
                Looked::Reads(incoming, more) => {
                    reads.extend(more.into_iter().map(ReadKey));
                    self.intake.inbox.push_front(incoming);
                    break;
                }
                Looked::Fills(incoming, seq) => {
                    fill = Some((incoming, seq));
                    break;
                }
            }
        }
        if let Some(staged) = self.log.take_staged() {
            let puts = staged.puts;
            let mut batch = WriteBatch { guard: Some(staged.guard), puts, deletes: staged.deletes };
            self.take_records(&mut batch);
            self.gate.take(&mut batch);
            let flight = InFlight { entries: staged.entries, origins };
            self.intake.put_before(fill.map(|(incoming, _)| incoming));
            self.appending = true;
            self.act_early(&flight);
            self.write(Pending::Append(flight), batch);
        } else if let Some((incoming, seq)) = fill {
            self.read_to_fill(seq, incoming);
        } else if !reads.is_empty() {
            for ReadKey(read) in self.more_reads(reads) {
                self.intake.lookups += 1;
                self.admitting.spend(READ_BYTES_MIN as usize);
                self.request(Pending::Lookup, read);
            }
        } else if self.intake.inbox.is_empty() {
            self.rest();
        }
        self.start_passes();
    }

    /// See [`Mutation::AcknowledgeEarly`] and [`Mutation::ForwardEarly`].
    fn act_early(&mut self, flight: &InFlight) {
        if self.limits.is_mutated(Mutation::AcknowledgeEarly) {
            for (entry, origins) in flight.entries.iter().zip(&flight.origins) {
                self.arrived(origins, &entry.commit);
            }
            self.acknowledge();
        }
        if self.limits.is_mutated(Mutation::ForwardEarly) {
            self.push_live(self.stored, &flight.entries);
        }
    }

    /// What is done when all that came in is in the log, or waits.
    fn rest(&mut self) {
        if self.intake.is_clear() {
            self.gate.forget_departed();
        }
        self.acknowledge();
        self.ask_for_missing();
        self.compare_after_passes();
        self.greet_all();
        self.scrub();
        if self.save_peers_due || self.log.has_unwritten_holes() {
            self.save_records();
        }
    }

    fn look_at(&mut self, mut incoming: Incoming, staged: &mut Vec<Vec<Origin>>) -> Looked {
        let admission = self.log.admit(&incoming.commit, incoming.known);
        let causes = match admission {
            Admission::Waits(at) => at,
            _ => incoming.commit.header().after.len(),
        };
        let causes_bytes = (causes - incoming.known.min(causes)) * CAUSE_BYTES;
        self.admitting.spend(COMMIT_BYTES + causes_bytes);
        match admission {
            Admission::Held => {
                self.note_repeated(&incoming.origins);
                self.arrived(&incoming.origins, &incoming.commit);
                Looked::Done
            }
            Admission::Fills(seq) => {
                self.note_useful(&incoming.origins);
                Looked::Fills(incoming, seq)
            }
            Admission::Waits(at) => {
                self.wait(Incoming { known: at, ..incoming });
                Looked::Done
            }
            Admission::Reads(reads) => Looked::Reads(incoming, reads),
            Admission::Foreign => {
                // A relay that was greeted by another one before either was told what the space is learns
                // it when they greet each other once more.
                let (code, why) = match self.log.chain_start() {
                    None => (CloseCode::GoingAway, "this relay has not been told what the space is"),
                    Some(_) => (CloseCode::Malformed, "a commit of another space"),
                };
                if incoming.origins.iter().any(Origin::is_this_process) {
                    let reason = "another process has made this space with other options";
                    self.fail(StorageFault::Incompatible, reason.into());
                }
                for link in incoming.origins.iter().filter_map(Origin::link).collect::<Vec<_>>() {
                    self.close(link, code, why);
                }
                Looked::Done
            }
            Admission::Ready => {
                match self.charge(&mut incoming) {
                    Charge::Fits if incoming.origins.is_empty() => return Looked::Done,
                    Charge::Fits => {}
                    Charge::Reads(read) => return Looked::Reads(incoming, vec![read]),
                    Charge::Exceeds(_) => {
                        self.arrived(&incoming.origins, &incoming.commit);
                        return Looked::Done;
                    }
                }
                self.note_first(&incoming.origins);
                self.note_useful(&incoming.origins);
                let Incoming { origins, commit, .. } = incoming;
                self.stage(commit, &origins);
                staged.push(origins);
                Looked::Done
            }
        }
    }

    fn stage(&mut self, commit: Commit, origins: &[Origin]) {
        let (author, name) = (commit.header().author, commit.name());
        let own = self.is_own(origins);
        let bringer = origins.iter().find_map(|origin| self.bringer(origin));
        let branches = self.log.vector().of(&author).len();
        self.log.stage(commit, own, bringer);
        let is_fork = branches > 0 && self.log.vector().of(&author).len() > branches;
        self.counters.forks += u64::from(is_fork);
        self.release(&name);
    }

    /// Those that waited for this commit and for nothing else are looked at again, next.
    pub(super) fn release(&mut self, name: &After) {
        let released = self.intake.waiting.release(name);
        self.intake.put_before(released);
    }

    /// Puts a commit on the account of whoever brings it; drops those who bring too much.
    fn charge(&mut self, incoming: &mut Incoming) -> Charge {
        if self.gate.is_open() {
            self.bound_holes_of_peers(incoming);
            return Charge::Fits;
        }
        let commit = &incoming.commit;
        let header = commit.header();
        let tips = self.log.vector().of(&header.author);
        // A branch counts as an author: it costs as much.
        let continues = header.seq > 1
            && self.log.vector().named(&header.author, header.seq - 1, header.prev.short()).is_some();
        let is_new_author = !continues;
        let has_too_many_branches = !continues && self.gate.has_too_many_branches(tips.len());
        let lacks_bytes = commit.lacks_bytes();
        // What is absent may yet come, and then nobody is charged for it.
        let absent = if lacks_bytes { commit.item_bytes() } else { 0 };
        let load = Load { bytes: commit.size() as u64 + absent, is_new_author };
        let has_too_many_holes = lacks_bytes && self.log.holes().len() >= self.limits.holes_max;
        while let Some(origin) = incoming.origins.first().copied() {
            let Some(link) = origin.link() else { return Charge::Fits };
            let subject = match self.links.session(link) {
                Some(session) if session.is_mesh => return Charge::Fits,
                Some(session) => session.grant().map(|grant| grant.subject.clone()),
                None => self.gate.departed(link).map(str::to_owned),
            };
            let charge = match subject {
                // Nobody vouches for it any more.
                None => Charge::Exceeds(""),
                Some(_) if has_too_many_holes => Charge::Exceeds("too many commits lack their bytes"),
                Some(_) if has_too_many_branches => {
                    Charge::Exceeds("an author's chain has too many branches")
                }
                Some(subject) => self.gate.charge(&subject, load),
            };
            match charge {
                Charge::Exceeds(reason) if self.limits.is_mutated(Mutation::DropOverQuota) => {
                    return Charge::Exceeds(reason);
                }
                Charge::Exceeds(reason) => {
                    self.exceeded(link, reason);
                    incoming.origins.retain(|origin| origin.link() != Some(link));
                }
                other => return other,
            }
        }
        Charge::Fits
    }

    /// A replica has no quotas. Of commits that lack bytes it takes only so many from other replicas.
    fn bound_holes_of_peers(&mut self, incoming: &mut Incoming) {
        if !incoming.commit.lacks_bytes() || self.log.holes().len() < self.limits.holes_max {
            return;
        }
        for link in incoming.origins.iter().filter_map(Origin::link).collect::<Vec<_>>() {
            if self.links.session(link).is_some_and(|session| session.is_peer()) {
                self.exceeded(link, "too many commits lack their bytes");
                incoming.origins.retain(|origin| origin.link() != Some(link));
            }
        }
    }

    /// The link brought more than it may: a verdict on the link, never on one commit. Its owner has
    /// what is dropped still, and brings it again when it may.
    fn exceeded(&mut self, link: LinkId, reason: &str) {
        self.close(link, CloseCode::Full, reason);
        self.gate.forget(link);
        self.intake.drop_from(link);
    }

    /// Whether this holder made it; for a relay, whether it came from a client.
    fn is_own(&self, origins: &[Origin]) -> bool {
        origins.iter().any(|origin| match origin {
            Origin::Own(_) => true,
            Origin::Again { own } => *own,
            #[cfg(feature = "documents")]
            Origin::Kept => true,
            Origin::Stream(link, ..) | Origin::Answer(link, _) => {
                self.is_relay() && self.links.session(*link).is_none_or(|session| !session.is_mesh)
            }
        })
    }

    /// The log that a commit came from, and what that says of what is whole of it.
    fn bringer(&self, origin: &Origin) -> Option<(LogId, Word)> {
        let (link, brought) = origin.brought()?;
        let session = self.links.session(link)?;
        match brought {
            Brought::All => Some((session.peer.log, Word::Whole(self.whole_before(session)))),
            Brought::Part => Some((session.peer.log, Word::Lacks)),
        }
    }

    /// Up to which number everything from the other side's log is whole here.
    pub(super) fn whole_before(&self, session: &Session) -> u64 {
        let holes = self.log.holes();
        let whole = holes.whole_of(&session.peer.log, &session.receive.lacking).unwrap_or(u64::MAX);
        whole.min(session.receive.read.seq)
    }

    /// What the commits behind the first in the inbox will ask for is read along with it.
    fn more_reads(&self, mut reads: BTreeSet<ReadKey>) -> BTreeSet<ReadKey> {
        for incoming in self.intake.inbox.iter().take(READ_AHEAD) {
            if reads.len() >= self.limits.reads_max {
                break;
            }
            if let Admission::Reads(more) = self.log.admit(&incoming.commit, incoming.known) {
                reads.extend(more.into_iter().map(ReadKey));
            }
        }
        reads
    }

    pub(super) fn appended(&mut self, flight: InFlight) {
        self.writing -= 1;
        self.appending = false;
        let before = self.stored;
        self.stored = flight.entries.last().map_or(before, |last| last.at);
        self.counters.commits_in += flight.entries.len() as u64;
        for (entry, origins) in flight.entries.iter().zip(&flight.origins) {
            self.arrived(origins, &entry.commit);
            // Who lacks bytes of it is sent it as it is here.
            for link in origins.iter().filter_map(Origin::link_of_whole) {
                if let Some(session) = self.links.session_mut(link) {
                    session.send.came_from_peer(entry.at.seq, &self.limits);
                }
            }
            self.named_arrived(&entry.commit.id(), Some(entry.at.seq));
        }
        let closes_holes = |entry: &Entry| entry.again || entry.commit.header().deletes().next().is_some();
        if flight.entries.iter().any(closes_holes) {
            self.holes_have_closed();
        }
        self.push_live(before, &flight.entries);
        self.acknowledge();
        self.notices.push_back(Notice::Appended(flight.entries));
    }

    /// The commit at that position lacks bytes, and came from there.
    fn hole_arrived(&mut self, seq: u64, origin: &Origin) {
        let Some((log, word)) = self.bringer(origin) else { return };
        let Some(session) = origin.link().and_then(|link| self.links.session_mut(link)) else { return };
        self.log.brought_hole(seq, (log, word), session.receive.read.seq);
        let holes = self.log.holes();
        if word != Word::Lacks {
            session.receive.lacking.remove(&seq);
        } else if holes.limits(seq, &log) {
            session.receive.lacking.retain(|other| holes.get(*other).is_some());
            session.receive.lacking.insert(seq);
        }
    }

    /// The commit is in the log: whoever sent it need not send it again.
    pub(super) fn arrived(&mut self, origins: &[Origin], commit: &Commit) {
        let now = self.now;
        let hole = self.log.holes().seq_of(&commit.id());
        for origin in origins {
            if let Some(seq) = hole {
                self.hole_arrived(seq, origin);
            }
            match origin {
                Origin::Stream(id, frame, bytes, _) => {
                    self.chain_arrived(*id, commit.header().author, commit.header().seq.saturating_sub(1));
                    if let Some(session) = self.links.session_mut(*id) {
                        session.receive.arrived(*frame, &commit.id());
                        session.send.is_known(&commit.tip(), now);
                        self.touched.insert(*id);
                        self.done_with(*id, *bytes);
                    }
                }
                Origin::Answer(id, _) => {
                    self.touched.insert(*id);
                }
                Origin::Own(_) | Origin::Again { .. } => self.intake.own_is_stored(origin),
                #[cfg(feature = "documents")]
                Origin::Kept => {}
            }
        }
    }
}

/// A read that is needed before commits can be admitted; ordered, so that each is made once.
#[derive(PartialEq, Eq)]
pub(super) struct ReadKey(pub StorageRequest);

impl ReadKey {
    fn key(&self) -> (u8, &[u8]) {
        match &self.0 {
            StorageRequest::Get(keys) => (0, keys.first().map_or(&[], Vec::as_slice)),
            StorageRequest::Scan { from, .. } => (1, from),
            StorageRequest::Write(_) => (2, &[]),
        }
    }
}

impl Ord for ReadKey {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for ReadKey {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
