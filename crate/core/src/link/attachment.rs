//! What a link keeps when its holder is taken out of memory while the connection stays.

use minicbor::{Decode, Encode};

use crate::base::cbor::{decode_map, from_cbor, to_cbor};
use crate::base::id::{LogId, PeerKey};
use crate::base::limits::Limits;
use crate::base::mutation::Mutation;
use crate::base::position::{Mark, Position};
use crate::base::time::Millis;
use crate::link::link::{Link, Phase};
use crate::link::session::{Accepted, End, Grant, Peer, Session};
use crate::link::unread::Unread;
use crate::wire::access::Right;
use crate::wire::batch::Last;
use crate::wire::bodies::{VERSION, VERSION_MIN};

/// Everything that is outstanding on a link which [is attachable](Session::is_attachable).
#[derive(Encode)]
#[cbor(map)]
struct Attachment {
    #[n(0)]
    log: LogId,
    #[n(1)]
    region: Option<String>,
    #[n(2)]
    is_mesh: bool,
    #[n(3)]
    their_head: u64,
    #[n(4)]
    read: Mark,
    #[n(5)]
    window: i64,
    #[n(6)]
    owed: u64,
    #[n(7)]
    sent: Position,
    #[n(8)]
    credit: i64,
    #[n(9)]
    read_acked: u64,
    #[n(10)]
    whole_acked: u64,
    #[n(11)]
    marked: u64,
    #[n(12)]
    brought: u64,
    #[n(13)]
    told_stored: Vec<u64>,
    #[n(14)]
    grant: Option<KeptGrant>,
    #[n(15)]
    whole_told: Option<u64>,
    /// Bytes that were sent since it was last asked what was read, and the questions before.
    #[n(16)]
    unread: u64,
    #[n(17)]
    asked: Vec<(u64, u64)>,
    #[n(18)]
    version: u8,
    /// The key by which others may meet it.
    #[n(19)]
    announced: Option<PeerKey>,
    /// Absent: it does not want to know who is there.
    #[n(20)]
    shows_presence: Option<bool>,
    /// From which commit the next frame of the other side may go on.
    #[n(21)]
    last: Option<Last>,
}

decode_map!(Attachment {
    log: 0,
    region: 1,
    is_mesh: 2,
    their_head: 3,
    read: 4,
    window: 5,
    owed: 6,
    sent: 7,
    credit: 8,
    read_acked: 9,
    whole_acked: 10,
    marked: 11,
    brought: 12,
    told_stored: 13,
    grant: 14,
    whole_told: 15,
    unread: 16,
    asked: 17,
    version: 18,
    announced: 19,
    shows_presence: 20,
    last: 21
});

#[derive(Encode, Decode)]
#[cbor(array)]
struct KeptGrant {
    #[n(0)]
    subject: String,
    #[n(1)]
    may_write: bool,
    #[n(2)]
    expires_at: Option<Millis>,
}

impl Link {
    /// What it needs to go on later, if it can.
    pub fn attachment(&self, limits: &Limits) -> Option<Vec<u8>> {
        let is_forced =
            |session: &Session| session.send.started && limits.is_mutated(Mutation::SleepOnFrames);
        let session = self.session().filter(|session| session.is_attachable() || is_forced(session))?;
        let End::Accepter(accepted) = &session.end else { return None };
        let (unread, asked) = session.unread.keep()?;
        let grant = accepted.grant.as_ref().map(|grant| KeptGrant {
            subject: grant.subject.clone(),
            may_write: grant.right == Right::Write,
            expires_at: grant.expires_at,
        });
        Some(to_cbor(&Attachment {
            log: session.peer.log,
            region: session.peer.region.clone(),
            is_mesh: session.is_mesh,
            their_head: session.their_head,
            read: session.receive.read,
            window: session.receive.window,
            owed: session.receive.owed,
            // A pass with a filter is begun anew: what the peer holds is not kept.
            sent: if session.send.is_filtered() { Position::START } else { session.send.sent },
            credit: session.send.credit,
            read_acked: session.send.read_acked,
            whole_acked: session.send.whole_acked,
            marked: session.send.marked,
            brought: accepted.brought,
            told_stored: accepted.told_stored.clone(),
            grant,
            whole_told: session.receive.whole_told,
            unread,
            asked,
            version: session.peer.version,
            announced: accepted.announced,
            shows_presence: session.shows_presence.then_some(true),
            last: session.receive.last,
        }))
    }

    /// The link that kept this. It may have been kept by an earlier program, of which this one does not speak
    /// the version any more.
    pub fn resume(attachment: &[u8], limits: &Limits, now: Millis) -> Option<Self> {
        let kept: Attachment = from_cbor(attachment).ok()?;
        if !(VERSION_MIN..=VERSION).contains(&kept.version) {
            return None;
        }
        let grant = kept.grant.map(|grant| Grant {
            subject: grant.subject,
            right: if grant.may_write { Right::Write } else { Right::Read },
            expires_at: grant.expires_at,
        });
        let end = End::Accepter(Accepted {
            grant,
            brought: kept.brought,
            told_stored: kept.told_stored,
            announced: kept.announced,
            ..Accepted::default()
        });
        let peer = Peer { log: kept.log, region: kept.region, version: kept.version };
        let mut session = Session::new(end, peer, kept.is_mesh, limits, now);
        session.their_head = kept.their_head;
        session.shows_presence = kept.shows_presence.unwrap_or_default();
        session.unread = Unread::resume(kept.unread, kept.asked, limits);
        session.receive.read = kept.read;
        session.receive.window = kept.window;
        session.receive.owed = if limits.is_mutated(Mutation::ForgetOwed) { 0 } else { kept.owed };
        session.receive.whole_told = kept.whole_told;
        session.receive.last = kept.last;
        session.send.start(kept.sent);
        session.send.credit = kept.credit;
        session.send.read_acked = kept.read_acked;
        session.send.whole_acked = kept.whole_acked;
        session.send.marked = kept.marked;
        Some(Self::new(Phase::Up(Box::new(session)), now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::descriptor::Descriptor;
    use crate::wire::bodies::Hello;

    #[test]
    fn the_version_that_both_sides_speak_is_the_newest_that_both_understand_and_stays_with_the_link() {
        let limits = Limits::PROTOCOL;
        let hello = Hello::empty(Descriptor::plain("space"), LogId([1; 16]), 0);
        for (theirs, spoken) in [(VERSION, VERSION), (VERSION + 7, VERSION)] {
            let peer = Peer::of(&Hello { version_max: theirs, ..hello.clone() });
            let end = End::Accepter(Accepted::default());
            let mut session = Session::new(end, peer, false, &limits, 0);
            session.send.start(Position::START);
            let link = Link::new(Phase::Up(Box::new(session)), 0);
            let kept = link.attachment(&limits).expect("nothing is under way");
            let resumed = Link::resume(&kept, &limits, 0).expect("it goes on");
            assert_eq!(resumed.session().map(|session| session.peer.version), Some(spoken));
            for unknown in [VERSION_MIN - 1, VERSION + 1] {
                let mut other: Attachment = from_cbor(&kept).expect("an attachment");
                other.version = unknown;
                assert!(Link::resume(&to_cbor(&other), &limits, 0).is_none(), "version {unknown}");
            }
        }
    }
}
