//! Questions for commits that are missing: causes of what waits, and bytes.

use std::collections::BTreeSet;

use crate::base::id::LinkId;
use crate::base::id_map::IdMap;
use crate::base::mutation::Mutation;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::commit::header::After;
use crate::holder::holder::Holder;
use crate::holder::pending::{Brought, Incoming, Origin};
use crate::link::session::{Purpose, Session, Wanted};
use crate::wire::batch::record::Record;
use crate::wire::bodies::{Answer, ChainRange, Want};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

/// How long a commit that a relay has named, or the cause of one that it has sent, may take to come
/// its own way before that relay is asked for it.
const PATIENCE: Millis = 1_000;
/// The same between replicas, which have somebody waiting.
const PATIENCE_OF_REPLICAS: Millis = 500;

impl Holder {
    /// A commit whose causes are not here waits for them. It keeps its credit, so that a peer's backlog
    /// can't fill the room.
    pub(super) fn wait(&mut self, mut incoming: Incoming) {
        // What came by links that are gone will be sent again.
        incoming.origins.retain(|origin| origin.link().is_none_or(|link| self.links.contains(link)));
        if incoming.origins.is_empty() {
            return;
        }
        if !self.intake.waiting.contains(&incoming.commit.id()) {
            self.note_useful(&incoming.origins);
        }
        let links: Vec<_> = incoming.origins.iter().filter_map(Origin::link).collect();
        self.touched.extend(&links);
        self.count_waiting(&incoming);
        if !self.intake.waiting.enter(incoming, self.now, &self.limits) {
            for link in links {
                self.has_no_room(link);
            }
        }
    }

    /// No more may wait of what this link brings. Where forks are the reason, the next link to that holder
    /// goes another way.
    fn has_no_room(&mut self, link: LinkId) {
        let names = self.intake.waiting.to_ask(link, Millis::MAX).map(|name| self.log.range_to(name));
        let authors: Vec<_> =
            names.filter(|range| range.branch.is_some()).map(|range| range.author).collect();
        match self.links.session(link) {
            Some(session) if !authors.is_empty() => {
                self.deep_forks.note(session.peer.log, authors);
                self.close(link, CloseCode::GoingAway, "a fork is deeper than what may wait; connect again");
            }
            _ => self.close(link, CloseCode::Waiting, "too many commits wait for their causes"),
        }
    }

