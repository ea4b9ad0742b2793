//! One space in its shard: the core's relay while it is awake, and the links, which outlive it.
//!
//! A relay that has nothing to do is put to sleep: what its links need to go on is kept, the rest is
//! in storage. Whatever happens next in the space wakes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use eyot_core::access::Claims;
use eyot_core::frame::{CloseCode, Frame};
use eyot_core::{
    Effect, Input, LinkId, Millis, Relay, RelayCounters, RequestId, StorageAnswer, StorageRequest,
};
use tracing::{debug, error};

use crate::access::AccessPolicy;
use crate::event::{Happening, LinkRef};
use crate::metrics::{RegionSurvey, Survey};
use crate::outbox::{Outbox, Outgoing};
use crate::setup::Setup;
use crate::storage::{CommitFailed, SpaceRow, Store, WriteOutcome};

/// How long a space that failed is left alone.
const FAILED_WAIT: Millis = 1_000;
/// When it is tried again though nobody asks, for other regions may lack what it holds.
const RETRY_WAIT: Millis = 60_000;
/// Types of frames that bring commits: `Commits` and `Piece`.
const COMMIT_FRAMES: [u8; 2] = [2, 3];
const HELLO_FRAME: u8 = 1;

/// What a space may use of its shard while it handles something.
pub struct Env<'a> {
    /// What all shards share.
    pub setup: &'a Arc<Setup>,
    /// Where its entries are.
    pub store: &'a mut Store,
    /// Writes that wait for the commit.
    pub writes: &'a mut Vec<PendingWrite>,
    /// The number of the next machine.
    pub next_epoch: &'a mut u64,
    /// The time.
    pub now: Millis,
}

/// A write that is in the transaction but not durable.
pub struct PendingWrite {
    /// Whose.
    pub space: Arc<str>,
    epoch: u64,
    request: RequestId,
    /// When the frames came that it may hold commits of.
    arrivals: Vec<Instant>,
}

/// See the module.
pub struct Space {
    name: Arc<str>,
    links: BTreeMap<LinkId, Link>,
    machine: Option<Box<Machine>>,
    /// When the relay wants to be called, be it asleep or not.
    deadline: Option<Millis>,
    /// When to look whether it may sleep; when it has failed, until when it is left alone.
    look_at: Option<Millis>,
    /// When the shard's timer for this space rings.
    pub rings_at: Option<Millis>,
    has_failed: bool,
}

struct Link {
    outbox: Arc<Outbox>,
    /// The machine that dialled it.
    epoch: Option<u64>,
    /// What it needs to go on, while the relay sleeps.
    kept: Option<Box<[u8]>>,
    /// Whether its delay is settled.
    is_greeted: bool,
}

struct Machine {
    relay: Relay,
    epoch: u64,
    row: SpaceRow,
    touched_at: Millis,
    /// Commits in the log, and what else was done, as far as it is counted.
    stored: u64,
    counted: RelayCounters,
    /// Of frames of commits since the last write.
    arrivals: Vec<Instant>,
    /// Writes that wait for the commit.
    writing: usize,
}

impl Space {
    /// A space that sleeps and has no links.
    pub fn new(name: Arc<str>) -> Self {
        let links = BTreeMap::new();
        Self { name, links, machine: None, deadline: None, look_at: None, rings_at: None, has_failed: false }
    }

    /// A space that holds what another region may lack, to be woken then.
    pub fn unsettled(name: Arc<str>, wake_at: Millis) -> Self {
        Self { deadline: Some(wake_at), ..Self::new(name) }
    }

