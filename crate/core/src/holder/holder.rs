//! The holder: what a replica and a relay have in common. It keeps the log in storage, admits
//! commits in causal order, and replicates over its links.
//!
//! One thing at a time: commits come in through one inbox, are staged into one write, and only when
//! that write is durable are they acknowledged, sent on and told to the owner. What comes in
//! meanwhile is in the next write, so load makes writes larger, not more.

use std::sync::Arc;

use std::collections::VecDeque;

use crate::base::id::{LinkId, LogId, RequestId};
use crate::base::id_map::{IdMap, IdSet};
use crate::base::limits::Limits;
use crate::base::mutation::{Mutation, ambient_number};
use crate::base::position::{Marker, Position};
use crate::base::rng::Rng;
use crate::base::time::Millis;
use crate::commit::descriptor::Descriptor;
use crate::holder::caps::{Caps, RelayCounters};
use crate::holder::deep_forks::DeepForks;
use crate::holder::disk::Disk;
use crate::holder::gate::Gate;
use crate::holder::intake::Intake;
use crate::holder::io::{Effect, Input};
use crate::holder::links::Links;
use crate::holder::notice::Notice;

use crate::holder::peers::Peers;
use crate::holder::pending::Pending;
use crate::holder::role::Role;
use crate::holder::showing::Showing;
use crate::holder::step_pace::StepPace;
use crate::holder::turns::{Turn, Turns};
use crate::link::link::{Link, Phase};
use crate::link::session::Session;
use crate::log::log::{Keeping, Log};
use crate::storage::request::{StorageFault, StorageRequest};
use crate::wire::bodies::{Bye, Fresh, RegionHead};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

/// How a holder is made.
#[derive(Debug, Clone)]
pub(crate) struct HolderConfig {
    /// The name of the space.
    pub space: String,
    /// What the space is, where the owner says so. A replica that was not told takes it from its
    /// storage, or the plain one of that name.
    pub descriptor: Option<Descriptor>,
    pub role: Role,
    pub token: Option<String>,
    /// None: this holder takes everything (a replica).
    pub caps: Option<Caps>,
    pub limits: Limits,
    pub seed: [u8; 32],
}

/// A host's clock that shows so much more than before may have been set.
const JUMP_MIN: Millis = 1_000;

/// How far the log is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogState {
    Loading,
    Open,
    Failed,
}

#[derive(Clone)]
pub(crate) struct Holder {
    pub(super) space: String,
    pub(super) descriptor: Option<Descriptor>,
    pub(super) token: Option<String>,
    /// Nothing is brought to the holders dialled from now on.
    pub(super) reads_only: bool,
    pub(super) limits: Arc<Limits>,
    pub(super) role: Role,
    pub(super) now: Millis,
    pub(super) rng: Rng,
    pub(super) state: LogState,
    pub(super) log: Log,
    /// The end of what is durable (or in memory where storage has failed).
    pub(super) stored: Position,
    pub(super) disk: Disk,
    pub(super) links: Links,
    pub(super) peers: Peers,
    pub(super) intake: Intake,
    pub(super) deep_forks: DeepForks,
    pub(super) showing: Showing,
    pub(super) gate: Gate,
    pub(super) counters: RelayCounters,
    pub(super) turns: Turns,
    /// What was done to admit commits.
    pub(super) admitting: Turn,
    /// Links that read much too slowly.
    pub(super) overfull: IdSet<LinkId>,
    /// Frames that came before the log was known.
    pub(super) early: Vec<(LinkId, Vec<u8>)>,
    /// Links that received something since the last write, to be acknowledged after the next.
    pub(super) touched: IdSet<LinkId>,
    /// Links that came up, or whose commits were acknowledged, since the owner last looked.
    pub(super) bringers: IdSet<LinkId>,
    /// What is known of peers is to be written as soon as nothing else is under way.
    pub(super) save_peers_due: bool,
    /// Writes under way.
    pub(super) writing: u32,
    /// A write of commits is under way.
    pub(super) appending: bool,
    /// Writes under way of what greetings tell of the log; whoever is to be greeted after them, and from
    /// where its stream goes on.
    pub(super) marker_writes: u32,
    pub(super) greet_later: Vec<(LinkId, Option<u64>)>,
    pub(super) pending: IdMap<RequestId, (Pending, StorageRequest)>,
    next_request: u64,
    next_nonce: u64,
    pub(super) scrub_pace: StepPace,
    /// Steps of a pass since it was last stored how far it has come.
    pub(super) scrub_steps: u32,
    pub(super) withheld: u64,
    /// Writes made to memory, whose answers are due.
    pub(super) done: VecDeque<(Pending, StorageRequest)>,
    /// Another process moved the log on while this one was writing.
    pub(super) moved: bool,
    /// The id of the log since it was opened, by which others know it.
    pub(super) opened_as: Option<LogId>,
    /// The owner has followed the log further than this knows it.
    pub(super) lagging: bool,
    pub(super) effects: VecDeque<Effect>,
    pub(super) notices: VecDeque<Notice>,
    pub(super) deadline: Option<Millis>,
    pub(super) owner_deadline: Option<Millis>,
}

