//! The holder: what a replica and a relay have in common. It keeps the log in storage, admits
//! commits in causal order, and replicates over its links.
//!
//! One thing at a time: commits come in through one inbox, are staged into one write, and only when
//! that write is durable are they acknowledged, sent on and told to the owner. What comes in
//! meanwhile is in the next write, so load makes writes larger, not more.

use crate::holder::disk::Disk;
use crate::holder::quota::Quota;
use crate::holder::waiting::WaitingRoom;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::base::id::{LinkId, LogId, RequestId};
use crate::base::limits;
use crate::base::position::Position;
use crate::base::rng::Rng;
use crate::base::time::Millis;
use crate::commit::commit::Commit;
use crate::holder::caps::{Caps, RelayCounters};
use crate::holder::io::{Effect, Input};
use crate::holder::records::{PeerRecord, RegionRecord};
use crate::holder::work::{Identity, Incoming, LogState, Named, Notice, Origin, OwnerRequest, Pending};
use crate::link::link::{Link, Phase, Side};
use crate::log::log;
use crate::log::log::{Entry, Log};
use crate::storage::request::Corrupt;
use crate::storage::request::{StorageAnswer, StorageRequest};
use crate::wire::bodies::{Bye, Fresh, Head, RegionHead, Stored};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

#[derive(Clone)]
pub(crate) struct Holder {
    pub identity: Identity,
    pub(super) now: Millis,
    pub(super) rng: Rng,
    pub(super) state: LogState,
    pub(super) log: Log,
    /// The end of what is durable (or in memory where storage has failed).
    pub(super) stored: Position,
    pub(super) disk: Disk,
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) peers: BTreeMap<LogId, PeerRecord>,
    pub(super) dirty_peers: BTreeSet<LogId>,
    /// A replica: what other regions have stored of this log.
    pub(super) regions: BTreeMap<String, RegionRecord>,
    pub(super) dirty_regions: BTreeSet<String>,
    /// A relay: the regions that it holds all of, as of some time since its log is new.
    pub(super) reconciled: BTreeSet<String>,
    pub(super) reconciled_more: bool,
    pub(super) quota: Quota,
    /// Links that may be busy, see [`Link::is_busy`]; so that many that are not cost nothing.
    pub(super) busy: BTreeSet<LinkId>,
    /// When tokens expire that links came with, or did.
    pub(super) expiries: BTreeSet<(Millis, LinkId)>,
    /// Links between relays that are up.
    pub(super) mesh: BTreeSet<LinkId>,
    /// Links that came up, or whose commits were acknowledged, since the owner last looked.
    pub(super) bringers: BTreeSet<LinkId>,
    pub(super) counters: RelayCounters,
    pub(super) inbox: VecDeque<Incoming>,
    /// Named by other relays, to be looked up.
    pub(super) named: VecDeque<Named>,
    pub(super) waiting: WaitingRoom,
    /// Frames that came before the log was known.
    pub(super) early: Vec<(LinkId, Vec<u8>)>,
    /// Links that received something since the last write, to be acknowledged after the next.
    pub(super) touched: BTreeSet<LinkId>,
    /// Writes under way.
    pub(super) writing: u32,
    pub(super) lookups: usize,
    pub(super) saved: u64,
    /// Whether more of them are in the log than the owner was told.
    pub(super) saved_more: bool,
    /// Commits in the inbox that storage refused before.
    pub(super) again: usize,
    pub(super) pending: BTreeMap<RequestId, (Pending, StorageRequest)>,
    pub(super) next_request: u64,
    pub(super) next_nonce: u64,
    pub(super) next_link: u64,
    /// How far the log's rows are free of the bytes of deleted documents, while that is under way.
    pub(super) scrubbing: Option<u64>,
    pub withheld: u64,
    /// Writes made to memory, whose answers are due.
    pub(super) done: VecDeque<(Pending, StorageRequest)>,
    /// Another process moved the log on while this one was writing.
    pub(super) moved: bool,
    /// A write of commits is under way.
    pub(super) appending: bool,
    /// The owner has followed the log further than this knows it.
    pub(super) lagging: bool,
    pub(super) effects: VecDeque<Effect>,
    pub(super) notices: VecDeque<Notice>,
    pub(super) deadline: Option<Millis>,
    pub(super) owner_deadline: Option<Millis>,
}

