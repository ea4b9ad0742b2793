//! The replica: a holder that can open documents and write.
//!
//! Documents follow the log. A change is made to the open document at once and its commit goes into
//! the log like any other; what others make reaches documents when it is in the log, commit by
//! commit, whichever way it came: a link, another process that shares the log, or storage.
//!
//! This file passes inputs to the parts and effects to the host. What the application may call is in
//! `calls`.

use std::collections::{BTreeMap, VecDeque};

use crate::base::limits::Limits;
use crate::base::mutation::Mutation;
use crate::commit::descriptor::Descriptor;

use crate::base::id::{AuthorId, LinkId};
use crate::base::id_map::IdMap;
use crate::base::time::{Clock, Millis};
use crate::holder::holder::{Holder, HolderConfig};
use crate::holder::io as holder;
use crate::holder::notice::{Notice, OwnerRequest};
use crate::holder::records::RegionRecord;
use crate::holder::role::{Regions, Role};
use crate::replica::announced::Announced;
use crate::replica::checkpoint::Checkpoint;
use crate::replica::dialer::{Dialer, Wish};
use crate::replica::documents::Documents;
use crate::replica::event::Event;
use crate::replica::follow::Follow;
use crate::replica::inquiries::Inquiries;
use crate::replica::io::{Effect, Input};
use crate::replica::own_commits::OwnCommits;
use crate::replica::own_presence::OwnPresence;
use crate::replica::round_trips::RoundTrips;
use crate::replica::said::Said;
use crate::replica::tabs::{LeaderView, Message, Tabs};
use crate::replica::waits::{Wait, Waits};
use crate::wire::close::CloseCode;

/// Why a wait for more regions than there are can't end.
pub(super) fn too_many_regions(asked: u32, known: usize) -> String {
    format!("{asked} regions were asked for, and this space has {known}")
}

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
    /// Bearer token, sent to relays in `Hello`.
    pub token: Option<String>,
    /// What the space is, where the application says so. Otherwise it is what storage says, or a plain
    /// space of that name.
    pub descriptor: Option<Descriptor>,
    /// Those of the protocol, outside of simulations.
    pub limits: Limits,
}

/// One process's view of a space.
///
/// A clone has the same author: the fork that its commits make is what a cloned live process
/// (a restored machine image) would make.
#[derive(Clone)]
pub struct Replica {
    pub(super) holder: Holder,
    pub(super) dialer: Dialer,
    pub(super) documents: Documents,
    pub(super) own: OwnCommits,
    pub(super) follow: Follow,
    pub(super) checkpoint: Checkpoint,
    pub(super) waits: Waits,
    pub(super) tabs: Tabs,
    /// The links to other replicas that the host opened.
    pub(super) peers: RoundTrips,
    /// What relays say of other regions, by link.
    pub(super) said: IdMap<LinkId, Said>,
    /// What relays know of this replica.
    pub(super) announced: Announced,
    /// What is asked of regions by way of others.
    pub(super) inquiries: Inquiries,
    /// What others see of it, where it shows anything.
    pub(super) presence: Option<OwnPresence>,
    /// Whether a relay has told which regions there are.
    pub(super) has_regions: bool,
    pub(super) clock: Clock,
    pub(super) now: Millis,
    /// What storage said when it last failed, until it works again.
    pub(super) storage_error: Option<String>,
    effects: VecDeque<Effect>,
}

