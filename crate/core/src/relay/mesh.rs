//! The links of a relay to the relays of its space in other regions.
//!
//! All are leaders. A relay links to another whenever it holds something that the other is not known
//! to have stored, and whenever it begins; one link serves both directions. What it brought
//! first-hand it sends, the rest it names (see [`crate::frame::Commits`]), and a link over which
//! nothing moves any more is closed, so that relays of idle spaces can sleep.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::backoff::Backoff;
use crate::base::id::{LinkId, LogId};
use crate::base::time::{Clock, Millis};
use crate::holder::holder::Holder;
use crate::relay::region::{RegionView, RelayPeer};
use crate::wire::bodies::{RegionHead, Stored};
use crate::wire::close::CloseCode;

/// The longest wait before a peer is dialled again.
const BACKOFF_MAX: Millis = 10_000;
/// How long a link stays open after it last moved.
const LINGER: Millis = 10_000;
/// How long after both held the same a relay that has clients compares again: the other one may be
/// unable to reach it.
const RESYNC: Millis = 600_000;
/// Questions that a link may have under way.
const QUESTIONS_MAX: usize = 64;

pub(crate) struct Mesh {
    region: String,
    peers: Vec<Peer>,
    /// Who waits for this region's answer to `Fresh`.
    own_questions: Vec<(LinkId, u64)>,
    questions: Vec<Question>,
    /// What was last said of what other regions have stored.
    said: BTreeMap<String, Stored>,
}

struct Peer {
    region: String,
    url: String,
    /// The link that was dialled.
    dialled: Option<LinkId>,
    backoff: Backoff,
    dial_at: Millis,
}

/// A client asks when all that a region holds is here.
struct Question {
    from: LinkId,
    nonce: u64,
    region: String,
    stage: Stage,
}

enum Stage {
    ToAsk,
    Asked(LinkId, u64),
    /// Until so much of the log at the other end of the link has been read.
    Reading(LinkId, u64),
}

impl Mesh {
    pub fn new(region: String, peers: Vec<RelayPeer>) -> Self {
        let peers = peers.into_iter().map(|RelayPeer { region, url }| Peer {
            region,
            url,
            dialled: None,
            backoff: Backoff::new(BACKOFF_MAX),
            dial_at: 0,
        });
        Self {
            region,
            peers: peers.collect(),
            own_questions: Vec::new(),
            questions: Vec::new(),
            said: BTreeMap::new(),
        }
    }

    /// Takes up what was known before this relay was taken out of memory.
    pub fn opened(&mut self, holder: &Holder) {
        for peer in holder.peers() {
            let (region, log) = (peer.region.clone(), peer.cursor.log);
            self.said.insert(region.clone(), Stored { region, log, upto: 0, is_linked: false });
        }
    }

    /// Does what there is to do.
    pub fn run(&mut self, holder: &mut Holder, clock: Clock, now: Millis) {
        self.keep_one_each(holder);
        for peer in &mut self.peers {
            let Some(link) = holder.mesh_link(&peer.region) else { continue };
            if link.is_caught_up(holder.stored()) {
                peer.backoff.reset();
            }
            if link.has_read_all() {
                holder.reconciled_with(&peer.region);
            }
        }
        self.answer(holder);
        self.close_idle(holder, now);
        self.tell_stored(holder, clock);
        let mut deadlines = Vec::new();
        for number in 0..self.peers.len() {
            deadlines.extend(self.dial(number, holder, clock, now));
        }
        deadlines.extend(self.idle_ends(holder).map(|(_, at)| at).filter(|at| *at > now));
        holder.set_owner_deadline(deadlines.into_iter().min());
        holder.save_peers_where_quiet();
    }

