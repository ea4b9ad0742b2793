//! What only a replica asks of its holder: to take in what it writes, to follow what other processes
//! write, and to link to other replicas. A relay is built without this.

use crate::base::id::LinkId;
use crate::base::position::Position;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::commit::descriptor::Descriptor;
use crate::holder::holder::{Holder, LogState};
use crate::holder::notice::OwnerRequest;
use crate::holder::pending::{Incoming, Origin, Pending};
use crate::link::link::{Link, Phase};
use crate::link::session::{Grant, Session};
use crate::log::rows::Entry;
use crate::storage::request::StorageRequest;
use crate::wire::access::{Right, Side};
use crate::wire::bodies::Head;
use crate::wire::frame::Frame;

/// What a replica keeps in memory for those it is linked to: each of it has a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptForOthers {
    /// Commits that wait for their causes.
    pub waiting: usize,
    /// Commits that were named and have not come.
    pub named: usize,
    /// Bytes of commits that have not come whole.
    pub pieces_bytes: usize,
    /// Replicas of which it is known how far they have read.
    pub replicas_met: usize,
}

impl Holder {
    pub fn is_failed(&self) -> bool {
        self.state == LogState::Failed
    }

    /// How often a peer sent commits and not their causes.
    pub fn withheld(&self) -> u64 {
        self.withheld
    }

    /// What is kept in memory for others.
    pub fn kept_for_others(&self) -> KeptForOthers {
        let pieces = |session: &Session| session.receive.stream.bytes() + session.receive.answer.bytes();
        KeptForOthers {
            waiting: self.intake.waiting.len(),
            named: self.intake.named.len() + self.intake.waiting.named_len(),
            pieces_bytes: self.links.sessions().map(|(_, session)| pieces(session)).sum(),
            replicas_met: self.peers.iter().filter(|record| record.is_of_replica()).count(),
        }
    }

    // What lets it in.

    /// What lets this holder in, from now on.
    pub fn set_token(&mut self, token: String) {
        if self.token.as_ref() == Some(&token) {
            return;
        }
        // Other replicas are not told.
        let dialed = self.links.sessions().filter(|(_, session)| session.is_dialer() && !session.is_peer());
        for link in dialed.map(|(id, _)| id).collect::<Vec<_>>() {
            self.send(link, &Frame::Token(token.clone()));
        }
        self.token = Some(token);
    }

    /// Whether commits are brought to the holders dialled from now on.
    pub fn set_reads_only(&mut self, reads_only: bool) {
        self.reads_only = reads_only;
    }

    pub fn reads_only(&self) -> bool {
        self.reads_only
    }

    // What is written.

    /// Takes in a commit that this process made: the `number`-th.
    pub fn append_own(&mut self, commit: Commit, number: u64, now: Millis) {
        self.now = now;
        self.intake.inbox.push_back(Incoming::new(vec![Origin::Own(number)], commit));
        self.pump();
    }

    /// Reads storage for the owner; the answer is a `Notice::Storage`.
    pub fn ask_storage(&mut self, what: OwnerRequest, request: StorageRequest) {
        self.request(Pending::Owner(what), request);
    }

    /// Takes the space for what a relay says it is, if nobody has said otherwise and nothing is held, and
    /// nobody is linked who takes it for what it was here until now.
    pub fn adopt(&mut self, descriptor: Descriptor) {
        let is_agreed =
            self.links.iter().any(|(_, link)| link.is_up() || matches!(link.phase, Phase::Checking { .. }));
        let may_adopt = self.descriptor.is_none() && self.log.head() == Position::START && !is_agreed;
        if may_adopt && descriptor.name == self.space {
            self.log.adopt(descriptor);
        }
    }

    /// Another process of this holder has written.
    pub fn log_moved(&mut self, now: Millis) {
        self.now = now;
        self.moved = true;
        self.pump();
    }

    /// Another process that shares the log has written what greetings tell of it.
    pub fn marker_moved(&mut self, now: Millis) {
        self.now = now;
        self.lagging |= !self.disk_failed();
        self.pump();
    }

    /// Takes in commits another process appended, that the owner read from storage.
    pub fn follow(&mut self, entries: &[Entry]) {
        // What is being written comes after these, or will be refused for them.
        let may_follow = self.state == LogState::Open && !self.appending;
        if may_follow && !entries.is_empty() && self.log.is_unwritten() && !self.disk_failed() {
            // Another process has begun the log, under an id of its own.
            self.lagging = true;
            return self.pump();
        }
        if may_follow && entries.last().is_some_and(|last| last.at.seq > self.log.head().seq) {
            self.forget_lookups();
        }
        for entry in entries.iter().filter(|_| may_follow) {
            if entry.at.seq == self.log.head().seq + 1 {
                self.log.follow(entry);
                self.release(&entry.commit.name());
            }
        }
        self.lagging |= entries.last().is_some_and(|last| last.at.seq > self.log.head().seq);
        if !may_follow {
            return;
        }
        if self.log.head().seq > self.stored.seq {
            self.stored = self.log.head();
            self.holes_have_closed();
            self.feed_all();
        }
        self.pump();
    }

    // Links.

    /// A connection to another replica is open, which may do so much here.
    pub fn open_peer(&mut self, side: Side, right: Right, now: Millis) -> LinkId {
        self.now = now;
        self.gate.forget_recovered(now);
        // One of both sides greets first.
        let phase = match side {
            Side::Dialer => Phase::Dialed { url: String::new(), since: now },
            Side::Accepter => Phase::Arriving { since: now },
        };
        let link = |id: LinkId| {
            let grant = Grant { subject: format!("replica {}", id.0), right, expires_at: None };
            Link { peer: Some(grant), ..Link::new(phase, now) }
        };
        let id = self.links.add(link);
        self.pump();
        id
    }

    /// Asks a holder that is linked for the end of its log; gives the question's number.
    pub fn ask_head(&mut self, link: LinkId) -> u64 {
        let nonce = self.nonce();
        self.send(link, &Frame::Head(Head { nonce, at: None }));
        nonce
    }

    /// The other side is there.
    pub fn heard(&mut self, id: LinkId, now: Millis) {
        if let Some(link) = self.links.get_mut(id) {
            link.heard_at = now;
        }
        self.schedule();
    }
}
