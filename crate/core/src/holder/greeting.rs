//! How links begin: greetings, and cursors.

use crate::base::id::{LinkId, LogId};
use crate::base::mutation::Mutation;
use crate::base::position::{Cursor, Mark, Marker, Position, Shown};
use crate::commit::descriptor::Descriptor;
use crate::holder::holder::Holder;
use crate::holder::io::Effect;
use crate::holder::notice::Notice;
use crate::holder::pending::{Pending, Which, rows_of};
use crate::holder::records::PeerRecord;
use crate::holder::role::Role;
use crate::link::link::{Greeting, Met, Phase};
use crate::link::session::{Accepted, Dialed, End, Grant, Peer, Session, renew_at};
use crate::log::keys::rows_after;
use crate::storage::request::{Corrupt, Guard, StorageAnswer, WriteBatch};
use crate::wire::access::Right;
use crate::wire::bodies::{Hello, Terms, VERSION, VERSION_MIN};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;

impl Holder {
    pub(super) fn greet_all(&mut self) {
        let now = self.now;
        for id in self.links.to_greet() {
            let peer = self.links.get(id).filter(|link| link.is_peer()).and_then(|link| link.peer.as_ref());
            let is_peer = peer.is_some();
            // Another replica is told what it may do here, and never what lets this one in at relays.
            let (terms, token) = match peer {
                Some(grant) => {
                    let token = self.token.clone().filter(|_| self.limits.is_mutated(Mutation::ShowToken));
                    (terms_of(Some(grant), now), token)
                }
                None => (Terms { read_only: self.reads_only, expires_in: None }, self.token.clone()),
            };
            let mut met = self.peers.met(is_peer, self.limits.hello_cursors_max);
            let has_met_nobody = met.is_empty();
            met.retain(|met| !self.deep_forks.contains_peer(&met.cursor.log));
            let cursors = met.iter().map(|met| met.cursor).collect();
            let hello = Hello { terms, token, ..self.hello(cursors, false, has_met_nobody) };
            let Some(link) = self.links.get_mut(id) else { continue };
            let Phase::Dialed { url, .. } = &mut link.phase else { continue };
            let url = core::mem::take(url);
            let with_tips = hello.tips.is_some();
            let head = self.stored;
            let sent = Greeting { met, digest: hello.digest, head, holes: hello.holes, with_tips };
            link.phase = Phase::Greeted { url, since: now, sent };
            self.send(id, &Frame::Hello(hello));
        }
    }

    fn hello(&self, cursors: Vec<Cursor>, resumed: bool, with_tips: bool) -> Hello {
        let vector = self.log.vector();
        let holes = self.log.holes();
        let is_small = vector.len() + holes.len() <= self.limits.hello_tips_max;
        let tips = (with_tips && is_small).then(|| vector.tips().copied().collect());
        let region = self.role.region();
        Hello {
            version_min: VERSION_MIN,
            version_max: VERSION,
            space: self.space.clone(),
            log: self.log.id(),
            region: region.map(|region| region.name.clone()),
            token: None,
            cursors,
            digest: (self.stored == self.log.head()).then(|| vector.digest()),
            resumed,
            hole_tips: if tips.is_some() { holes.tips().copied().collect() } else { Vec::new() },
            tips,
            credit: self.limits.credit_bytes,
            head: self.log.mark(self.stored),
            regions: region.map(|region| region.all.clone()).unwrap_or_default(),
            terms: Terms::default(),
            descriptor: self.log.descriptor().cloned(),
            partition: self.log.marker().partition,
            holes: holes.len() as u64,
            required: 0,
        }
    }

