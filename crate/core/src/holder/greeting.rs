//! How links begin: greetings, cursors, and the exchange of vectors where no cursor is valid.

use crate::base::id::{LinkId, LogId};
use crate::base::limits;
use crate::base::position::{Cursor, Position};

use crate::commit::vector::{Digest, Tip, Vector};
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::records::{PeerRecord, RegionRecord};
use crate::holder::work::{LogState, Notice, Pending, Which, rows_of};
use crate::link::link::{Peer, Phase, Side};
use crate::log::log;
use crate::storage::request::Corrupt;
use crate::storage::request::{StorageAnswer, WriteBatch};
use crate::wire::bodies::{Hello, Terms, VectorPart};
use crate::wire::close::CloseCode;
use crate::wire::frame::{Frame, VERSION, VERSION_MIN};

impl Holder {
    pub(super) fn greet_all(&mut self) {
        let is_to_greet = |id: &LinkId| {
            self.links.get(id).is_some_and(|link| link.is_dialer() && matches!(link.phase, Phase::Opened))
        };
        let opened: Vec<_> = self.busy.iter().copied().filter(is_to_greet).collect();
        for id in opened {
            let cursors = self.peers.values().rev().take(64).map(|peer| peer.cursor).collect();
            let terms = Terms { read_only: self.identity.read_only, expires_in: None };
            let hello = Hello { terms, ..self.hello(cursors, false, self.peers.is_empty()) };
            if let Some(link) = self.links.get_mut(&id) {
                let told = hello.tips.is_some();
                link.phase = Phase::Greeted { digest: hello.digest, head: self.stored, told };
                link.opened_at = self.now;
            }
            self.send(id, &Frame::Hello(hello));
        }
    }

    pub(super) fn hello(&self, cursors: Vec<Cursor>, resumed: bool, with_tips: bool) -> Hello {
        let vector = self.log.vector();
        let is_small = vector.len() <= limits::HELLO_TIPS_MAX;
        Hello {
            version_min: VERSION_MIN,
            version_max: VERSION,
            space: self.identity.space.clone(),
            log: self.log.id(),
            region: self.identity.region.clone(),
            token: self.identity.token.clone(),
            cursors,
            digest: (self.stored == self.log.head()).then(|| vector.digest()),
            resumed,
            tips: (with_tips && is_small).then(|| vector.tips().copied().collect()),
            credit: limits::CREDIT_BYTES,
            head: self.stored,
            regions: self.identity.regions.clone(),
            terms: Terms::default(),
        }
    }

    pub(super) fn hello_came(&mut self, id: LinkId, hello: Hello) {
        if hello.version_min > VERSION || hello.version_max < VERSION_MIN {
            return self.close(id, CloseCode::Incompatible, "no protocol version in common");
        }
        if hello.space != self.identity.space {
            return self.close(id, CloseCode::Denied, "this link is for another space");
        }
        if hello.log == self.log.id() {
            // A process that shares this log, or a copy of it: its commits would come in as others'.
            return self.close(id, CloseCode::OutOfOrder, "both ends of this link have the same log");
        }
        let names = hello.regions.iter().chain(&hello.region);
        if hello.regions.len() > limits::REGIONS_MAX
            || names.clone().any(|name| name.len() > limits::REGION_BYTES_MAX)
        {
            return self.close(id, CloseCode::TooLarge, "too many regions, or too long a name");
        }
        let is_relay = self.is_relay();
        let Some(link) = self.links.get_mut(&id) else { return };
        link.peer = Some(Peer { log: hello.log, region: hello.region.clone() });
        link.is_mesh = is_relay && hello.region.is_some();
        match &link.phase {
            Phase::Opened if !link.is_dialer() && is_relay => {
                let token = hello.token.clone();
                link.phase = Phase::Authorizing(Box::new(hello));
                self.effects.push_back(Effect::Authorize(id, token));
            }
            Phase::Opened if !link.is_dialer() => self.let_in(id, hello),
            Phase::Greeted { digest, head, told } => {
                let (digest, head, told) = (*digest, *head, *told);
                link.rtt = Some(self.now.saturating_sub(link.opened_at));
                self.up_as_dialer(id, hello, digest, head, told);
            }
            _ => self.close(id, CloseCode::OutOfOrder, "a second greeting"),
        }
    }