impl Holder {
    pub fn new(config: HolderConfig, now: Millis) -> Self {
        let mut rng = Rng::new(config.seed);
        let limits = Arc::new(config.limits);
        let marker = Marker::new(LogId(rng.bytes16()), rng.bytes32(), 0);
        // A relay is told what the space is by the first link that may write.
        let plain = (!config.role.is_relay()).then(|| Descriptor::plain(config.space.clone()));
        let keeping = if config.role.is_relay() { Keeping::Nothing } else { Keeping::Uncovered };
        let log = Log::new(marker, config.descriptor.clone().or(plain), keeping, limits.clone());
        let mut holder = Self {
            space: config.space,
            descriptor: config.descriptor,
            token: config.token,
            reads_only: false,
            limits,
            role: config.role,
            now,
            rng,
            state: LogState::Loading,
            stored: log.head(),
            log,
            disk: Disk::Healthy,
            links: Links::new(),
            peers: Peers::default(),
            intake: Intake::default(),
            deep_forks: DeepForks::default(),
            showing: Showing::default(),
            gate: Gate::new(config.caps),
            counters: RelayCounters::default(),
            turns: Turns::default(),
            admitting: Turn::default(),
            overfull: IdSet::new(),
            early: Vec::new(),
            touched: IdSet::new(),
            bringers: IdSet::new(),
            save_peers_due: false,
            writing: 0,
            appending: false,
            marker_writes: 0,
            greet_later: Vec::new(),
            pending: IdMap::new(),
            next_request: 0,
            next_nonce: 0,
            scrub_pace: StepPace::default(),
            scrub_steps: 0,
            withheld: 0,
            done: VecDeque::new(),
            moved: false,
            opened_as: None,
            lagging: false,
            effects: VecDeque::new(),
            notices: VecDeque::new(),
            deadline: None,
            owner_deadline: None,
        };
        holder.load();
        holder
    }

    // What the owner may look at.