    pub(super) fn hello_came(&mut self, id: LinkId, hello: Hello) {
        if hello.version_min > VERSION || hello.version_max < VERSION_MIN || hello.required != 0 {
            return self.close(id, CloseCode::Incompatible, "no protocol version in common");
        }
        if hello.space != self.space || hello.partition != self.log.marker().partition {
            return self.close(id, CloseCode::Denied, "this link is for another space");
        }
        if hello.log == self.log.id() {
            // A process that shares this log, or a copy of it: its commits would come in as others'.
            return self.close(id, CloseCode::OutOfOrder, "both ends of this link have the same log");
        }
        let mut names = hello.regions.iter().chain(&hello.region);
        if hello.regions.len() > self.limits.regions_max
            || names.any(|name| name.len() > self.limits.region_bytes_max)
        {
            return self.close(id, CloseCode::TooLarge, "too many regions, or too long a name");
        }
        if hello.token.as_ref().is_some_and(|token| token.len() > self.limits.token_bytes_max) {
            return self.close(id, CloseCode::TooLarge, "a token over the limit");
        }
        if let (Some(own), Some(region)) = (self.role.region(), &hello.region)
            && (*region == own.name || !own.all.contains(region))
        {
            return self.close(id, CloseCode::Denied, "a relay of a region that is not known here");
        }
        let now = self.now;
        let is_relay = self.is_relay();
        let Some(link) = self.links.get_mut(id) else { return };
        let peer = link.peer.clone();
        if link.is_peer() && (hello.region.is_some() || !hello.regions.is_empty()) {
            // What relays say of regions is believed.
            return self.close(id, CloseCode::Denied, "a relay on a link between replicas");
        }
        let is_of_relay = self.peers.get(&hello.log).is_some_and(|record| !record.region.is_empty());
        if link.is_peer() && is_of_relay {
            // What it acknowledged would be taken for that relay's word, or that relay's word for nothing.
            return self.close(id, CloseCode::Denied, "the log of a relay on a link between replicas");
        }
        match &mut link.phase {
            Phase::Arriving { since } if is_relay => {
                let (since, token) = (*since, hello.token.clone());
                link.phase = Phase::Authorizing { hello: Box::new(hello), since };
                self.effects.push_back(Effect::Authorize(id, token));
            }
            Phase::Arriving { .. } => self.let_in(id, hello, peer),
            Phase::Greeted { url, since, sent } => {
                let dialed = Dialed {
                    url: core::mem::take(url),
                    grant: peer,
                    rtt: now.saturating_sub(*since),
                    renew_at: renew_at(&hello.terms, now),
                };
                let sent = sent.clone();
                self.up_as_dialer(id, &hello, dialed, &sent);
            }
            _ => self.close(id, CloseCode::OutOfOrder, "a second greeting"),
        }
    }

