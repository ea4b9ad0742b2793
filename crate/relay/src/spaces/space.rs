//! One space of a shard: its links, and the core's relay while the space is awake.
//!
//! A space without activity goes to sleep: its relay is dropped, because everything it knows is in
//! storage, and its links stay open with what the core needs to resume them. The next event wakes it.

use std::sync::Arc;
use std::time::Duration;

use eyot_core::base::id::LinkId;
use eyot_core::base::limits::Limits;
use eyot_core::base::time::Millis;
use eyot_core::holder::io::{Effect, Input};
use eyot_core::storage::request::StorageAnswer;
use eyot_core::wire::access::Claims;
use eyot_core::wire::close::CloseCode;
use eyot_core::wire::frame::Frame;
use tracing::{debug, error};

use super::context::{PendingWrite, SpaceContext};
use super::links::Links;
use super::machine::Machine;
use crate::access::AccessPolicy;
use crate::base::{LinkKey, LinkOrigin};
use crate::metrics::{RegionGauges, SpaceGauges};
use crate::queues::{DialRequest, LinkEvent, Outbox, Outgoing};
use crate::storage::CommitError;

/// How long a space that has failed accepts no links.
const FAILED_MILLIS: Millis = 1_000;
/// When a space that has failed is loaded again even if nobody connects, because other regions may
/// lack what it holds. Longer than [`FAILED_MILLIS`].
const RETRY_MILLIS: Millis = 60_000;
/// Types of the frames that bring commits: `Commits` and `Piece`.
const COMMIT_FRAMES: [u8; 2] = [2, 3];
const HELLO_FRAME: u8 = 1;

const STORAGE_FAILED: &str = "this relay's storage has failed";

/// A space that has links, a timer, or a loaded relay.
pub(super) struct Space {
    name: Arc<str>,
    links: Links,
    state: State,
    /// When the relay wants [`Input::Timer`]. Wakes a space that is asleep.
    deadline: Option<Millis>,
    /// The shard's timer for this space.
    pub(super) timer_at: Option<Millis>,
}

enum State {
    Asleep,
    Awake(Box<Machine>),
    /// The relay was dropped because it, or its storage, has failed.
    Failed {
        until: Millis,
    },
}

impl Space {
    /// A space that is asleep and has no links.
    pub(super) fn new(name: Arc<str>) -> Self {
        Self { name, links: Links::default(), state: State::Asleep, deadline: None, timer_at: None }
    }

    /// A space that wakes at this time, because another region may lack what it holds.
    pub(super) fn unsettled(name: Arc<str>, wake_at: Millis) -> Self {
        Self { deadline: Some(wake_at), ..Self::new(name) }
    }

    /// Something happened on a link.
    pub(super) fn link_event(&mut self, link: LinkKey, event: LinkEvent, context: &mut SpaceContext) {
        let LinkKey { origin, id } = link;
        if let LinkOrigin::Dialled(machine) = origin
            && !matches!(&self.state, State::Awake(awake) if awake.id == machine)
        {
            // The machine that wanted this link was dropped.
            return;
        }
        match event {
            LinkEvent::Opened(outbox, claims) if origin == LinkOrigin::Accepted => {
                if matches!(self.state, State::Failed { .. }) {
                    return outbox.close(CloseCode::Storage as u16, STORAGE_FAILED);
                }
                self.links.accept(id, outbox, claims, &context.shard.metrics);
                self.input(Input::LinkOpened(id), context);
            }
            LinkEvent::Closed => {
                let was_open = self.links.remove(id, &context.shard.metrics).is_some();
                // A space that is asleep need not wake for this: the relay holds nothing of the link.
                if was_open && matches!(self.state, State::Awake(_)) {
                    self.input(Input::LinkClosed(id), context);
                }
            }
            _ if !self.links.contains(id) => {}
            LinkEvent::Opened(..) => self.input(Input::LinkOpened(id), context),
            LinkEvent::Authorized(verdict) => self.input(Input::Authorized(id, verdict), context),
            // A relay asks nobody whether a link is alive: whoever dialled it does.
            LinkEvent::Pong => {}
            LinkEvent::Received(frame) => {
                let metrics = &context.shard.metrics;
                metrics.frames_in.inc();
                metrics.bytes_in.inc_by(frame.bytes.len() as u64);
                self.wake(context);
                // A frame is a CBOR array whose first item, at byte 1, is its type.
                let frame_type = frame.bytes.get(1).copied().unwrap_or_default();
                if frame_type == HELLO_FRAME {
                    self.links.greet(id, || delay_of_sender(&frame.bytes, context));
                }
                if let (true, State::Awake(machine)) = (COMMIT_FRAMES.contains(&frame_type), &mut self.state)
                {
                    machine.commits_received(frame.at);
                }
                self.input(Input::Received(id, frame.bytes), context);
            }
        }
    }