    /// The other side may come in: is it somewhere that this log has been?
    pub(super) fn let_in(&mut self, id: LinkId, hello: Hello) {
        let known = hello.cursors.iter().find(|cursor| cursor.log == self.log.id()).copied();
        let Some(link) = self.links.get_mut(&id) else { return };
        link.send.grant(hello.credit);
        link.phase = Phase::Checking(Box::new(hello));
        match known {
            Some(cursor) => self.check_cursor(id, cursor, Which::Seen),
            None => self.greet_back(id, None),
        }
    }

    /// Is this a position that this log had? Asked of `seen` first, then of `read`.
    pub(super) fn check_cursor(&mut self, id: LinkId, cursor: Cursor, which: Which) {
        let at = match which {
            Which::Seen => cursor.seen,
            Which::Read => cursor.read,
        };
        if at == self.stored || at == Position::START {
            self.cursor_checked(id, cursor, which, true);
        } else if at.seq > self.stored.seq || at.seq == 0 {
            self.cursor_checked(id, cursor, which, false);
        } else {
            let request = log::rows_after(at.seq - 1, 0);
            self.request(Pending::CheckCursor { link: id, cursor, which }, request);
        }
    }

    pub(super) fn cursor_read(
        &mut self,
        link: LinkId,
        cursor: Cursor,
        which: Which,
        answer: StorageAnswer,
    ) -> Result<(), Corrupt> {
        let at = match which {
            Which::Seen => cursor.seen,
            Which::Read => cursor.read,
        };
        let rows = rows_of(answer)?;
        if let Some(bytes) = rows.bytes_needed {
            let request = log::rows_after(at.seq - 1, bytes);
            self.request(Pending::CheckCursor { link, cursor, which }, request);
            return Ok(());
        }
        let is_ours = rows.entries.iter().any(|entry| entry.at == at);
        self.cursor_checked(link, cursor, which, is_ours);
        Ok(())
    }

    pub(super) fn cursor_checked(&mut self, id: LinkId, cursor: Cursor, which: Which, is_ours: bool) {
        let Some(link) = self.links.get(&id) else { return };
        match (is_ours, which, &link.phase) {
            (true, Which::Seen, _) => self.check_cursor(id, cursor, Which::Read),
            (true, Which::Read, Phase::Checking(_)) => self.greet_back(id, Some(cursor.read)),
            (false, _, Phase::Checking(_)) => {
                if cursor.log == self.log.id() {
                    self.renew_log(Some(id));
                }
                self.greet_back(id, None);
            }
            // The cursor of a relay that was dialled, which knows this log as another than it is.
            (false, _, Phase::Up) if cursor.log == self.log.id() => self.renew_log(None),
            _ => {}
        }
    }

    /// This log is not what it was: an older copy was put back. What was acknowledged under its id
    /// is void, and whoever is connected must hear so.
    pub(super) fn renew_log(&mut self, except: Option<LinkId>) {
        let id = LogId(self.rng.bytes16());
        self.reconciled.clear();
        let (guard, put) = self.log.renew(id);
        let batch = WriteBatch { guard: Some(guard), puts: vec![put], deletes: Vec::new() };
        self.write(Pending::Records, batch);
        let others: Vec<_> = self
            .links
            .iter()
            .filter(|(id, link)| Some(**id) != except && link.peer.is_some())
            .map(|(id, _)| *id)
            .collect();
        for link in others {
            self.close(link, CloseCode::LogReplaced, "this holder's log was replaced by an older copy");
        }
    }

