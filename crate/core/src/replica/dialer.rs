//! Links a replica to a relay, and to another when that fails, slows or refuses.

use crate::base::id::LinkId;
use crate::base::time::Millis;
use crate::holder::holder::Holder;
use crate::link::session::{End, Session};
use crate::replica::placement::{Ending, Placement};
use crate::replica::status::RelayStatus;
use crate::replica::status::State;
use crate::wire::close::CloseCode;

/// How long nothing may be heard of a relay before it is asked whether it is there.
const PING_WAIT: Millis = 20_000;
/// How long it may take to say so.
const PONG_WAIT: Millis = 8_000;
/// A link that takes longer to be greeted on is told of.
const GREETING_WAIT: Millis = 3_000;
/// After so long on a link its relay counts as reliable again.
const TRUST_WAIT: Millis = 600_000;
/// The close code that WebSockets report where there was none.
const BROKEN_OFF: u16 = 1006;
/// How long a replica whose commits are refused for a quota only reads before it tries again.
const READ_ONLY_WAIT: Millis = 60_000;

#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    placement: Placement,
    pub online: bool,
    /// Whether a relay was caught up with since the start.
    pub was_live: bool,
    link: Option<Linked>,
    /// A link to a better relay, which replaces the other once it is up.
    next: Option<Linked>,
    refused: Option<(u16, String)>,
    /// What is wrong with the last try to link, until one gets further.
    failure: Option<Failure>,
    /// Until then nothing is brought to relays, since a quota is used up.
    read_only_until: Option<Millis>,
    /// What a fresh token was last asked for: see `Link::renew_at`.
    renewing: Option<Millis>,
}

#[derive(Clone, Debug)]
struct Linked {
    id: LinkId,
    url: String,
    dialed_at: Millis,
    up_at: Option<Millis>,
    is_live: bool,
    /// Asked whether it is there.
    pinged_at: Option<Millis>,
}

#[derive(Clone, Debug)]
struct Failure {
    url: String,
    was_up: bool,
    what: String,
}

/// What the dialer wants besides links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Probe(String),
    Ping(LinkId),
    Token,
    /// The application is told that `error` is another one.
    TellStatus,
}

impl Dialer {
    pub fn new(relays: Vec<String>) -> Self {
        Self {
            placement: Placement::new(relays),
            online: true,
            was_live: false,
            link: None,
            next: None,
            refused: None,
            failure: None,
            read_only_until: None,
            renewing: None,
        }
    }

    pub fn relays(&self) -> usize {
        self.placement.len()
    }

    /// The relays there are from now on.
    pub fn set_relays(&mut self, relays: Vec<String>, holder: &mut Holder, now: Millis) {
        let is_first = self.placement.len() == 0;
        self.placement.set_relays(relays);
        self.failure.take_if(|failure| !self.placement.is_known(&failure.url));
        if is_first {
            self.placement.look(now);
        }
        for linked in [self.link.clone(), self.next.clone()].into_iter().flatten() {
            if !self.placement.is_known(&linked.url) {
                holder.close(linked.id, CloseCode::GoingAway, "this relay is no longer one of the space's");
            }
        }
    }

    pub fn set_online(&mut self, online: bool, holder: &mut Holder, now: Millis) {
        self.online = online;
        self.placement.hurry(now);
        if !online {
            self.failure = None;
            for linked in [self.link.clone(), self.next.clone()].into_iter().flatten() {
                holder.close(linked.id, CloseCode::GoingAway, "going offline");
            }
        }
    }

    /// Dials when it is time to, and watches what is linked.
    pub fn run(&mut self, holder: &mut Holder, now: Millis) -> Vec<Wish> {
        let mut wishes = Vec::new();
        if self.online {
            let probes = self.placement.probes(now, holder.rng());
            wishes.extend(probes.into_iter().map(Wish::Probe));
            self.dial(holder, now);
            self.watch(holder, now, &mut wishes);
            self.note_slow_greeting(now, &mut wishes);
        }
        let dial = self.placement.dial_due(now).filter(|_| self.link.is_none() && self.relays() > 0);
        let watch = self.watch_due(holder);
        let due = [dial, watch, self.slow_at(), self.placement.probe_due()].into_iter().flatten().min();
        holder.set_owner_deadline(due.filter(|_| self.online));
        wishes
    }

    fn dial(&mut self, holder: &mut Holder, now: Millis) {
        if self.link.is_none() {
            if let Some(url) = self.placement.choose(now).map(str::to_owned) {
                self.link = Some(Linked::new(holder.dial(url.clone(), now), url, now));
            }
        } else if let (Some(linked), None) = (&self.link, &self.next)
            && linked.up_at.is_some()
            && let Some(url) = self.placement.better_than(&linked.url, now).map(str::to_owned)
        {
            self.next = Some(Linked::new(holder.dial(url.clone(), now), url, now));
        }
    }