impl Holder {
    pub fn new(identity: Identity, seed: [u8; 32], now: Millis) -> Self {
        let mut rng = Rng::new(seed);
        let log = Log::new(LogId(rng.bytes16()));
        let mut holder = Self {
            identity,
            now,
            rng,
            state: LogState::Loading,
            stored: log.head(),
            log,
            disk: Disk::Healthy,
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            dirty_peers: BTreeSet::new(),
            regions: BTreeMap::new(),
            dirty_regions: BTreeSet::new(),
            reconciled: BTreeSet::new(),
            reconciled_more: false,
            quota: Quota::default(),
            busy: BTreeSet::new(),
            expiries: BTreeSet::new(),
            mesh: BTreeSet::new(),
            bringers: BTreeSet::new(),
            counters: RelayCounters::default(),
            inbox: VecDeque::new(),
            named: VecDeque::new(),
            waiting: WaitingRoom::default(),
            early: Vec::new(),
            touched: BTreeSet::new(),
            writing: 0,
            lookups: 0,
            saved: 0,
            saved_more: false,
            again: 0,
            pending: BTreeMap::new(),
            next_request: 0,
            next_nonce: 0,
            next_link: 1 << 32,
            scrubbing: None,
            withheld: 0,
            done: VecDeque::new(),
            moved: false,
            appending: false,
            lagging: false,
            effects: VecDeque::new(),
            notices: VecDeque::new(),
            deadline: None,
            owner_deadline: None,
        };
        holder.load();
        holder
    }

    /// Takes no more than this from others.
    pub fn with_caps(mut self, caps: Caps) -> Self {
        self.quota.caps = Some(caps);
        self
    }

    // What the owner may look at.

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn stored(&self) -> Position {
        self.stored
    }

    pub fn is_open(&self) -> bool {
        self.state == LogState::Open
    }

    pub fn is_failed(&self) -> bool {
        self.state == LogState::Failed
    }

    pub fn disk_failed(&self) -> bool {
        matches!(self.disk, Disk::Failing { .. })
    }

    /// How much of the log is in storage.
    pub fn on_disk(&self) -> u64 {
        match &self.disk {
            Disk::Healthy => self.stored.seq,
            Disk::Failing { since, .. } => *since,
        }
    }

    pub fn links(&self) -> impl Iterator<Item = (&LinkId, &Link)> {
        self.links.iter()
    }

    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    pub fn peers(&self) -> impl Iterator<Item = &PeerRecord> {
        self.peers.values()
    }

    /// How much of this log each region has stored.
    pub fn regions(&self) -> &BTreeMap<String, RegionRecord> {
        &self.regions
    }

    /// The relay at the other end holds the same as this one, as of now.
    pub fn agrees_with(&mut self, link: LinkId, host_now: Millis) {
        let peer = self.links.get(&link).filter(|link| link.is_mesh).and_then(|link| link.peer.as_ref());
        let Some(log) = peer.map(|peer| peer.log) else { return };
        if let Some(peer) = self.peers.get_mut(&log) {
            peer.agreed_at = Some(host_now);
            self.dirty_peers.insert(log);
        }
    }

    /// The regions that this relay has held all of since its log is new.
    pub fn reconciled(&self) -> &BTreeSet<String> {
        &self.reconciled
    }

    /// All that this region held when it was last linked is held here.
    pub fn reconciled_with(&mut self, region: &str) {
        self.reconciled_more |= self.reconciled.insert(region.to_owned());
    }

    /// The link to the relay of that region, where it is up.
    pub fn mesh_link(&self, region: &str) -> Option<&Link> {
        self.mesh_links(region).next().map(|(_, link)| link)
    }

    pub fn mesh_link_id(&self, region: &str) -> Option<LinkId> {
        self.mesh_links(region).next().map(|(id, _)| id)
    }

