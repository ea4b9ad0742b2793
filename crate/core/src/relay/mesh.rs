//! The links of a relay to the relays of its space in other regions.
//!
//! All are leaders. A relay links to another whenever it holds something that the other is not known
//! to have read, and whenever it begins; one link serves both directions. What it brought first-hand
//! it sends, the rest it names (see [`crate::wire::bodies::Commits`]), and a link over which nothing
//! moves any more is closed, so that relays of idle spaces can sleep.

use crate::base::backoff::Backoff;
use crate::base::id::LinkId;
use crate::base::time::{Clock, Millis};
use crate::holder::holder::Holder;
use crate::holder::role::{Region, Role};
use crate::link::session::Stillness;
use crate::relay::meetings::Meetings;
use crate::relay::questions::Questions;
use crate::relay::receipts::Receipts;
use crate::relay::region::{RegionView, RelayPeer, behind, mesh_session, mesh_sessions, unsent};
use crate::relay::stored::{StoredReports, TOLD_FOR};
use crate::wire::bodies::RegionHead;
use crate::wire::close::CloseCode;
use crate::wire::meeting::Announce;
use crate::wire::receipt::Inquiry;
use crate::wire::ticket::SIGNATURE_BYTES;

/// The longest wait before a peer is dialled again.
const BACKOFF_MAX: Millis = 10_000;
/// How long a link stays open after it last moved.
const LINGER: Millis = 10_000;
/// How long after both held the same a relay that has clients compares again: the other one may be
/// unable to reach it.
const RESYNC: Millis = TOLD_FOR;

pub(super) struct Mesh {
    region: String,
    peers: Vec<Peer>,
    questions: Questions,
    reports: StoredReports,
    receipts: Receipts,
    pub(super) meetings: Meetings,
}

struct Peer {
    region: String,
    url: String,
    /// The link that was dialled.
    dialed: Option<LinkId>,
    backoff: Backoff,
    dial_at: Millis,
}

impl Mesh {
    pub fn new(region: String, peers: Vec<RelayPeer>) -> Self {
        let peers = peers.into_iter().map(|RelayPeer { region, url }| Peer {
            region,
            url,
            dialed: None,
            backoff: Backoff::new(BACKOFF_MAX),
            dial_at: 0,
        });
        Self {
            meetings: Meetings::new(region.clone()),
            region,
            peers: peers.collect(),
            questions: Questions::default(),
            reports: StoredReports::default(),
            receipts: Receipts::default(),
        }
    }

    pub fn opened(&mut self, holder: &Holder) {
        self.reports.opened(holder);
    }

    /// Does what there is to do.
    pub fn run(&mut self, holder: &mut Holder, clock: Clock, now: Millis) {
        self.keep_one_each(holder);
        let stored = holder.stored();
        for peer in &mut self.peers {
            let Some((_, session)) = mesh_session(holder, &peer.region) else { continue };
            if session.is_caught_up(stored) {
                peer.backoff.reset();
            }
            if session.has_read_all()
                && let Some(own) = own_region(holder)
            {
                own.reconciled_with(&peer.region);
            }
        }
        let has_met_all = self.peers.iter().all(|peer| is_reconciled(holder, &peer.region));
        self.questions.go_on(&self.region, has_met_all, holder);
        self.meetings.go_on(holder, now);
        self.receipts.go_on(&self.region, holder, clock, now);
        self.close_idle(holder, now);
        let regions = self.peers.iter().map(|peer| peer.region.as_str());
        self.reports.tell(regions, holder, clock);
        let mut deadlines = Vec::new();
        for number in 0..self.peers.len() {
            deadlines.extend(self.dial(number, holder, clock, now));
        }
        deadlines.extend(self.meetings.deadline());
        deadlines.extend(self.receipts.deadline());
        deadlines.extend(self.idle_ends(holder).map(|(_, at)| at).filter(|at| *at > now));
        holder.set_owner_deadline(deadlines.into_iter().min());
        holder.save_peers_where_quiet();
    }