    fn note_slow_greeting(&mut self, now: Millis, wishes: &mut Vec<Wish>) {
        if self.slow_at().is_some_and(|at| at <= now)
            && let Some(linked) = &self.link
        {
            let what = format!("no greeting within {} seconds", GREETING_WAIT / 1_000);
            self.failure = Some(Failure { url: linked.url.clone(), was_up: false, what });
            wishes.push(Wish::TellStatus);
        }
    }

    /// When the link that is dialled has taken so long that it is told of, unless something is told already.
    fn slow_at(&self) -> Option<Millis> {
        let linked = self.link.as_ref().filter(|linked| linked.up_at.is_none() && self.failure.is_none())?;
        Some(linked.dialed_at + GREETING_WAIT)
    }

    /// Pings what has been silent, gives up what stays so, and minds what ends with time.
    fn watch(&mut self, holder: &mut Holder, now: Millis, wishes: &mut Vec<Wish>) {
        let Some(linked) = &mut self.link else { return };
        let Some((heard_at, renew_at)) = heard_and_renewal(holder, linked.id) else { return };
        match linked.pinged_at {
            Some(at) if heard_at >= at => linked.pinged_at = None,
            Some(at) if at + PONG_WAIT <= now => {
                return holder.close(linked.id, CloseCode::GoingAway, "the relay has gone silent");
            }
            None if heard_at + PING_WAIT <= now => {
                linked.pinged_at = Some(now);
                wishes.push(Wish::Ping(linked.id));
            }
            _ => {}
        }
        if linked.up_at.is_some_and(|at| at + TRUST_WAIT <= now) {
            self.placement.is_trusted(&linked.url);
        }
        if renew_at.is_some_and(|at| at <= now) && self.renewing != renew_at {
            self.renewing = renew_at;
            wishes.push(Wish::Token);
        }
        if self.read_only_until.is_some_and(|until| until <= now) {
            self.read_only_until = None;
            holder.set_reads_only(false);
            holder.close(linked.id, CloseCode::GoingAway, "trying again to bring what a quota kept back");
        }
    }

    fn watch_due(&self, holder: &Holder) -> Option<Millis> {
        let linked = self.link.as_ref()?;
        let (heard_at, renew_at) = heard_and_renewal(holder, linked.id)?;
        let ping = linked.pinged_at.map_or(heard_at + PING_WAIT, |at| at + PONG_WAIT);
        let renewal = renew_at.filter(|at| self.renewing != Some(*at));
        [Some(ping), renewal, self.read_only_until].into_iter().flatten().min()
    }

    pub fn probed(&mut self, url: &str, is_healthy: bool, holder: &mut Holder, now: Millis) {
        self.placement.probed(url, is_healthy, now, holder.rng());
    }

    pub fn link_changed(&mut self, holder: &mut Holder, now: Millis) {
        let is_up = |linked: &Linked| holder.session(linked.id).is_some();
        if self.next.as_ref().is_some_and(is_up) {
            let before = core::mem::replace(&mut self.link, self.next.take());
            if let Some(before) = before {
                holder.close(before.id, CloseCode::GoingAway, "moving to a nearer relay");
            }
        }
        let Some(linked) = &mut self.link else { return };
        let Some(session) = holder.session(linked.id) else { return };
        linked.up_at.get_or_insert(now);
        self.failure.take_if(|failure| !failure.was_up || failure.url != linked.url);
        if !holder.reads_only() {
            self.refused = None;
        }
        if !linked.is_live && session.is_caught_up(holder.stored()) {
            linked.is_live = true;
            self.was_live = true;
            self.failure = None;
            // A relay that greets but stores nothing, its disk being full, is not to be hammered.
            self.placement.works(&linked.url);
        }
    }