    /// Something happened on a link.
    pub fn happened(&mut self, link: LinkRef, what: Happening, env: &mut Env) {
        let LinkRef { epoch, id } = link;
        if epoch.is_some() && epoch != self.machine.as_ref().map(|machine| machine.epoch) {
            // The machine that dialled it is gone.
            return;
        }
        match what {
            Happening::Opened(outbox) if epoch.is_none() => {
                if self.has_failed {
                    outbox.close(CloseCode::Storage as u16, "this relay's storage has failed");
                    return;
                }
                self.links.insert(id, Link { outbox, epoch, kept: None, is_greeted: false });
                env.setup.metrics.connections.inc();
                self.input(Input::LinkOpened(id), env);
            }
            Happening::Closed => {
                let Some(gone) = self.links.remove(&id) else { return };
                self.left(&gone, env);
                // A relay that sleeps has nothing to forget.
                if self.machine.is_some() {
                    self.input(Input::LinkClosed(id), env);
                }
            }
            _ if !self.links.contains_key(&id) => {}
            Happening::Opened(_) => self.input(Input::LinkOpened(id), env),
            Happening::Authorized(verdict) => self.input(Input::Authorized(id, verdict), env),
            Happening::Ponged => self.input(Input::Pong(id), env),
            Happening::Received(arrival) => {
                env.setup.metrics.frames_in.inc();
                env.setup.metrics.bytes_in.inc_by(arrival.frame.len() as u64);
                self.wake(env);
                let kind = arrival.frame.get(1).copied().unwrap_or_default();
                if kind == HELLO_FRAME {
                    self.greeted(id, &arrival.frame, env);
                }
                if let (true, Some(machine)) = (COMMIT_FRAMES.contains(&kind), &mut self.machine) {
                    machine.arrivals.push(arrival.at);
                }
                self.input(Input::Received(id, arrival.frame), env);
            }
        }
    }

    /// The shard's timer for this space rings.
    pub fn ring(&mut self, env: &mut Env) {
        self.rings_at = None;
        if self.deadline.is_some_and(|at| at <= env.now) {
            self.deadline = None;
            self.input(Input::Timer, env);
        }
        if self.look_at.is_some_and(|at| at <= env.now) {
            self.look_at = None;
            self.has_failed = false;
            self.look(env);
        }
    }

    /// When it should ring next.
    pub fn next_ring(&self) -> Option<Millis> {
        self.deadline.into_iter().chain(self.look_at).min()
    }

    /// Whether nothing would be missed if this were forgotten.
    pub fn is_forgettable(&self) -> bool {
        self.machine.is_none() && self.links.is_empty() && self.next_ring().is_none()
    }

    /// What became of a write.
    pub fn written(&mut self, write: PendingWrite, outcome: Result<(), CommitFailed>, env: &mut Env) {
        match &mut self.machine {
            Some(machine) if machine.epoch == write.epoch => machine.writing -= 1,
            _ => return,
        }
        let is_done = outcome.is_ok();
        let answer = outcome
            .map_or_else(|CommitFailed(reason)| StorageAnswer::Failed(reason), |()| StorageAnswer::Written);
        self.input(Input::Storage(write.request, answer), env);
        if is_done {
            for arrival in write.arrivals {
                env.setup.metrics.acknowledgement.observe(arrival.elapsed().as_secs_f64());
            }
        }
    }

    /// Tells every link that this process is going away.
    pub fn stop(&mut self, env: &mut Env) {
        for link in std::mem::take(&mut self.links).into_values() {
            link.outbox.close(CloseCode::GoingAway as u16, "this relay is stopping");
            self.left(&link, env);
        }
    }

    /// Adds how this space is doing.
    pub fn survey(&self, survey: &mut Survey) {
        let Some(machine) = &self.machine else {
            survey.asleep += 1;
            return;
        };
        survey.awake += 1;
        for view in machine.relay.regions() {
            let linked = u64::from(view.is_linked);
            survey.add_region(RegionSurvey { region: view.region, linked, behind: view.behind });
        }
    }

    fn input(&mut self, input: Input, env: &mut Env) {
        self.wake(env);
        if let Some(machine) = &mut self.machine {
            machine.touched_at = env.now;
            machine.relay.handle(input, env.now);
        }
        self.run(env);
    }