    pub(super) fn greet_back(&mut self, id: LinkId, resume: Option<Position>) {
        let digest = self.log.vector().digest();
        let Some(link) = self.links.get_mut(&id) else { return };
        let Phase::Checking(hello) = core::mem::replace(&mut link.phase, Phase::Up) else {
            return;
        };
        link.moved(self.now);
        link.their_head = hello.head.seq;
        // What it may know of other regions by the commits that it brought before.
        link.brought = self.stored.seq;
        let terms = link.terms(hello.terms.read_only, self.now);
        let is_mesh = link.is_mesh;
        let is_equal = hello.digest == Some(digest) && self.stored == self.log.head();
        let from = if is_equal { Some(self.stored) } else { resume };
        let cursor = self.peers.get(&hello.log).map(|peer| peer.cursor).filter(|_| is_mesh);
        let reply = self.hello(cursor.into_iter().collect(), from.is_some(), from.is_none());
        let told = reply.tips.is_some();
        self.send(id, &Frame::Hello(Hello { terms, ..reply }));
        self.came_up(id);
        if is_mesh {
            let agreed_at = self.peers.get(&hello.log).and_then(|peer| peer.agreed_at);
            let (log, region) = (hello.log, hello.region.clone().unwrap_or_default());
            let start = Cursor { log, read: Position::START, seen: Position::START };
            let cursor = cursor.filter(|_| from.is_some()).unwrap_or(start);
            let cursor = if is_equal { Cursor { log, read: hello.head, seen: hello.head } } else { cursor };
            let acked = from.map_or(0, |from| from.seq);
            self.meet(id, PeerRecord { cursor, acked, url: String::new(), region, agreed_at });
        }
        match from {
            Some(from) => self.start_stream(id, from),
            None => self.reconcile(id, told, hello.tips),
        }
    }

