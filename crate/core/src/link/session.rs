//! A link on which commits flow.

use std::collections::VecDeque;

use crate::base::id::{CommitId, DocId, LogId, PeerKey};
use crate::base::id_map::{IdMap, IdSet};
use crate::base::limits::Limits;
use crate::base::pace::Pace;
use crate::base::position::Position;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::commit::vector::Tip;
use crate::link::filter::Holdings;
use crate::link::receiving::Receive;
use crate::link::sending::{Begun, Naming, Sending};
use crate::link::unread::Unread;
use crate::log::finding::Finding;
use crate::wire::access::Right;
use crate::wire::bodies::{ChainRange, Hello, Terms, VERSION};

/// How long before a token expires another one is asked for, at most; and at most half its time.
const RENEW_EARLY: Millis = 60_000;

/// How long a link that is never still may go without a comparison.
pub(crate) const COMPARE_WAIT: Millis = 60_000;
/// When that is looked at again, if something was under way.
const COMPARE_AGAIN: Millis = 1_000;

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub end: End,
    pub peer: Peer,
    /// Between relays: what others bring is left to others to send, and both sides keep cursors.
    pub is_mesh: bool,
    /// See [`Self::is_peer`].
    pub is_with_replica: bool,
    /// Between replicas: commits are named, not sent, either way: what the link brings comes by others first.
    pub names: bool,
    /// Commits in a row that the other replica has sent, and that were here by then.
    pub repeats: u32,
    /// When the other replica was asked whether it is there, if it was not heard since.
    pub pinged_at: Option<Millis>,
    /// When a frame last went either way that moved a log.
    pub moved_at: Millis,
    /// When it began to move after both sides had held the same: only from then on is there something
    /// to answer, and that nothing came before says nothing.
    pub moving_since: Millis,
    pub stillness: Stillness,
    /// When both sides were last compared, or the link came up.
    pub compared_at: Millis,
    /// Both are to be compared as soon as each has what the other had.
    pub is_comparison_due: bool,
    /// The end of the peer's log as it was told last.
    pub their_head: u64,
    pub receive: Receive,
    pub send: Sending,
    pub exchange: Exchange,
    /// This side's vector, as far as it was told.
    pub telling: Option<Telling>,
    /// Whether the other side may say that both do not hold the same: it was asked.
    pub may_be_told: bool,
    /// When both last began to say what they hold, because they do not hold the same.
    pub exchanged_at: Option<Millis>,
    /// The question of the peer that is being answered.
    pub answering: Option<Answering>,
    /// The other side has said who is there, or asked: a relay tells nobody else.
    pub shows_presence: bool,
    /// Up to which version it was told who is there.
    pub presences_told: u64,
    /// There was no room to tell it: it is to be told once it has read.
    pub presences_wait: bool,
    pub unread: Unread,
    /// What was read from storage for this link.
    pub work: Pace,
    /// When more may be, where that has to wait.
    pub work_at: Option<Millis>,
    pub wanted: Option<Wanted>,
    /// Commits without bytes that this peer was asked for.
    pub asked_holes: IdSet<CommitId>,
    /// The other side is asked for the ends of what is missing: of chains it has sent what is known.
    pub asks_from_ends: bool,
    /// Documents that the peer says are deleted, and by which position of its log the delete must
    /// have come: the end that it tells next, because the delete may be past the one told before.
    pub owed_deletes: IdMap<DocId, Option<u64>>,
}

/// Which end of the connection this holder is.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// It dialled this address.
    Dialer(Dialed),
    /// The other side came.
    Accepter(Accepted),
}

/// What only whoever dialled knows of a link.
#[derive(Clone, Debug)]
pub(crate) struct Dialed {
    /// Empty where the other side is a replica.
    pub url: String,
    /// What the other side may do here, where it is a replica.
    pub grant: Option<Grant>,
    /// How long the greeting took. Of links among relays nobody asks.
    #[cfg_attr(not(feature = "documents"), expect(dead_code))]
    pub rtt: Millis,
    /// When a fresh token is due, well before the one that was given expires.
    pub renew_at: Option<Millis>,
}

/// What only whoever was dialled knows of a link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepted {
    /// What the other's token allows; absent where none is asked for.
    pub grant: Option<Grant>,
    /// The position in this log of the last commit that came in on this link.
    pub brought: u64,
    /// By region: up to which number of this log the other side was told that it is stored there.
    pub told_stored: Vec<u64>,
    /// The key by which others may meet it.
    pub announced: Option<PeerKey>,
    /// Another token of the other side that is being verified, or is to be.
    pub renewal: Option<Renewal>,
    /// When another token may be verified.
    pub renew_at: Millis,
}

