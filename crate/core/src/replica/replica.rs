//! The replica: a holder that can open documents and write.
//!
//! Documents follow the log. A change is made to the open document at once and its commit goes into
//! the log like any other; what others make reaches documents when it is in the log, commit by
//! commit, whichever way it came: a link, another process that shares the log, or storage.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::base::id::{AuthorId, CommitId, DocId, LinkId};
use crate::base::limits;
use crate::base::time::{Clock, Millis};
use crate::commit::commit::After;
use crate::commit::commit::{Commit, CommitError, ItemBytes, Kind};
use crate::commit::vector::{Tip, Vector};
use crate::document::document::{Budget, Document};
use crate::document::genesis;
use crate::document::genesis::Genesis;
use crate::document::value::{Op, Patch, Value};
use crate::holder::holder::Holder;
use crate::holder::io as holder;
use crate::holder::work::{Identity, Notice, OwnerRequest, rows_of};
use crate::log::log;
use crate::log::log::Entry;
use crate::replica::dialer::{Dialer, Wish};
use crate::replica::event::DocInfo;
use crate::replica::event::Event;
use crate::replica::event::Made;
use crate::replica::event::ReplicaError;
use crate::replica::io::{Effect, Input};
use crate::replica::status::Status;
use crate::replica::tabs::{LeaderView, Message};
use crate::replica::waits::WaitId;
use crate::replica::waits::{Wait, Waits};
use crate::storage::request::StorageAnswer;
use crate::wire::close::CloseCode;

/// How a replica is made.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// The space.
    pub space: String,
    /// This process. Fresh at every start.
    pub author: AuthorId,
    /// 32 random bytes, fresh at every start.
    pub seed: [u8; 32],
    /// Relays' addresses, the preferred one first.
    pub relays: Vec<String>,
    /// What lets this replica in at a relay.
    pub token: Option<String>,
}

/// One process's view of a space.
///
/// A clone has the same author: the fork that its commits make is what a cloned live process
/// (a restored machine image) would make.
#[derive(Clone)]
pub struct Replica {
    holder: Holder,
    dialer: Dialer,
    author: AuthorId,
    prev: Option<(u64, CommitId)>,
    /// Tips that own commits not yet in the log come after.
    covered: BTreeSet<Tip>,
    clock: Clock,
    now: Millis,
    /// Commits made by this process.
    made: u64,
    saved: u64,
    /// Where they are in the log, by number.
    made_at: Vec<u64>,
    unplaced: BTreeMap<CommitId, u64>,
    /// Those that have a place in memory alone, while storage fails.
    volatile: BTreeMap<CommitId, u64>,
    /// Where commits made by this holder, this process or another, are in the log.
    own_at: Vec<u64>,
    /// How many of them were known before the log was taken up from its start again.
    own_before: usize,
    index: BTreeMap<DocId, Indexed>,
    open: BTreeMap<DocId, Open>,
    /// Open still, but not for the application.
    closing: BTreeSet<DocId>,
    deleted: BTreeSet<DocId>,
    followed: u64,
    following: bool,
    follow_again: bool,
    ready: bool,
    waits: Waits,
    /// How the process that links to relays is doing, where that is another one.
    leader: Option<LeaderView>,
    told: Option<LeaderView>,
    storage_error: Option<String>,
    effects: VecDeque<Effect>,
}

#[derive(Clone, Debug, Default)]
struct Indexed {
    name: Option<String>,
    bytes: u64,
    at: Vec<u64>,
}

#[derive(Clone)]
struct Open {
    document: Document,
    /// Genesis changes that are not in the log yet.
    unlogged: Option<Genesis>,
    phase: Phase,
}

#[derive(Clone)]
enum Phase {
    /// Reading its commits: the next is the `next`-th of the index.
    Loading {
        next: usize,
        waits: Vec<WaitId>,
        named: Option<(String, u64, Value)>,
    },
    Ready,
}

impl Replica {
    /// Begins to load; [`Event::Ready`] follows.
    pub fn new(config: ReplicaConfig, now: Millis) -> Self {
        let identity = Identity {
            space: config.space,
            region: None,
            regions: Vec::new(),
            token: config.token,
            read_only: false,
        };
        Self {
            holder: Holder::new(identity, config.seed, now),
            dialer: Dialer::new(config.relays),
            author: config.author,
            prev: None,
            covered: BTreeSet::new(),
            clock: Clock::new(now),
            now,
            made: 0,
            saved: 0,
            made_at: Vec::new(),
            unplaced: BTreeMap::new(),
            volatile: BTreeMap::new(),
            own_at: Vec::new(),
            own_before: 0,
            index: BTreeMap::new(),
            open: BTreeMap::new(),
            closing: BTreeSet::new(),
            deleted: BTreeSet::new(),
            followed: 0,
            following: false,
            follow_again: false,
            ready: false,
            waits: Waits::default(),
            leader: None,
            told: None,
            storage_error: None,
            effects: VecDeque::new(),
        }
    }