    pub fn space(&self) -> &str {
        &self.space
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn role(&self) -> &Role {
        &self.role
    }

    pub fn role_mut(&mut self) -> &mut Role {
        &mut self.role
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn stored(&self) -> Position {
        self.stored
    }

    pub fn is_open(&self) -> bool {
        self.state == LogState::Open
    }

    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The link of that number, once commits flow on it.
    pub fn session(&self, id: LinkId) -> Option<&Session> {
        self.links.session(id)
    }

    pub fn session_mut(&mut self, id: LinkId) -> Option<&mut Session> {
        self.links.session_mut(id)
    }

    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Links that came up, or whose commits were acknowledged, since this was last asked.
    pub fn take_bringers(&mut self) -> IdSet<LinkId> {
        core::mem::take(&mut self.bringers)
    }

    pub fn counters(&self) -> RelayCounters {
        self.counters
    }

    /// Nothing is under way, in storage or with any link, that dropping this holder would undo.
    pub fn is_at_rest(&self) -> bool {
        self.state == LogState::Open
            && self.is_settled()
            && self.pending.is_empty()
            && self.intake.waiting.is_empty()
            && !self.log.deleted().has_unscrubbed()
            && !self.has_unsaved_records()
            && !self.showing.is_due
            && self.links.iter().all(|(id, link)| link.is_dialer() || self.attachment(id).is_some())
    }

    /// Nothing is being written, and nothing waits to be.
    pub fn is_settled(&self) -> bool {
        self.writing == 0 && self.intake.is_empty()
    }

    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
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

    /// What a link needs to go on after this holder was taken out of memory, if it can.
    pub fn attachment(&self, id: LinkId) -> Option<Vec<u8>> {
        // What came while the log was being read is in no frame yet.
        let is_early = self.early.iter().any(|(link, _)| *link == id);
        let is_waited_for = is_early || self.intake.waiting.waits_for_link(id) || !self.intake.is_empty();
        let is_waited_for = is_waited_for && !self.limits.is_mutated(Mutation::SleepOnFrames);
        self.links.get(id).filter(|_| !is_waited_for)?.attachment(&self.limits)
    }

    // What the owner may ask.

    /// What lets this holder in.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The owner's own deadline, beside those of links and storage.
    pub fn set_owner_deadline(&mut self, at: Option<Millis>) {
        self.owner_deadline = at;
        self.schedule();
    }

    /// The same, where another one is set already.
    #[cfg(feature = "documents")]
    pub fn hasten_owner(&mut self, at: Millis) {
        self.owner_deadline = Some(self.owner_deadline.map_or(at, |other| other.min(at)));
        self.schedule();
    }

    pub fn dial(&mut self, url: String, now: Millis) -> LinkId {
        let id = self.links.dial(url.clone(), now);
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
        let answer = Some(RegionHead { region, at: self.log.mark(self.stored) });
        self.send(link, &Frame::Fresh(Fresh { nonce, answer }));
    }

    /// Closes a link, saying why.
    pub fn close(&mut self, id: LinkId, code: CloseCode, reason: impl Into<String>) {
        self.close_with(id, code, reason.into(), None);
    }

    /// Closes a link because the space is another one here.
    pub(super) fn close_as_incompatible(&mut self, id: LinkId) {
        let reason = "this space was made with other options".to_owned();
        let descriptor = self.log.descriptor().cloned();
        self.close_with(id, CloseCode::Incompatible, reason, descriptor);
    }

    fn close_with(&mut self, id: LinkId, code: CloseCode, reason: String, descriptor: Option<Descriptor>) {
        if self.links.contains(id) {
            self.send(id, &Frame::Bye(Bye { code: code as u16, reason: reason.clone(), descriptor }));
            self.effects.push_back(Effect::Close(id, code as u16, reason.clone()));
            self.gone(id, Some((code as u16, reason)));
        }
    }

    // Inputs.

    /// Takes one input. Tokens expire by the holder's own time.
    pub fn handle(&mut self, input: Input, now: Millis) {
        self.now = now;
        match input {
            Input::LinkOpened(link) => self.link_opened(link),
            Input::Received(link, frame) => self.received(link, &frame),
            Input::LinkClosed(link) => self.gone(link, None),
            Input::Storage(id, answer) => self.storage_answered(id, answer),
            Input::Timer => {
                self.deadline = None;
                self.check_timers();
            }
            // Whoever comes in is told what is held.
            Input::Authorized(link, verdict) if self.state == LogState::Loading => {
                self.intake.verdicts.push((link, verdict));
            }
            Input::Authorized(link, verdict) => self.judge(link, verdict),
            // A relay has taken it.
            Input::Signed(..) => {}
        }
        self.pump();
    }

    /// Does what was due before this. A host's timer may come late: its clock has jumped, or it slept. So a
    /// timer that runs is set again (seed 751593).
    pub fn catch_up(&mut self, now: Millis) {
        let may_have_jumped = now > self.now + JUMP_MIN;
        if self.deadline.is_some_and(|at| at <= now) {
            self.handle(Input::Timer, now);
        } else if may_have_jumped {
            self.now = now;
            self.deadline = None;
            self.schedule();
        }
    }

    pub fn resume_link(&mut self, id: LinkId, attachment: &[u8], now: Millis) {
        self.now = now;
        match Link::resume(attachment, &self.limits, now) {
            Some(link) => {
                if let Some(grant) = link.grant() {
                    self.gate.count_again(&grant.subject);
                }
                self.links.insert(id, link);
                self.holes_have_closed();
                self.pump();
            }
            None => {
                let why = "this link can't be taken up again";
                let code = CloseCode::GoingAway as u16;
                self.effects.push_back(Effect::Close(id, code, why.into()));
            }
        }
    }

    fn link_opened(&mut self, id: LinkId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(id) else { return self.links.insert(id, Link::arriving(now)) };
        link.heard_at = now;
        if let Phase::Dialing { url, .. } = &mut link.phase {
            link.phase = Phase::Dialed { url: core::mem::take(url), since: now };
        }
    }

    pub(super) fn received(&mut self, id: LinkId, bytes: &[u8]) {
        let now = self.now;
        let Some(link) = self.links.get_mut(id) else { return };
        link.heard_at = now;
        let is_comer = !link.is_up() && !link.is_dialer();
        // While the log is being read greetings wait, and what diallers are sent after them.
        let is_greeting = !link.is_up() && (is_comer || !self.early.iter().any(|(other, _)| *other == id));
        if is_greeting && bytes.len() > self.limits.hello_bytes_max {
            return self.close(id, CloseCode::TooLarge, "a greeting over the limit");
        }
        match self.state {
            LogState::Failed => {
                return self.close(id, CloseCode::Storage, "this holder's storage has failed");
            }
            LogState::Loading => {
                // Whoever was dialled may go on after its greeting.
                if is_comer && self.early.iter().any(|(other, _)| *other == id) {
                    if let Ok(Frame::Bye(bye)) = Frame::decode(bytes, &self.limits) {
                        return self.frame(id, Frame::Bye(bye));
                    }
                    return self.close(id, CloseCode::OutOfOrder, "a frame before the greeting");
                }
                let kept: usize = self.early.iter().map(|(_, frame)| frame.len()).sum();
                if kept + bytes.len() > self.limits.waiting_bytes_max {
                    return self.close(
                        id,
                        CloseCode::GoingAway,
                        "the log is still being read; connect again",
                    );
                }
                return self.early.push((id, bytes.to_vec()));
            }
            LogState::Open => {}
        }
        let mut none = None;
        let last = self.links.session_mut(id).map_or(&mut none, |session| &mut session.receive.last);
        match Frame::decode_next(bytes, &self.limits, last) {
            Ok(frame) => self.frame(id, frame),
            Err(error) => self.close(id, error.code(), error.to_string()),
        }
    }

    // Small things for all of the holder.

    pub(super) fn is_relay(&self) -> bool {
        self.role.is_relay()
    }

    pub(super) fn request(&mut self, pending: Pending, request: StorageRequest) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, (pending, request.clone()));
        self.effects.push_back(Effect::Storage(id, request));
    }

    pub(super) fn nonce(&mut self) -> u64 {
        self.next_nonce += 1;
        if self.limits.is_mutated(Mutation::AmbientChance) {
            self.next_nonce += ambient_number() % 3;
        }
        self.next_nonce
    }

    /// Storage can't be read, or holds what this code cannot read, or a relay could not write.
    pub(super) fn fail(&mut self, fault: StorageFault, reason: String) {
        self.state = LogState::Failed;
        for link in self.links.ids() {
            self.close(link, CloseCode::Storage, "this holder's storage has failed");
        }
        self.notices.push_back(Notice::Failed(fault, reason));
    }
}
