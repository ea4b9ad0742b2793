//! Questions for commits that are missing: causes of what waits, and bytes.

use std::collections::BTreeSet;

use crate::base::id::LinkId;
use crate::base::id_map::IdMap;
use crate::base::mutation::Mutation;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::holder::holder::Holder;
use crate::holder::pending::{Brought, Incoming, Missing, Origin};
use crate::link::session::{Purpose, Wanted};
use crate::log::log::Admission;
use crate::wire::bodies::{Answer, ChainRange, Want};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

/// How long a commit that a relay has named, or the cause of one that it has sent, may take to come
/// its own way before that relay is asked for it.
const PATIENCE: Millis = 1_000;

impl Holder {
    /// A commit whose causes are not here waits for them. It keeps its credit, so that a peer's backlog
    /// can't fill the room.
    pub(super) fn wait(&mut self, incoming: Incoming, missing: Vec<ChainRange>) {
        let id = incoming.commit.id();
        let is_new = !self.intake.waiting.contains(&id);
        let links: Vec<_> = incoming.origins.iter().filter_map(Origin::link).collect();
        for origin in &incoming.origins {
            if let Origin::Answer(link, _) = origin
                && let Some(wanted) = self.links.session_mut(*link).and_then(|s| s.wanted.as_mut())
                && is_new
            {
                wanted.is_useful();
            }
        }
        self.touched.extend(&links);
        self.count_waiting(&incoming);
        let now = self.now;
        let room = &mut self.intake.waiting;
        let Err(incoming) = room.enter(incoming, missing.clone(), now, &self.limits) else { return };
        self.evict_waiting();
        if self.intake.waiting.enter(*incoming, missing, now, &self.limits).is_err() {
            for link in links {
                self.close(link, CloseCode::Waiting, "too many commits wait for their causes");
            }
        }
    }

    /// See [`Mutation::WaitingCounts`] and [`Mutation::WaitingRefunds`].
    fn count_waiting(&mut self, incoming: &Incoming) {
        for origin in &incoming.origins {
            let Origin::Stream(link, frame, bytes, _) = *origin else { continue };
            if self.limits.is_mutated(Mutation::WaitingRefunds) {
                self.done_with(link, bytes);
            }
            if self.limits.is_mutated(Mutation::WaitingCounts)
                && let Some(session) = self.links.session_mut(link)
            {
                session.receive.arrived(frame, &incoming.commit.id());
            }
        }
    }

    /// Makes room: what came by links that are gone will be sent again.
    pub(super) fn evict_waiting(&mut self) {
        let links = &self.links;
        self.intake.waiting.evict(|origin| origin.link().is_none_or(|link| links.contains(link)));
    }

    /// Whether something waits that a link which is there may yet bring, and would not bring again.
    pub(super) fn waits_for_links(&self) -> bool {
        let is_there = |origin: &Origin| origin.link().is_none_or(|link| self.links.contains(link));
        self.intake.waiting.waits_for(is_there)
    }

    pub(super) fn ask_for_missing(&mut self) {
        let answered = self.take_answered();
        let missing = self.missing_by_link();
        for (id, wanted) in answered {
            let is_useless = wanted.purpose == Purpose::Causes { useful: false };
            // What was asked for may have come another way meanwhile, and other causes be missing now.
            let is_asked_still =
                missing.get(&id).is_some_and(|missing| missing.iter().any(|range| wanted.asked_for(range)));
            if is_asked_still && is_useless {
                self.withheld += 1;
                self.close(id, CloseCode::Withheld, "the causes of commits were not sent");
            }
        }
        for (id, ranges) in missing {
            // Branches of forks are asked for by themselves: they are sent in another order.
            let (branches, mut ranges): (Vec<_>, Vec<_>) =
                ranges.into_iter().partition(|range| range.branch.is_some());
            if ranges.is_empty() {
                ranges = branches;
            }
            let nonce = self.nonce();
            let now = self.now;
            let Some(session) = self.links.session_mut(id) else { continue };
            let purpose = Purpose::Causes { useful: false };
            let wanted =
                Wanted { nonce, asked_at: now, bytes: 0, answered: false, ranges: ranges.clone(), purpose };
            session.wanted = Some(wanted);
            self.send(id, &Frame::Want(Want { nonce, ranges }));
        }
        self.ask_for_bytes();
    }

    /// The questions that were answered since this was last called.
    fn take_answered(&mut self) -> Vec<(LinkId, Wanted)> {
        let is_answered = |wanted: &Wanted| wanted.answered;
        let ids =
            self.links.sessions().filter(|(_, session)| session.wanted.as_ref().is_some_and(is_answered));
        let ids: Vec<_> = ids.map(|(id, _)| id).collect();
        let taken = ids.into_iter().filter_map(|id| Some((id, self.links.session_mut(id)?.wanted.take()?)));
        taken.collect()
    }