    pub(super) fn up_as_dialer(
        &mut self,
        id: LinkId,
        hello: Hello,
        digest: Option<Digest>,
        head: Position,
        told: bool,
    ) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        let Side::Dialer { url } = link.side.clone() else {
            return;
        };
        link.send.grant(hello.credit);
        link.phase = Phase::Up;
        link.moved(now);
        link.send.is_muted = hello.terms.read_only;
        link.renew_at = hello.terms.renew_at(now);
        let known = self.peers.get(&hello.log).filter(|_| hello.resumed).cloned();
        let start = Cursor { log: hello.log, read: Position::START, seen: Position::START };
        let (mut cursor, mut acked) = known.map_or((start, 0), |peer| (peer.cursor, peer.acked));
        if hello.resumed && hello.digest.is_some() && hello.digest == digest {
            // Both hold the same: nothing to stream either way.
            cursor.read = hello.head;
            cursor.seen = hello.head;
            acked = head.seq;
        }
        link.their_head = hello.head.seq;
        let region = hello.region.clone().unwrap_or_default();
        let agreed_at = self.peers.get(&hello.log).and_then(|peer| peer.agreed_at);
        self.came_up(id);
        self.meet(id, PeerRecord { cursor, acked, url, region, agreed_at });
        if !self.is_relay() {
            self.learn_regions(&hello);
        }
        // A relay that knows another log under this one's id than it is now: an older copy was put back.
        let theirs = hello.cursors.iter().find(|cursor| cursor.log == self.log.id()).copied();
        if let Some(cursor) = theirs.filter(|_| self.is_relay()) {
            self.check_cursor(id, cursor, Which::Seen);
        }
        if hello.resumed {
            // Of a position, only the number matters to where a stream begins.
            self.start_stream(id, Position { seq: acked, ..head });
        } else {
            self.reconcile(id, told, hello.tips);
        }
    }

    fn came_up(&mut self, id: LinkId) {
        match self.links.get(&id) {
            Some(link) if link.is_mesh => self.mesh.insert(id),
            Some(link) if !link.is_dialer() && self.is_relay() => self.bringers.insert(id),
            _ => false,
        };
    }

    /// A link is up with a holder of which this much is known.
    fn meet(&mut self, id: LinkId, peer: PeerRecord) {
        let log = peer.cursor.log;
        // Whatever was met there before under another log is gone.
        let was_met = |other: &PeerRecord| {
            (!peer.url.is_empty() && other.url == peer.url)
                || (self.identity.region.is_some() && other.region == peer.region)
        };
        let gone: Vec<_> = self.peers.values().filter(|other| was_met(other)).map(|p| p.cursor.log).collect();
        for log in gone {
            self.peers.remove(&log);
            self.dirty_peers.insert(log);
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.receive.read = peer.cursor.read;
            link.send.seen = peer.cursor.seen;
            link.send.acked = peer.acked;
            link.send.stored_at(peer.cursor.seen.seq);
        }
        self.dirty_peers.insert(log);
        self.peers.insert(log, peer);
        self.note_peer(id);
    }

    /// The regions there are, as a relay knows them.
    fn learn_regions(&mut self, hello: &Hello) {
        if hello.regions.is_empty() {
            return;
        }
        let gone = self.regions.keys().filter(|region| !hello.regions.contains(region));
        for region in gone.cloned().collect::<Vec<_>>() {
            self.regions.remove(&region);
            self.dirty_regions.insert(region);
        }
        for region in &hello.regions {
            let unknown = RegionRecord { log: LogId([0; 16]), acked: 0 };
            self.regions.entry(region.clone()).or_insert(unknown);
            self.dirty_regions.insert(region.clone());
        }
    }

    pub(super) fn start_stream(&mut self, id: LinkId, from: Position) {
        if let Some(link) = self.links.get_mut(&id) {
            link.send.start(from);
        }
        self.notices.push_back(Notice::LinkChanged);
        self.feed(id);
    }

    /// Both sides say what they hold (`told`: this side has), and send what the other lacks.
    pub(super) fn reconcile(&mut self, id: LinkId, told: bool, tips: Option<Vec<Tip>>) {
        if !told {
            self.send_vector(id, false);
        }
        match tips {
            Some(tips) => self.start_pass(id, Vector::from_tips(tips)),
            None => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.exchanging = true;
                }
            }
        }
        self.notices.push_back(Notice::LinkChanged);
    }

    pub(super) fn send_vector(&mut self, id: LinkId, answer: bool) {
        let tips: Vec<_> = self.log.vector().tips().copied().collect();
        let mut parts = tips.chunks(limits::VECTOR_FRAME_TIPS_MAX).peekable();
        if parts.peek().is_none() {
            let part = VectorPart { tips: Vec::new(), last: true, answer };
            self.send(id, &Frame::Vector(part));
        }
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            self.send(id, &Frame::Vector(VectorPart { tips: part.to_vec(), last, answer }));
        }
    }

    pub(super) fn vector_came(&mut self, id: LinkId, part: VectorPart) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.their_tips.extend(part.tips);
        if link.their_tips.len() > limits::VECTOR_TIPS_MAX {
            return self.close(id, CloseCode::TooLarge, "a vector of too many tips");
        }
        if part.last {
            let tips = core::mem::take(&mut link.their_tips);
            if part.answer {
                self.send_vector(id, false);
            }
            self.start_pass(id, Vector::from_tips(tips));
        }
    }

    pub(super) fn start_pass(&mut self, id: LinkId, theirs: Vector) {
        if let Some(link) = self.links.get_mut(&id) {
            link.exchanging = true;
            link.theirs = Some(theirs);
            self.busy.insert(id);
        }
        self.start_passes();
    }

    /// Begins the passes that wait for the vector to say what is stored and nothing more.
    pub(super) fn start_passes(&mut self) {
        if self.appending || self.state != LogState::Open {
            return;
        }
        let mut begun = Vec::new();
        for id in &self.busy {
            let Some(link) = self.links.get_mut(id) else { continue };
            if let Some(theirs) = link.theirs.take() {
                link.exchanging = false;
                link.send.start_filtered(&theirs, self.log.vector(), self.stored);
                link.moved(self.now);
                begun.push(*id);
            }
        }
        for id in begun {
            self.feed(id);
        }
    }
}