    /// The shard's timer for this space has fired.
    pub(super) fn timer(&mut self, context: &mut SpaceContext) {
        self.timer_at = None;
        if matches!(self.state, State::Failed { until } if until <= context.now) {
            self.state = State::Asleep;
        }
        if self.deadline.is_some_and(|at| at <= context.now) {
            self.deadline = None;
            self.input(Input::Timer, context);
        }
        if matches!(&self.state, State::Awake(machine) if machine.idle_check_at <= context.now) {
            self.sleep_if_idle(context);
        }
    }

    /// When the timer must fire next.
    pub(super) fn next_timer(&self) -> Option<Millis> {
        let of_state = match &self.state {
            State::Asleep => None,
            State::Awake(machine) => Some(machine.idle_check_at),
            State::Failed { until } => Some(*until),
        };
        self.deadline.into_iter().chain(of_state).min()
    }

    /// Whether the shard may drop this, because a new [`Space`] would be the same.
    pub(super) fn is_droppable(&self) -> bool {
        self.links.is_empty() && self.next_timer().is_none()
    }

    /// A write was committed, or has failed.
    pub(super) fn written(
        &mut self,
        write: PendingWrite,
        outcome: Result<(), CommitError>,
        context: &mut SpaceContext,
    ) {
        match &mut self.state {
            State::Awake(machine) if machine.id == write.machine => machine.write_ended(),
            _ => return,
        }
        let is_stored = outcome.is_ok();
        let answer = match outcome {
            Ok(()) => StorageAnswer::Written,
            Err(reason) => StorageAnswer::Failed(reason.to_string()),
        };
        self.input(Input::Storage(write.request, answer), context);
        if is_stored {
            for received_at in write.received_at {
                let seconds = received_at.elapsed().as_secs_f64();
                context.shard.metrics.acknowledgement.observe(seconds);
            }
        }
    }

    /// Closes all links because the process is stopping.
    pub(super) fn stop(&mut self, code: CloseCode, reason: &str, context: &mut SpaceContext) {
        self.links.close_all(code, reason, &context.shard.metrics);
    }

    /// Drops the relay and closes all links. The relay may believe something that was never stored,
    /// or be inconsistent after a panic.
    pub(super) fn fail(&mut self, context: &mut SpaceContext) {
        self.state = State::Failed { until: context.now + FAILED_MILLIS };
        let has_peers = !context.shard.config.peers.is_empty();
        self.deadline = has_peers.then_some(context.now + RETRY_MILLIS);
        self.links.close_all(CloseCode::Storage, STORAGE_FAILED, &context.shard.metrics);
    }

    /// Adds this space to the gauges.
    pub(super) fn add_to(&self, gauges: &mut SpaceGauges) {
        let State::Awake(machine) = &self.state else {
            gauges.asleep += 1;
            return;
        };
        gauges.awake += 1;
        for view in machine.relay.regions() {
            let linked = u64::from(view.is_linked);
            gauges.add_region(RegionGauges { region: view.region, linked, behind: view.behind });
        }
    }

    // Inputs and effects of the relay.

    fn input(&mut self, input: Input, context: &mut SpaceContext) {
        self.wake(context);
        if let State::Awake(machine) = &mut self.state {
            machine.handle(input, context.now);
        }
        self.run_effects(context);
    }