    /// A commit that was not here has come by an answer: whoever was asked has it.
    pub(super) fn note_useful(&mut self, origins: &[Origin]) {
        for origin in origins {
            if let Origin::Answer(link, _) = origin
                && let Some(wanted) = self.links.session_mut(*link).and_then(|s| s.wanted.as_mut())
            {
                wanted.is_useful();
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

    pub(super) fn ask_for_missing(&mut self) {
        let answered = self.take_answered();
        let mut missing = self.missing_by_link();
        for (id, wanted) in answered {
            let is_useless = wanted.purpose == Purpose::Causes { useful: false };
            // What was asked for may have come another way meanwhile, and other causes be missing now.
            let is_asked_still =
                missing.get(&id).is_some_and(|missing| missing.iter().any(|range| wanted.asked_for(range)));
            let Some(session) = self.links.session_mut(id) else { continue };
            let asked_from_ends = core::mem::take(&mut session.asks_from_ends);
            if is_asked_still && is_useless {
                // Of a chain with forks what comes first may be waiting here, and what is awaited did not fit.
                if !wanted.is_full_of_known() || asked_from_ends {
                    self.withheld += 1;
                    self.close(id, CloseCode::Withheld, "the causes of commits were not sent");
                    continue;
                }
                session.asks_from_ends = true;
            }
            if let Some(ranges) = self.missing_of(id) {
                missing.insert(id, ranges);
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
            let wanted = Wanted {
                nonce,
                asked_at: now,
                bytes: 0,
                answered: false,
                ranges: ranges.clone(),
                purpose,
                has_come: false,
                is_cut: false,
            };
            session.wanted = Some(wanted);
            self.send(id, &Frame::Want(Want { nonce, ranges }));
            self.send_again(id);
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
        let links = self.intake.waiting.links_to_ask();
        links.filter_map(|link| Some((link, self.missing_of(link)?))).collect()
    }

    fn missing_of(&self, link: LinkId) -> Option<BTreeSet<ChainRange>> {
        let session = self.links.session(link).filter(|session| session.wanted.is_none())?;
        let (room, most) = (&self.intake.waiting, self.limits.want_ranges_max);
        // What is missing is most likely on its way from where it was made.
        let since = match patience(session).filter(|_| !room.is_half_full(&self.limits)) {
            Some(patience) => self.now.checked_sub(patience)?,
            None => Millis::MAX,
        };
        let names: Vec<_> = room.to_ask(link, since).take(most).collect();
        // What the same commits lack beside is asked for along with it.
        let is_wanted = |name: &After| self.log.is_beyond_tips(name) && !room.has_named(name);
        let others =
            names.iter().flat_map(|name| room.causes_behind(name)).take(self.limits.causes_ahead_max);
        let others = others.filter(is_wanted).take(most - names.len());
        let range = |name: After| match session.asks_from_ends {
            true => self.log.range_from_end(&name),
            false => self.log.range_to(&name),
        };
        let ranges: BTreeSet<_> = names.iter().map(|name| **name).chain(others).map(range).collect();
        (!ranges.is_empty()).then_some(ranges)
    }

    /// When what is missing, and was left to others to send, has had its time.
    pub(super) fn patience_ends(&self) -> Option<Millis> {
        let room = &self.intake.waiting;
        let end = |link: LinkId, session: &Session| {
            let patience = patience(session)?;
            // Whatever has had its time is asked for as soon as it can be.
            let then = (self.now + 1).saturating_sub(patience);
            room.awaited_since(link, then).map(|since| since + patience)
        };
        // A relay has many links, and names nothing on most of them.
        if self.is_relay() {
            return self.links.mesh().filter_map(|(link, session)| end(link, session)).min();
        }
        self.links.sessions().filter_map(|(link, session)| end(link, session)).min()
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
        wanted.is_cut = answer.cut;
        let large = session.receive.answer.take();
        let bytes = answer.records.iter().map(Record::encoded_len).sum();
        let records = large.into_iter().map(Record::from).chain(answer.records);
        let commits: Result<Vec<_>, _> = records.map(|record| record.open(&self.limits)).collect();
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
        // What came another way since it was asked for was of use too. Whoever sends the same again brings
        // nothing.
        let room = &self.intake.waiting;
        let is_first = |commit: &Commit| {
            let header = commit.header();
            wanted.ranges.iter().any(|range| match range.branch {
                None => (range.author, range.from) == (header.author, header.seq),
                Some(branch) => commit.id().short() == branch,
            })
        };
        if commits.iter().any(|commit| is_first(commit) && !room.has_brought(id, &commit.id())) {
            wanted.is_useful();
        }
        if answer.cut {
            self.note_cut(id);
        }
        for commit in &commits {
            self.note_deletes_owed(id, commit);
        }
        self.answer_grows(id, bytes);
        // Before what waits in the inbox: much of that may be waiting for these.
        let incoming = commits.into_iter().rev();
        let origin = |commit: &Commit| Origin::Answer(id, Brought::of(commit));
        self.intake.put_before(incoming.map(|commit| Incoming::new(vec![origin(&commit)], commit)));
    }

    /// There was more to say than an answer may hold: that is of use where something of what was asked
    /// for has come since, this way or another.
    fn note_cut(&mut self, id: LinkId) {
        let wanted = self.links.session(id).and_then(|session| session.wanted.as_ref());
        let has_grown =
            |range: &ChainRange| range.branch.is_none() && self.log.vector().seq(&range.author) >= range.from;
        if wanted.is_some_and(|wanted| wanted.has_come || wanted.ranges.iter().any(has_grown)) {
            self.note_useful(&[Origin::Answer(id, Brought::All)]);
        }
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

/// How long what is missing is waited for, where others are to send it.
fn patience(session: &Session) -> Option<Millis> {
    match session.is_mesh {
        true => Some(PATIENCE),
        false => (session.is_peer() && session.names).then_some(PATIENCE_OF_REPLICAS),
    }
}