    pub fn link_closed(&mut self, id: LinkId, why: Option<(u16, String)>, holder: &mut Holder, now: Millis) {
        let is_it = |linked: &Option<Linked>| linked.as_ref().is_some_and(|linked| linked.id == id);
        let is_main = is_it(&self.link);
        let ended = if is_main {
            self.placement.look(now);
            self.link.take()
        } else if is_it(&self.next) {
            self.next.take()
        } else {
            None
        };
        let Some(linked) = ended else { return };
        let was_up = linked.up_at.is_some();
        let code = why.as_ref().map(|(code, _)| *code);
        let is = |wanted: CloseCode| code == Some(wanted as u16);
        let ending = if is(CloseCode::Full) && was_up && !holder.reads_only() {
            holder.set_reads_only(true);
            self.read_only_until = Some(now + READ_ONLY_WAIT);
            Ending::Fine
        } else if is(CloseCode::Denied)
            || is(CloseCode::Incompatible)
            || is(CloseCode::Full)
            || is(CloseCode::TooLarge)
            || (is(CloseCode::Expired) && !was_up)
        {
            Ending::Refused
        } else if is(CloseCode::Expired) || is(CloseCode::LogReplaced) {
            Ending::Fine
        } else {
            Ending::Failed { was_up }
        };
        if ending == Ending::Refused || is(CloseCode::Full) || is(CloseCode::Expired) {
            self.refused = why;
        } else if is_main && matches!(ending, Ending::Failed { .. }) {
            self.note_failure(&linked, why);
        }
        self.placement.ended(&linked.url, ending, now, holder.rng());
    }

    /// A link has ended by a failure. That one broke which worked is not told: the next try follows.
    fn note_failure(&mut self, linked: &Linked, why: Option<(u16, String)>) {
        let is_word = why.as_ref().is_some_and(|(code, _)| {
            *code >= CloseCode::Malformed as u16 && *code != CloseCode::GoingAway as u16
        });
        let is_wanted = self.online && self.placement.is_known(&linked.url);
        if is_wanted && (is_word || !linked.is_live) {
            let what = match why {
                Some((_, what)) if !what.is_empty() => what,
                Some((code, _)) if code != BROKEN_OFF => format!("it was closed with code {code}"),
                _ => "the connection can't be made, or broke off".to_owned(),
            };
            self.failure = Some(Failure { url: linked.url.clone(), was_up: linked.up_at.is_some(), what });
        }
    }

    fn session<'a>(&self, holder: &'a Holder) -> Option<&'a Session> {
        holder.session(self.link.as_ref()?.id)
    }

    /// The link to whoever was dialled, once it is up.
    pub fn link_up(&self, holder: &Holder) -> Option<LinkId> {
        self.session(holder)?;
        self.link.as_ref().map(|linked| linked.id)
    }

    /// The link to a relay, once it is up.
    pub fn relay_up(&self, holder: &Holder) -> Option<LinkId> {
        let is_relay = self.session(holder)?.peer.region.is_some();
        self.link.as_ref().filter(|_| is_relay).map(|linked| linked.id)
    }

    pub fn relay(&self, holder: &Holder) -> Option<RelayStatus> {
        let session = self.session(holder)?;
        let End::Dialer(dialed) = &session.end else { return None };
        let region = session.peer.region.clone().unwrap_or_default();
        let is_read_only = session.send.is_muted;
        Some(RelayStatus { url: dialed.url.clone(), region, rtt: dialed.rtt, is_read_only })
    }

    pub fn state(&self) -> State {
        let is_refused = self
            .refused
            .as_ref()
            .is_some_and(|(code, _)| [CloseCode::Denied as u16, CloseCode::Expired as u16].contains(code));
        if self.relays() == 0 {
            State::Local
        } else if !self.online {
            State::Offline
        } else if self.link.as_ref().is_some_and(|linked| linked.is_live) {
            State::Live
        } else if is_refused {
            State::Denied
        } else if self.link.as_ref().is_some_and(|linked| linked.up_at.is_some()) {
            State::Syncing
        } else if self.placement.has_failed() {
            State::Offline
        } else {
            State::Connecting
        }
    }

    /// Why there is no link, or what a relay refuses.
    pub fn error(&self) -> Option<(&'static str, String)> {
        let Some((code, reason)) = self.refused.as_ref() else {
            let Failure { url, what, .. } = self.failure.as_ref()?;
            return Some(("unavailable", format!("no link to the relay {url}: {what}")));
        };
        let is = |wanted: CloseCode| *code == wanted as u16;
        let name = if is(CloseCode::Denied) {
            "denied"
        } else if is(CloseCode::Expired) {
            "expired"
        } else if is(CloseCode::Incompatible) {
            "incompatible"
        } else if is(CloseCode::TooLarge) {
            "too-large"
        } else {
            "quota"
        };
        Some((name, reason.clone()))
    }
}

impl Linked {
    fn new(id: LinkId, url: String, now: Millis) -> Self {
        Self { id, url, dialed_at: now, up_at: None, is_live: false, pinged_at: None }
    }
}

/// When the other side of a link was last heard, and when a fresh token is due.
fn heard_and_renewal(holder: &Holder, id: LinkId) -> Option<(Millis, Option<Millis>)> {
    let link = holder.links().get(id)?;
    match &link.session()?.end {
        End::Dialer(dialed) => Some((link.heard_at, dialed.renew_at)),
        End::Accepter(_) => None,
    }
}