impl Replica {
    /// Begins to load; [`Event::Ready`] follows.
    pub fn new(config: ReplicaConfig, now: Millis) -> Self {
        let author = config.author;
        let relays = config.relays;
        let config = HolderConfig {
            space: config.space,
            descriptor: config.descriptor,
            role: Role::Replica(Regions::default()),
            token: config.token,
            caps: None,
            limits: config.limits,
            seed: config.seed,
        };
        Self {
            holder: Holder::new(config, now),
            dialer: Dialer::new(relays),
            documents: Documents::default(),
            own: OwnCommits::new(author),
            follow: Follow::default(),
            checkpoint: Checkpoint::default(),
            waits: Waits::default(),
            tabs: Tabs::default(),
            peers: RoundTrips::default(),
            said: IdMap::new(),
            announced: Announced::default(),
            inquiries: Inquiries::default(),
            presence: None,
            has_regions: false,
            clock: Clock::new(now),
            now,
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
            Input::Holder(holder::Input::Authorized(..) | holder::Input::Signed(..)) => {}
            Input::Holder(input) => self.holder.handle(input, now),
            Input::Broadcast(bytes) => self.heard(&bytes),
            Input::Online(online) => self.set_online(online),
            Input::Probed(url, is_healthy) => {
                self.dialer.probed(&url, is_healthy, &mut self.holder, now);
            }
            Input::Pong(link) => self.holder.heard(link, now),
        }
        self.advance();
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

    pub(super) fn tell(&mut self, event: Event) {
        self.push_effect(Effect::App(event));
    }

    /// Tells the application what is new of its documents.
    pub(super) fn tell_of_documents(&mut self) {
        while let Some(event) = self.documents.poll_event() {
            self.tell(event);
        }
    }

    pub(super) fn broadcast(&mut self, message: &Message) {
        self.push_effect(Effect::Broadcast(message.encode()));
    }

    pub(super) fn observe(&mut self, host: Millis) -> Millis {
        self.now = self.clock.observe(host);
        self.now
    }

    // What the holder has to tell.

    /// Takes in what the holder has to tell, and lets everything that can go on go on.
    pub(super) fn advance(&mut self) {
        loop {
            while let Some(notice) = self.holder.poll_notice() {
                self.notice(notice);
            }
            if !self.holder.is_open() {
                return;
            }
            self.read_log();
            for wish in self.dialer.run(&mut self.holder, self.now) {
                self.push_effect(match wish {
                    Wish::Probe(url) => Effect::Probe(url),
                    Wish::Ping(link) => Effect::Ping(link),
                    Wish::Token => Effect::App(Event::TokenExpiring),
                    Wish::TellStatus => Effect::App(Event::Status),
                });
            }
            let relay = self.dialer.relay_up(&self.holder);
            self.announced.run(relay, &mut self.holder, self.now);
            self.run_presence();
            self.run_receipts();
            self.open_documents();
            self.write_views(false);
            self.write_checkpoint(false);
            self.check_waits();
            self.broadcast_view();
            if !self.holder.has_notices() {
                return;
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Opened => {
                self.broadcast(&Message::Ask);
                self.say_presence_again();
            }
            Notice::Failed(fault, message) => self.tell(Event::Failed { fault, message }),
            Notice::Appended(entries) => {
                self.broadcast(&Message::Grew);
                self.appended(entries);
            }
            Notice::Saved(number) => {
                self.own.set_saved(number);
                self.tell(Event::Saved { seq: number });
                self.tell(Event::Status);
            }
            Notice::DiskFails(message) => {
                self.storage_error = Some(message);
                self.tell(Event::Status);
            }
            Notice::SaveFailed(number, message) => {
                self.tell(Event::SaveFailed { seq: number, message });
                self.tell(Event::Status);
            }
            Notice::DiskRecovered => {
                // The log may have got another id meanwhile.
                self.broadcast(&Message::Renewed);
                self.own.storage_recovered();
                self.storage_error = None;
                self.tell(Event::Status);
            }
            Notice::MarkerWritten => self.broadcast(&Message::Renewed),
            Notice::Storage(OwnerRequest::Follow, answer) => self.log_read(answer),
            Notice::Storage(OwnerRequest::Checkpoint, answer) => self.checkpoint_read(answer),
            Notice::Storage(OwnerRequest::CheckpointWrite, answer) => self.checkpoint_written(&answer),
            Notice::Storage(OwnerRequest::View(doc), answer) => self.view_read(doc, answer),
            Notice::Storage(OwnerRequest::Views, answer) => self.views_read(answer),
            Notice::Storage(OwnerRequest::ViewPages, answer) => self.view_pages_answered(answer),
            Notice::Storage(OwnerRequest::Document(doc, from), answer) => {
                self.documents.loaded(doc, from, answer, self.own.author(), &mut self.holder);
                self.tell_of_documents();
                self.note_opened();
            }
            Notice::LinkChanged => {
                self.dialer.link_changed(&mut self.holder, self.now);
                self.tell(Event::Status);
            }
            Notice::RegionsTold(regions) => {
                self.has_regions |= !regions.is_empty();
                self.learn_regions(&regions);
            }
            Notice::Acked(link) => self.note_elsewhere(link),
            Notice::StoredElsewhere(link, stored) => self.stored_elsewhere(link, stored),
            Notice::Incompatible(descriptor) => self.incompatible(descriptor),
            Notice::LinkClosed(link, why) => {
                self.said.remove(&link);
                if !self.peers.remove(link) {
                    self.dialer.link_closed(link, why, &mut self.holder, self.now);
                    self.waits.ask_again();
                }
                self.tell(Event::Status);
            }
            Notice::Agreed(_) => {}
            Notice::FreshAsked(link, _) => {
                self.holder.close(link, CloseCode::OutOfOrder, "only relays know of regions");
            }
            Notice::Introduced(_, introduction) => self.introduced(introduction),
            Notice::Signalled(_, signal) => self.signalled(signal),
            Notice::Inquired(link, inquiry) => self.inquired(link, inquiry),
            Notice::Receipt(receipt) => self.receipt_came(receipt),
            // The holder of a replica refuses it.
            Notice::Announced(..) => {}
            Notice::FreshAnswer(link, nonce, head) => self.waits.fresh_at(link, nonce, &head),
            Notice::HeadOf(link, nonce, at) => {
                if !self.peers.answered(link, nonce, self.now) {
                    self.waits.head_of(link, nonce, at);
                }
            }
            Notice::Present(id, state) => self.tell_present(id, state.as_deref()),
            Notice::PresentHere(all) => self.broadcast(&Message::Present(all)),
            Notice::LogMoved => self.follow.is_due = true,
            Notice::Reloaded => self.log_restarts(),
        }
    }

    /// The space is another one at a relay than this replica takes it for. Who was not told what it is,
    /// and has written nothing, takes it from the relay; otherwise the two are kept apart.
    fn incompatible(&mut self, descriptor: Option<Descriptor>) {
        if self.own.made() == 0
            && let Some(descriptor) = descriptor
        {
            self.holder.adopt(descriptor);
        }
    }

    fn open_documents(&mut self) {
        if !self.follow.is_ready {
            return;
        }
        let again = self.documents.take_named_again();
        for (wait, request) in again.into_iter().chain(self.waits.take_opens()) {
            match request {
                Wait::Peek { doc } => self.documents.peeks.get_or_default(doc).push(wait),
                Wait::Values => self.read_views(wait),
                _ => self.documents.begin_open(wait, request, self.own.author(), &mut self.holder),
            }
            self.tell_of_documents();
        }
        self.note_opened();
        self.run_peeks();
    }

    // Waits.

    /// By region: the log seq up to which it has acknowledged.
    pub(super) fn acked(&self) -> BTreeMap<String, u64> {
        self.regions().iter().map(|(region, record)| (region.clone(), record.acked)).collect()
    }

    /// What is known of each region.
    pub(super) fn regions(&self) -> &BTreeMap<String, RegionRecord> {
        self.holder.role().regions().expect("a replica's holder has the role of a replica").known()
    }

    /// The process that links to relays, where another one does.
    pub(super) fn leader(&self) -> Option<&LeaderView> {
        self.tabs.leader().filter(|_| !self.dialer.online)
    }

    /// How many regions there are, once a relay has told this process, or the one that links to relays.
    pub(super) fn known_regions(&self) -> Option<usize> {
        match self.leader() {
            Some(view) => view.regions.map(|regions| regions as usize),
            None => self.has_regions.then_some(self.regions().len()),
        }
    }

    /// Who asked for more regions than there are, before it was known how many that is, waits in vain.
    fn fail_waits(&mut self) {
        if let Some(known) = self.known_regions() {
            let failed = self.waits.take_if(false, |wait| match wait {
                Wait::Durable { regions, .. } | Wait::Fresh { regions, .. } => *regions as usize > known,
                _ => false,
            });
            for (id, wait) in failed {
                let (Wait::Durable { regions, .. } | Wait::Fresh { regions, .. }) = wait else { continue };
                self.tell(Event::WaitFailed(id, too_many_regions(regions, known)));
            }
        }
    }

    fn check_waits(&mut self) {
        self.fail_waits();
        let is_led = self.leader().is_some();
        let acked = match self.leader() {
            // The leader knows nothing of what is in this process's memory only.
            Some(_) if self.holder.disk_failed() => BTreeMap::new(),
            Some(view) => view.acked.clone(),
            None => self.acked(),
        };
        if let Some(link) = self.dialer.link_up(&self.holder).filter(|_| self.waits.wants_heads()) {
            let nonce = self.holder.ask_head(link);
            self.waits.asked(nonce);
        }
        if let Some(link) = self.dialer.relay_up(&self.holder).filter(|_| self.waits.wants_fresh()) {
            let nonce = self.holder.ask_fresh(link);
            self.waits.asked_fresh(nonce);
        }
        let (holder, own, views) = (&self.holder, &self.own, &self.documents.views);
        let has_relays = self.dialer.relays() > 0;
        let followed = if is_led { self.follow.seq.min(holder.on_disk()) } else { self.follow.seq };
        let has_read = |link: LinkId, seq: u64| {
            holder.session(link).is_some_and(|session| session.receive.read.seq >= seq)
        };
        // Log seqs of what is in this process's memory only mean nothing to others.
        let answers_tabs = !holder.disk_failed();
        let limits = holder.limits();
        let fresh_less = usize::from(limits.is_mutated(Mutation::FreshOneShort));
        let durable_less = usize::from(limits.is_mutated(Mutation::DurableOneShort));
        self.waits.hold(answers_tabs, holder.stored().seq, |wait| match wait {
            Wait::Synced { target, .. } => {
                !has_relays || target.is_some_and(|(link, seq)| has_read(link, seq))
            }
            Wait::Fresh { regions, at, .. } => {
                at.values().filter(|(link, seq)| has_read(*link, *seq)).count() + fresh_less
                    >= *regions as usize
            }
            _ => false,
        });
        let over = self.waits.take_if(answers_tabs, |wait| match wait {
            Wait::Synced { log_seq, .. } | Wait::Fresh { log_seq, .. } => {
                log_seq.is_some_and(|seq| followed >= seq)
            }
            Wait::Durable { regions, number, at_least } => own.log_seq(*number).is_some_and(|seq| {
                let target = seq.max(*at_least);
                acked.values().filter(|acked| **acked >= target).count() + durable_less >= *regions as usize
            }),
            Wait::Flush { number } => {
                holder.is_settled()
                    && (own.saved() >= *number || holder.disk_failed())
                    && (!own.has_pending() || holder.is_failed())
                    && (views.are_written() || holder.disk_failed() || !holder.is_open())
            }
            Wait::Open { .. } | Wait::Named { .. } | Wait::Peek { .. } | Wait::Values => false,
        });
        for (id, wait) in over {
            match wait {
                Wait::Synced { log_seq: Some(seq), .. } | Wait::Fresh { log_seq: Some(seq), .. }
                    if self.waits.is_for_tab(id) =>
                {
                    let nonce = self.waits.take_tab(id);
                    self.broadcast(&Message::Synced { nonce, seq });
                }
                _ => self.tell(Event::Waited(id)),
            }
        }
        if is_led {
            for (nonce, regions) in self.waits.ask_leader(self.holder.rng()) {
                self.broadcast(&Message::Sync { nonce, regions });
            }
        }
    }

    // Other processes that share the log.

    fn set_online(&mut self, online: bool) {
        if online {
            self.tabs.lead();
            self.broadcast(&Message::Leads);
        }
        self.waits.ask_again();
        self.dialer.set_online(online, &mut self.holder, self.now);
        self.tabs.forget_broadcast();
        self.tell(Event::Status);
    }

    fn heard(&mut self, bytes: &[u8]) {
        match Message::decode(bytes) {
            Some(Message::Grew) => self.holder.log_moved(self.now),
            Some(Message::Renewed) => self.holder.marker_moved(self.now),
            Some(Message::Ask) => self.tabs.forget_broadcast(),
            Some(Message::Present(all)) => self.heard_present(all),
            Some(Message::View(view)) if !self.dialer.online => {
                self.tabs.set_leader(view);
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
    fn broadcast_view(&mut self) {
        if !self.dialer.online {
            return;
        }
        // Log seqs of what is in this process's memory only mean nothing to others.
        let on_disk = self.holder.on_disk();
        let acked = self.acked().into_iter().map(|(region, upto)| (region, upto.min(on_disk))).collect();
        let relay = self.dialer.relay(&self.holder);
        let (state, error, regions) = (self.dialer.state(), self.dialer.error(), self.known_regions());
        let view = LeaderView::new(state, relay, self.dialer.was_live, acked, regions, error);
        if let Some(message) = self.tabs.news(view) {
            self.broadcast(&message);
        }
    }
}