/// A token in place of the one before.
#[derive(Clone, Debug)]
pub(crate) enum Renewal {
    /// It is being verified. The newest that came meanwhile follows.
    Asked(Option<String>),
    /// It is verified when it is time to.
    Waits(String),
}

/// What a token allows.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub subject: String,
    pub right: Right,
    pub expires_at: Option<Millis>,
}

#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub log: LogId,
    pub region: Option<String>,
    /// The protocol version that both sides speak on this link: the newest that both understand.
    pub version: u8,
}

impl Peer {
    /// Whoever has greeted like this.
    pub fn of(hello: &Hello) -> Self {
        let version = hello.version_max.min(VERSION);
        Self { log: hello.log, region: hello.region.clone(), version }
    }
}

/// How still a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stillness {
    /// It has moved since both sides were last compared.
    Moving,
    /// The other side was asked whether both hold the same.
    Asked,
    /// Both sides hold the same.
    Agreed,
}

/// How far the exchange of vectors has got, where there is one.
#[derive(Clone, Debug)]
pub(crate) enum Exchange {
    None,
    /// This side's vector was sent. Of the other's these parts have come.
    Awaiting(Holdings),
    /// The other's vector is here, and a pass with it begins as soon as nothing is being stored.
    Ready(Holdings),
}

/// How far this side's vector was told.
#[derive(Clone, Debug)]
pub(crate) struct Telling {
    /// Whether the other side is to say what it holds, too.
    pub answer: bool,
    /// The last tip that was told.
    pub after: Option<Tip>,
    /// The position of the last hole that was told, once all tips are.
    pub holes_after: Option<u64>,
}

/// An answer to a peer under way.
#[derive(Clone, Debug)]
pub(crate) struct Answering {
    pub nonce: u64,
    /// What was asked for.
    pub ranges: Vec<ChainRange>,
    pub finding: Finding,
    /// Positions of the commits still to be sent, in this order, once they are known.
    pub left: Option<VecDeque<u64>>,
    /// Bytes of commits that were sent.
    pub bytes: u64,
    /// Bytes that were read for it.
    pub read: u64,
    /// How much is read at once: a large commit takes more.
    pub read_bytes: usize,
    /// So much of the next commit was sent in pieces.
    pub begun: Option<Begun>,
}

/// A request that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub nonce: u64,
    pub asked_at: Millis,
    pub bytes: u64,
    pub answered: bool,
    pub ranges: Vec<ChainRange>,
    pub purpose: Purpose,
    /// Whether the stream of the link has brought the last commit of a branch that was asked for: it was on its
    /// way.
    pub has_come: bool,
    /// There was more to say than the answer may hold.
    pub is_cut: bool,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Causes of what the peer has sent: it must have them. `useful`: the answer brought something, or
    /// will when asked again.
    Causes { useful: bool },
    /// Bytes that are missing here: the peer may have them.
    Bytes,
}

impl Wanted {
    /// Whether this is a part of what was asked for.
    pub fn asked_for(&self, range: &ChainRange) -> bool {
        let name = |range: &ChainRange| (range.author, range.to, range.branch);
        self.ranges.iter().any(|asked| name(asked) == name(range))
    }

    /// The stream of the link has brought a commit.
    pub fn came(&mut self, commit: &Commit) {
        let short = commit.id().short();
        self.has_come |= self.ranges.iter().any(|range| range.branch == Some(short));
    }

    /// Where it was of no use: whether what was asked for may not have fit behind what is known.
    pub fn is_full_of_known(&self) -> bool {
        self.is_cut && self.bytes > 0 && self.ranges.iter().any(|range| range.branch.is_none())
    }

    pub fn is_useful(&mut self) {
        if let Purpose::Causes { useful } = &mut self.purpose {
            *useful = true;
        }
    }
}

/// When a token that expires in so long is to be replaced.
pub(crate) fn renew_at(terms: &Terms, now: Millis) -> Option<Millis> {
    terms.expires_in.map(|wait| now.saturating_add(wait - RENEW_EARLY.min(wait / 2)))
}

impl Session {
    pub fn new(end: End, peer: Peer, is_mesh: bool, limits: &Limits, now: Millis) -> Self {
        Self {
            end,
            peer,
            is_mesh,
            is_with_replica: false,
            names: false,
            repeats: 0,
            pinged_at: None,
            moved_at: now,
            moving_since: now,
            stillness: Stillness::Moving,
            compared_at: now,
            is_comparison_due: false,
            their_head: 0,
            receive: Receive::new(limits),
            send: Sending::new(),
            exchange: Exchange::None,
            telling: None,
            may_be_told: false,
            exchanged_at: None,
            answering: None,
            shows_presence: false,
            presences_told: 0,
            presences_wait: false,
            unread: Unread::default(),
            work: Pace::default(),
            work_at: None,
            wanted: None,
            asked_holes: IdSet::new(),
            asks_from_ends: false,
            owed_deletes: IdMap::new(),
        }
    }