    /// Whether the space is the same at the other end. A relay that nobody has told takes it from the
    /// first link that may write.
    fn is_same_space(&mut self, id: LinkId, theirs: Option<&Descriptor>, may_write: bool) -> bool {
        match (self.log.descriptor(), theirs) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, Some(theirs)) if may_write => {
                if theirs.name != self.space {
                    return false;
                }
                let written = self.log.pin(theirs.clone());
                self.write_marker(written);
                self.greet_others_again(id);
                true
            }
            _ => true,
        }
    }

    /// Whoever is linked was not told what the space is, and may have learned since that it is another
    /// one: both are to compare it before commits flow.
    fn greet_others_again(&mut self, id: LinkId) {
        let has_greeted = |other: &LinkId| {
            let phase = self.links.get(*other).map(|link| &link.phase);
            matches!(phase, Some(Phase::Checking { .. } | Phase::Up(_)))
        };
        let others: Vec<_> = self.links.ids().into_iter().filter(has_greeted).collect();
        for other in others.into_iter().filter(|other| *other != id) {
            self.close(other, CloseCode::GoingAway, "this relay was told what the space is: connect again");
        }
    }

    /// The other side may come in: is it somewhere that this log has been?
    pub(super) fn let_in(&mut self, id: LinkId, hello: Hello, grant: Option<Grant>) {
        let may_write = grant.as_ref().is_none_or(|grant| grant.right == Right::Write);
        if !self.is_same_space(id, hello.descriptor.as_ref(), may_write) {
            return self.close_as_incompatible(id);
        }
        let now = self.now;
        let known = hello.cursors.iter().find(|cursor| cursor.log == self.log.id()).copied();
        let known = known.filter(|_| !self.deep_forks.contains_peer(&hello.log));
        let Some(link) = self.links.get_mut(id) else { return };
        link.phase = Phase::Checking { hello: Box::new(hello), grant, since: now };
        match known {
            Some(cursor) => self.check_cursor(id, cursor, Which::Seen),
            None => self.greet_back(id, None),
        }
    }

    /// Is this a position that this log had? Asked of `seen` first, then of `read`. A mark that this
    /// log never gave is no cursor, and says nothing of the log.
    pub(super) fn check_cursor(&mut self, id: LinkId, cursor: Cursor, which: Which) {
        let mark = which.of(&cursor);
        if self.log.marker().judge(&mark) == Shown::Foreign {
            if self.limits.is_mutated(Mutation::RenewOnForeignMark) {
                return self.cursor_checked(id, cursor, which, false);
            }
            self.cursor_is_none(id);
        } else if mark == Mark::START || mark == self.log.mark(self.stored) {
            self.cursor_checked(id, cursor, which, true);
        } else if mark.seq > self.stored.seq {
            self.cursor_checked(id, cursor, which, false);
        } else {
            let request = rows_after(mark.seq - 1, 0);
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
        let mark = which.of(&cursor);
        self.charge_comer(link, &answer);
        let rows = rows_of(answer)?;
        if let Some(bytes) = rows.bytes_needed {
            let request = rows_after(mark.seq - 1, bytes);
            self.request(Pending::CheckCursor { link, cursor, which }, request);
            return Ok(());
        }
        let is_there = rows.entries.iter().any(|entry| self.log.mark(entry.at) == mark);
        // Meanwhile the log may have taken another id, and given none of its marks.
        match self.log.marker().judge(&mark) {
            Shown::Given => self.cursor_checked(link, cursor, which, is_there),
            Shown::Foreign => self.cursor_is_none(link),
        }
        Ok(())
    }

    fn cursor_is_none(&mut self, id: LinkId) {
        if matches!(self.links.get(id).map(|link| &link.phase), Some(Phase::Checking { .. })) {
            self.greet_back(id, None);
        }
    }

    fn cursor_checked(&mut self, id: LinkId, cursor: Cursor, which: Which, is_there: bool) {
        let Some(link) = self.links.get(id) else { return };
        let is_coming = matches!(link.phase, Phase::Checking { .. });
        match (is_there, which) {
            (true, Which::Seen) => self.check_cursor(id, cursor, Which::Read),
            (true, Which::Read) if is_coming => self.greet_back(id, Some(cursor.read.seq)),
            (false, _) if is_coming => {
                self.renew_log(Some(id));
                self.greet_back(id, None);
            }
            // The cursor of a holder that was dialled, which knows this log as another than it is.
            (false, _) if link.is_up() => self.renew_log(None),
            _ => {}
        }
    }

    /// This log is not what it was: an older copy was put back. What was acknowledged under its id
    /// is void, and whoever is connected must hear so.
    fn renew_log(&mut self, except: Option<LinkId>) {
        if self.limits.is_mutated(Mutation::KeepLogId) {
            return;
        }
        let partition = self.log.marker().partition;
        self.rng.take_in(&self.now.to_be_bytes());
        let marker = Marker::new(LogId(self.rng.bytes16()), self.rng.bytes32(), partition);
        for link in self.links.ids().into_iter().filter(|id| Some(*id) != except) {
            let has_greeted = self.links.get(link).is_some_and(|link| {
                !matches!(link.phase, Phase::Dialing { .. } | Phase::Dialed { .. } | Phase::Arriving { .. })
            });
            if has_greeted {
                self.close(link, CloseCode::LogReplaced, "this holder's log was replaced by an older copy");
            }
        }
        // A link that ends takes note of what was acknowledged on it, under the id before (seed 1002135).
        if let Role::Relay(region) = &mut self.role {
            region.log_is_new();
        }
        self.peers.log_is_new();
        self.opened_as = Some(marker.log);
        let written = self.log.renew(marker);
        self.write_marker(written);
    }

    /// Writes what greetings tell of the log.
    fn write_marker(&mut self, (guard, put): (Guard, (Vec<u8>, Vec<u8>))) {
        self.marker_writes += 1;
        let mut batch = WriteBatch { guard: Some(guard), puts: vec![put], deletes: Vec::new() };
        // What is known of others goes with the id that this log is known by there.
        self.peers.take(usize::MAX, &mut batch);
        self.write(Pending::Marker, batch);
    }

    /// What greetings tell of the log was written, or can't be.
    pub(super) fn marker_written(&mut self, batch: &WriteBatch, answer: StorageAnswer) {
        self.writing -= 1;
        self.marker_writes -= 1;
        match answer {
            StorageAnswer::Failed(reason) => self.disk_fails(batch.clone(), reason),
            StorageAnswer::GuardFailed => {
                for (id, _) in core::mem::take(&mut self.greet_later) {
                    self.close(id, CloseCode::GoingAway, "this replica's storage was changed meanwhile");
                }
                return self.reload();
            }
            _ if !self.disk_failed() => self.notices.push_back(Notice::MarkerWritten),
            _ => {}
        }
        for (id, resume) in core::mem::take(&mut self.greet_later) {
            self.greet_back(id, resume);
        }
    }

    /// Lets the other side in: its stream goes on after `resume`, or both compare what they hold.
    fn greet_back(&mut self, id: LinkId, resume: Option<u64>) {
        if self.marker_writes > 0 {
            return self.greet_later.push((id, resume));
        }
        let now = self.now;
        let is_relay = self.is_relay();
        let Some(link) = self.links.get_mut(id) else { return };
        let is_peer = link.is_peer();
        let Phase::Checking { hello, grant, .. } =
            core::mem::replace(&mut link.phase, Phase::Arriving { since: now })
        else {
            return;
        };
        let mut grant = grant;
        if let Some(grant) = grant.as_mut().filter(|_| hello.terms.read_only && !is_peer) {
            grant.right = Right::Read;
        }
        let is_mesh = is_relay && hello.region.is_some();
        let terms = terms_of(grant.as_ref(), now);
        // What it may know of other regions by the commits that it brought before.
        let accepted = Accepted { grant, brought: self.stored.seq, ..Accepted::default() };
        let peer = Peer::of(&hello);
        let mut session = Session::new(End::Accepter(accepted), peer, is_mesh, &self.limits, now);
        session.is_with_replica = is_peer;
        // Another replica has said what it lets this one do.
        session.send.is_muted = is_peer && hello.terms.read_only;
        let is_kept = session.is_kept();
        session.send.grant(hello.credit, &self.limits);
        session.their_head = hello.head.seq;
        let has_holes = hello.holes > 0 || !self.log.holes().is_empty();
        let is_all_stored = self.stored == self.log.head();
        let is_equal = hello.digest == Some(self.log.vector().digest()) && is_all_stored && !has_holes;
        // Whoever comes again and again brings no more than whoever stays.
        let subject = session.grant().map(|grant| &grant.subject).filter(|_| !is_mesh);
        if subject.is_some_and(|subject| !self.gate.may_be_granted(subject, now)) {
            session.receive.grant_later();
        }
        let credit = u64::try_from(session.receive.window).unwrap_or_default();
        let from = if is_equal { Some(self.stored.seq) } else { resume };
        let record = self.peers.get(&hello.log).filter(|_| is_kept).cloned();
        let cursor = record.as_ref().map(|record| record.cursor);
        // Not all of them are told where forks are too deep.
        let with_tips = from.is_none() && !self.deep_forks.contains_peer(&hello.log);
        let reply = self.hello(cursor.into_iter().collect(), from.is_some(), with_tips);
        let told = reply.tips.is_some();
        self.send(id, &Frame::Hello(Hello { terms, credit, ..reply }));
        self.links.came_up(id, session);
        self.presence_link_up(id);
        if is_relay && !is_mesh {
            self.bringers.insert(id);
        }
        if is_kept {
            let start = Cursor::start(hello.log);
            // What another replica has said as its log may be of a longer one.
            let is_in = |cursor: &Cursor| !is_peer || cursor.read.seq <= hello.head.seq;
            let known = cursor.filter(|cursor| from.is_some() && is_in(cursor)).unwrap_or(start);
            let acked = from.unwrap_or(0);
            let whole = if hello.holes == 0 {
                acked
            } else {
                acked.min(record.as_ref().map_or(0, |r| r.whole_acked))
            };
            let record = PeerRecord {
                cursor: if is_equal { Cursor { read: hello.head, seen: hello.head, ..start } } else { known },
                read_acked: acked,
                whole_acked: whole,
                url: String::new(),
                region: hello.region.clone().unwrap_or_default(),
                agreed_at: record.and_then(|record| record.agreed_at),
                met_at: now,
            };
            self.meet(id, record);
        }
        self.say_what_is_missing(id, false);
        match from {
            Some(from) => self.start_stream(id, from),
            None => self.reconcile(id, told, &hello),
        }
    }

    fn up_as_dialer(&mut self, id: LinkId, hello: &Hello, dialed: Dialed, sent: &Greeting) {
        // Whoever is dialled is believed: nobody else is told by it what to write. Another replica is not.
        if !self.is_same_space(id, hello.descriptor.as_ref(), self.is_relay()) {
            if dialed.grant.is_none() {
                self.notices.push_back(Notice::Incompatible(hello.descriptor.clone()));
            }
            return self.close_as_incompatible(id);
        }
        let now = self.now;
        let is_relay = self.is_relay();
        let is_mesh = is_relay && hello.region.is_some();
        let url = dialed.url.clone();
        let is_peer = cfg!(feature = "documents") && dialed.grant.is_some();
        let peer = Peer::of(hello);
        let mut session = Session::new(End::Dialer(dialed), peer, is_mesh, &self.limits, now);
        session.is_with_replica = is_peer;
        session.send.grant(hello.credit, &self.limits);
        session.send.is_muted = hello.terms.read_only;
        session.their_head = hello.head.seq;
        self.links.came_up(id, session);
        if hello.region.is_some() {
            self.end_links_to_replicas_of(hello.log);
        }
        self.presence_link_up(id);
        let known = self.peers.get(&hello.log).cloned();
        let agreed_at = known.as_ref().and_then(|record| record.agreed_at);
        // It goes on after the cursor that it was shown. A copy of it may have been read further meanwhile, and
        // have acknowledged what it has not.
        let shown = sent.met.iter().find(|met| met.cursor.log == hello.log).filter(|_| hello.resumed);
        let record = known.zip(shown).map(|(record, met)| {
            let Met { cursor, read_acked, whole_acked } = *met;
            PeerRecord { cursor, read_acked, whole_acked, ..record }
        });
        let mut record = record.unwrap_or(PeerRecord {
            cursor: Cursor::start(hello.log),
            read_acked: 0,
            whole_acked: 0,
            url: String::new(),
            region: String::new(),
            agreed_at,
            met_at: now,
        });
        if hello.holes == 0 {
            // What was missing there is not missing any more.
            record.whole_acked = record.read_acked;
        }
        let is_equal = hello.resumed && hello.digest.is_some() && hello.digest == sent.digest;
        if is_equal && hello.holes == 0 && sent.holes == 0 {
            // Both hold the same: nothing is streamed either way.
            record.cursor = Cursor { read: hello.head, seen: hello.head, ..record.cursor };
            record.read_acked = sent.head.seq;
            record.whole_acked = sent.head.seq;
        }
        record.url = url;
        record.region = hello.region.clone().unwrap_or_default();
        record.met_at = now;
        // A holder that knows another log under this one's id than it is now: an older copy was put back.
        let theirs = hello.cursors.iter().find(|cursor| cursor.log == self.log.id()).copied();
        // What a replica has of this log it knows best: another one may have greeted as its log.
        let is_given = |cursor: &Cursor| self.log.marker().judge(&cursor.read) == Shown::Given;
        if let Some(cursor) = theirs.filter(|cursor| is_peer && !is_equal && is_given(cursor)) {
            record.read_acked = record.read_acked.min(cursor.read.seq);
            record.whole_acked = record.whole_acked.min(cursor.read.seq);
        }
        let acked = record.read_acked;
        self.meet(id, record);
        if !is_peer {
            self.notices.push_back(Notice::RegionsTold(hello.regions.clone()));
        }
        if let Some(cursor) = theirs.filter(|_| is_relay || is_peer) {
            self.check_cursor(id, cursor, Which::Seen);
        }
        self.say_what_is_missing(id, sent.holes > 0);
        if hello.resumed {
            self.start_stream(id, acked);
        } else {
            self.reconcile(id, sent.with_tips, hello);
        }
    }

    /// A relay has greeted: what other replicas have said as its log is void.
    fn end_links_to_replicas_of(&mut self, log: LogId) {
        let is_of_log = |session: &Session| session.is_peer() && session.peer.log == log;
        let links: Vec<_> =
            self.links.sessions().filter(|(_, session)| is_of_log(session)).map(|(id, _)| id).collect();
        for link in links {
            self.close(link, CloseCode::Denied, "the log of a relay on a link between replicas");
        }
    }

    /// A link is up with a holder of which this much is known.
    fn meet(&mut self, id: LinkId, record: PeerRecord) {
        if let Some(session) = self.links.session_mut(id) {
            session.receive.read = record.cursor.read;
            session.send.seen = record.cursor.seen;
            session.send.read_acked = record.read_acked;
            session.send.whole_acked = record.whole_acked;
            session.send.stored_at(record.cursor.seen.seq, &self.limits);
        }
        let is_relay = self.is_relay();
        let (url, region) = (record.url.clone(), record.region.clone());
        self.peers.meet(record, self.limits.hello_cursors_max, |other| {
            (!url.is_empty() && other.url == url) || (is_relay && other.region == region)
        });
        self.note_peer(id);
    }

    /// Where this side had holes as it greeted, the other does not know what of its log is whole here
    /// until it is told.
    fn say_what_is_missing(&mut self, id: LinkId, had_holes: bool) {
        let Some(session) = self.links.session_mut(id) else { return };
        if had_holes || !self.log.holes().is_empty() {
            session.receive.whole_told = Some(0);
            self.touched.insert(id);
        }
    }

    fn start_stream(&mut self, id: LinkId, from: u64) {
        if let Some(session) = self.links.session_mut(id) {
            // Of a position, only the number matters to where a stream begins.
            session.send.start(Position { seq: from, ..Position::START });
        }
        self.notices.push_back(Notice::LinkChanged);
        self.feed(id);
    }
}

impl Which {
    fn of(self, cursor: &Cursor) -> Mark {
        match self {
            Which::Seen => cursor.seen,
            Which::Read => cursor.read,
        }
    }
}

/// What this side lets the other do.
pub(super) fn terms_of(grant: Option<&Grant>, now: crate::base::time::Millis) -> Terms {
    let expires_at = grant.and_then(|grant| grant.expires_at);
    Terms {
        read_only: grant.is_some_and(|grant| grant.right == Right::Read),
        expires_in: expires_at.map(|at| at.saturating_sub(now)),
    }
}