    /// Does what the relay wants, until it wants nothing more.
    fn run(&mut self, env: &mut Env) {
        while let Some(machine) = &mut self.machine {
            let Some(effect) = machine.relay.poll_effect() else { break };
            match effect {
                Effect::Storage(id, request) => machine.storage(&self.name, id, &request, env),
                Effect::Send(id, frame) => {
                    if let Some(link) = self.links.get(&id) {
                        env.setup.metrics.frames_out.inc();
                        env.setup.metrics.bytes_out.inc_by(frame.len() as u64);
                        link.outbox.push(Outgoing::Frame(frame));
                    }
                }
                Effect::Close(id, code, reason) => {
                    if let Some(link) = self.links.remove(&id) {
                        self.left(&link, env);
                        link.outbox.push(Outgoing::Close(code, reason));
                    }
                }
                Effect::SetTimer(deadline) => self.deadline = deadline,
                Effect::Dial(id, url) => self.dial(id, url, env),
                Effect::Authorize(id, token) => self.authorize(id, token, env),
                Effect::Ping(id) => {
                    if let Some(link) = self.links.get(&id) {
                        link.outbox.push(Outgoing::Text("ping"));
                    }
                }
                // A relay's log is its own, it has no application, and it does not choose relays.
                Effect::Broadcast(_) | Effect::App(_) | Effect::Probe(_) => {}
            }
        }
        self.ran(env);
    }

    fn ran(&mut self, env: &mut Env) {
        let Some(machine) = &mut self.machine else { return };
        let (stored, counters) = (machine.relay.stored(), machine.relay.counters());
        env.setup.metrics.commits_in.inc_by(stored.saturating_sub(machine.stored));
        env.setup.metrics.commits_out.inc_by(counters.commits_out - machine.counted.commits_out);
        env.setup.metrics.forks.inc_by(counters.forks - machine.counted.forks);
        (machine.stored, machine.counted) = (stored, counters);
        if machine.writing == 0 {
            // What came was held already.
            machine.arrivals = Vec::new();
        }
        if let Some(reason) = machine.relay.failure() {
            error!(space = &*self.name, reason, "the relay of a space has failed");
            self.fail(env);
        }
    }

    /// What the relay believes may be ahead of what is stored, or nonsense: all of it is dropped.
    pub fn fail(&mut self, env: &mut Env) {
        self.machine = None;
        self.deadline = (!env.setup.peers.is_empty()).then_some(env.now + RETRY_WAIT);
        self.has_failed = true;
        self.look_at = Some(env.now + FAILED_WAIT);
        for link in std::mem::take(&mut self.links).into_values() {
            link.outbox.close(CloseCode::Storage as u16, "this relay's storage has failed");
            self.left(&link, env);
        }
    }

    fn left(&self, link: &Link, env: &Env) {
        if link.epoch.is_none() {
            env.setup.metrics.connections.dec();
        }
    }

    fn dial(&mut self, id: LinkId, url: String, env: &mut Env) {
        let Some(machine) = &self.machine else { return };
        let epoch = Some(machine.epoch);
        let outbox = Arc::new(Outbox::default());
        let region = env.setup.peers.iter().find(|peer| peer.url == url).map(|peer| peer.region.as_str());
        outbox.set_delay(region.and_then(|region| env.setup.delay_to(region)));
        self.links.insert(id, Link { outbox: outbox.clone(), epoch, kept: None, is_greeted: true });
        env.setup.dial(self.name.clone(), LinkRef { epoch, id }, url, outbox);
    }

    fn authorize(&mut self, id: LinkId, token: Option<String>, env: &mut Env) {
        match (&env.setup.admission, self.links.get(&id), &mut self.machine) {
            (AccessPolicy::Open, _, Some(machine)) => {
                machine.relay.handle(Input::Authorized(id, Ok(Claims::open())), env.now);
            }
            (AccessPolicy::Keys(_), Some(link), _) => link.outbox.push(Outgoing::Authorize(token)),
            _ => {}
        }
    }