    /// What is named on this link in place of being sent, of commits that were just written, or of older ones.
    pub fn naming(&self, are_new: bool) -> Naming {
        match self.is_mesh {
            true => Naming::Others,
            false if self.is_peer() && self.names && are_new => Naming::All,
            false => Naming::Nothing,
        }
    }

    /// Between replicas: either side may be one that is not to be believed, and both keep cursors. The compiler leaves
    /// all that is for these links out of a relay.
    pub fn is_peer(&self) -> bool {
        cfg!(feature = "documents") && self.is_with_replica
    }

    pub fn is_dialer(&self) -> bool {
        matches!(self.end, End::Dialer(_))
    }

    pub fn dialed(&mut self) -> Option<&mut Dialed> {
        match &mut self.end {
            End::Dialer(dialed) => Some(dialed),
            End::Accepter(_) => None,
        }
    }

    pub fn accepted(&mut self) -> Option<&mut Accepted> {
        match &mut self.end {
            End::Accepter(accepted) => Some(accepted),
            End::Dialer(_) => None,
        }
    }

    fn accepted_ref(&self) -> Option<&Accepted> {
        match &self.end {
            End::Accepter(accepted) => Some(accepted),
            End::Dialer(_) => None,
        }
    }

    pub fn grant(&self) -> Option<&Grant> {
        match &self.end {
            End::Accepter(accepted) => accepted.grant.as_ref(),
            End::Dialer(dialed) => dialed.grant.as_ref(),
        }
    }

    /// Whether commits that the other side brings are taken.
    pub fn may_write(&self) -> bool {
        self.grant().is_none_or(|grant| grant.right == Right::Write)
    }

    /// Whether there is somebody who wants to know where else its commits are stored.
    pub fn wants_stored(&self) -> bool {
        !self.is_dialer() && !self.is_mesh
    }

    /// Whether both sides keep what they know of each other.
    pub fn is_kept(&self) -> bool {
        self.is_mesh || self.is_peer()
    }

    /// Whether this side asks whether both hold the same: who dialled, where each side may bring what it
    /// holds.
    pub fn compares(&self) -> bool {
        self.is_dialer() && !self.send.is_muted && self.may_write()
    }

    pub fn is_exchanging(&self) -> bool {
        !matches!(self.exchange, Exchange::None)
    }

    pub fn moved(&mut self, now: Millis) {
        if self.stillness == Stillness::Agreed {
            self.moving_since = now;
        }
        self.moved_at = now;
        self.stillness = Stillness::Moving;
    }

    /// Something is under way in a moment at which both sides were to be compared.
    pub fn compare_later(&mut self, now: Millis) {
        self.compared_at = (now + COMPARE_AGAIN).saturating_sub(COMPARE_WAIT);
    }

    /// Nothing is under way in either direction as far as this side can see.
    pub fn is_idle(&self, stored: Position) -> bool {
        !self.is_exchanging()
            && self.wanted.is_none()
            && self.receive.is_settled()
            && self.send.started
            && self.send.sent.seq == stored.seq
            && self.has_sent_all()
    }

    /// Nothing of what was begun is left to be sent: it would be lost with the memory.
    fn has_sent_all(&self) -> bool {
        let has_begun = self.send.begun.is_some() || self.send.later.has_names();
        self.telling.is_none() && self.answering.is_none() && !has_begun
    }

    /// Each side has what the other had when it greeted, and this side's own is acknowledged.
    pub fn is_caught_up(&self, stored: Position) -> bool {
        let is_sent = self.send.sent.seq == stored.seq && self.send.read_acked >= stored.seq;
        !self.is_exchanging() && self.has_read_all() && (self.send.is_muted || is_sent)
    }

    /// All that the other side was last known to hold is here.
    pub fn has_read_all(&self) -> bool {
        !self.is_exchanging() && self.receive.read.seq >= self.their_head
    }

    /// Whether the link can go on after its holder was taken out of memory: all that is outstanding is
    /// in its attachment.
    pub fn is_attachable(&self) -> bool {
        self.send.started
            && !self.is_dialer()
            && !self.is_exchanging()
            && self.receive.is_settled()
            && self.wanted.is_none()
            && self.owed_deletes.is_empty()
            && self.has_sent_all()
            && self.accepted_ref().is_none_or(|accepted| accepted.renewal.is_none())
    }
}
