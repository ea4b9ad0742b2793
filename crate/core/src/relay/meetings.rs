//! Replicas that want to link to each other meet here: they are told of each other, and what they say is passed
//! on, in this region and to others.
//!
//! All that is kept of a replica is its key, which is part of its link's attachment. What is lost with this relay's
//! memory is said again: a replica that has too few links announces itself again.

use crate::base::id::{LinkId, PeerKey};
use crate::base::id_map::IdMap;
use crate::base::time::{Clock, Millis};
use crate::holder::holder::Holder;
use crate::link::session::{End as EndOfLink, Grant};
use crate::relay::region::mesh_session;
use crate::wire::access::Right;
use crate::wire::bodies::Terms;
use crate::wire::frame::Frame;
use crate::wire::meeting::{Announce, Introduction, Signal};
use crate::wire::ticket::{SIGNATURE_BYTES, Ticket, signed};

/// How long a ticket is good for at most. It is used at once.
const TICKET_FOR: Millis = 600_000;
/// How long what is said to a region waits for a link there.
const WAITS_FOR: Millis = 10_000;
/// Of the replicas that one may be told of, this part is told in each other region.
const SHARE_ELSEWHERE: usize = 4;

#[derive(Default)]
pub(super) struct Meetings {
    region: String,
    /// The links on which replicas have announced themselves. What their sessions say counts: links that are gone
    /// are taken out now and then.
    announced: IdMap<PeerKey, LinkId>,
    /// Pairs whose tickets are being signed.
    signing: Vec<Pair>,
    /// What is to be said to relays elsewhere: to which region, and since when.
    outgoing: Vec<(String, Millis, Frame)>,
}

struct Pair {
    number: u64,
    ends: [End; 2],
    to_sign: Vec<u8>,
}

/// A replica of a pair.
#[derive(Clone)]
struct End {
    key: PeerKey,
    region: String,
    right: Right,
    /// When its token expires.
    until: Option<Millis>,
}

impl Meetings {
    pub fn new(region: String) -> Self {
        Self { region, ..Self::default() }
    }

    /// A link that was taken up again.
    pub fn resumed(&mut self, link: LinkId, key: PeerKey) {
        self.announced.insert(key, link);
    }

    /// Whether something is to be said to that region.
    pub fn wants(&self, region: &str) -> bool {
        self.outgoing.iter().any(|(to, ..)| to == region)
    }

    pub fn is_empty(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// When something that waits is given up.
    pub fn deadline(&self) -> Option<Millis> {
        self.outgoing.first().map(|(_, since, _)| since + WAITS_FOR)
    }

    /// A replica is there, or a relay says that one is. `regions`: the others.
    pub fn announced<'a>(
        &mut self,
        link: LinkId,
        announce: Announce,
        regions: impl Iterator<Item = &'a str>,
        holder: &mut Holder,
        (clock, now): (Clock, Millis),
    ) {
        if let Some(region) = region_of(holder, link) {
            let (Some(key), Some(terms)) = (announce.key, announce.terms) else { return };
            let right = if terms.read_only { Right::Read } else { Right::Write };
            let until = terms.expires_in.map(|wait| now.saturating_add(wait));
            return self.introduce(&End { key, region, right, until }, holder, (clock, now));
        }
        note(holder, link, None);
        let Some(key) = announce.key else { return };
        let Some(grant) = grant_of(holder, link).cloned() else { return };
        // The link that it had before may not have ended yet. Somebody else's is not taken for it.
        if let Some(other) = self.link_of(key, holder) {
            if grant_of(holder, other).is_some_and(|other| other.subject != grant.subject) {
                return;
            }
            note(holder, other, None);
        }
        if self.announced.len() > 2 * holder.links().len() {
            self.announced.retain(|key, link| is_announced(holder, *link, *key));
        }
        self.resumed(link, key);
        note(holder, link, Some(key));
        let (right, until) = (grant.right, grant.expires_at);
        self.introduce(&End { key, region: self.region.clone(), right, until }, holder, (clock, now));
        let expires_in = until.map(|at| at.saturating_sub(now));
        let terms = Some(Terms { read_only: right == Right::Read, expires_in });
        for region in regions {
            self.say(region, Frame::Announce(Announce { key: Some(key), terms }), holder, now);
        }
    }

    /// The host has signed a ticket, or can't: both are told of each other.
    pub fn signed(
        &mut self,
        number: u64,
        signature: Option<&[u8; SIGNATURE_BYTES]>,
        holder: &mut Holder,
        now: Millis,
    ) {
        let Some(at) = self.signing.iter().position(|pair| pair.number == number) else { return };
        let Pair { ends: [one, other], to_sign, .. } = self.signing.swap_remove(at);
        let Some(signature) = signature else { return };
        let ticket = signed(&to_sign, signature);
        for (end, met) in [(&one, &other), (&other, &one)] {
            let (key, region) = (met.key, met.region.clone());
            let introduction = Introduction { key, region, ticket: ticket.clone().into(), to: None };
            if end.region == self.region {
                self.tell(end.key, Frame::Introduction(introduction), holder);
            } else {
                let to = Some(end.key);
                self.say(&end.region, Frame::Introduction(Introduction { to, ..introduction }), holder, now);
            }
        }
    }

    /// The relay of another region has introduced one of its replicas to one of this.
    pub fn introduced(&self, link: LinkId, introduction: Introduction, holder: &mut Holder) {
        let (Some(to), Some(region)) = (introduction.to, region_of(holder, link)) else { return };
        self.tell(to, Frame::Introduction(Introduction { region, to: None, ..introduction }), holder);
    }