    /// What is to be asked of each link that has no question under way.
    fn missing_by_link(&self) -> IdMap<LinkId, BTreeSet<ChainRange>> {
        let is_urgent = self.intake.waiting.is_half_full(&self.limits);
        let mut missing: IdMap<LinkId, BTreeSet<ChainRange>> = IdMap::new();
        for Missing { link, came_at, ranges } in self.intake.waiting.missing() {
            let Some(session) = self.links.session(link).filter(|session| session.wanted.is_none()) else {
                continue;
            };
            // Between relays what is missing is most likely on its way from where it was made.
            if session.is_mesh && came_at + PATIENCE > self.now && !is_urgent {
                continue;
            }
            for range in ranges {
                let asked = missing.get(&link).map_or(0, BTreeSet::len);
                let missing_now = self.still_missing(range);
                // Where the first commit of what is missing waits itself, its own causes come first: an
                // answer that is cut would bring the same each time, or fill the room.
                let holds = |seq, branch| self.intake.waiting.holds(range.author, seq, branch);
                let waits = holds(range.to, range.branch)
                    || (range.branch.is_none() && holds(missing_now.from, None));
                if asked < self.limits.want_ranges_max && !waits {
                    missing.get_or_default(link).insert(missing_now);
                }
            }
        }
        missing
    }

    /// What of this is not in the log by now, as far as that can be told from its tips.
    fn still_missing(&self, range: &ChainRange) -> ChainRange {
        let held = self.log.vector().seq(&range.author);
        let from = if held < range.to { range.from.max(held + 1) } else { range.from };
        ChainRange { from, ..*range }
    }

    /// When what is missing between relays has had its time.
    pub(super) fn patience_ends(&self) -> Option<Millis> {
        if self.links.mesh_len() == 0 || self.intake.waiting.is_empty() {
            return None;
        }
        let is_mesh = |link| self.links.session(link).is_some_and(|session| session.is_mesh);
        let ends = self.intake.waiting.missing().filter(|missing| is_mesh(missing.link));
        ends.map(|missing| missing.came_at + PATIENCE).filter(|end| *end > self.now).min()
    }

    // Answers.

    pub(super) fn answer_came(&mut self, id: LinkId, answer: Answer) {
        let Some(session) = self.links.session_mut(id) else { return };
        session.moved(self.now);
        if !session.may_write() && !self.limits.is_mutated(Mutation::ReadersWrite) {
            return self.close(id, CloseCode::Denied, "this token does not allow writing");
        }
        let Some(wanted) = session.wanted.as_mut().filter(|wanted| wanted.nonce == answer.nonce) else {
            return self.close(id, CloseCode::OutOfOrder, "an answer that was not asked for");
        };
        wanted.answered = !answer.more;
        let large = session.receive.answer.take();
        let small = answer.records.iter().map(|record| record.as_slice());
        let bytes = small.clone().map(<[u8]>::len).sum();
        let records = large.iter().map(Vec::as_slice).chain(small);
        let commits: Result<Vec<_>, _> = records.map(|record| Commit::decode(record, &self.limits)).collect();
        let commits = match commits {
            Ok(commits) => commits,
            Err(error) => return self.close_for(id, &error),
        };
        let is_asked = |commit: &Commit| {
            let header = commit.header();
            let is_in = |range: &ChainRange| {
                range.author == header.author && (range.from..=range.to).contains(&header.seq)
            };
            wanted.purpose == Purpose::Bytes || wanted.ranges.iter().any(is_in)
        };
        if !commits.iter().all(is_asked) {
            return self.close(id, CloseCode::Flow, "an answer with what was not asked for");
        }
        // Each answer brings the first commit of what was asked for, or what is new. Else whoever withholds
        // could send the same for ever.
        let waiting = &self.intake.waiting;
        let is_first = |commit: &Commit| {
            let header = commit.header();
            wanted.ranges.iter().any(|range| match range.branch {
                None => (range.author, range.from) == (header.author, header.seq),
                Some(branch) => commit.id().short() == branch,
            })
        };
        let is_new =
            |commit: &Commit| !waiting.contains(&commit.id()) && self.log.admit(commit) != Admission::Held;
        if commits.iter().any(|commit| is_first(commit) || is_new(commit)) {
            wanted.is_useful();
        }
        self.answer_grows(id, bytes);
        // Before what waits in the inbox: much of that may be waiting for these.
        let incoming = commits.into_iter().rev();
        let origin = |commit: &Commit| Origin::Answer(id, Brought::of(commit));
        self.intake.put_before(incoming.map(|commit| Incoming { origins: vec![origin(&commit)], commit }));
    }

    /// An answer has credit of its own, and no more than that.
    pub(super) fn answer_grows(&mut self, id: LinkId, bytes: usize) {
        let most = self.limits.answer_bytes
            + (self.limits.commit_bytes_max + 2 * self.limits.header_bytes_max + self.limits.frame_bytes_max)
                as u64;
        let wanted = self.links.session_mut(id).and_then(|session| session.wanted.as_mut());
        match wanted {
            Some(wanted) if wanted.bytes + bytes as u64 <= most => wanted.bytes += bytes as u64,
            Some(_) => self.close(id, CloseCode::Flow, "an answer over its limit"),
            None => self.close(id, CloseCode::OutOfOrder, "an answer that was not asked for"),
        }
    }
}