    pub fn mesh_links(&self, region: &str) -> impl Iterator<Item = (LinkId, &Link)> {
        let links = self.mesh.iter().filter_map(|id| Some((*id, self.links.get(id)?)));
        links.filter(move |(_, link)| link.is_up() && link.region() == Some(region))
    }

    /// Whether anybody but relays is linked.
    pub fn has_clients(&self) -> bool {
        self.links.len() > self.mesh.len()
    }

    /// What clients are to be told of how much of this log other regions have stored: `news` says
    /// of which regions that has changed, `all` how things are. Only those are told whose commits
    /// it concerns.
    pub fn tell_stored(&mut self, all: &[Option<Stored>], news: bool) {
        let bringers = core::mem::take(&mut self.bringers);
        let ids: Vec<_> =
            if news { self.links.keys().copied().collect() } else { bringers.into_iter().collect() };
        for id in ids {
            let Some(link) = self.links.get_mut(&id).filter(|link| link.wants_stored()) else { continue };
            let brought = link.brought;
            link.told.resize(all.len(), 0);
            let due: Vec<_> = all
                .iter()
                .zip(&mut link.told)
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
                self.send(id, &Frame::Stored(stored));
            }
        }
    }

    /// What clients were told of a region does not count any more.
    pub fn forget_told(&mut self, region: usize) {
        for told in self.links.values_mut().filter_map(|link| link.told.get_mut(region)) {
            *told = 0;
        }
    }

    pub fn counters(&self) -> RelayCounters {
        self.counters
    }

    /// Nothing is under way, in storage or with any link, that dropping this holder would undo.
    pub fn is_at_rest(&self) -> bool {
        self.state == LogState::Open
            && self.is_settled()
            && self.pending.is_empty()
            && !self.waits_for_links()
            && self.log.unscrubbed().is_empty()
            && self.dirty_peers.is_empty()
            && !self.reconciled_more
            && self.links.values().all(|link| link.is_dialer() || link.is_attachable())
    }

    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Nothing is being written, and nothing waits to be.
    pub fn is_settled(&self) -> bool {
        self.writing == 0 && self.inbox.is_empty() && self.named.is_empty() && self.lookups == 0
    }

    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// What lets this holder in, from now on.
    pub fn set_token(&mut self, token: String) {
        if self.identity.token.as_ref() == Some(&token) {
            return;
        }
        let dialled: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.is_dialer() && link.is_up())
            .map(|(id, _)| *id)
            .collect();
        for link in dialled {
            self.send(link, &Frame::Token(token.clone()));
        }
        self.identity.token = Some(token);
    }

    /// The owner's own deadline, beside those of links and storage.
    pub fn set_owner_deadline(&mut self, at: Option<Millis>) {
        self.owner_deadline = at;
        self.schedule();
    }

    // What the owner may ask.

    /// Takes in a commit that this process made: the `number`-th.
    pub fn append_own(&mut self, commit: Commit, number: u64, now: Millis) {
        self.now = now;
        self.inbox.push_back(Incoming { origin: Origin::Own(number), commit });
        self.pump();
    }

    /// Reads storage for the owner; the answer is a [`Notice::Storage`].
    pub fn ask_storage(&mut self, what: OwnerRequest, request: StorageRequest) {
        self.request(Pending::Owner(what), request);
    }

    pub fn dial(&mut self, url: String, now: Millis) -> LinkId {
        let id = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(id, Link::new(Side::Dialer { url: url.clone() }, now));
        self.busy.insert(id);
        self.effects.push_back(Effect::Dial(id, url));
        self.schedule();
        id
    }

    /// Asks a relay when what the regions hold now is in its log; gives the question's number.
    pub fn ask_fresh(&mut self, link: LinkId) -> u64 {
        let nonce = self.nonce();
        self.send(link, &Frame::Fresh(Fresh { nonce, answer: None }));
        nonce
    }

    /// Tells a peer that what a region held when it asked is in this log.
    pub fn answer_fresh(&mut self, link: LinkId, nonce: u64, region: String) {
        let answer = Some(RegionHead { region, at: self.stored });
        self.send(link, &Frame::Fresh(Fresh { nonce, answer }));
    }

    /// Asks every holder dialled for the end of its log; gives the question's number.
    pub fn ask_heads(&mut self) -> u64 {
        let nonce = self.nonce();
        let up: Vec<_> = self.links.iter().filter(|(_, link)| link.is_up()).map(|(id, _)| *id).collect();
        for link in up {
            self.send(link, &Frame::Head(Head { nonce, at: None }));
        }
        nonce
    }

    /// Closes a link, saying why.
    pub fn close(&mut self, id: LinkId, code: CloseCode, reason: impl Into<String>) {
        let reason = reason.into();
        if self.links.contains_key(&id) {
            self.send(id, &Frame::Bye(Bye { code: code as u16, reason: reason.clone() }));
            self.effects.push_back(Effect::Close(id, code as u16, reason.clone()));
            self.gone(id, Some((code as u16, reason)));
        }
    }

    /// Writes what is known of peers, so that the next start resumes where this one stopped.
    pub fn save_peers(&mut self) {
        let is_dirty = !self.dirty_peers.is_empty() || !self.dirty_regions.is_empty() || self.reconciled_more;
        if is_dirty && self.state == LogState::Open && self.writing == 0 {
            let mut batch = self.take_peers();
            if self.is_relay() && self.log.is_unwritten() {
                // What was compared was compared with this log, although it is empty.
                let (guard, put) = self.log.renew(self.log.id());
                batch.guard = Some(guard);
                batch.puts.push(put);
            }
            self.write(Pending::Records, batch);
            self.pump();
        }
    }

    /// As above, where nothing moves between relays that would make it old at once.
    pub fn save_peers_where_quiet(&mut self) {
        let is_quiet = |id| self.links.get(id).is_none_or(|link| link.agreed);
        if self.is_settled() && self.mesh.iter().all(is_quiet) {
            self.save_peers();
        }
    }

    /// Another process of this holder has written.
    pub fn log_moved(&mut self, now: Millis) {
        self.now = now;
        self.moved = true;
        self.pump();
    }

    /// Takes in commits another process appended, that the owner read from storage.
    pub fn follow(&mut self, entries: &[Entry]) {
        // What is being written comes after these, or will be refused for them.
        let may_follow = self.state == LogState::Open && !self.appending;
        for entry in entries.iter().filter(|_| may_follow) {
            if entry.at.seq == self.log.head().seq + 1 {
                self.log.follow(entry);
                self.release(entry.commit.header().author, entry.commit.header().seq);
            }
        }
        self.lagging |= entries.last().is_some_and(|last| last.at.seq > self.log.head().seq);
        if !may_follow {
            return;
        }
        if self.log.head().seq > self.stored.seq {
            self.stored = self.log.head();
            self.feed_all();
        }
        self.pump();
    }

    // Inputs.

    /// Takes one input. Tokens expire by the holder's own time.
    pub fn handle(&mut self, input: Input, now: Millis) {
        match input {
            Input::LinkOpened(link) => self.link_opened(link, now),
            Input::Received(link, frame) => self.received(link, frame, now),
            Input::LinkClosed(link) => self.link_closed(link, now),
            Input::Storage(id, answer) => self.storage(id, answer, now),
            Input::Timer => self.timer(now),
            Input::Authorized(link, verdict) => self.authorized(link, verdict, now),
        }
    }

    pub fn link_opened(&mut self, id: LinkId, now: Millis) {
        self.now = now;
        match self.links.get_mut(&id) {
            Some(link) => {
                link.phase = Phase::Opened;
                link.opened_at = now;
                link.heard_at = now;
            }
            None => {
                self.links.insert(id, Link::new(Side::Accepter, now));
                self.busy.insert(id);
            }
        }
        self.pump();
    }

    pub fn link_closed(&mut self, id: LinkId, now: Millis) {
        self.now = now;
        self.gone(id, None);
        self.pump();
    }

    pub fn resume_link(&mut self, id: LinkId, attachment: &[u8], now: Millis) {
        self.now = now;
        match Link::resume(attachment, now) {
            Some(link) => {
                if link.is_mesh {
                    self.mesh.insert(id);
                }
                self.expiries.extend(link.expires_at().map(|at| (at, id)));
                if let Some(grant) = &link.grant {
                    let count = self.quota.connections.entry(grant.subject.clone()).or_default();
                    *count += 1;
                }
                self.links.insert(id, link);
                self.pump();
            }
            None => {
                let why = "this link can't be taken up again";
                let code = CloseCode::GoingAway as u16;
                self.effects.push_back(Effect::Close(id, code, why.into()));
            }
        }
    }

    pub fn received(&mut self, id: LinkId, bytes: Vec<u8>, now: Millis) {
        self.now = now;
        let Some(link) = self.links.get_mut(&id) else { return };
        link.heard_at = now;
        if !link.is_up() && bytes.len() > limits::HELLO_BYTES_MAX {
            return self.close(id, CloseCode::TooLarge, "a greeting over the limit");
        }
        if self.state == LogState::Failed {
            return self.close(id, CloseCode::Storage, "this holder's storage has failed");
        }
        if self.state == LogState::Loading {
            if !link.is_up() && self.early.iter().any(|(other, _)| *other == id) {
                return self.close(id, CloseCode::OutOfOrder, "a frame before the greeting");
            }
            self.early.push((id, bytes));
            return;
        }
        let frame = match Frame::decode(&bytes) {
            Ok(frame) => frame,
            Err(error @ crate::wire::frame::FrameError::TooLarge(_)) => {
                return self.close(id, CloseCode::TooLarge, error.to_string());
            }
            Err(error) => return self.close(id, CloseCode::Malformed, error.to_string()),
        };
        self.frame(id, frame);
        self.pump();
    }

    /// The other side is there.
    pub fn heard(&mut self, id: LinkId, now: Millis) {
        if let Some(link) = self.links.get_mut(&id) {
            link.heard_at = now;
        }
    }

    /// Does what was due before this. A host's timer may come late: its clock has jumped, or it slept.
    pub fn catch_up(&mut self, now: Millis) {
        if self.deadline.is_some_and(|at| at <= now) {
            self.timer(now);
        }
    }

    pub fn timer(&mut self, now: Millis) {
        self.now = now;
        self.deadline = None;
        self.check_deadlines();
        self.pump();
    }

    pub fn storage(&mut self, id: RequestId, answer: StorageAnswer, now: Millis) {
        self.now = now;
        let Some((pending, request)) = self.pending.remove(&id) else {
            return;
        };
        let answer = self.shadowed(&request, answer);
        if let Err(error) = self.answered(pending, request, answer) {
            self.fails(&error);
        }
        self.pump();
    }

    pub(super) fn is_relay(&self) -> bool {
        self.identity.region.is_some()
    }

    pub(super) fn stop(&mut self, reason: String) {
        self.state = LogState::Failed;
        let links: Vec<_> = self.links.keys().copied().collect();
        for link in links {
            self.close(link, CloseCode::Storage, "this holder's storage has failed");
        }
        self.notices.push_back(Notice::Corrupt(reason));
    }

    pub(super) fn fails(&mut self, error: &Corrupt) {
        self.stop(error.to_string());
    }

    // Opening.

    pub(super) fn load(&mut self) {
        self.request(Pending::Meta, StorageRequest::Get(vec![log::META_KEY.to_vec()]));
    }

    pub(super) fn load_range(&mut self, range: usize, from: Option<Vec<u8>>) {
        let [first, second] = log::load_range();
        let (start, to) = if range == 0 { first } else { second };
        let from = from.unwrap_or(start);
        let scan = StorageRequest::Scan { from, to, bytes_max: limits::READ_BYTES };
        self.request(Pending::Load { range }, scan);
    }

    pub(super) fn opened(&mut self) {
        self.stored = self.log.head();
        self.state = LogState::Open;
        self.notices.push_back(Notice::Opened);
        for (link, bytes) in core::mem::take(&mut self.early) {
            self.received(link, bytes, self.now);
        }
    }
}