    pub fn link_closed(&mut self, link: LinkId, why: Option<u16>, holder: &mut Holder, now: Millis) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.dialled == Some(link)) else { return };
        peer.dialled = None;
        let was_idle = why == Some(CloseCode::GoingAway as u16) && !peer.backoff.has_failed();
        let wait = if was_idle { 0 } else { peer.backoff.wait(holder.rng()) };
        peer.backoff.failed();
        peer.dial_at = now + wait;
    }

    /// Nothing is to be done for other regions.
    pub fn is_idle(&self, holder: &Holder, clock: Clock, now: Millis) -> bool {
        self.questions.is_empty()
            && self.own_questions.is_empty()
            && self.peers.iter().all(|peer| {
                peer.dialled.is_none() && self.wanted_at(peer, holder, clock, now).is_none_or(|at| at > now)
            })
    }

    pub fn suspend(&mut self, holder: &mut Holder) {
        for peer in &mut self.peers {
            if let Some(link) = peer.dialled.take() {
                holder.close(link, CloseCode::GoingAway, "nothing is to be said");
            }
        }
    }

    pub fn views(&self, holder: &Holder) -> Vec<RegionView> {
        let view = |peer: &Peer| RegionView {
            region: peer.region.clone(),
            is_linked: holder.mesh_link(&peer.region).is_some(),
            behind: behind(holder, &peer.region),
        };
        self.peers.iter().map(view).collect()
    }

    // Links.

    /// Two relays may have dialled each other: the link stays that was dialled by the region whose
    /// name comes first, which both find out alike.
    fn keep_one_each(&mut self, holder: &mut Holder) {
        let mut more = Vec::new();
        for peer in &self.peers {
            let links: Vec<_> = holder.mesh_links(&peer.region).collect();
            let keep_dialled = self.region < peer.region;
            let kept = links.iter().position(|(_, link)| link.is_dialer() == keep_dialled).unwrap_or(0);
            more.extend(links.iter().enumerate().filter(|(at, _)| *at != kept).map(|(_, (id, _))| *id));
            let is_other =
                |id| holder.link(id).is_some_and(|l| l.is_up() && l.region() != Some(&peer.region));
            more.extend(peer.dialled.filter(|id| is_other(*id)));
        }
        for link in more {
            holder.close(link, CloseCode::GoingAway, "there is another link between these relays");
        }
    }

    /// Dials a peer where it is time to; when it will be.
    fn dial(&mut self, number: usize, holder: &mut Holder, clock: Clock, now: Millis) -> Option<Millis> {
        let peer = &self.peers[number];
        if peer.dialled.is_some() || holder.mesh_link(&peer.region).is_some() {
            return None;
        }
        let at = self.wanted_at(peer, holder, clock, now)?.max(peer.dial_at);
        if at > now {
            return Some(at);
        }
        let url = peer.url.clone();
        self.peers[number].dialled = Some(holder.dial(url, now));
        None
    }

    /// When a link to this peer will be wanted if nothing else happens.
    fn wanted_at(&self, peer: &Peer, holder: &Holder, clock: Clock, now: Millis) -> Option<Millis> {
        let is_asked = self.questions.iter().any(|question| question.region == peer.region);
        let is_new = !holder.reconciled().contains(&peer.region);
        if is_asked || is_new || behind(holder, &peer.region) > 0 {
            return Some(now);
        }
        let met = holder.peers().filter(|met| met.region == peer.region);
        let agreed_at = met.filter_map(|met| met.agreed_at).max().filter(|at| *at <= clock.host());
        let resync_at = agreed_at.map_or(now, |at| now.saturating_sub(clock.host() - at) + RESYNC);
        holder.has_clients().then_some(resync_at)
    }

    /// Links that were dialled and have nothing more to do, and when they will have lingered enough.
    fn idle_ends<'a>(&'a self, holder: &'a Holder) -> impl Iterator<Item = (LinkId, Millis)> + 'a {
        self.peers.iter().filter_map(|peer| {
            let id = peer.dialled?;
            let link = holder.link(id).filter(|link| link.is_up() && link.agreed)?;
            let is_asked = self.questions.iter().any(|question| question.region == peer.region);
            (!is_asked && behind(holder, &peer.region) == 0).then_some((id, link.moved_at + LINGER))
        })
    }

    fn close_idle(&mut self, holder: &mut Holder, now: Millis) {
        let idle: Vec<_> = self.idle_ends(holder).filter(|(_, at)| *at <= now).map(|(id, _)| id).collect();
        for link in idle {
            holder.close(link, CloseCode::GoingAway, "nothing is to be said");
        }
    }

    // What clients are told.

    /// Tells whoever brought commits how far other regions have come with them.
    fn tell_stored(&mut self, holder: &mut Holder, clock: Clock) {
        let mut all = Vec::new();
        let mut news = false;
        for (number, Peer { region, .. }) in self.peers.iter().enumerate() {
            let linked = holder.mesh_link(region);
            let now = linked.and_then(|link| Some((link.peer.as_ref()?.log, link.send.acked)));
            let is_linked = now.is_some();
            let now = now.or_else(|| met_lately(holder, region, clock));
            let now = now.map(|(log, upto)| Stored { region: region.clone(), log, upto, is_linked });
            all.push(now.clone());
            let Some(now) = now else { continue };
            let before = self.said.insert(region.clone(), now.clone());
            news |= before.as_ref() != Some(&now);
            if before.is_some_and(|before| before.log != now.log) {
                holder.forget_told(number);
            }
        }
        holder.tell_stored(&all, news);
    }

    // What regions hold now.

    pub fn asked(&mut self, from: LinkId, nonce: u64, holder: &mut Holder) {
        let asked = self.own_questions.iter().filter(|(link, _)| *link == from).count();
        if asked >= QUESTIONS_MAX {
            return holder.close(from, CloseCode::Quota, "too many questions at once");
        }
        self.own_questions.push((from, nonce));
        if holder.link(from).is_some_and(|link| !link.is_mesh) {
            let regions = self.peers.iter().map(|peer| peer.region.clone());
            let question = |region| Question { from, nonce, region, stage: Stage::ToAsk };
            self.questions.extend(regions.map(question));
        }
    }

    pub fn answered(&mut self, link: LinkId, nonce: u64, head: &RegionHead) {
        for question in &mut self.questions {
            if matches!(question.stage, Stage::Asked(of, asked) if (of, asked) == (link, nonce)) {
                question.stage = Stage::Reading(link, head.at.seq);
            }
        }
    }

    fn answer(&mut self, holder: &mut Holder) {
        let known: BTreeSet<_> = self.peers.iter().map(|peer| &peer.region).collect();
        if known.iter().all(|region| holder.reconciled().contains(*region)) {
            for (from, nonce) in core::mem::take(&mut self.own_questions) {
                holder.answer_fresh(from, nonce, self.region.clone());
            }
        }
        self.own_questions.retain(|(from, _)| holder.link(*from).is_some());
        self.questions.retain_mut(|question| {
            if holder.link(question.from).is_none() {
                return false;
            }
            let gone = match question.stage {
                Stage::Asked(link, _) | Stage::Reading(link, _) => holder.link(link).is_none(),
                Stage::ToAsk => false,
            };
            if gone {
                question.stage = Stage::ToAsk;
            }
            match question.stage {
                Stage::ToAsk => {
                    if let Some(link) = holder.mesh_link_id(&question.region) {
                        question.stage = Stage::Asked(link, holder.ask_fresh(link));
                    }
                    true
                }
                Stage::Asked(..) => true,
                Stage::Reading(link, seq) => {
                    let is_read = holder.link(link).is_some_and(|link| link.receive.read.seq >= seq);
                    if is_read {
                        holder.answer_fresh(question.from, question.nonce, question.region.clone());
                    }
                    !is_read
                }
            }
        });
    }
}

/// What a region had stored when it was last linked, if that was not long ago.
fn met_lately(holder: &Holder, region: &str, clock: Clock) -> Option<(LogId, u64)> {
    let peer = holder.peers().find(|peer| peer.region == region)?;
    let age = clock.host().checked_sub(peer.agreed_at?)?;
    (age < RESYNC).then_some((peer.cursor.log, peer.acked))
}

/// How much of this log a region is not known to have stored.
fn behind(holder: &Holder, region: &str) -> u64 {
    let acked = match holder.mesh_link(region) {
        Some(link) => link.send.acked,
        None => holder.peers().filter(|peer| peer.region == region).map(|peer| peer.acked).max().unwrap_or(0),
    };
    holder.stored().seq.saturating_sub(acked)
}