    /// What goes out to a relay of another region is delayed where that is asked for.
    fn greeted(&mut self, id: LinkId, frame: &[u8], env: &Env) {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_greeted) else { return };
        link.is_greeted = true;
        if env.setup.delays.is_empty() {
            return;
        }
        if let Ok(Frame::Hello(hello)) = Frame::decode(frame) {
            link.outbox.set_delay(hello.region.and_then(|region| env.setup.delay_to(&region)));
        }
    }

    // Sleep.

    fn wake(&mut self, env: &mut Env) {
        if self.machine.is_some() {
            return;
        }
        let row = match env.store.find(&self.name) {
            Ok(row) => row,
            Err(error) => {
                error!(space = &*self.name, %error, "a space can't be read");
                return self.fail(env);
            }
        };
        let epoch = *env.next_epoch;
        *env.next_epoch += 1;
        let relay = Relay::new(env.setup.relay_config(&self.name), env.now);
        // What is in the log already was counted before.
        let (stored, counted) = (u64::MAX, RelayCounters::default());
        self.machine = Some(Box::new(Machine {
            relay,
            epoch,
            row,
            touched_at: env.now,
            stored,
            counted,
            arrivals: Vec::new(),
            writing: 0,
        }));
        self.look_at = Some(env.now + env.setup.idle_about());
        env.setup.metrics.loaded.inc();
        self.run(env);
        let kept: Vec<_> =
            self.links.iter_mut().filter_map(|(id, link)| Some((*id, link.kept.take()?))).collect();
        for (id, attachment) in kept {
            if let Some(machine) = &mut self.machine {
                machine.relay.resume(id, &attachment, env.now);
            }
        }
        self.run(env);
    }

    /// Puts the relay to sleep if it may.
    fn look(&mut self, env: &mut Env) {
        let Some(machine) = &mut self.machine else { return };
        let is_rested = machine.touched_at + env.setup.idle <= env.now;
        if !is_rested || !machine.relay.is_idle() {
            let since = if is_rested { env.now } else { machine.touched_at };
            self.look_at = Some(since + env.setup.idle_about());
            return;
        }
        for (id, link) in self.links.iter_mut().filter(|(_, link)| link.epoch.is_none()) {
            link.kept = Some(machine.relay.attachment(*id).into());
        }
        let deadline = self.deadline;
        if machine.relay.regions().iter().all(|region| region.behind == 0) {
            env.store.mark_unsettled(&mut machine.row, false);
        }
        machine.relay.suspend(env.now);
        self.run(env);
        self.deadline = deadline;
        self.machine = None;
        let lost = |link: &Link| link.kept.as_ref().is_none_or(|kept| kept.is_empty());
        let lost: Vec<_> = self.links.iter().filter(|(_, link)| lost(link)).map(|(id, _)| *id).collect();
        for id in lost {
            let Some(link) = self.links.remove(&id) else { continue };
            link.outbox.close(CloseCode::GoingAway as u16, "this relay was moved; connect again");
            self.left(&link, env);
        }
        debug!(space = &*self.name, links = self.links.len(), "a space sleeps");
    }
}

impl Machine {
    fn storage(&mut self, name: &Arc<str>, id: RequestId, request: &StorageRequest, env: &mut Env) {
        let answer = match request {
            StorageRequest::Write(batch) => match env.store.write(&mut self.row, name, batch) {
                WriteOutcome::GuardFailed => StorageAnswer::GuardFailed,
                WriteOutcome::Pending => {
                    env.setup.metrics.writes.inc();
                    self.writing += 1;
                    if !env.setup.peers.is_empty() {
                        env.store.mark_unsettled(&mut self.row, true);
                    }
                    let arrivals = std::mem::take(&mut self.arrivals);
                    let space = name.clone();
                    env.writes.push(PendingWrite { space, epoch: self.epoch, request: id, arrivals });
                    return;
                }
            },
            read => env.store.read(self.row, read),
        };
        self.relay.handle(Input::Storage(id, answer), env.now);
    }
}