    pub fn link_closed(&mut self, link: LinkId, why: Option<u16>, holder: &mut Holder, now: Millis) {
        self.questions.link_closed(link);
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.dialed == Some(link)) else { return };
        peer.dialed = None;
        let was_idle = why == Some(CloseCode::GoingAway as u16) && !peer.backoff.has_failed();
        let wait = if was_idle { 0 } else { peer.backoff.wait(holder.rng()) };
        peer.backoff.failed();
        peer.dial_at = now + wait;
    }

    pub fn asked(&mut self, from: LinkId, nonce: u64, holder: &mut Holder) {
        let regions = self.peers.iter().map(|peer| peer.region.as_str());
        self.questions.asked(from, nonce, regions, holder);
    }

    pub fn announced(&mut self, link: LinkId, announce: Announce, holder: &mut Holder, at: (Clock, Millis)) {
        let regions = self.peers.iter().map(|peer| peer.region.as_str());
        self.meetings.announced(link, announce, regions, holder, at);
    }

    pub fn inquired(&mut self, link: LinkId, inquiry: &Inquiry, holder: &Holder, now: Millis) {
        let others = self.peers.iter().map(|peer| peer.region.clone());
        let regions = [self.region.clone()].into_iter().chain(others).collect();
        self.receipts.asked(link, inquiry, regions, holder, now);
    }

    /// The host has signed something, or can't.
    pub fn signed(
        &mut self,
        number: u64,
        signature: Option<&[u8; SIGNATURE_BYTES]>,
        holder: &mut Holder,
        now: Millis,
    ) {
        self.meetings.signed(number, signature, holder, now);
        self.receipts.signed(number, signature, holder);
    }

    pub fn answered(&mut self, link: LinkId, nonce: u64, head: &RegionHead) {
        self.questions.answered(link, nonce, head);
    }

    /// Nothing is to be done for other regions.
    pub fn is_idle(&self, holder: &Holder, clock: Clock, now: Millis) -> bool {
        let is_wanted = |peer| self.wanted_at(peer, holder, clock, now).is_some_and(|at| at <= now);
        self.questions.is_empty()
            && self.meetings.is_empty()
            && self.receipts.is_empty()
            && self.peers.iter().all(|peer| peer.dialed.is_none() && !is_wanted(peer))
    }

    pub fn suspend(&mut self, holder: &mut Holder) {
        for peer in &mut self.peers {
            if let Some(link) = peer.dialed.take() {
                holder.close(link, CloseCode::GoingAway, "nothing is to be said");
            }
        }
    }

    pub fn views(&self, holder: &Holder) -> Vec<RegionView> {
        let view = |peer: &Peer| RegionView {
            region: peer.region.clone(),
            is_linked: mesh_session(holder, &peer.region).is_some(),
            behind: behind(holder, &peer.region),
        };
        self.peers.iter().map(view).collect()
    }

    /// Two relays may have dialled each other: the link stays that was dialled by the region whose
    /// name comes first, which both find out alike.
    fn keep_one_each(&mut self, holder: &mut Holder) {
        let mut more = Vec::new();
        for peer in &self.peers {
            let links: Vec<_> = mesh_sessions(holder, &peer.region).collect();
            let keep_dialed = self.region < peer.region;
            let kept = links.iter().position(|(_, session)| session.is_dialer() == keep_dialed).unwrap_or(0);
            more.extend(links.iter().enumerate().filter(|(at, _)| *at != kept).map(|(_, (id, _))| *id));
            let is_other = |id: &LinkId| {
                holder.session(*id).is_some_and(|session| session.peer.region.as_ref() != Some(&peer.region))
            };
            more.extend(peer.dialed.filter(is_other));
        }
        for link in more {
            holder.close(link, CloseCode::GoingAway, "there is another link between these relays");
        }
    }

    /// Dials a peer where it is time to; when it will be.
    fn dial(&mut self, number: usize, holder: &mut Holder, clock: Clock, now: Millis) -> Option<Millis> {
        let peer = &self.peers[number];
        if peer.dialed.is_some() || mesh_session(holder, &peer.region).is_some() {
            return None;
        }
        let at = self.wanted_at(peer, holder, clock, now)?.max(peer.dial_at);
        if at > now {
            return Some(at);
        }
        let url = peer.url.clone();
        self.peers[number].dialed = Some(holder.dial(url, now));
        None
    }

    /// When a link to this peer will be wanted if nothing else happens.
    fn wanted_at(&self, peer: &Peer, holder: &Holder, clock: Clock, now: Millis) -> Option<Millis> {
        let is_new = !is_reconciled(holder, &peer.region);
        let is_asked = self.questions.wants(&peer.region)
            || self.meetings.wants(&peer.region)
            || self.receipts.wants(&peer.region);
        if is_new || is_asked || holder.has_present_here() || unsent(holder, &peer.region) > 0 {
            return Some(now);
        }
        let met = holder.peers().iter().filter(|met| met.region == peer.region);
        let agreed_at = met.filter_map(|met| met.agreed_at).max().filter(|at| *at <= clock.host());
        let resync_at = agreed_at.map_or(now, |at| now.saturating_sub(clock.host() - at) + RESYNC);
        let has_clients = holder.links().len() > holder.links().mesh_len();
        has_clients.then_some(resync_at)
    }

    /// Links that were dialled and have nothing more to do, and when they will have lingered enough.
    fn idle_ends<'a>(&'a self, holder: &'a Holder) -> impl Iterator<Item = (LinkId, Millis)> + 'a {
        self.peers.iter().filter_map(|peer| {
            let id = peer.dialed?;
            let session = holder.session(id).filter(|session| session.stillness == Stillness::Agreed)?;
            let is_asked = self.questions.wants(&peer.region) || holder.has_present_here();
            let is_needed = is_asked || unsent(holder, &peer.region) > 0;
            (!is_needed).then_some((id, session.moved_at + LINGER))
        })
    }

    fn close_idle(&mut self, holder: &mut Holder, now: Millis) {
        let idle: Vec<_> = self.idle_ends(holder).filter(|(_, at)| *at <= now).map(|(id, _)| id).collect();
        for link in idle {
            holder.close(link, CloseCode::GoingAway, "nothing is to be said");
        }
    }
}

fn own_region(holder: &mut Holder) -> Option<&mut Region> {
    match holder.role_mut() {
        Role::Relay(region) => Some(region),
        Role::Replica(_) => None,
    }
}

/// Whether this relay has compared all it holds with that region since its log is new.
fn is_reconciled(holder: &Holder, region: &str) -> bool {
    holder.role().region().is_some_and(|own| own.is_reconciled_with(region))
}