    /// A replica says something to another. Where that one is not there an empty signal comes back; what else
    /// can't be passed on is dropped.
    pub fn signalled(&mut self, link: LinkId, signal: Signal, holder: &mut Holder, now: Millis) {
        let Signal { key: to, region, bytes, from } = signal;
        let elsewhere = region_of(holder, link);
        let session = holder.session_mut(link).and_then(|session| session.accepted());
        let announced = session.and_then(|accepted| accepted.announced);
        // An attachment that is older than the announcement does not know it: the replica announces itself again.
        let Some(from) = (if elsewhere.is_some() { from } else { announced }) else { return };
        let is_here = elsewhere.is_some() || region == self.region;
        let from_region = elsewhere.clone().unwrap_or_else(|| self.region.clone());
        if let Some(link) = self.link_of(to, holder).filter(|_| is_here) {
            let signal = Signal { key: from, region: from_region, bytes, from: None };
            holder.send_meeting(link, &Frame::Signal(signal));
        } else if is_here && !bytes.is_empty() {
            let own = self.region.clone();
            let back = match elsewhere {
                Some(_) => {
                    Signal { key: from, region: from_region, bytes: Vec::new().into(), from: Some(to) }
                }
                None => Signal { key: to, region: own, bytes: Vec::new().into(), from: None },
            };
            holder.send_meeting(link, &Frame::Signal(back));
        } else if !is_here && holder.role().region().is_some_and(|own| own.all.contains(&region)) {
            let signal = Signal { key: to, region: region.clone(), bytes, from: Some(from) };
            self.say(&region, Frame::Signal(signal), holder, now);
        }
    }

    /// Says what waits to regions that are linked by now, and gives up what has waited too long.
    pub fn go_on(&mut self, holder: &mut Holder, now: Millis) {
        self.outgoing.retain(|(region, since, frame)| {
            let linked = mesh_session(holder, region).map(|(link, _)| link);
            if let Some(link) = linked {
                holder.send_meeting(link, frame);
            }
            linked.is_none() && since + WAITS_FOR > now
        });
    }

    /// Tells some of the replicas that are here, and one that is new, of each other.
    fn introduce(&mut self, new: &End, holder: &mut Holder, (clock, now): (Clock, Millis)) {
        let share = if new.region == self.region { 1 } else { SHARE_ELSEWHERE };
        let most = holder.limits().introductions_max.div_ceil(share);
        for (key, link) in self.draw(new.key, most, holder) {
            let Some(grant) = grant_of(holder, link) else { continue };
            let (right, until) = (grant.right, grant.expires_at);
            let is_full = self.signing.len() >= holder.limits().meetings_max;
            // Who may only read has nothing for another one who may only read.
            if is_full || (right == Right::Read && new.right == Right::Read) {
                continue;
            }
            let other = End { key, region: self.region.clone(), right, until };
            let until = [new.until, other.until].into_iter().flatten().fold(now + TICKET_FOR, Millis::min);
            let space = holder.space().to_owned();
            let ends = [(new.key, new.right), (other.key, right)];
            let ticket = Ticket { space: &space, ends, expires_at: clock.to_host(until) };
            let to_sign = ticket.to_sign();
            let number = holder.sign(to_sign.clone());
            self.signing.push(Pair { number, ends: [new.clone(), other], to_sign });
        }
    }

    /// So many replicas of those that are here, at random, or all.
    fn draw(&self, except: PeerKey, most: usize, holder: &mut Holder) -> Vec<(PeerKey, LinkId)> {
        let mut drawn: Vec<(PeerKey, LinkId)> = Vec::new();
        // A few in a row each time. Some are drawn twice, so the last time takes as many as are missing.
        for row in (0..most / 4).map(|_| 4).chain([2 * most]) {
            let from = PeerKey(holder.rng().bytes32());
            let around = self.announced.range(from..).chain(self.announced.range(..from));
            let there = around.filter(|(key, link)| **key != except && is_announced(holder, **link, **key));
            for (key, link) in there.take(row) {
                if drawn.len() < most && !drawn.contains(&(*key, *link)) {
                    drawn.push((*key, *link));
                }
            }
        }
        drawn
    }

    /// The link of a replica that is here.
    fn link_of(&self, key: PeerKey, holder: &Holder) -> Option<LinkId> {
        self.announced.get(&key).copied().filter(|link| is_announced(holder, *link, key))
    }

    /// Tells a replica that is here.
    fn tell(&self, to: PeerKey, frame: Frame, holder: &mut Holder) {
        if let Some(link) = self.link_of(to, holder) {
            holder.send_meeting(link, &frame);
        }
    }

    /// Says something to the relay of a region, once it is linked. Of too much the oldest is dropped.
    fn say(&mut self, region: &str, frame: Frame, holder: &Holder, now: Millis) {
        if self.outgoing.len() >= holder.limits().meetings_max {
            self.outgoing.remove(0);
        }
        self.outgoing.push((region.to_owned(), now, frame));
    }
}

/// Whether the replica on this link is there under that key.
fn is_announced(holder: &Holder, link: LinkId, key: PeerKey) -> bool {
    let end = holder.session(link).map(|session| &session.end);
    matches!(end, Some(EndOfLink::Accepter(accepted)) if accepted.announced == Some(key))
}

fn region_of(holder: &Holder, link: LinkId) -> Option<String> {
    holder.session(link).filter(|session| session.is_mesh)?.peer.region.clone()
}

fn grant_of(holder: &Holder, link: LinkId) -> Option<&Grant> {
    holder.session(link)?.grant()
}

/// What the link's attachment says of it.
fn note(holder: &mut Holder, link: LinkId, key: Option<PeerKey>) {
    if let Some(accepted) = holder.session_mut(link).and_then(|session| session.accepted()) {
        accepted.announced = key;
    }
}