    /// Takes one input; drain [`Replica::poll_effect`] before the next.
    pub fn handle(&mut self, input: impl Into<Input>, now: Millis) {
        let now = self.observe(now);
        self.holder.catch_up(now);
        match input.into() {
            // A replica lets in whoever it is told to: nobody's token is verified here.
            Input::Holder(holder::Input::Authorized(..)) => {}
            Input::Holder(input) => self.holder.handle(input, now),
            Input::Broadcast(bytes) => self.heard(&bytes),
            Input::Online(online) => self.set_online(online),
            Input::Probed(url, is_healthy) => {
                self.dialer.probed(&url, is_healthy, &mut self.holder, now);
            }
            Input::Pong(link) => self.holder.heard(link, now),
        }
        self.settle();
    }

    /// The next effect, until there is none.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.take_holder_effects();
        self.effects.pop_front()
    }

    /// What the holder has asked so far comes before what the replica asks next.
    fn take_holder_effects(&mut self) {
        while let Some(effect) = self.holder.poll_effect() {
            let effect = match effect {
                holder::Effect::SetTimer(Some(at)) => holder::Effect::SetTimer(Some(self.clock.to_host(at))),
                effect => effect,
            };
            self.effects.push_back(Effect::Holder(effect));
        }
    }

    fn push_effect(&mut self, effect: Effect) {
        self.take_holder_effects();
        self.effects.push_back(effect);
    }

    fn observe(&mut self, host: Millis) -> Millis {
        self.now = self.clock.observe(host);
        self.now
    }

    // The application's calls. Drain effects after each.

    /// Makes a document with a fresh id from these edits of an empty one.
    ///
    /// # Errors
    /// [`ReplicaError`]: nothing was made.
    pub fn create(&mut self, ops: &[Op], message: Option<String>, now: Millis) -> Result<Made, ReplicaError> {
        let doc = self.fresh_id();
        let document = Document::new(self.author, Budget::default());
        self.open.insert(doc, Open { document, unlogged: None, phase: Phase::Ready });
        let made = self.edit(doc, ops, message, now, true);
        if made.is_err() {
            self.open.remove(&doc);
        }
        made
    }

    /// Chance makes no id twice, but a cloned process has the same chances.
    fn fresh_id(&mut self) -> DocId {
        loop {
            let doc = DocId(self.holder.rng().bytes16());
            if !self.index.contains_key(&doc) && !self.open.contains_key(&doc) && !self.is_deleted(&doc) {
                return doc;
            }
        }
    }

    /// Edits an open document.
    ///
    /// # Errors
    /// [`ReplicaError`]: the document is as it was.
    pub fn change(
        &mut self,
        doc: DocId,
        ops: &[Op],
        message: Option<String>,
        now: Millis,
    ) -> Result<Made, ReplicaError> {
        self.edit(doc, ops, message, now, false)
    }

    fn edit(
        &mut self,
        doc: DocId,
        ops: &[Op],
        message: Option<String>,
        now: Millis,
        is_new: bool,
    ) -> Result<Made, ReplicaError> {
        self.observe(now);
        let seconds = (now / 1000) as i64;
        let open = self.ready_doc(doc)?;
        let change = open.document.change(ops, message, seconds)?;
        let mut items = Vec::new();
        match change {
            Some(change) => items.push((doc, Kind::Change, change)),
            // A document that begins empty exists all the same.
            None if is_new => items.push((doc, Kind::Import, Vec::new())),
            None => return Ok(Made { doc, id: None, seq: 0 }),
        }
        let genesis = open.unlogged.take();
        if let Some(genesis) = &genesis {
            items.insert(0, (doc, Kind::Genesis, genesis.encode()));
        }
        let made = self.commit(doc, items);
        if made.is_err() {
            let open = self.ready_doc(doc)?;
            open.document.forget_last();
            open.unlogged = genesis;
        }
        made
    }

    /// Deletes a document everywhere.
    ///
    /// # Errors
    /// [`ReplicaError::NotFound`]
    pub fn delete(&mut self, doc: DocId, now: Millis) -> Result<Made, ReplicaError> {
        self.observe(now);
        let is_known = self.index.contains_key(&doc) || self.open.contains_key(&doc);
        if !is_known || self.is_deleted(&doc) {
            return Err(ReplicaError::NotFound);
        }
        let made = self.commit(doc, vec![(doc, Kind::Delete, Vec::new())])?;
        self.forget(doc);
        self.settle();
        Ok(made)
    }

    /// Merges an Automerge file into an open document; what it changed comes with the commit.
    ///
    /// # Errors
    /// [`ReplicaError`]: the document is as it was.
    pub fn merge(
        &mut self,
        doc: DocId,
        file: &[u8],
        now: Millis,
    ) -> Result<(Made, Vec<Patch>), ReplicaError> {
        self.observe(now);
        let author = self.author;
        let open = self.ready_doc(doc)?;
        let changes = open.document.missing_of_file(file)?;
        if changes.is_empty() {
            return Ok((Made { doc, id: None, seq: 0 }, Vec::new()));
        }
        if changes.len() > limits::COMMIT_BYTES_MAX / 2 {
            return Err(ReplicaError::TooLarge("the file is more than a commit may hold".into()));
        }
        let mut items = vec![(doc, Kind::Import, changes.clone())];
        if let Some(genesis) = open.unlogged.take() {
            items.insert(0, (doc, Kind::Genesis, genesis.encode()));
        }
        let applied = open.document.apply([(author, changes.as_slice())]);
        let made = self.commit(doc, items)?;
        Ok((made, applied.patches))
    }

    /// Opens a document from storage; [`Event::Opened`] follows.
    pub fn open(&mut self, doc: DocId) -> WaitId {
        let wait = self.waits.add(Wait::Open { doc });
        self.settle();
        wait
    }

    /// Opens the document of that name, made from `initial` where it is not held;
    /// [`Event::Opened`] follows.
    ///
    /// # Errors
    /// [`ReplicaError::Invalid`] where `initial` is not a map.
    pub fn named(&mut self, name: &str, initial: &Value) -> Result<WaitId, ReplicaError> {
        if !matches!(initial, Value::Map(_)) {
            return Err(ReplicaError::Invalid("a document's value is a map".into()));
        }
        let wait = self.waits.add(Wait::Named { name: name.into(), initial: initial.clone() });
        self.settle();
        Ok(wait)
    }

    /// Lets go of an open document. What was made in it stays.
    pub fn close_document(&mut self, doc: DocId) {
        if self.unplaced.is_empty() {
            self.open.remove(&doc);
        } else {
            // Until the log has all that was made in it, the document knows more than storage.
            self.closing.insert(doc);
        }
    }

    /// The whole value of an open document, see [`crate::value`].
    ///
    /// # Errors
    /// [`ReplicaError::Closed`]
    pub fn value(&self, doc: DocId) -> Result<Vec<u8>, ReplicaError> {
        Ok(self.document(doc)?.value())
    }

    /// The heads of an open document, in hexadecimal.
    ///
    /// # Errors
    /// [`ReplicaError::Closed`]
    pub fn heads(&self, doc: DocId) -> Result<Vec<String>, ReplicaError> {
        Ok(self.document(doc)?.heads())
    }

    /// An open document as a standard Automerge file.
    ///
    /// # Errors
    /// [`ReplicaError::Closed`]
    pub fn export(&self, doc: DocId) -> Result<Vec<u8>, ReplicaError> {
        Ok(self.document(doc)?.save())
    }

    /// An open document.
    ///
    /// # Errors
    /// [`ReplicaError::Closed`]
    pub fn document(&self, doc: DocId) -> Result<&Document, ReplicaError> {
        match self.open.get(&doc) {
            Some(Open { document, phase: Phase::Ready, .. }) if !self.closing.contains(&doc) => Ok(document),
            _ => Err(ReplicaError::Closed),
        }
    }

    /// The documents held, by id, without opening them.
    pub fn documents(&self) -> Vec<DocInfo> {
        let mut infos: BTreeMap<_, _> = self
            .index
            .iter()
            .map(|(id, doc)| {
                let commits = doc.at.len() as u64;
                (*id, DocInfo { id: *id, name: doc.name.clone(), bytes: doc.bytes, commits })
            })
            .collect();
        for (id, open) in &self.open {
            if matches!(open.phase, Phase::Ready) {
                let name = open.unlogged.as_ref().map(|genesis| genesis.name.clone());
                infos.entry(*id).or_insert(DocInfo { id: *id, name, bytes: 0, commits: 0 });
            }
        }
        infos.into_values().collect()
    }

    /// How things are.
    pub fn status(&self) -> Status {
        let mut status = Status {
            state: self.dialer.state(),
            relay: self.dialer.relay(&self.holder),
            synced: self.dialer.was_live,
            unsaved: self.made - self.saved,
            unsent: 0,
            behind: BTreeMap::new(),
            peers: self.holder.links().filter(|(_, link)| link.is_up()).count() as u32,
            quarantined: self.open.values().map(|open| open.document.quarantined() as u64).sum(),
            error: self.dialer.error(),
        };
        let mut acked = self.acked();
        if let Some(view) = self.leader.as_ref().filter(|_| !self.dialer.online) {
            status.state = view.state();
            status.relay = view.relay.clone();
            status.synced |= view.synced;
            status.peers = u32::from(view.relay.is_some());
            acked = view.acked.clone();
        }
        let waiting = self.unplaced.len() as u64;
        // Of places in memory, a process that links for this one knows nothing.
        let shared = if self.is_following() { self.holder.on_disk() } else { u64::MAX };
        let missing = |upto: u64| {
            let upto = upto.min(shared);
            let placed = self.own_at.len() - self.own_at.partition_point(|at| *at <= upto);
            let unread = self.own_before.saturating_sub(self.own_at.len());
            (placed + unread) as u64 + waiting
        };
        status.unsent = missing(acked.values().copied().max().unwrap_or(0));
        status.behind = acked.into_iter().map(|(region, upto)| (region, missing(upto))).collect();
        if status.unsent > 0 && self.dialer.is_muted(&self.holder) {
            let reason = "this token does not allow writing".to_owned();
            status.error.get_or_insert(("denied", reason));
        }
        if let Some(message) = &self.storage_error {
            status.error = Some(("storage", message.clone()));
        }
        status
    }

    /// Resolves once this replica holds all that its relay holds now; [`Event::Waited`] follows.
    pub fn synced(&mut self) -> WaitId {
        let wait = self.waits.add(Wait::Synced { asked: None, target: None, log_seq: None });
        self.settle();
        wait
    }

    /// Resolves once that many regions have stored this process's commit of that number, or
    /// everything made so far by any process of this holder; [`Event::Waited`] follows.
    ///
    /// # Errors
    /// [`ReplicaError::Invalid`] for more regions than there are.
    pub fn durable(&mut self, regions: u32, seq: Option<u64>) -> Result<WaitId, ReplicaError> {
        self.check_regions(regions)?;
        let number = seq.unwrap_or(self.made).min(self.made);
        let at_least = if seq.is_some() { 0 } else { self.own_at.last().copied().unwrap_or(0) };
        let wait = self.waits.add(Wait::Durable { regions, number, at_least });
        self.settle();
        Ok(wait)
    }

    /// Resolves once this replica holds all that the relays of that many regions held when asked: a
    /// read quorum. A relay whose log is new counts once it has reconciled with all others;
    /// [`Event::Waited`] follows.
    ///
    /// # Errors
    /// [`ReplicaError::Invalid`] for more regions than there are.
    pub fn fresh(&mut self, regions: u32) -> Result<WaitId, ReplicaError> {
        self.check_regions(regions)?;
        let wait = Wait::Fresh { regions, asked: None, at: BTreeMap::new(), log_seq: None };
        let wait = self.waits.add(wait);
        self.settle();
        Ok(wait)
    }

    fn check_regions(&self, regions: u32) -> Result<(), ReplicaError> {
        let known = self.holder.regions().len();
        let most = if known > 0 { known } else { self.dialer.relays() };
        if regions as usize > most {
            return Err(ReplicaError::Invalid(format!("{regions} regions of {most}")));
        }
        Ok(())
    }

    /// The relays there are, from now on.
    pub fn set_relays(&mut self, relays: Vec<String>) {
        self.dialer.set_relays(relays, &mut self.holder, self.now);
        self.settle();
    }

    /// The addresses of the relays that this replica has met, the last one first.
    pub fn relays_met(&self) -> Vec<String> {
        self.holder.peers().map(|peer| peer.url.clone()).collect()
    }

    /// What lets this replica in, for the links that are opened from now on.
    pub fn set_token(&mut self, token: String) {
        self.holder.set_token(token);
        self.settle();
    }

    /// Resolves once all that was made is on disk, or can't be; [`Event::Waited`] follows.
    pub fn flush(&mut self) -> WaitId {
        self.holder.save_peers();
        let wait = self.waits.add(Wait::Flush { number: self.made });
        self.settle();
        wait
    }

    /// Nobody waits for this any more.
    pub fn cancel(&mut self, wait: WaitId) {
        self.waits.remove(wait);
    }

    /// What is held.
    pub fn vector(&self) -> &Vector {
        self.holder.log().vector()
    }

    /// How often a peer sent commits and not their causes.
    pub fn withheld(&self) -> u64 {
        self.holder.withheld
    }

    // Commits.

    fn commit(&mut self, doc: DocId, items: Vec<(DocId, Kind, Vec<u8>)>) -> Result<Made, ReplicaError> {
        let mut after = self.causes();
        // More causes than a header may name are taken in by commits that do nothing else.
        while after.len() > limits::AFTER_MAX {
            let rest = after.split_off(limits::AFTER_MAX);
            self.append(after, Vec::new())?;
            after = rest;
        }
        let id = self.append(after, items)?;
        self.settle();
        Ok(Made { doc, id: Some(id), seq: self.made })
    }

    fn append(
        &mut self,
        after: Vec<After>,
        items: Vec<(DocId, Kind, Vec<u8>)>,
    ) -> Result<CommitId, ReplicaError> {
        let commit = Commit::new(self.author, self.prev, after, self.clock.host(), items).map_err(
            |error| match error {
                CommitError::TooLarge(what) => {
                    ReplicaError::TooLarge(format!("a commit may not hold this much: {what}"))
                }
                other => ReplicaError::Invalid(other.to_string()),
            },
        )?;
        let header = commit.header();
        let id = commit.id();
        self.prev = Some((header.seq, id));
        self.covered.extend(self.holder.log().uncovered().copied().filter(|tip| {
            header.after.iter().any(|after| {
                after.author == tip.author && after.seq == tip.seq && after.short == tip.id.short()
            })
        }));
        self.made += 1;
        self.made_at.push(0);
        self.unplaced.insert(id, self.made);
        self.holder.append_own(commit, self.made, self.now);
        Ok(id)
    }

    fn causes(&self) -> Vec<After> {
        self.holder
            .log()
            .uncovered()
            .filter(|tip| tip.author != self.author && !self.covered.contains(tip))
            .map(|tip| After { author: tip.author, seq: tip.seq, short: tip.id.short() })
            .collect()
    }

    // What the holder tells.

    /// Takes in what the holder has to tell, and lets everything that can go on go on.
    fn settle(&mut self) {
        loop {
            while let Some(notice) = self.holder.poll_notice() {
                self.notice(notice);
            }
            if !self.holder.is_open() {
                return;
            }
            self.follow();
            for wish in self.dialer.run(&mut self.holder, self.now) {
                self.push_effect(match wish {
                    Wish::Probe(url) => Effect::Probe(url),
                    Wish::Ping(link) => Effect::Ping(link),
                    Wish::Token => Effect::App(Event::TokenExpiring),
                });
            }
            self.open_waiting();
            self.check_waits();
            self.tell_tabs();
            if !self.holder.has_notices() {
                return;
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Opened => self.broadcast(&Message::Ask),
            Notice::Corrupt(reason) => self.tell(Event::OpenFailed(reason)),
            Notice::Appended(entries) => {
                self.broadcast(&Message::Grew);
                if entries.first().is_some_and(|first| first.at.seq == self.followed + 1) {
                    self.take(entries);
                } else {
                    self.follow_again = true;
                }
            }
            Notice::Saved(number) => {
                self.saved = number;
                self.tell(Event::Saved { seq: number });
                self.tell(Event::Status);
            }
            Notice::SaveFailed(number, message) => {
                self.storage_error = Some(message.clone());
                self.tell(Event::SaveFailed { seq: number, message });
                self.tell(Event::Status);
            }
            Notice::DiskRecovered => {
                self.broadcast(&Message::Grew);
                self.volatile.clear();
                self.storage_error = None;
                self.tell(Event::Status);
            }
            Notice::Storage(OwnerRequest::Follow, answer) => self.follow_read(answer),
            Notice::Storage(OwnerRequest::Document(doc, from), answer) => {
                self.document_read(doc, from, answer)
            }
            Notice::LinkChanged => {
                self.dialer.link_changed(&mut self.holder, self.now);
                self.tell(Event::Status);
            }
            Notice::LinkClosed(link, why) => {
                let now = self.now;
                self.dialer.link_closed(link, why, &mut self.holder, now);
                self.waits.ask_again();
                self.tell(Event::Status);
            }
            Notice::Agreed(_) => {}
            Notice::FreshAsked(link, _) => {
                self.holder.close(link, CloseCode::OutOfOrder, "only relays know of regions");
            }
            Notice::FreshAnswer(link, nonce, head) => self.waits.fresh_at(link, nonce, &head),
            Notice::HeadOf(link, nonce, at) => self.waits.head_of(link, nonce, at),
            Notice::LogMoved => self.follow_again = true,
            Notice::Reloaded => {
                self.own_before = self.own_before.max(self.own_at.len() - self.volatile.len());
                for (id, number) in core::mem::take(&mut self.volatile) {
                    self.made_at[number as usize - 1] = 0;
                    self.unplaced.insert(id, number);
                }
                self.index.clear();
                self.own_at.clear();
                self.followed = 0;
                self.follow_again = true;
                // What is being read is followed from the log's start like the rest.
                for doc in self.open.keys().copied().collect::<Vec<_>>() {
                    self.load_on(doc, limits::READ_BYTES);
                }
            }
        }
    }

    fn tell(&mut self, event: Event) {
        self.push_effect(Effect::App(event));
    }

    // Following the log.

    fn follow(&mut self) {
        let is_behind = self.followed < self.holder.stored().seq;
        if !self.following && (is_behind || self.follow_again) {
            self.following = true;
            self.follow_again = false;
            let request = log::rows_after(self.followed, limits::READ_BYTES);
            self.holder.ask_storage(OwnerRequest::Follow, request);
        }
        if !is_behind && !self.following && !self.ready {
            self.ready = true;
            self.tell(Event::Ready);
        }
    }

    fn follow_read(&mut self, answer: StorageAnswer) {
        self.following = false;
        match rows_of(answer) {
            Ok(rows) => {
                if let Some(bytes) = rows.bytes_needed {
                    self.following = true;
                    let request = log::rows_after(self.followed, bytes);
                    return self.holder.ask_storage(OwnerRequest::Follow, request);
                }
                let followed = self.followed;
                let entries: Vec<_> =
                    rows.entries.into_iter().filter(|entry| entry.at.seq > followed).collect();
                if entries.first().is_some_and(|first| first.at.seq != followed + 1) {
                    // Asked before the log was taken up from its start again.
                    self.follow_again = true;
                    return;
                }
                self.follow_again |= rows.more && !entries.is_empty();
                self.holder.follow(&entries);
                self.take(entries);
            }
            Err(error) => self.tell(Event::OpenFailed(error.to_string())),
        }
    }

    /// Takes in commits in log order: documents that are open change, others are indexed.
    fn take(&mut self, entries: Vec<Entry>) {
        let mut chunks: BTreeMap<DocId, Vec<(AuthorId, Vec<u8>)>> = BTreeMap::new();
        let mut gone = BTreeSet::new();
        for entry in entries {
            self.followed = entry.at.seq;
            self.place(&entry);
            let author = entry.commit.header().author;
            for (item, bytes) in entry.commit.items() {
                match item.known_kind() {
                    Some(Kind::Delete) => {
                        gone.insert(item.doc);
                    }
                    _ if gone.contains(&item.doc) || self.is_deleted(&item.doc) => {}
                    kind => {
                        let genesis = match (kind, bytes) {
                            (Some(Kind::Genesis), ItemBytes::Present(bytes)) => {
                                Genesis::decode(bytes).ok().filter(|g| g.doc() == item.doc)
                            }
                            _ => None,
                        };
                        self.index_item(item.doc, entry.at.seq, item.len, genesis.as_ref());
                        let chunks = chunks.entry(item.doc).or_default();
                        chunks.extend(item_chunks(author, kind, bytes));
                    }
                }
            }
        }
        for (doc, chunks) in chunks {
            if let Some(Open { document, phase: Phase::Ready, .. }) = self.open.get_mut(&doc) {
                let applied =
                    document.apply(chunks.iter().map(|(author, bytes)| (*author, bytes.as_slice())));
                if self.closing.contains(&doc) {
                    continue;
                }
                if applied.rebuilt {
                    self.tell(Event::Reset { doc });
                } else if !applied.patches.is_empty() {
                    self.tell(Event::Patches { doc, patches: applied.patches });
                }
            }
        }
        for doc in gone {
            self.forget(doc);
        }
        self.tell(Event::Status);
    }

    /// Takes note of where a commit of this holder is in the log.
    fn place(&mut self, entry: &Entry) {
        let header = entry.commit.header();
        if entry.own {
            self.own_at.push(entry.at.seq);
        }
        match self.unplaced.remove(&entry.commit.id()) {
            Some(number) => {
                self.made_at[number as usize - 1] = entry.at.seq;
                if self.holder.disk_failed() {
                    self.volatile.insert(entry.commit.id(), number);
                }
                if self.unplaced.is_empty() {
                    self.covered.clear();
                    for doc in core::mem::take(&mut self.closing) {
                        self.open.remove(&doc);
                    }
                }
            }
            None if header.author == self.author && !self.was_made_here(entry) => {
                self.change_author();
            }
            None => {}
        }
    }

    fn was_made_here(&self, entry: &Entry) -> bool {
        self.prev.is_some_and(|(seq, _)| entry.commit.header().seq <= seq) && entry.own
    }

    /// Somebody else writes under this process's id: it was cloned while it ran. This one takes
    /// another, so that they part.
    fn change_author(&mut self) {
        self.author = AuthorId(self.holder.rng().bytes16());
        self.prev = None;
        for open in self.open.values_mut() {
            open.document.set_author(self.author);
        }
    }

    fn index_item(&mut self, doc: DocId, at: u64, bytes: u64, genesis: Option<&Genesis>) {
        let is_new = !self.index.contains_key(&doc);
        let indexed = self.index.entry(doc).or_default();
        indexed.bytes += bytes;
        if indexed.at.last() != Some(&at) {
            indexed.at.push(at);
        }
        if let Some(genesis) = genesis {
            indexed.name = Some(genesis.name.clone());
            if let Some(open) = self.open.get_mut(&doc)
                && let Some(unlogged) = &mut open.unlogged
            {
                unlogged.changes.retain(|change| !genesis.changes.contains(change));
                if unlogged.changes.is_empty() {
                    open.unlogged = None;
                }
            }
        }
        if is_new && self.ready {
            self.tell(Event::Held { doc });
        }
    }

    fn is_deleted(&self, doc: &DocId) -> bool {
        self.deleted.contains(doc) || self.holder.log().is_deleted(doc)
    }

    fn forget(&mut self, doc: DocId) {
        self.closing.remove(&doc);
        let was_known = self.index.remove(&doc).is_some() | self.open.remove(&doc).is_some();
        if self.deleted.insert(doc) && was_known {
            self.tell(Event::Deleted { doc });
        }
    }

    // Opening documents.

    fn ready_doc(&mut self, doc: DocId) -> Result<&mut Open, ReplicaError> {
        match self.open.get_mut(&doc) {
            Some(open) if matches!(open.phase, Phase::Ready) && !self.closing.contains(&doc) => Ok(open),
            _ => Err(ReplicaError::Closed),
        }
    }

    /// Begins what `open` and `named` asked for, once the log has been followed to its end.
    fn open_waiting(&mut self) {
        if !self.ready {
            return;
        }
        for (wait, request) in self.waits.take_opens() {
            let (doc, named) = match request {
                Wait::Named { name, initial } => {
                    let generation = (0..)
                        .find(|generation| !self.is_deleted(&DocId::named(&name, *generation)))
                        .expect("not every generation is deleted");
                    (DocId::named(&name, generation), Some((name, generation, initial)))
                }
                Wait::Open { doc } => (doc, None),
                _ => continue,
            };
            self.closing.remove(&doc);
            match self.open.get_mut(&doc) {
                Some(open) => match &mut open.phase {
                    Phase::Loading { waits, named: held, .. } => {
                        waits.push(wait);
                        if named.is_some() {
                            *held = named;
                        }
                        continue;
                    }
                    Phase::Ready => {
                        if let Some(named) = named {
                            self.begin(doc, named);
                        }
                        self.tell(Event::Opened { wait, doc, held: true });
                        continue;
                    }
                },
                None if named.is_none() && !self.index.contains_key(&doc) => {
                    self.tell(Event::Opened { wait, doc, held: false });
                    continue;
                }
                None => {}
            }
            let document = Document::new(self.author, Budget::default());
            let phase = Phase::Loading { next: 0, waits: vec![wait], named };
            self.open.insert(doc, Open { document, unlogged: None, phase });
            self.load_on(doc, limits::READ_BYTES);
        }
    }

    fn load_on(&mut self, doc: DocId, bytes: usize) {
        let at = self.index.get(&doc).map_or(&[] as &[u64], |indexed| &indexed.at);
        let Some(open) = self.open.get_mut(&doc) else { return };
        let Phase::Loading { next, .. } = &open.phase else {
            return;
        };
        if let Some(seq) = at.get(*next) {
            let request = log::rows_after(seq - 1, bytes);
            let seq = *seq;
            return self.holder.ask_storage(OwnerRequest::Document(doc, seq), request);
        }
        let phase = core::mem::replace(&mut open.phase, Phase::Ready);
        let Phase::Loading { waits, named, .. } = phase else {
            return;
        };
        if let Some(named) = named {
            self.begin(doc, named);
        }
        for wait in waits {
            self.tell(Event::Opened { wait, doc, held: true });
        }
    }

    fn document_read(&mut self, doc: DocId, from: u64, answer: StorageAnswer) {
        let rows = match rows_of(answer) {
            Ok(rows) => rows,
            Err(error) => return self.tell(Event::OpenFailed(error.to_string())),
        };
        let Some(indexed) = self.index.get(&doc) else { return };
        let Some(open) = self.open.get_mut(&doc) else { return };
        let Phase::Loading { next, .. } = &mut open.phase else { return };
        if indexed.at.get(*next) != Some(&from) {
            // Asked before the document was closed and opened again.
            return;
        }
        if let Some(bytes) = rows.bytes_needed {
            return self.load_on(doc, bytes);
        }
        let Some(last) = rows.entries.last().map(|entry| entry.at.seq) else {
            return self.tell(Event::OpenFailed("commits of a document are missing".into()));
        };
        let mut chunks = Vec::new();
        for entry in &rows.entries {
            if indexed.at[*next..].binary_search(&entry.at.seq).is_ok() {
                for (item, bytes) in entry.commit.items().filter(|(item, _)| item.doc == doc) {
                    let author = entry.commit.header().author;
                    chunks.extend(item_chunks(author, item.known_kind(), bytes));
                }
            }
        }
        *next += indexed.at[*next..].partition_point(|at| *at <= last);
        open.document.apply(chunks.iter().map(|(author, bytes)| (*author, bytes.as_slice())));
        self.load_on(doc, limits::READ_BYTES);
    }

    /// Makes what of a named document's beginning nothing held has touched. It goes into the log
    /// with the first edit.
    fn begin(&mut self, doc: DocId, (name, generation, initial): (String, u64, Value)) {
        let author = self.author;
        let Some(open) = self.open.get_mut(&doc) else { return };
        let Ok(changes) = genesis::changes(&name, &initial, open.document.automerge()) else {
            return;
        };
        if changes.is_empty() && self.index.contains_key(&doc) {
            return;
        }
        let applied = open.document.apply(changes.iter().map(|c| (author, c.as_slice())));
        let unlogged = open.unlogged.get_or_insert(Genesis { name, generation, changes: Vec::new() });
        unlogged.changes.extend(changes.into_iter().map(Into::into));
        if !applied.patches.is_empty() {
            self.tell(Event::Patches { doc, patches: applied.patches });
        }
    }

    // Waits.

    fn acked(&self) -> BTreeMap<String, u64> {
        self.holder.regions().iter().map(|(region, record)| (region.clone(), record.acked)).collect()
    }

    /// Whether another process that shares the log links to relays.
    fn is_following(&self) -> bool {
        !self.dialer.online && self.leader.is_some()
    }

    fn check_waits(&mut self) {
        let is_follower = self.is_following();
        let acked = match &self.leader {
            // What is in memory alone has no place in the log that the leader speaks of.
            Some(_) if is_follower && self.holder.disk_failed() => BTreeMap::new(),
            Some(view) if is_follower => view.acked.clone(),
            _ => self.acked(),
        };
        if self.waits.wants_heads() && self.dialer.is_up(&self.holder) {
            let nonce = self.holder.ask_heads();
            self.waits.asked(nonce);
        }
        if let Some(link) = self.dialer.relay_up(&self.holder).filter(|_| self.waits.wants_fresh()) {
            let nonce = self.holder.ask_fresh(link);
            self.waits.asked_fresh(nonce);
        }
        let (holder, made_at, unplaced) = (&self.holder, &self.made_at, &self.unplaced);
        let (saved, has_relays) = (self.saved, self.dialer.relays() > 0);
        let followed = if is_follower { self.followed.min(self.holder.on_disk()) } else { self.followed };
        // Places in this process's memory mean nothing to others.
        let answers_tabs = !self.holder.disk_failed();
        let over = self.waits.take_if(answers_tabs, |wait| match wait {
            Wait::Synced { log_seq: Some(seq), .. } => followed >= *seq,
            Wait::Synced { target, .. } => {
                !has_relays
                    || target.is_some_and(|(link, seq)| {
                        holder.link(link).is_some_and(|link| link.receive.read.seq >= seq)
                    })
            }
            Wait::Fresh { log_seq: Some(seq), .. } => followed >= *seq,
            Wait::Fresh { regions, at, .. } => {
                let is_read = |(link, seq): &(LinkId, u64)| {
                    holder.link(*link).is_some_and(|link| link.receive.read.seq >= *seq)
                };
                at.values().filter(|at| is_read(at)).count() >= *regions as usize
            }
            Wait::Durable { regions, number, at_least } => {
                let at = number.checked_sub(1).map_or(0, |i| made_at[i as usize]);
                let is_placed = *number == 0 || at > 0;
                let target = at.max(*at_least);
                is_placed && acked.values().filter(|upto| **upto >= target).count() >= *regions as usize
            }
            Wait::Flush { number } => {
                holder.is_settled()
                    && (saved >= *number || holder.disk_failed())
                    && (unplaced.is_empty() || holder.is_failed())
            }
            Wait::Open { .. } | Wait::Named { .. } => false,
        });
        for (id, wait) in over {
            match wait {
                Wait::Synced { .. } | Wait::Fresh { .. } if self.waits.is_for_tab(id) => {
                    let nonce = self.waits.take_tab(id);
                    self.broadcast(&Message::Synced { nonce, seq: self.followed });
                }
                _ => self.tell(Event::Waited(id)),
            }
        }
        if is_follower {
            for (nonce, regions) in self.waits.ask_leader() {
                self.broadcast(&Message::Sync { nonce, regions });
            }
        }
    }

    // Other processes that share the log.

    fn set_online(&mut self, online: bool) {
        if online {
            self.leader = None;
            self.broadcast(&Message::Leads);
        }
        self.waits.ask_again();
        self.dialer.set_online(online, &mut self.holder, self.now);
        self.told = None;
        self.tell(Event::Status);
    }

    fn heard(&mut self, bytes: &[u8]) {
        match Message::decode(bytes) {
            Some(Message::Grew) => self.holder.log_moved(self.now),
            Some(Message::Ask) => self.told = None,
            Some(Message::View(view)) if !self.dialer.online => {
                self.leader = Some(view);
                self.tell(Event::Status);
            }
            Some(Message::Sync { nonce, regions }) if self.dialer.online => {
                self.waits.add_for_tab(nonce, regions);
            }
            Some(Message::Leads) => self.waits.ask_again(),
            Some(Message::Synced { nonce, seq }) => self.waits.leader_synced(nonce, seq),
            _ => {}
        }
    }

    /// A process that links to relays tells the others how that goes.
    fn tell_tabs(&mut self) {
        if !self.dialer.online {
            return;
        }
        // Places that are in this process's memory alone mean nothing to others.
        let on_disk = self.holder.on_disk();
        let acked = self.acked().into_iter().map(|(region, upto)| (region, upto.min(on_disk))).collect();
        let relay = self.dialer.relay(&self.holder);
        let view = LeaderView::new(self.dialer.state(), relay, self.dialer.was_live, acked);
        if self.told.as_ref() != Some(&view) {
            self.told = Some(view.clone());
            self.broadcast(&Message::View(view));
        }
    }

    fn broadcast(&mut self, message: &Message) {
        self.push_effect(Effect::Broadcast(message.encode()));
    }
}

/// The Automerge chunks in an item, with who vouches for them.
fn item_chunks(author: AuthorId, kind: Option<Kind>, bytes: &ItemBytes) -> Vec<(AuthorId, Vec<u8>)> {
    let ItemBytes::Present(bytes) = bytes else {
        return Vec::new();
    };
    match kind {
        Some(Kind::Change | Kind::Import) => vec![(author, bytes.clone())],
        Some(Kind::Genesis) => match Genesis::decode(bytes) {
            Ok(genesis) => genesis.changes.into_iter().map(|c| (author, c.into())).collect(),
            Err(_) => Vec::new(),
        },
        Some(Kind::Delete) | None => Vec::new(),
    }
}