    /// Does what the relay asks for until it asks for nothing more.
    fn run_effects(&mut self, context: &mut SpaceContext) {
        while let State::Awake(machine) = &mut self.state {
            let Some(effect) = machine.relay.poll_effect() else { break };
            match effect {
                Effect::Storage(id, request) => machine.storage(&self.name, id, &request, context),
                Effect::Send(id, frame) => {
                    let (metrics, bytes) = (&context.shard.metrics, frame.len() as u64);
                    if self.links.push(id, Outgoing::Frame(frame)) {
                        metrics.frames_out.inc();
                        metrics.bytes_out.inc_by(bytes);
                    }
                }
                Effect::Close(id, code, reason) => {
                    if let Some(outbox) = self.links.remove(id, &context.shard.metrics) {
                        outbox.push(Outgoing::Close(code, reason));
                    }
                }
                Effect::SetTimer(deadline) => self.deadline = deadline,
                Effect::Dial(id, url) => self.dial(id, url, context),
                Effect::Authorize(id, token) => self.authorize(id, token, context),
                Effect::Sign(number, bytes) => {
                    let signature = context.shard.ticket_key.sign(&bytes);
                    machine.relay.handle(Input::Signed(number, Some(signature)), context.now);
                }
            }
        }
        if let State::Awake(machine) = &mut self.state {
            machine.count(&context.shard.metrics);
            if let Some(reason) = machine.relay.failure() {
                error!(space = &*self.name, reason, "the relay of a space has failed");
                self.fail(context);
            }
        }
    }

    fn dial(&mut self, id: LinkId, url: String, context: &mut SpaceContext) {
        let State::Awake(machine) = &self.state else { return };
        let config = &context.shard.config;
        let outbox = Arc::new(Outbox::new(&context.shard.waiting_bytes));
        outbox.set_delay(config.peer_at(&url).and_then(|peer| config.delay_to(&peer.region)));
        self.links.dial(id, outbox.clone(), machine.id);
        let link = LinkKey { origin: LinkOrigin::Dialled(machine.id), id };
        let token = machine.relay.token().map(str::to_owned);
        context.shard.dials.push(DialRequest { space: self.name.clone(), link, url, token, outbox });
    }

    fn authorize(&mut self, id: LinkId, token: Option<String>, context: &mut SpaceContext) {
        let State::Awake(machine) = &mut self.state else { return };
        let claims = match (self.links.take_claims(id), &context.shard.policy) {
            (Some(claims), _) => claims,
            (None, AccessPolicy::Open) if context.shard.config.peers.is_empty() => Claims::open(),
            (None, AccessPolicy::Open) => Claims::open_with_peers(),
            (None, AccessPolicy::Tokens(_)) => {
                self.links.push(id, Outgoing::Authorize(token));
                return;
            }
        };
        machine.relay.handle(Input::Authorized(id, Ok(claims)), context.now);
    }

    // Sleep.

    fn wake(&mut self, context: &mut SpaceContext) {
        if !matches!(self.state, State::Asleep) {
            return;
        }
        match Machine::load(&self.name, context) {
            Ok(machine) => self.state = State::Awake(Box::new(machine)),
            Err(error) => {
                error!(space = &*self.name, %error, "a space can't be read");
                return self.fail(context);
            }
        }
        context.shard.metrics.loaded.inc();
        self.run_effects(context);
        for (id, attachment) in self.links.take_attachments() {
            if let State::Awake(machine) = &mut self.state {
                machine.relay.resume(id, &attachment, context.now);
            }
        }
        self.run_effects(context);
    }

    fn sleep_if_idle(&mut self, context: &mut SpaceContext) {
        let State::Awake(machine) = &mut self.state else { return };
        if !machine.check_idle(&context.shard.config, context.now) {
            return;
        }
        self.links.save_attachments(|id| machine.relay.attachment(id));
        machine.save_unsettled(context);
        // The relay has a deadline for what it must do for other regions, which has to wake the space.
        // `suspend` ends the links to them and may change it.
        let deadline = self.deadline;
        machine.relay.suspend(context.now);
        self.run_effects(context);
        if matches!(self.state, State::Failed { .. }) {
            return;
        }
        self.deadline = deadline;
        self.state = State::Asleep;
        self.links.close_without_attachment(&context.shard.metrics);
        debug!(space = &*self.name, links = self.links.len(), "a space went to sleep");
    }
}

/// The delay of what is sent to the relay of another region, if this `Hello` is from one.
fn delay_of_sender(hello: &[u8], context: &SpaceContext) -> Option<Duration> {
    let config = &context.shard.config;
    if config.delays.is_empty() {
        return None;
    }
    match Frame::decode(hello, &Limits::PROTOCOL) {
        Ok(Frame::Hello(hello)) => hello.region.and_then(|region| config.delay_to(&region)),
        _ => None,
    }
}
