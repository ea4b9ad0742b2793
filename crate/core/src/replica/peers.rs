//! Links to other replicas, over connections that the host opened, and how all links are.

use crate::base::id::LinkId;
use crate::base::time::Millis;
use crate::link::session::{End, Session};
use crate::replica::replica::Replica;
use crate::replica::status::RelayStatus;
use crate::wire::access::{Right, Side};
use crate::wire::close::CloseCode;

/// A link that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// Absent where another process that shares this log is linked to the relay.
    pub link: Option<LinkId>,
    /// The region of a relay; absent where the other side is a replica.
    pub region: Option<String>,
    /// The last round trip that was measured, in milliseconds. 0 before there was one.
    pub rtt: Millis,
    /// What this replica may do.
    pub own: Right,
    /// What the other side may do here.
    pub theirs: Right,
}

impl Replica {
    /// A connection to another replica of this space is open. Whoever opened it has found out which side
    /// greets first, and says what the other one may do here: commits of one that may only read are not
    /// taken. Frames go in and out as on any link, by the number given.
    pub fn open_peer(&mut self, side: Side, right: Right, now: Millis) -> LinkId {
        let now = self.observe(now);
        self.holder.catch_up(now);
        let link = self.holder.open_peer(side, right, now);
        self.peers.add(link);
        if self.holder.is_failed() {
            self.holder.close(link, CloseCode::Storage, "this replica's storage has failed");
        }
        self.advance();
        link
    }

    /// Ends a link to another replica.
    pub fn close_peer(&mut self, link: LinkId, now: Millis) {
        let now = self.observe(now);
        self.holder.catch_up(now);
        if self.peers.contains(link) {
            self.holder.close(link, CloseCode::GoingAway, "this replica ends the link");
        }
        self.advance();
    }

    /// All links that are up: the one to a relay, this process's or that of another which shares the log,
    /// and those to replicas. Round trips to replicas are measured anew where that was long ago.
    pub fn links(&mut self, now: Millis) -> Vec<LinkStatus> {
        let now = self.observe(now);
        let linked = |link, relay: RelayStatus| LinkStatus {
            link,
            region: Some(relay.region),
            rtt: relay.rtt,
            own: if relay.is_read_only { Right::Read } else { Right::Write },
            theirs: Right::Write,
        };
        let own = self.dialer.link_up(&self.holder);
        let mut links = Vec::new();
        if let (Some(link), Some(relay)) = (own, self.dialer.relay(&self.holder)) {
            links.push(linked(Some(link), relay));
        } else if let Some(relay) = self.leader().and_then(|view| view.relay.clone()) {
            links.push(linked(None, relay));
        }
        let mut due = Vec::new();
        for (link, session) in self.holder.links().sessions().filter(|(link, _)| self.peers.contains(*link)) {
            if self.peers.is_due(link, now) {
                due.push(link);
            }
            let rtt = self.peers.measured(link).unwrap_or(greeting_of(session));
            links.push(LinkStatus {
                link: Some(link),
                region: None,
                rtt,
                own: if session.send.is_muted { Right::Read } else { Right::Write },
                theirs: session.grant().map_or(Right::Write, |grant| grant.right),
            });
        }
        for link in due {
            let nonce = self.holder.ask_head(link);
            self.peers.asked(link, nonce, now);
        }
        links
    }
}

/// How long the greeting took, for whoever began it.
fn greeting_of(session: &Session) -> Millis {
    match &session.end {
        End::Dialer(dialed) => dialed.rtt,
        End::Accepter(_) => 0,
    }
}
