//! The links of a holder, and when something is due on each.

use crate::base::id::LinkId;
use crate::base::id_map::{IdMap, IdSet};
use crate::base::limits::Limits;
use crate::base::pace::Rate;
use crate::base::time::Millis;
use crate::link::link::{Link, Phase};
use crate::link::session::Session;
use crate::link::unread::Unread;

/// The first number of links that the core numbers: those that it dials, and those to other replicas.
/// Hosts number those they accept from below.
const FIRST_DIALED: u64 = 1 << 32;

#[derive(Clone, Debug)]
pub(crate) struct Links {
    links: IdMap<LinkId, Link>,
    next_dialed: u64,
    /// Links between relays that are up.
    mesh: IdSet<LinkId>,
    /// Links whose next timer may be another one.
    changed: IdSet<LinkId>,
    /// The next timer of each link that has one.
    timers: IdMap<LinkId, Millis>,
    due: IdSet<(Millis, LinkId)>,
}

impl Links {
    pub fn new() -> Self {
        Self {
            links: IdMap::new(),
            next_dialed: FIRST_DIALED,
            mesh: IdSet::new(),
            changed: IdSet::new(),
            timers: IdMap::new(),
            due: IdSet::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.links.len()
    }

    pub fn contains(&self, id: LinkId) -> bool {
        self.links.contains_key(&id)
    }

    pub fn get(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    pub fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.changed.insert(id);
        self.links.get_mut(&id)
    }

    pub fn session(&self, id: LinkId) -> Option<&Session> {
        self.links.get(&id)?.session()
    }

    pub fn session_mut(&mut self, id: LinkId) -> Option<&mut Session> {
        self.get_mut(id)?.session_mut()
    }

    /// What was sent on a link and not read: nothing is ever due for it.
    pub fn unread_mut(&mut self, id: LinkId) -> Option<&mut Unread> {
        Some(&mut self.links.get_mut(&id)?.session_mut()?.unread)
    }

    /// The other side may answer what it was sent with a frame.
    pub fn allow_frame(&mut self, id: LinkId, rate: Rate) {
        if let Some(link) = self.links.get_mut(&id) {
            link.frames.refund(1, rate);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.links.iter().map(|(id, link)| (*id, link))
    }

    pub fn sessions(&self) -> impl Iterator<Item = (LinkId, &Session)> {
        self.iter().filter_map(|(id, link)| Some((id, link.session()?)))
    }

    /// For changes that concern nothing that is due on an accepted link.
    pub fn sessions_mut(&mut self) -> impl Iterator<Item = (LinkId, &mut Session)> {
        let changed = &mut self.changed;
        self.links.iter_mut().filter_map(|(id, link)| {
            let session = link.session_mut()?;
            if session.is_dialer() {
                changed.insert(*id);
            }
            Some((*id, session))
        })
    }

    pub fn ids(&self) -> Vec<LinkId> {
        self.links.keys().copied().collect()
    }

    /// Links that were dialled and on which commits flow.
    pub fn dialed(&self) -> impl Iterator<Item = (LinkId, &Session)> {
        let dialed = self.links.range(LinkId(FIRST_DIALED)..);
        let sessions = dialed.filter_map(|(id, link)| Some((*id, link.session()?)));
        sessions.filter(|(_, session)| session.is_dialer())
    }

    /// Those that were dialled, are open and have not greeted.
    pub fn to_greet(&self) -> Vec<LinkId> {
        let dialed = self.links.range(LinkId(FIRST_DIALED)..);
        dialed.filter(|(_, link)| matches!(link.phase, Phase::Dialed { .. })).map(|(id, _)| *id).collect()
    }

    /// A link that is being dialled.
    pub fn dial(&mut self, url: String, now: Millis) -> LinkId {
        self.add(|_| Link::dialing(url, now))
    }

    /// A link that gets its number here.
    pub fn add(&mut self, link: impl FnOnce(LinkId) -> Link) -> LinkId {
        let id = LinkId(self.next_dialed);
        self.next_dialed += 1;
        self.insert(id, link(id));
        id
    }

    pub fn insert(&mut self, id: LinkId, link: Link) {
        if link.session().is_some_and(|session| session.is_mesh) {
            self.mesh.insert(id);
        }
        self.links.insert(id, link);
        self.changed.insert(id);
    }

    pub fn remove(&mut self, id: LinkId) -> Option<Link> {
        self.mesh.remove(&id);
        self.changed.insert(id);
        self.links.remove(&id)
    }

    /// The greeting of a link is over.
    pub fn came_up(&mut self, id: LinkId, session: Session) {
        if session.is_mesh {
            self.mesh.insert(id);
        }
        if let Some(link) = self.get_mut(id) {
            link.phase = Phase::Up(Box::new(session));
        }
    }

    /// Links between relays that are up.
    pub fn mesh(&self) -> impl Iterator<Item = (LinkId, &Session)> {
        self.mesh.iter().filter_map(|id| Some((*id, self.session(*id)?)))
    }

    pub fn mesh_len(&self) -> usize {
        self.mesh.len()
    }

    // Timers.

    /// The time of the first timer of all.
    pub fn next_timer(&mut self, limits: &Limits) -> Option<Millis> {
        for id in core::mem::take(&mut self.changed) {
            let next = self.links.get(&id).and_then(|link| link.next_timer(limits)).map(|(at, _)| at);
            let before = match next {
                Some(at) => self.timers.insert(id, at),
                None => self.timers.remove(&id),
            };
            if before != next {
                self.due.extend(next.map(|at| (at, id)));
                if let Some(before) = before {
                    self.due.remove(&(before, id));
                }
            }
        }
        self.due.first().map(|(at, _)| *at)
    }

    /// The links on which something is due.
    pub fn due(&self, now: Millis) -> Vec<LinkId> {
        self.due.range(..=(now, LinkId(u64::MAX))).map(|(_, id)| *id).collect()
    }
}
